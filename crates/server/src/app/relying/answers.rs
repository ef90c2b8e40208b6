//! What relying systems are told, in the words of the API: each type is the JSON as it is sent.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warifu_core::contract::Contract;
use warifu_core::issuance::{Issuance, Phase};
use warifu_core::life::is_over;
use warifu_core::oath::Algorithm;
use warifu_core::service::{Policy, Service};
use warifu_core::time::{SECOND_MS, UnixMillis};
use warifu_core::token::{Standing, Token, TokenState};
use warifu_core::user::User;
use warifu_core::verification::Counter;
use warifu_store::StoredEvent;

use super::moment;
use crate::app::verification::ReleasersWord;

/// A protected site.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Service)]
pub struct ServiceAnswer {
    /// Names the service.
    pub service_id: String,
    /// Its name in Japanese.
    pub name_ja: String,
    /// Its name in English.
    pub name_en: String,
    /// The IANA name of its time zone.
    pub time_zone: String,
    /// Digits of the codes of new tokens.
    pub digits: u8,
    /// Seconds after which the code of a new token changes.
    pub step_s: u32,
    /// Wrong codes in a row that suspend.
    pub wrong_codes_max: u32,
    /// How long limits should be low after an activation, in seconds; 0 for not at all.
    pub cool_off_s: i64,
}

impl From<&Service> for ServiceAnswer {
    fn from(service: &Service) -> Self {
        let policy = &service.policy;
        Self {
            service_id: service.id.to_string(),
            name_ja: service.name_ja.clone(),
            name_en: service.name_en.clone(),
            time_zone: service.time_zone.clone(),
            digits: policy.parameters.digits,
            step_s: policy.parameters.step_s,
            wrong_codes_max: policy.wrong_codes_max,
            cool_off_s: policy.cool_off_ms / SECOND_MS,
        }
    }
}

/// A page of the services that the client may act on.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Services)]
pub struct ServicesAnswer {
    /// By their ids.
    pub services: Vec<ServiceAnswer>,
    /// What to ask for with `after` to get the next page; null after the last one.
    pub next: Option<String>,
}

/// A company at a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Contract)]
pub struct ContractAnswer {
    /// Names the contract.
    pub contract_id: String,
    /// The service it is with.
    pub service_id: String,
    /// The company's name.
    pub name: String,
}

impl From<&Contract> for ContractAnswer {
    fn from(contract: &Contract) -> Self {
        Self {
            contract_id: contract.id.to_string(),
            service_id: contract.service_id.to_string(),
            name: contract.name.clone(),
        }
    }
}

/// A page of contracts.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Contracts)]
pub struct ContractsAnswer {
    /// By their ids.
    pub contracts: Vec<ContractAnswer>,
    /// What to ask for with `after` to get the next page; null after the last one.
    pub next: Option<String>,
}

/// A person of a contract.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserAnswer {
    /// What the user signs in with.
    pub login_id: String,
    /// Names the user inside Warifu, as in events.
    pub user_id: String,
    /// The user's company.
    pub contract_id: String,
    /// The user's name.
    pub name: String,
    /// What the user may do in the company.
    pub role: RoleWord,
    /// The language of the user's mails.
    pub language: LanguageWord,
    /// Whether the user is disabled.
    pub disabled: bool,
    /// After a revocation: from when a new token may be issued; null when that is now.
    #[schema(format = DateTime)]
    pub reopens_at: Option<String>,
    /// The token that lives, or else the one that was activated last; null when there never was one.
    pub token: Option<TokenAnswer>,
}

/// A role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleWord {
    /// The one master of a contract.
    Master,
    /// Helps the master.
    Administrator,
    /// Everybody else.
    General,
}

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LanguageWord {
    /// Japanese.
    Ja,
    /// English.
    En,
}

