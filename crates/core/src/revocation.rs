//! Revocation (J6 **[M]**) and the schedule after which sign-in and issuance open again (R58).

use jiff::{Timestamp, ToSpan as _, civil, tz::TimeZone};

use crate::refusal::Refusal;
use crate::service::{QuietHours, ReissueSchedule};
use crate::time::UnixMillis;
use crate::token::{RevokedBy, Token};
use crate::user::{Actor, User, may_revoke};
use crate::verification::Counter;

/// Ends `target`'s token: gives the token and the counter to write. Takes effect at once for verification.
///
/// # Errors
/// Who may not: see [`may_revoke`]. [`Refusal::NoToken`] when there is none that lives.
pub fn revoke(
    actor: &Actor,
    target: &User,
    token: Option<(Token, Counter)>,
    now: UnixMillis,
) -> Result<(Token, Counter), Refusal> {
    may_revoke(actor, target)?;
    let (token, counter) = token.ok_or(Refusal::NoToken)?;
    let by = if *actor == Actor::System {
        RevokedBy::System
    } else {
        RevokedBy::Person
    };
    let state = token.state.revoked(now, by).ok_or(Refusal::NoToken)?;
    let counter = Counter {
        version: counter.version + 1,
        standing: state.standing(),
        ..counter
    };
    Ok((Token { state, ..token }, counter))
}

/// When sign-in and issuance open again after a revocation at `revoked_at`: after the delay; but a revocation in the quiet
/// hours opens at their next end **[M]**. The edges: 20:49:59 waits the delay, 20:50:00 waits for 08:10, 08:09:59 too,
/// 08:10:00 waits the delay again.
#[must_use]
pub fn reopens_at(
    revoked_at: UnixMillis,
    schedule: &ReissueSchedule,
    zone: &TimeZone,
) -> UnixMillis {
    let after_delay = revoked_at.plus_ms(schedule.delay_ms);
    let Some(quiet) = schedule.quiet_hours else {
        return after_delay;
    };
    let Ok(at) = Timestamp::from_millisecond(revoked_at.0) else {
        return after_delay;
    };
    let local = at.to_zoned(zone.clone());
    let minute =
        u16::from(local.hour().cast_unsigned()) * 60 + u16::from(local.minute().cast_unsigned());
    if !is_quiet(minute, quiet) {
        return after_delay;
    }
    let today = local.date();
    let ends_today = minute < quiet.until_minute;
    let date = if ends_today {
        Ok(today)
    } else {
        today.checked_add(1.day())
    };
    let hour = i8::try_from(quiet.until_minute / 60).unwrap_or(0);
    let past = i8::try_from(quiet.until_minute % 60).unwrap_or(0);
    date.map(|date| date.to_datetime(civil::time(hour, past, 0, 0)))
        .and_then(|end| zone.to_ambiguous_zoned(end).compatible())
        .map_or(after_delay, |end| {
            UnixMillis(end.timestamp().as_millisecond())
        })
}

fn is_quiet(minute: u16, quiet: QuietHours) -> bool {
    if quiet.from_minute < quiet.until_minute {
        (quiet.from_minute..quiet.until_minute).contains(&minute)
    } else {
        minute >= quiet.from_minute || minute < quiet.until_minute
    }
}

/// Refuses while the wait after a revocation is not over.
///
/// # Errors
/// [`Refusal::ReissueNotYet`] with the time when it is.
pub fn wait_is_over(user: &User, now: UnixMillis) -> Result<(), Refusal> {
    match user.reopens_at {
        Some(open_at) if now < open_at => Err(Refusal::ReissueNotYet { open_at }),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Policy;

    fn opens(revoked: &str, schedule: &ReissueSchedule, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let at = revoked
            .parse::<civil::DateTime>()
            .unwrap()
            .to_zoned(zone.clone())
            .unwrap();
        let open = reopens_at(UnixMillis(at.timestamp().as_millisecond()), schedule, &zone);
        Timestamp::from_millisecond(open.0)
            .unwrap()
            .to_zoned(zone)
            .datetime()
            .to_string()
    }

    #[test]
    fn r58_the_edges_of_the_reissue_schedule() {
        let schedule = Policy::manual().reissue;
        let rows = [
            ("2026-11-20T08:09:59", "2026-11-20T08:10:00"),
            ("2026-11-20T08:09:59.999", "2026-11-20T08:10:00"),
            ("2026-11-20T08:10:00", "2026-11-20T08:30:00"),
            ("2026-11-20T12:00:00", "2026-11-20T12:20:00"),
            ("2026-11-20T20:49:59", "2026-11-20T21:09:59"),
            ("2026-11-20T20:50:00", "2026-11-21T08:10:00"),
            ("2026-11-20T23:59:59", "2026-11-21T08:10:00"),
            ("2026-11-21T00:00:00", "2026-11-21T08:10:00"),
            ("2026-12-31T22:00:00", "2027-01-01T08:10:00"),
        ];
        for (revoked, expected) in rows {
            assert_eq!(
                opens(revoked, &schedule, "Asia/Tokyo"),
                expected,
                "{revoked}"
            );
        }
    }

    #[test]
    fn r58_no_wait_is_allowed_as_a_policy() {
        let schedule = Policy::strict().reissue;
        assert_eq!(
            opens("2026-11-20T23:00:00", &schedule, "Asia/Tokyo"),
            "2026-11-20T23:00:00"
        );
    }

    #[test]
    fn r58_the_hours_are_those_of_the_services_zone_also_when_clocks_change() {
        let schedule = Policy::manual().reissue;
        // In New York the night of 2026-11-01 has an hour more; 08:10 stays 08:10.
        assert_eq!(
            opens("2026-10-31T21:00:00", &schedule, "America/New_York"),
            "2026-11-01T08:10:00"
        );
        // An end of the quiet hours inside the hour that spring leaves out opens after it.
        let quiet = QuietHours {
            from_minute: 60,
            until_minute: 150,
        };
        let schedule = ReissueSchedule {
            delay_ms: 0,
            quiet_hours: Some(quiet),
        };
        assert_eq!(
            opens("2026-03-08T01:30:00", &schedule, "America/New_York"),
            "2026-03-08T03:30:00"
        );
    }
}
