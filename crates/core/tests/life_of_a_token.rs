//! The life of a token (PRODUCT rules on states) against a model: random acts of users, colleagues and the clock are played on
//! the functions of the core, and on a small table-like model that was written from the product's words alone. After each act
//! both must say the same.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, an unwrap that fails is the test failing"
)]

use jiff::tz::TimeZone;
use proptest::prelude::*;
use warifu_core::id::{ContractId, IssuanceId, ServiceId, TokenId, TokenUserId, UserId};
use warifu_core::issuance::{Issuance, IssuanceState, may_issue};
use warifu_core::oath::{Algorithm, Code, Seed, totp};
use warifu_core::refusal::Refusal;
use warifu_core::revocation::{reopens_at, revoke};
use warifu_core::service::Policy;
use warifu_core::sign_in::{Destination, destination};
use warifu_core::suspension::release;
use warifu_core::time::{DAY_MS, MINUTE_MS, UnixMillis};
use warifu_core::token::{Standing, Token, TokenState};
use warifu_core::user::{Actor, Language, Role, User};
use warifu_core::verification::{Counter, Verdict, decide};

/// 12:00 in Tokyo: a day's acts stay clear of the quiet hours unless time is moved far.
const NOON: UnixMillis = UnixMillis(1_795_230_000_000);

#[derive(Clone, Debug)]
enum Act {
    Issue,
    Activate,
    RightCode,
    SameCodeAgain,
    WrongCode,
    Release(Role),
    Revoke(Role),
    SystemRevokes,
    Wait { minutes: i64 },
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let role = prop::sample::select(Role::ALL.to_vec());
    let act = prop_oneof![
        2 => Just(Act::Issue),
        2 => Just(Act::Activate),
        2 => Just(Act::RightCode),
        1 => Just(Act::SameCodeAgain),
        8 => Just(Act::WrongCode),
        3 => role.clone().prop_map(Act::Release),
        1 => role.prop_map(Act::Revoke),
        1 => Just(Act::SystemRevokes),
        2 => prop::sample::select(vec![1_i64, 5, 19, 20, 600, 1440]).prop_map(|minutes| Act::Wait { minutes }),
    ];
    prop::collection::vec(act, 1..120)
}

/// What the product says, in its own words: no time steps, no versions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Model {
    state: ModelState,
    in_a_row: u32,
    since_right: u32,
    waits_until: Option<i64>,
    rebound: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelState {
    None,
    Issued,
    Activated,
    InUse,
    Suspended { confirmed: bool },
    Revoked,
}

/// The user under test is a general user; the actors are colleagues.
struct World {
    now: UnixMillis,
    policy: Policy,
    zone: TimeZone,
    user: User,
    issuance: Option<Issuance>,
    token: Option<(Token, Counter)>,
    seed: Seed,
    last_code: Option<Code>,
    model: Model,
}

fn person(id: &str, role: Role) -> User {
    User {
        id: UserId::from_stored(id),
        service_id: ServiceId::parse("bank").unwrap(),
        contract_id: ContractId::from_stored("company"),
        login_id: id.to_owned(),
        name: id.to_owned(),
        role,
        language: Language::Ja,
        mail_address: None,
        disabled: false,
        reopens_at: None,
    }
}

impl World {
    fn new() -> Self {
        Self {
            now: NOON,
            policy: Policy::manual(),
            zone: TimeZone::get("Asia/Tokyo").unwrap(),
            user: person("user", Role::General),
            issuance: None,
            token: None,
            seed: Seed::new(vec![7; 32], Algorithm::Sha256).unwrap(),
            last_code: None,
            model: Model {
                state: ModelState::None,
                in_a_row: 0,
                since_right: 0,
                waits_until: None,
                rebound: true,
            },
        }
    }

    fn play(&mut self, act: &Act) {
        match act {
            Act::Issue => self.issue(),
            Act::Activate => self.activate(),
            Act::RightCode => self.right_code(),
            Act::SameCodeAgain => self.same_code_again(),
            Act::WrongCode => self.wrong_code(),
            Act::Release(role) => self.release(*role),
            Act::Revoke(role) => self.revoke(
                &Actor::user(&person("colleague", *role)),
                *role != Role::General,
            ),
            Act::SystemRevokes => self.revoke(&Actor::System, true),
            Act::Wait { minutes } => self.now = self.now.plus_ms(minutes * MINUTE_MS),
        }
        self.compare();
    }

    fn waits(&self) -> bool {
        self.model
            .waits_until
            .is_some_and(|until| self.now.0 < until)
    }

