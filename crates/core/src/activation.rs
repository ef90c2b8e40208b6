//! The decisions while an app activates (J3, R50 to R57, R62): what the server counts, refuses and grants, and what an app
//! makes of a refusal. The cryptography is in the crate `warifu-activation`.

use crate::issuance::{Issuance, IssuanceState};
use crate::refusal::Refusal;
use crate::service::Policy;
use crate::time::{DAY_MS, MINUTE_MS, UnixMillis};

/// How long an attempt may wait for its finish, in milliseconds. After it the app starts anew.
pub const ATTEMPT_LIVES_MS: i64 = 10 * MINUTE_MS;

/// How long the starts of a user are counted together (R51), in milliseconds.
pub const STARTS_PERIOD_MS: i64 = DAY_MS;

/// How long after its expiry an issuance still answers the one who proves the activation password with the reason,
/// in milliseconds. Then its record is erased.
pub const REASON_KEPT_MS: i64 = 7 * DAY_MS;

/// How a start is answered. Both answers look the same to the app (R53).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the record of the issuance. The start is counted before the answer goes out, for the answer lets the app
    /// check one guess (RFC 9807, online guessing; R50).
    Genuine,
    /// Without: the app learns what it would learn from a wrong password.
    Decoy(DecoyReason),
}

/// Why a start is answered without the record; for the audit only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecoyReason {
    /// No such service or token user id.
    Unknown,
    /// The issuance has had all its starts (R50).
    Locked,
    /// The user has had all starts of the day (R51).
    DayUsedUp,
    /// So long over that its record is erased.
    Forgotten,
}

impl DecoyReason {
    /// The name in audit events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Locked => "locked",
            Self::DayUsedUp => "day_used_up",
            Self::Forgotten => "forgotten",
        }
    }
}

/// Under which key a decoy evaluates what the app sent (docs/protocol.md, decoys).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecoyKey {
    /// The key that an issuance of these ids would have.
    Unknown,
    /// A key of its own: whoever kept a genuine answer must not be able to check guesses with decoys.
    Closed,
    /// Yet another, after as many starts as an issuance has: for known and unknown ids alike, so that the change of key says
    /// nothing.
    Spent,
}

/// The key of a decoy. `starts_with_ids` are the starts that were made with these ids so far, genuine or not.
#[must_use]
pub const fn decoy_key(reason: DecoyReason, starts_with_ids: u32, policy: &Policy) -> DecoyKey {
    match reason {
        DecoyReason::Locked => DecoyKey::Spent,
        _ if starts_with_ids >= policy.starts_per_issuance_max => DecoyKey::Spent,
        DecoyReason::DayUsedUp | DecoyReason::Forgotten => DecoyKey::Closed,
        DecoyReason::Unknown => DecoyKey::Unknown,
    }
}

/// Decides how to answer a start. `starts_of_user` are the user's counted starts of the last [`STARTS_PERIOD_MS`], over
/// all issuances: a new issuance is no new set of guesses (R51).
///
/// An issuance that is expired, cancelled or activated is answered genuinely too, and counted: whoever then proves the
/// password is told the reason at the finish, whoever does not learns nothing.
#[must_use]
pub fn start(
    issuance: Option<&Issuance>,
    starts_of_user: u32,
    policy: &Policy,
    now: UnixMillis,
) -> Start {
    let Some(issuance) = issuance else {
        return Start::Decoy(DecoyReason::Unknown);
    };
    if issuance.state == IssuanceState::Locked || issuance.starts >= policy.starts_per_issuance_max
    {
        return Start::Decoy(DecoyReason::Locked);
    }
    if starts_of_user >= policy.starts_per_user_day_max {
        return Start::Decoy(DecoyReason::DayUsedUp);
    }
    if now >= issuance.expires_at.plus_ms(REASON_KEPT_MS) {
        return Start::Decoy(DecoyReason::Forgotten);
    }
    Start::Genuine
}

