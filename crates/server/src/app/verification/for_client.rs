//! A code judged for a relying system (J10).

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use warifu_core::audit::Origin;
use warifu_core::id::ServiceId;
use warifu_core::refusal::Refusal;
use warifu_core::relying::Scope;
use warifu_core::suspension::Releasers;
use warifu_store::Login;
use zeroize::Zeroizing;

use super::queue::{Answer, Channel, Proof, Question};
use crate::app::api_clients::ApiCaller;
use crate::app::idempotency::Idempotency;
use crate::app::{App, Failure};

/// What a relying system sent to be judged.
#[derive(Clone, Copy)]
pub enum AskedCodes<'a> {
    /// One code.
    One(&'a str),
    /// Two codes that the token showed one after the other, to find a clock that went astray (R17).
    Consecutive([&'a str; 2]),
}

impl AskedCodes<'_> {
    fn proof(self) -> Proof {
        let own = |text: &str| Zeroizing::new(text.to_owned());
        match self {
            Self::One(code) => Proof::Exact(own(code)),
            Self::Consecutive(codes) => Proof::Consecutive(codes.map(own)),
        }
    }
}

/// What a relying system asks.
#[derive(Clone, Copy)]
pub struct ApiVerification<'a> {
    /// The service that the user is of.
    pub service_id: &'a ServiceId,
    /// What the user signs in with.
    pub login_id: &'a str,
    /// The code, exactly as it is to be judged; or two consecutive ones.
    pub codes: AskedCodes<'a>,
    /// Who asks.
    pub caller: &'a Arc<ApiCaller>,
    /// The name of the request, if it has one.
    pub idempotency: Option<&'a Idempotency>,
    /// Where the request came from.
    pub origin: &'a Origin,
}

/// What came of a code, as relying systems are told. It is kept for a repeated request too, so old words stay readable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verification {
    /// What came of it.
    pub verdict: Word,
    /// Wrong codes that are left before the one-time password is suspended; 0 where none is judged, because it is suspended or its life is over, or there is no
    /// token, or the user is disabled.
    pub tries_left: u32,
    /// Whether this very code was the last allowed wrong one.
    pub just_suspended: bool,
    /// The token that the code was judged for, or would have been; null of a user without one that lives, and of one who is disabled.
    pub token_id: Option<String>,
    /// When that token was activated.
    #[schema(format = DateTime)]
    pub activated_at: Option<String>,
    /// How many seconds ago that was.
    #[serde(alias = "token_age_s")]
    pub token_age: Option<u64>,
    /// Until when the relying system is advised to keep limits low, because the token is new; null when there is no such time,
    /// or it is over.
    #[schema(format = DateTime)]
    pub cool_off_until: Option<String>,
    /// Of a suspended one: who can release.
    pub releasers: Option<ReleasersWord>,
    /// Of a user without a token after a revocation: from when a new one may be issued.
    #[schema(format = DateTime)]
    pub reopens_at: Option<String>,
}

/// What came of a code, in a word. Only `accepted` lets somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Right, for the first time.
    Accepted,
    /// Wrong, and counted.
    Wrong,
    /// It was right and was accepted before; not counted.
    AlreadyUsed,
    /// The one-time password is suspended, now or since before.
    Suspended,
    /// The life of the user's token is over; nothing was judged. A new token can be issued at once.
    Expired,
    /// The user has no token that lives; nothing was judged.
    NoToken,
    /// The user is disabled; nothing was judged.
    Disabled,
}

/// Who can release a suspended user, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleasersWord {
    /// An administrator of the company.
    Administrator,
    /// The master or an administrator of the company.
    MasterOrAdministrator,
    /// Only the help desk.
    HelpDesk,
    /// Nobody: after so many wrong codes only a revocation helps.
    Nobody,
}

impl From<Releasers> for ReleasersWord {
    fn from(releasers: Releasers) -> Self {
        match releasers {
            Releasers::Administrator => Self::Administrator,
            Releasers::MasterOrAdministrator => Self::MasterOrAdministrator,
            Releasers::HelpDesk => Self::HelpDesk,
            Releasers::Nobody => Self::Nobody,
        }
    }
}

impl Word {
    /// The word itself, as it is recorded of what was not judged.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Wrong => "wrong",
            Self::AlreadyUsed => "already_used",
            Self::Suspended => "suspended",
            Self::Expired => "expired",
            Self::NoToken => "no_token",
            Self::Disabled => "disabled",
        }
    }
}

impl App {
    /// Judges a code for a relying system, or two consecutive ones.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for a user that is not there for this caller (R41), [`Refusal::CodeFormat`] for what is not exactly so
    /// many ASCII digits (R28), [`Refusal::IdempotencyKeyReused`], [`Refusal::ApiKeyRefused`] when the key ended meanwhile.
    pub async fn verify_for_client(
        &self,
        asked: ApiVerification<'_>,
    ) -> Result<Verification, Failure> {
        let caller = asked.caller;
        if let Some(verification) = self.ask_for_client(&asked, caller).await? {
            return Ok(verification);
        }
        // Seldom, and not to be carried along by every other verification.
        Box::pin(self.ask_once_more(&asked)).await
    }

    /// The key is read anew, and the question asked once more.
    async fn ask_once_more(&self, asked: &ApiVerification<'_>) -> Result<Verification, Failure> {
        let caller = asked.caller;
        let address = asked.origin.address.as_deref();
        let address = address.and_then(|text| text.parse().ok());
        let caller = self.renewed_api_caller(caller, address).await?;
        caller.may(Scope::Verify)?;
        let answer = self.ask_for_client(asked, &caller).await?;
        answer.ok_or(Refusal::ApiKeyRefused.into())
    }

    /// `None` when the caller is not what this node remembers.
    async fn ask_for_client(
        &self,
        asked: &ApiVerification<'_>,
        caller: &Arc<ApiCaller>,
    ) -> Result<Option<Verification>, Failure> {
        let question = Question {
            login: Login {
                service_id: asked.service_id.clone(),
                login_id: asked.login_id.to_owned(),
            },
            proof: asked.codes.proof(),
            channel: Channel::Client {
                caller: Arc::clone(caller),
                idempotency: asked.idempotency.cloned(),
            },
            origin: asked.origin.clone(),
        };
        match self.verifications.ask(question).await? {
            Answer::Client(told) => Ok(Some(told.into_words())),
            Answer::InWords(verification) => Ok(Some(*verification)),
            Answer::OldCaller => Ok(None),
            Answer::Page(_) => Err(Failure::fault("a program got the answer of a page")),
        }
    }
}