    fn issue(&mut self) {
        let done = may_issue(
            &self.user,
            self.token.as_ref().map(|(token, _)| token),
            self.now,
        );
        let expected = match self.model.state {
            ModelState::Activated | ModelState::InUse => Err("token_already_in_use"),
            ModelState::Suspended { .. } => Err("user_suspended"),
            ModelState::None | ModelState::Issued | ModelState::Revoked if self.waits() => {
                Err("reissue_not_yet")
            }
            ModelState::None | ModelState::Issued | ModelState::Revoked => Ok(()),
        };
        assert_eq!(done.map_err(|refusal| refusal.code()), expected);
        if done.is_ok() {
            self.issuance = Some(Issuance {
                id: IssuanceId::from_stored("issuance"),
                service_id: self.user.service_id.clone(),
                user_id: self.user.id.clone(),
                token_user_id: TokenUserId::parse("00000000000000").unwrap(),
                mail_address: "user@example.jp".to_owned(),
                parameters: self.policy.parameters,
                created_at: self.now,
                expires_at: self.now.plus_ms(DAY_MS),
                starts: 0,
                state: IssuanceState::Issued,
            });
            self.model.state = ModelState::Issued;
        }
    }

    fn activate(&mut self) {
        let Some(issuance) = &mut self.issuance else {
            return;
        };
        let done = warifu_core::activation::finish(issuance, self.now);
        if self.model.state != ModelState::Issued {
            assert_eq!(done, Err(Refusal::AlreadyActivated));
            return;
        }
        let in_time = self.now < issuance.expires_at;
        assert_eq!(done.is_ok(), in_time);
        if !in_time {
            return;
        }
        issuance.state = IssuanceState::Consumed {
            token_id: TokenId::from_stored("token"),
        };
        let before = self
            .token
            .as_ref()
            .and_then(|(token, counter)| match token.state {
                TokenState::Revoked { by, .. } => Some((counter, by)),
                _ => None,
            });
        let counter = Counter::of_new_token(before);
        let token = Token {
            id: TokenId::from_stored("token"),
            service_id: self.user.service_id.clone(),
            user_id: self.user.id.clone(),
            issuance_id: issuance.id.clone(),
            parameters: self.policy.parameters,
            activated_at: self.now,
            expires_at: None,
            state: TokenState::Activated,
        };
        self.token = Some((token, counter));
        self.last_code = None;
        self.model.state = ModelState::Activated;
        if self.model.rebound {
            self.model.in_a_row = 0;
            self.model.since_right = 0;
        }
    }

    fn judge(&mut self, code: &Code) -> Option<Verdict> {
        let (token, counter) = self.token.as_mut()?;
        let (verdict, next) = decide(
            counter,
            &totp::Codes::new(&self.seed, &token.parameters),
            code,
            &self.policy,
            self.now,
        );
        *counter = next;
        token.state = match verdict {
            Verdict::Accepted { .. } => token.state.after_right_code(self.now),
            Verdict::SuspendedNow => token.state.suspended(self.now),
            _ => token.state,
        };
        Some(verdict)
    }

    fn right_code(&mut self) {
        // The next minute: its code was never used.
        self.now = self.now.plus_ms(2 * MINUTE_MS);
        let step = self.policy.parameters.time_step(self.now.seconds());
        let code = totp::code(&self.seed, step, &self.policy.parameters);
        let Some(verdict) = self.judge(&code) else {
            return;
        };
        match self.model.state {
            ModelState::Activated | ModelState::InUse => {
                let confirmation = self.model.state == ModelState::Activated;
                assert_eq!(verdict, Verdict::Accepted { step, confirmation });
                self.model = Model {
                    state: ModelState::InUse,
                    in_a_row: 0,
                    since_right: 0,
                    ..self.model.clone()
                };
                self.last_code = Some(code);
            }
            other => Self::not_judged(verdict, other),
        }
    }

    fn same_code_again(&mut self) {
        let Some(code) = self.last_code.clone() else {
            return;
        };
        let step = self.policy.parameters.time_step(self.now.seconds());
        let Some((_, counter)) = &self.token else {
            return;
        };
        // Only while the used code is still in the window; later it is a wrong code like any other.
        if counter.last_step != step {
            return;
        }
        let before = *counter;
        let Some(verdict) = self.judge(&code) else {
            return;
        };
        match self.model.state {
            ModelState::InUse => {
                assert!(
                    matches!(verdict, Verdict::AlreadyUsed { .. }),
                    "{verdict:?}"
                );
                assert_eq!(
                    self.token.as_ref().unwrap().1,
                    before,
                    "a used code counts as nothing"
                );
            }
            other => Self::not_judged(verdict, other),
        }
    }