/// Whether a finish whose proof (KE3) is right may make the token. The start that used up the last try may still finish:
/// its answer had gone out.
///
/// # Errors
/// The reason, to somebody who has proved the activation password: [`Refusal::IssuanceExpired`],
/// [`Refusal::IssuanceCancelled`], or [`Refusal::AlreadyActivated`] when another device was first (R54).
pub fn finish(issuance: &Issuance, now: UnixMillis) -> Result<(), Refusal> {
    match issuance.state {
        IssuanceState::Consumed { .. } => Err(Refusal::AlreadyActivated),
        IssuanceState::Cancelled => Err(Refusal::IssuanceCancelled),
        IssuanceState::Issued | IssuanceState::Locked if now >= issuance.expires_at => {
            Err(Refusal::IssuanceExpired)
        }
        IssuanceState::Issued | IssuanceState::Locked => Ok(()),
    }
}

/// The state of an issuance when its starts have grown to `starts`: the last allowed one locks it for every later one.
#[must_use]
pub fn state_after_start(starts: u32, policy: &Policy) -> IssuanceState {
    if starts >= policy.starts_per_issuance_max {
        IssuanceState::Locked
    } else {
        IssuanceState::Issued
    }
}

/// What an app does with an unfinished token when the server refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// Over: it drops the token, which never became one. The person has to do something.
    Ended(Refusal),
    /// The server has forgotten the try of an earlier run: it drops that one and begins a new one by itself.
    BeginAgain,
    /// The server refuses for now; nothing changed.
    Refused,
}

impl Consequence {
    /// The name for programs: `ended`, `begin_again` or `refused`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended(_) => "ended",
            Self::BeginAgain => "begin_again",
            Self::Refused => "refused",
        }
    }
}

