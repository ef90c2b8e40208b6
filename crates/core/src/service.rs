//! A service: one protected site, the tenant, with its policy (PRODUCT.md §5).

use serde::{Deserialize, Serialize};

use crate::activation_password::ActivationPassword;
use crate::oath::{Algorithm, Parameters, digits_allowed, step_allowed};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, UnixMillis};

/// One protected site. Everything else belongs to exactly one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What people type into the app.
    pub id: crate::id::ServiceId,
    /// The name as pages and mails show it, in Japanese.
    pub name_ja: String,
    /// The name in English.
    pub name_en: String,
    /// IANA name of the time zone in which the hours of the policy are meant, such as `Asia/Tokyo`.
    pub time_zone: String,
    /// How to reach the operators (お問合せ先), shown wherever only they can help.
    pub help_desk: String,
    /// The rules of this service.
    pub policy: Policy,
}

/// The rules of a service. The defaults are the profile `manual`; [`Policy::strict`] is the other one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Hash, digits and time step of new tokens.
    pub parameters: Parameters,
    /// Which time steps around the server's own are accepted.
    pub window: Window,
    /// Wrong codes in a row that suspend, 3 to 10 (R32).
    pub wrong_codes_max: u32,
    /// Wrong codes without one right code between, over all releases, at which only revocation helps (R34).
    pub run_max: u32,
    /// Digits of the activation password, least and most (4 to 8).
    pub activation_password_digits: (u8, u8),
    /// How long an issuance may be activated, in milliseconds (R47).
    pub issuance_lives_ms: i64,
    /// Starts of the app that one issuance allows (R51).
    pub starts_per_issuance_max: u32,
    /// Starts that one user has in 24 hours, over all issuances (R51).
    pub starts_per_user_day_max: u32,
    /// When login and issuance open again after a revocation (R58).
    pub reissue: ReissueSchedule,
    /// How long a token may stay without a first right code before the system revokes it, in milliseconds.
    pub unconfirmed_lives_ms: i64,
    /// How long a sign-in lives.
    pub session: SessionLife,
    /// How long a relying system is advised to keep its limits low after an activation, in milliseconds; 0 for not at all. It
    /// is reported as the time when it ends, and decides nothing here (PRODUCT.md §5).
    #[serde(default)]
    pub cool_off_ms: i64,
    /// How long a token lives from its activation or its last renewal, in milliseconds; 0 for without an end (R27). It is fixed
    /// for each token then: another life in the policy changes no token that is there.
    #[serde(default)]
    pub token_lives_ms: i64,
    /// How long before its end a token can be renewed by its app, in milliseconds; at most its life.
    #[serde(default = "default_renewal_opens_ms")]
    pub renewal_opens_ms: i64,
}

/// What a policy has that was stored before there were renewals.
const fn default_renewal_opens_ms() -> i64 {
    30 * DAY_MS
}

/// Accepted time steps, counted from the server's step (R15, R16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Steps before the server's own.
    pub behind: u8,
    /// Steps after it.
    pub ahead: u8,
    /// How far the learned drift of a token may stretch the window, in steps.
    pub drift_max: u8,
}

/// When a user may sign in and ask for a token again after a revocation (PRODUCT.md §3 **[M]**, R58).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReissueSchedule {
    /// The wait in milliseconds; 0 for none.
    pub delay_ms: i64,
    /// Hours in which nothing opens; a revocation in them opens at their end. `None` for no such hours.
    pub quiet_hours: Option<QuietHours>,
}

/// A part of the day in the service's time zone; it may pass midnight. Minutes after midnight, 0 to 1439.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// The first quiet minute.
    pub from_minute: u16,
    /// The first minute that is not quiet any more.
    pub until_minute: u16,
}

/// How long a session lives (R74).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionLife {
    /// Without a request, in milliseconds.
    pub idle_ms: i64,
    /// From the sign-in on, in milliseconds.
    pub absolute_ms: i64,
}

/// A policy that no service may have; each says the setting and its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyError(&'static str);

impl core::fmt::Display for PolicyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for PolicyError {}

impl Default for Policy {
    fn default() -> Self {
        Self::manual()
    }
}

impl Policy {
    /// The profile `manual`, as banks work today: 60 s, 6 digits, mail, 20 minutes or 08:10.
    #[must_use]
    pub const fn manual() -> Self {
        Self {
            parameters: Parameters {
                algorithm: Algorithm::Sha256,
                digits: 6,
                step_s: 60,
            },
            window: Window {
                behind: 1,
                ahead: 1,
                drift_max: 2,
            },
            wrong_codes_max: 5,
            run_max: 30,
            activation_password_digits: (4, 8),
            issuance_lives_ms: DAY_MS,
            starts_per_issuance_max: 5,
            starts_per_user_day_max: 20,
            reissue: ReissueSchedule {
                delay_ms: 20 * MINUTE_MS,
                quiet_hours: Some(QuietHours {
                    from_minute: 20 * 60 + 50,
                    until_minute: 8 * 60 + 10,
                }),
            },
            unconfirmed_lives_ms: 7 * DAY_MS,
            session: SessionLife {
                idle_ms: 15 * MINUTE_MS,
                absolute_ms: 8 * HOUR_MS,
            },
            cool_off_ms: 0,
            token_lives_ms: 0,
            renewal_opens_ms: default_renewal_opens_ms(),
        }
    }

