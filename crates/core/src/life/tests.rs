use super::*;
use crate::id::{ContractId, IssuanceId, ServiceId, TokenId, UserId};
use crate::issuance::may_issue;
use crate::sign_in::{Destination, destination};
use crate::time::DAY_MS;
use crate::token::Standing;
use crate::user::{Language, Role};
use crate::verification::{Verdict, expired};

const NOW: UnixMillis = UnixMillis(1_790_000_000_000);
const END: UnixMillis = NOW.plus_ms(365 * DAY_MS);
const OPENS: UnixMillis = END.plus_ms(-30 * DAY_MS);
const IN_USE: TokenState = TokenState::InUse { confirmed_at: NOW };
const SUSPENDED: TokenState = TokenState::Suspended {
    suspended_at: NOW,
    confirmed_at: Some(NOW),
};

fn a_year() -> Policy {
    Policy {
        token_lives_ms: 365 * DAY_MS,
        ..Policy::manual()
    }
}

fn user() -> User {
    User {
        id: UserId::from_stored("user"),
        service_id: ServiceId::parse("bank").unwrap(),
        contract_id: ContractId::from_stored("contract"),
        login_id: "taro".to_owned(),
        name: "太郎".to_owned(),
        role: Role::General,
        language: Language::Ja,
        mail_address: None,
        disabled: false,
        reopens_at: None,
    }
}

fn token(state: TokenState, expires_at: Option<UnixMillis>) -> (Token, Counter) {
    let token = Token {
        id: TokenId::from_stored("token"),
        service_id: user().service_id,
        user_id: user().id,
        issuance_id: IssuanceId::from_stored("issuance"),
        parameters: Policy::manual().parameters,
        activated_at: NOW,
        expires_at,
        state,
    };
    let counter = Counter {
        standing: state.standing(),
        ..Counter::of_new_token(None)
    };
    (token, counter)
}

/// The end that a renewal gives, `None` for no end.
fn renewed(
    state: TokenState,
    policy: &Policy,
    now: UnixMillis,
) -> Result<Option<UnixMillis>, Refusal> {
    let (token, counter) = token(state, Some(END));
    let version = counter.version;
    let (token, counter) = renew(&user(), token, counter, policy, now)?;
    assert_eq!((token.state, counter.version), (state, version + 1));
    Ok(token.expires_at)
}

const NOT_OPEN: Result<Option<UnixMillis>, Refusal> = Err(Refusal::RenewalNotOpen);

#[test]
fn r27_a_token_ends_a_life_after_its_activation_or_never() {
    assert_eq!(end(NOW, &a_year()), Some(END));
    assert_eq!(end(NOW, &Policy::manual()), None);
}

#[test]
fn r27_the_last_millisecond_of_a_life_is_the_one_before_its_end() {
    let (_, counter) = token(IN_USE, Some(END));
    for (now, verdict) in [
        (END.plus_ms(-1), None),
        (END, Some(Verdict::Expired)),
        (END.plus_ms(DAY_MS), Some(Verdict::Expired)),
    ] {
        assert_eq!(is_over(Some(END), now), verdict.is_some());
        assert_eq!(expired(&counter, Some(END), now), verdict);
        assert_eq!(expired(&counter, None, now), None);
    }
}

#[test]
fn a_suspended_or_revoked_token_is_told_as_such_past_its_end_too() {
    for standing in [Standing::Suspended, Standing::Revoked] {
        let (_, counter) = token(IN_USE, Some(END));
        let counter = Counter {
            standing,
            ..counter
        };
        assert_eq!(expired(&counter, Some(END), END), None);
    }
}

#[test]
fn a_renewal_opens_30_days_before_the_end_and_is_open_to_the_last_millisecond() {
    let policy = a_year();
    assert_eq!(renewable_from(Some(END), &policy), Some(OPENS));
    let life = policy.token_lives_ms;
    for (now, expected) in [
        (NOW, NOT_OPEN),
        (OPENS.plus_ms(-1), NOT_OPEN),
        (OPENS, Ok(Some(OPENS.plus_ms(life)))),
        (END.plus_ms(-1), Ok(Some(END.plus_ms(life - 1)))),
        (END, NOT_OPEN),
        (END.plus_ms(1), NOT_OPEN),
    ] {
        for state in [TokenState::Activated, IN_USE] {
            assert_eq!(renewed(state, &policy, now), expected, "{now:?}");
        }
    }
}