impl UserAnswer {
    pub(super) fn of(
        user: &User,
        token: Option<(&Token, &Counter)>,
        policy: &Policy,
        now: UnixMillis,
    ) -> Self {
        use warifu_core::user::{Language, Role};
        Self {
            login_id: user.login_id.clone(),
            user_id: user.id.to_string(),
            contract_id: user.contract_id.to_string(),
            name: user.name.clone(),
            role: match user.role {
                Role::Master => RoleWord::Master,
                Role::Administrator => RoleWord::Administrator,
                Role::General => RoleWord::General,
            },
            language: match user.language {
                Language::Ja => LanguageWord::Ja,
                Language::En => LanguageWord::En,
            },
            disabled: user.disabled,
            reopens_at: user.reopens_at.filter(|at| now < *at).map(moment),
            token: token.map(|(token, counter)| TokenAnswer::of(token, counter, policy, now)),
        }
    }
}

/// A page of users.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Users)]
pub struct UsersAnswer {
    /// By their login ids.
    pub users: Vec<UserAnswer>,
    /// What to ask for with `after` to get the next page; null after the last one.
    pub next: Option<String>,
}

/// A token.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Token)]
pub struct TokenAnswer {
    /// Names the token.
    pub token_id: String,
    /// Where it is in its life.
    pub state: StateWord,
    /// When the app finished its activation.
    #[schema(format = DateTime)]
    pub activated_at: String,
    /// How many seconds ago that was.
    pub token_age: u64,
    /// Until when limits should be low, because the token is new; null when there is no such time, or it is over.
    #[schema(format = DateTime)]
    pub cool_off_until: Option<String>,
    /// When a first code was right.
    #[schema(format = DateTime)]
    pub confirmed_at: Option<String>,
    /// From when on its codes are not accepted any more; null for a token without an end.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// Since when it is suspended.
    #[schema(format = DateTime)]
    pub suspended_at: Option<String>,
    /// Since when it is revoked.
    #[schema(format = DateTime)]
    pub revoked_at: Option<String>,
    /// The hash of its codes.
    pub algorithm: AlgorithmWord,
    /// Digits of its codes.
    pub digits: u8,
    /// Seconds after which its code changes.
    pub step_s: u32,
    /// Wrong codes that are left before it is suspended; 0 when it is, or when its life is over.
    pub tries_left: u32,
    /// Wrong codes since the last right one, over all releases.
    pub run: u32,
    /// How many steps its clock was seen away from the server's; negative: behind.
    pub drift: i8,
    /// Of a suspended one, where one user is asked for: who can release.
    pub releasers: Option<ReleasersWord>,
}

/// Where a token is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateWord {
    /// The app has it; no code was right yet.
    Activated,
    /// A first code was right.
    InUse,
    /// Too many wrong codes; a release brings it back.
    Suspended,
    /// Ended for good.
    Revoked,
}

impl From<Standing> for StateWord {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Activated => Self::Activated,
            Standing::InUse => Self::InUse,
            Standing::Suspended => Self::Suspended,
            Standing::Revoked => Self::Revoked,
        }
    }
}

/// The hash of a token's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlgorithmWord {
    /// HMAC-SHA-1, of old tokens.
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

impl TokenAnswer {
    pub(super) fn of(token: &Token, counter: &Counter, policy: &Policy, now: UnixMillis) -> Self {
        let standing = token.state.standing();
        let (mut suspended_at, mut revoked_at) = (None, None);
        match token.state {
            TokenState::Suspended {
                suspended_at: at, ..
            } => suspended_at = Some(at),
            TokenState::Revoked { revoked_at: at, .. } => revoked_at = Some(at),
            TokenState::Activated | TokenState::InUse { .. } => {}
        }
        let tries_left = if token.state.verifies() && !is_over(token.expires_at, now) {
            let in_a_row = policy.wrong_codes_max.saturating_sub(counter.failures);
            in_a_row.min(policy.run_max.saturating_sub(counter.run_since_success))
        } else {
            0
        };
        let age_s = now.since_ms(token.activated_at).max(0) / SECOND_MS;
        Self {
            token_id: token.id.to_string(),
            state: standing.into(),
            activated_at: moment(token.activated_at),
            token_age: u64::try_from(age_s).unwrap_or(0),
            cool_off_until: policy.cool_off_until(token.activated_at, now).map(moment),
            confirmed_at: token.state.confirmed_at().map(moment),
            expires_at: token.expires_at.map(moment),
            suspended_at: suspended_at.map(moment),
            revoked_at: revoked_at.map(moment),
            algorithm: match token.parameters.algorithm {
                Algorithm::Sha1 => AlgorithmWord::Sha1,
                Algorithm::Sha256 => AlgorithmWord::Sha256,
                Algorithm::Sha512 => AlgorithmWord::Sha512,
            },
            digits: token.parameters.digits,
            step_s: token.parameters.step_s,
            tries_left,
            run: counter.run_since_success,
            drift: counter.drift,
            releasers: None,
        }
    }
}