    /// The profile `strict`: 30 s, 8 digits, no step ahead, at least 6 digits of activation password, re-issue at once.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            parameters: Parameters {
                algorithm: Algorithm::Sha256,
                digits: 8,
                step_s: 30,
            },
            window: Window {
                behind: 1,
                ahead: 0,
                drift_max: 0,
            },
            activation_password_digits: (6, 8),
            reissue: ReissueSchedule {
                delay_ms: 0,
                quiet_hours: None,
            },
            cool_off_ms: DAY_MS,
            ..Self::manual()
        }
    }

    /// When the cool-off of a token that was activated then ends; `None` where it is over, or there is none.
    #[must_use]
    pub fn cool_off_until(&self, activated_at: UnixMillis, now: UnixMillis) -> Option<UnixMillis> {
        let end = activated_at.plus_ms(self.cool_off_ms);
        (now < end).then_some(end)
    }

    /// Refuses a policy outside the ranges of PRODUCT.md §5.
    ///
    /// # Errors
    /// [`PolicyError`] names the first setting that is out of range.
    pub const fn check(&self) -> Result<(), PolicyError> {
        if !digits_allowed(self.parameters.digits) {
            return Err(PolicyError("digits: 6 to 8"));
        }
        if !step_allowed(self.parameters.step_s) {
            return Err(PolicyError("step_s: 30 or 60"));
        }
        if self.window.behind > 2 || self.window.ahead > 2 || self.window.drift_max > 2 {
            return Err(PolicyError(
                "window: at most 2 steps each way and 2 of drift",
            ));
        }
        if self.wrong_codes_max < 3 || self.wrong_codes_max > 10 {
            return Err(PolicyError("wrong_codes_max: 3 to 10"));
        }
        if self.run_max < self.wrong_codes_max || self.run_max > 100 {
            return Err(PolicyError("run_max: from wrong_codes_max to 100"));
        }
        let (least, most) = self.activation_password_digits;
        if least < ActivationPassword::DIGITS_MIN
            || least > most
            || most > ActivationPassword::DIGITS_MAX
        {
            return Err(PolicyError(
                "activation_password_digits: 4 to 8, the least first",
            ));
        }
        if self.issuance_lives_ms < MINUTE_MS || self.issuance_lives_ms > 7 * DAY_MS {
            return Err(PolicyError("issuance_lives_ms: 1 minute to 7 days"));
        }
        if self.starts_per_issuance_max < 1 || self.starts_per_issuance_max > 10 {
            return Err(PolicyError("starts_per_issuance_max: 1 to 10"));
        }
        if self.starts_per_user_day_max < self.starts_per_issuance_max
            || self.starts_per_user_day_max > 100
        {
            return Err(PolicyError(
                "starts_per_user_day_max: from starts_per_issuance_max to 100",
            ));
        }
        if self.reissue.delay_ms < 0 || self.reissue.delay_ms > 7 * DAY_MS {
            return Err(PolicyError("reissue.delay_ms: 0 to 7 days"));
        }
        if let Some(quiet) = self.reissue.quiet_hours
            && (quiet.from_minute >= 1440
                || quiet.until_minute >= 1440
                || quiet.from_minute == quiet.until_minute)
        {
            return Err(PolicyError(
                "reissue.quiet_hours: two different minutes of the day, 0 to 1439",
            ));
        }
        if self.unconfirmed_lives_ms < HOUR_MS || self.unconfirmed_lives_ms > 30 * DAY_MS {
            return Err(PolicyError("unconfirmed_lives_ms: 1 hour to 30 days"));
        }
        if self.session.idle_ms < MINUTE_MS || self.session.idle_ms > self.session.absolute_ms {
            return Err(PolicyError(
                "session.idle_ms: from 1 minute to session.absolute_ms",
            ));
        }
        if self.session.absolute_ms > DAY_MS {
            return Err(PolicyError("session.absolute_ms: at most 24 hours"));
        }
        if self.cool_off_ms < 0
            || self.cool_off_ms > 30 * DAY_MS
            || self.cool_off_ms % SECOND_MS != 0
        {
            return Err(PolicyError("cool_off_ms: whole seconds, 0 to 30 days"));
        }
        self.check_life()
    }

    const fn check_life(&self) -> Result<(), PolicyError> {
        let longest = 3_650 * DAY_MS;
        let lives = self.token_lives_ms;
        if lives != 0 && (lives < DAY_MS || lives > longest) {
            return Err(PolicyError(
                "token_lives_ms: 0 for no end, or 1 day to 3650 days",
            ));
        }
        let most = if lives == 0 { longest } else { lives };
        if self.renewal_opens_ms < 0 || self.renewal_opens_ms > most {
            return Err(PolicyError("renewal_opens_ms: 0 to token_lives_ms"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_profiles_are_within_their_own_ranges() {
        assert_eq!(Policy::manual().check(), Ok(()));
        assert_eq!(Policy::strict().check(), Ok(()));
    }

    #[test]
    fn r08_new_tokens_use_sha_256() {
        assert_eq!(Policy::manual().parameters.algorithm, Algorithm::Sha256);
        assert_eq!(Policy::strict().parameters.algorithm, Algorithm::Sha256);
    }

    #[test]
    fn r04_r32_settings_out_of_range_are_refused_by_name() {
        let mut policy = Policy::manual();
        policy.parameters.digits = 9;
        assert!(
            policy
                .check()
                .unwrap_err()
                .to_string()
                .starts_with("digits")
        );
        policy = Policy::manual();
        policy.wrong_codes_max = 11;
        assert!(
            policy
                .check()
                .unwrap_err()
                .to_string()
                .starts_with("wrong_codes_max")
        );
        policy = Policy::manual();
        policy.parameters.step_s = 45;
        assert!(policy.check().is_err());
    }

    #[test]
    fn a_policy_that_was_stored_before_the_cool_off_has_none() {
        let json = serde_json::to_string(&Policy::manual()).unwrap();
        let before = json.replace(",\"cool_off_ms\":0", "");
        assert_ne!(before, json);
        assert_eq!(
            serde_json::from_str::<Policy>(&before).unwrap(),
            Policy::manual()
        );
    }

    #[test]
    fn a_policy_that_was_stored_before_token_lives_has_tokens_without_an_end() {
        let json = serde_json::to_string(&Policy::manual()).unwrap();
        let before = json.replace(",\"token_lives_ms\":0,\"renewal_opens_ms\":2592000000", "");
        assert_ne!(before, json);
        assert_eq!(
            serde_json::from_str::<Policy>(&before).unwrap(),
            Policy::manual()
        );
    }

    #[test]
    fn r27_a_token_lives_a_day_to_ten_years_and_is_renewed_within_its_life() {
        let refused = |token_lives_ms, renewal_opens_ms| {
            let policy = Policy {
                token_lives_ms,
                renewal_opens_ms,
                ..Policy::manual()
            };
            policy.check().err().map(|error| error.to_string())
        };
        for (lives, opens) in [
            (0, 0),
            (0, 30 * DAY_MS),
            (DAY_MS, DAY_MS),
            (3_650 * DAY_MS, 30 * DAY_MS),
        ] {
            assert_eq!(refused(lives, opens), None, "{lives} {opens}");
        }
        for (lives, opens, setting) in [
            (DAY_MS - 1, 0, "token_lives_ms"),
            (-DAY_MS, 0, "token_lives_ms"),
            (3_650 * DAY_MS + 1, 0, "token_lives_ms"),
            (DAY_MS, DAY_MS + 1, "renewal_opens_ms"),
            (20 * DAY_MS, 30 * DAY_MS, "renewal_opens_ms"),
            (0, -1, "renewal_opens_ms"),
        ] {
            let error = refused(lives, opens).unwrap();
            assert!(error.starts_with(setting), "{error}");
        }
    }

    #[test]
    fn the_cool_off_is_told_while_it_lasts() {
        let activated_at = UnixMillis(1_000);
        let strict = Policy::strict();
        let end = activated_at.plus_ms(DAY_MS);
        assert_eq!(strict.cool_off_until(activated_at, activated_at), Some(end));
        assert_eq!(
            strict.cool_off_until(activated_at, end.plus_ms(-1)),
            Some(end)
        );
        assert_eq!(strict.cool_off_until(activated_at, end), None);
        assert_eq!(
            Policy::manual().cool_off_until(activated_at, activated_at),
            None
        );
    }

    #[test]
    fn a_policy_survives_its_json_and_unknown_settings_are_refused() {
        let json = serde_json::to_string(&Policy::strict()).unwrap();
        assert_eq!(
            serde_json::from_str::<Policy>(&json).unwrap(),
            Policy::strict()
        );
        let misspelt = json.replace("wrong_codes_max", "wrong_code_max");
        assert!(serde_json::from_str::<Policy>(&misspelt).is_err());
    }
}