    fn wrong_code(&mut self) {
        let here = self.policy.parameters.time_step(self.now.seconds());
        let near: Vec<_> = (-6..=6)
            .map(|offset| totp::code(&self.seed, here + offset, &self.policy.parameters))
            .collect();
        let wrong = (0..100)
            .map(|n| Code::exact(&format!("{n:06}"), 6).unwrap())
            .find(|code| !near.iter().any(|right| right.equals(code)))
            .unwrap();
        let Some(verdict) = self.judge(&wrong) else {
            return;
        };
        match self.model.state {
            ModelState::Activated | ModelState::InUse => {
                self.model.in_a_row += 1;
                self.model.since_right += 1;
                if self.model.in_a_row >= 5 || self.model.since_right >= 30 {
                    assert_eq!(verdict, Verdict::SuspendedNow);
                    let confirmed = self.model.state == ModelState::InUse;
                    self.model.state = ModelState::Suspended { confirmed };
                } else {
                    let tries_left = (5 - self.model.in_a_row).min(30 - self.model.since_right);
                    assert_eq!(verdict, Verdict::Wrong { tries_left });
                }
            }
            other => Self::not_judged(verdict, other),
        }
    }

    fn not_judged(verdict: Verdict, state: ModelState) {
        match state {
            ModelState::Suspended { .. } => assert_eq!(verdict, Verdict::Suspended),
            ModelState::None | ModelState::Issued | ModelState::Revoked => {
                assert_eq!(verdict, Verdict::Revoked);
            }
            ModelState::Activated | ModelState::InUse => {
                panic!("a live token's code was not judged");
            }
        }
    }

    fn release(&mut self, role: Role) {
        let actor = Actor::user(&person("colleague", role));
        let done = release(&actor, &self.user, self.token.clone(), &self.policy);
        let expected = match self.model.state {
            _ if role == Role::General => Err("not_permitted"),
            ModelState::Suspended { .. } if self.model.since_right >= 30 => {
                Err("release_only_revocation")
            }
            ModelState::Suspended { .. } => Ok(()),
            ModelState::Activated | ModelState::InUse => Err("not_suspended"),
            ModelState::None | ModelState::Issued | ModelState::Revoked => Err("no_token"),
        };
        assert_eq!(done.as_ref().map(|_| ()).map_err(Refusal::code), expected);
        if let (Ok(released), ModelState::Suspended { confirmed }) = (done, self.model.state) {
            self.token = Some(released);
            self.model.in_a_row = 0;
            self.model.state = if confirmed {
                ModelState::InUse
            } else {
                ModelState::Activated
            };
        }
    }

    fn revoke(&mut self, actor: &Actor, may: bool) {
        let done = revoke(actor, &self.user, self.token.clone(), self.now);
        let lives = matches!(
            self.model.state,
            ModelState::Activated | ModelState::InUse | ModelState::Suspended { .. }
        );
        let expected = match (may, lives) {
            (false, _) => Err("not_permitted"),
            (true, false) => Err("no_token"),
            (true, true) => Ok(()),
        };
        assert_eq!(done.as_ref().map(|_| ()).map_err(Refusal::code), expected);
        if let Ok(revoked) = done {
            self.token = Some(revoked);
            let by_system = *actor == Actor::System;
            self.model.rebound = !by_system;
            self.model.state = ModelState::Revoked;
            let open_at = if by_system {
                None
            } else {
                Some(reopens_at(self.now, &self.policy.reissue, &self.zone))
            };
            self.user.reopens_at = open_at;
            self.model.waits_until = open_at.map(|at| at.0);
        }
    }

    /// After every act: the states agree, and the sign-in leads where J0 says.
    fn compare(&self) {
        let standing = self.token.as_ref().map(|(token, counter)| {
            assert_eq!(
                token.state.standing(),
                counter.standing,
                "the hot row and the token say the same"
            );
            counter.standing
        });
        let expected = match self.model.state {
            ModelState::Activated => Some(Standing::Activated),
            ModelState::InUse => Some(Standing::InUse),
            ModelState::Suspended { .. } => Some(Standing::Suspended),
            ModelState::Revoked => Some(Standing::Revoked),
            ModelState::None | ModelState::Issued => {
                standing.filter(|&standing| standing == Standing::Revoked)
            }
        };
        assert_eq!(standing, expected);
        if let Some((token, counter)) = &self.token
            && token.state.verifies()
        {
            assert_eq!(
                (counter.failures, counter.run_since_success),
                (self.model.in_a_row, self.model.since_right)
            );
        }
        let leads = destination(
            &self.user,
            self.token.as_ref().map(|(token, _)| token),
            self.issuance.as_ref(),
            self.now,
        );
        let right = match self.model.state {
            ModelState::Activated | ModelState::InUse => leads == Destination::Verify,
            ModelState::Suspended { .. } => leads == Destination::Suspended,
            _ if self.waits() => matches!(leads, Destination::ReissueNotYet { .. }),
            ModelState::Issued => matches!(leads, Destination::FinishInApp(_)),
            ModelState::None | ModelState::Revoked => leads == Destination::Issue,
        };
        assert!(right, "{:?} leads to {leads:?}", self.model.state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn the_life_of_a_token_is_the_one_that_the_product_describes(acts in acts()) {
        let mut world = World::new();
        for act in &acts {
            world.play(act);
        }
    }
}