#[test]
fn a_renewal_is_not_open_again_right_after_one_whatever_the_policy() {
    let policy = Policy {
        token_lives_ms: DAY_MS,
        renewal_opens_ms: DAY_MS,
        ..Policy::manual()
    };
    assert_eq!(policy.check(), Ok(()));
    let renewed_end = end(NOW, &policy);
    let opens = renewable_from(renewed_end, &policy).unwrap();
    assert_eq!(opens, NOW.plus_ms(RENEWALS_APART_MS));
}

#[test]
fn what_has_no_end_or_does_not_verify_or_is_of_a_disabled_user_is_not_renewed() {
    let policy = a_year();
    let (without, counter) = token(IN_USE, None);
    let refused = renew(&user(), without, counter, &policy, OPENS);
    assert_eq!(refused, Err(Refusal::RenewalNotOpen));
    let revoked = TokenState::Revoked {
        revoked_at: NOW,
        by: RevokedBy::Person,
    };
    for state in [SUSPENDED, revoked] {
        assert_eq!(renewed(state, &policy, OPENS), NOT_OPEN);
    }
    let disabled = User {
        disabled: true,
        ..user()
    };
    let (token, counter) = token(IN_USE, Some(END));
    let refused = renew(&disabled, token, counter, &policy, OPENS);
    assert_eq!(refused, Err(Refusal::RenewalNotOpen));
    let never = Policy {
        renewal_opens_ms: 0,
        ..policy
    };
    assert_eq!(renewable_from(Some(END), &never), None);
    assert_eq!(renewed(IN_USE, &never, END.plus_ms(-1)), NOT_OPEN);
}

#[test]
fn a_service_without_a_life_any_more_renews_to_no_end() {
    assert_eq!(renewed(IN_USE, &Policy::manual(), OPENS), Ok(None));
}

#[test]
fn a_token_whose_life_is_over_does_not_block_its_user_and_a_suspended_one_does() {
    let (over, _) = token(IN_USE, Some(END));
    let user = user();
    for (now, open) in [(END.plus_ms(-1), false), (END, true)] {
        assert_eq!(has_ended(&over, now), open);
        assert_eq!(may_issue(&user, Some(&over), now).is_ok(), open);
        let leads_to = destination(&user, Some(&over), None, now);
        let expected = if open {
            Destination::Issue
        } else {
            Destination::Verify
        };
        assert_eq!(leads_to, expected);
    }
    let (suspended, _) = token(SUSPENDED, Some(END));
    assert!(!has_ended(&suspended, END));
    assert_eq!(
        may_issue(&user, Some(&suspended), END),
        Err(Refusal::UserSuspended)
    );
    assert_eq!(
        destination(&user, Some(&suspended), None, END),
        Destination::Suspended
    );
}

#[test]
fn the_app_is_told_where_its_token_stands_and_since_when() {
    let revoked = |revoked_at, by| TokenState::Revoked { revoked_at, by };
    let before = END.plus_ms(-1);
    for (state, now, expected) in [
        (
            TokenState::Activated,
            before,
            (DeviceStanding::Activated, None),
        ),
        (IN_USE, before, (DeviceStanding::InUse, None)),
        (IN_USE, END, (DeviceStanding::Expired, Some(END))),
        (SUSPENDED, before, (DeviceStanding::Suspended, Some(NOW))),
        (SUSPENDED, END, (DeviceStanding::Suspended, Some(NOW))),
        (
            revoked(before, RevokedBy::System),
            END,
            (DeviceStanding::Revoked, Some(before)),
        ),
        (
            revoked(END, RevokedBy::Person),
            END,
            (DeviceStanding::Revoked, Some(END)),
        ),
        (
            revoked(END.plus_ms(5), RevokedBy::System),
            END.plus_ms(9),
            (DeviceStanding::Expired, Some(END)),
        ),
    ] {
        let (token, _) = token(state, Some(END));
        assert_eq!(standing_for_device(&token, now), expected, "{state:?}");
    }
}