/// Decides what the refusal with that code makes of an unfinished token. `of_an_earlier_run`: the try was not begun in this
/// run of the app; `password_at_hand`: its person has just typed the activation password.
///
/// Only the codes that say that this try can never become a token end it: any other leaves everything as it is, so that a
/// live token is never dropped because of a passing fault (R62).
#[must_use]
pub fn consequence(code: &str, of_an_earlier_run: bool, password_at_hand: bool) -> Consequence {
    const ENDS: [Refusal; 5] = [
        Refusal::AlreadyActivated,
        Refusal::IssuanceExpired,
        Refusal::IssuanceLocked,
        Refusal::IssuanceCancelled,
        Refusal::ActivationGone,
    ];
    /// The server does not know the try, or no longer: it waits for a finish for some minutes only.
    const FORGOTTEN: [Refusal; 3] = [
        Refusal::ActivationAttemptOver,
        Refusal::ActivationRefused,
        Refusal::ActivationMessage,
    ];
    let among = |refusals: &[Refusal]| {
        refusals
            .iter()
            .copied()
            .find(|refusal| refusal.code() == code)
    };
    if let Some(refusal) = among(&ENDS) {
        return Consequence::Ended(refusal);
    }
    match among(&FORGOTTEN) {
        Some(_) if of_an_earlier_run && password_at_hand => Consequence::BeginAgain,
        Some(refusal) => Consequence::Ended(refusal),
        None => Consequence::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{IssuanceId, ServiceId, TokenId, TokenUserId, UserId};

    const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

    fn issuance(state: IssuanceState, starts: u32) -> Issuance {
        Issuance {
            id: IssuanceId::from_stored("i"),
            service_id: ServiceId::parse("bank").unwrap(),
            user_id: UserId::from_stored("u"),
            token_user_id: TokenUserId::parse("00000000000000").unwrap(),
            mail_address: "a@example.jp".into(),
            parameters: Policy::manual().parameters,
            created_at: NOW,
            expires_at: NOW.plus_ms(DAY_MS),
            starts,
            state,
        }
    }

    #[test]
    fn r50_five_starts_and_the_sixth_is_a_decoy() {
        let policy = Policy::manual();
        for starts in 0..5 {
            assert_eq!(
                start(
                    Some(&issuance(IssuanceState::Issued, starts)),
                    0,
                    &policy,
                    NOW
                ),
                Start::Genuine
            );
        }
        assert_eq!(
            start(Some(&issuance(IssuanceState::Issued, 5)), 0, &policy, NOW),
            Start::Decoy(DecoyReason::Locked)
        );
    }

    #[test]
    fn r51_twenty_starts_a_day_over_all_issuances() {
        let policy = Policy::manual();
        let fresh = issuance(IssuanceState::Issued, 0);
        assert_eq!(start(Some(&fresh), 19, &policy, NOW), Start::Genuine);
        assert_eq!(
            start(Some(&fresh), 20, &policy, NOW),
            Start::Decoy(DecoyReason::DayUsedUp)
        );
    }

    #[test]
    fn r53_an_unknown_id_is_answered_too() {
        assert_eq!(
            start(None, 0, &Policy::manual(), NOW),
            Start::Decoy(DecoyReason::Unknown)
        );
    }

    #[test]
    fn r50_a_decoy_for_a_known_issuance_never_uses_the_issuances_key() {
        let policy = Policy::manual();
        for starts in 0..10 {
            assert_eq!(
                decoy_key(DecoyReason::Locked, starts, &policy),
                DecoyKey::Spent
            );
            for reason in [DecoyReason::DayUsedUp, DecoyReason::Forgotten] {
                assert_ne!(decoy_key(reason, starts, &policy), DecoyKey::Unknown);
            }
        }
    }

    #[test]
    fn r53_the_key_changes_after_five_starts_whether_the_ids_exist_or_not() {
        let policy = Policy::manual();
        assert_eq!(
            decoy_key(DecoyReason::Unknown, 4, &policy),
            DecoyKey::Unknown
        );
        assert_eq!(decoy_key(DecoyReason::Unknown, 5, &policy), DecoyKey::Spent);
        assert_eq!(decoy_key(DecoyReason::Locked, 5, &policy), DecoyKey::Spent);
    }

    #[test]
    fn r62_only_a_final_code_ends_an_unfinished_token() {
        for &code in Refusal::CODES {
            let ends = matches!(
                code,
                "already_activated"
                    | "issuance_expired"
                    | "issuance_locked"
                    | "issuance_cancelled"
                    | "activation_gone"
            );
            let forgotten = matches!(
                code,
                "activation_attempt_over" | "activation_refused" | "activation_message"
            );
            for (earlier, at_hand) in [(false, false), (false, true), (true, false), (true, true)] {
                let expected = match (ends, forgotten, earlier && at_hand) {
                    (true, ..) | (_, true, false) => "ended",
                    (_, true, true) => "begin_again",
                    (false, false, _) => "refused",
                };
                let consequence = consequence(code, earlier, at_hand);
                assert_eq!(consequence.as_str(), expected, "{code}");
                if let Consequence::Ended(refusal) = consequence {
                    assert_eq!(refusal.code(), code);
                }
            }
        }
        assert_eq!(consequence("internal", true, true), Consequence::Refused);
    }

    #[test]
    fn who_proves_the_password_is_told_why_it_is_too_late() {
        let token_id = TokenId::from_stored("t");
        assert_eq!(finish(&issuance(IssuanceState::Issued, 1), NOW), Ok(()));
        assert_eq!(
            finish(&issuance(IssuanceState::Issued, 1), NOW.plus_ms(DAY_MS)),
            Err(Refusal::IssuanceExpired)
        );
        assert_eq!(
            finish(&issuance(IssuanceState::Issued, 1), NOW.plus_ms(DAY_MS - 1)),
            Ok(())
        );
        assert_eq!(
            finish(&issuance(IssuanceState::Cancelled, 1), NOW),
            Err(Refusal::IssuanceCancelled)
        );
        assert_eq!(
            finish(&issuance(IssuanceState::Consumed { token_id }, 1), NOW),
            Err(Refusal::AlreadyActivated)
        );
    }
}