/// A release or revocation that was done. Kept for a repeated request too, so old words stay readable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Acted {
    /// The user.
    pub login_id: String,
    /// The token.
    pub token_id: String,
    /// Its state now.
    pub state: StateWord,
    /// After a revocation: from when a new token may be issued.
    #[schema(format = DateTime)]
    pub reopens_at: Option<String>,
}

/// The first half of an issuance: what the page of the user goes on with. Kept for a repeated request too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Registration {
    /// Names the issuance; the record is sent to it.
    pub issuance_id: String,
    /// What the app will ask for beside the service id; the mail tells it.
    pub token_user_id: String,
    /// The registration response of docs/protocol.md, base64url without padding.
    pub registration_response: String,
}

/// An issuance that waits for its app. Kept for a repeated request too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Issued {
    /// Names the issuance.
    pub issuance_id: String,
    /// What the app asks for beside the service id; the mail tells it.
    pub token_user_id: String,
    /// Until when it can be activated.
    #[schema(format = DateTime)]
    pub expires_at: String,
}

impl From<&Issuance> for Issued {
    fn from(issuance: &Issuance) -> Self {
        Self {
            issuance_id: issuance.id.to_string(),
            token_user_id: issuance.token_user_id.as_str().to_owned(),
            expires_at: moment(issuance.expires_at),
        }
    }
}

/// The issuance that a user asked for last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IssuanceStatus {
    /// What it is.
    #[serde(flatten)]
    pub issued: Issued,
    /// Where it is.
    pub state: PhaseWord,
    /// Wrong starts of an app that are left.
    pub starts_left: u32,
}

/// Where an issuance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseWord {
    /// An app may activate it.
    Issued,
    /// Its time is over.
    Expired,
    /// Too many starts.
    Locked,
    /// Replaced or withdrawn.
    Cancelled,
    /// Activated.
    Consumed,
}

impl From<Phase> for PhaseWord {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Open => Self::Issued,
            Phase::Expired => Self::Expired,
            Phase::Locked => Self::Locked,
            Phase::Cancelled => Self::Cancelled,
            Phase::Consumed => Self::Consumed,
        }
    }
}

/// How many issuances were cancelled. Kept for a repeated request too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CancelledAnswer {
    /// 0 when none was waiting.
    pub cancelled: usize,
}

/// An audit event.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventAnswer {
    /// Names the event; ids made later sort later.
    pub event_id: String,
    /// When it happened.
    #[schema(format = DateTime)]
    pub at: String,
    /// What was done or tried.
    pub action: String,
    /// `done`, a verdict, or the code of a refusal.
    pub outcome: String,
    /// Who.
    pub actor: Party,
    /// On what.
    pub target: Party,
    /// The name of the request.
    pub request_id: String,
    /// The network address that it came from, where there is one.
    pub address: Option<String>,
}

/// Who or what an event is about.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Party {
    /// Its kind: `user`, `operator`, `operators`, `client` or `system`; of a target also `token`, `issuance` and others.
    pub kind: String,
    /// Its id.
    pub id: String,
}

impl From<StoredEvent> for EventAnswer {
    fn from(event: StoredEvent) -> Self {
        Self {
            event_id: event.id.to_string(),
            at: moment(event.at),
            action: event.action,
            outcome: event.outcome,
            actor: Party {
                kind: event.actor_kind,
                id: event.actor_id,
            },
            target: Party {
                kind: event.target_kind,
                id: event.target_id,
            },
            request_id: event.request_id,
            address: event.address,
        }
    }
}

/// A page of events.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Events)]
pub struct EventsAnswer {
    /// The oldest first.
    pub events: Vec<EventAnswer>,
    /// What to ask for with `after` to get what comes later; null when there was no event yet.
    pub next: Option<String>,
    /// Whether there may be more already, to be read at once; also behind a page that is empty.
    pub more: bool,
}
