//! Who is behind a login: the user with the opened token, remembered while it is used often, and what that token shows.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use warifu_core::id::{ContractId, TokenId, UserId};
use warifu_core::life::is_over;
use warifu_core::oath::{Parameters, Seed, totp};
use warifu_core::time::UnixMillis;
use warifu_store::{CounterNo, Login, StoredBearer};

use super::batch::Verifier;
use crate::app::Failure;
use crate::app::keys::Column;

/// Opened seeds that one node keeps in memory; about 300 bytes each. They are wiped when they leave.
const OPENED_MAX: NonZeroUsize = NonZeroUsize::new(16_384).expect("more than none");

/// The tokens that were opened last, by their users' logins. What it holds never changes while the token lives, but the
/// end of its life, which a renewal puts off; and that it lives is looked at in each transaction.
pub(in crate::app) struct Opened(Mutex<LruCache<Login, Arc<Bearer>>>);

impl Default for Opened {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(OPENED_MAX)))
    }
}

impl Opened {
    fn cache(&self) -> MutexGuard<'_, LruCache<Login, Arc<Bearer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is remembered of a login, with what the token shows around `now`. Another node may have renewed a token: one that is remembered as over is looked at
    /// again.
    pub(super) fn known(&self, login: &Login, now: UnixMillis) -> Option<Arc<Known>> {
        let bearer = self.cache().get(login).map(Arc::clone)?;
        (!bearer.is_over(now)).then(|| Known::of(bearer, now))
    }
}

/// A user with an opened token.
pub(super) struct Bearer {
    pub(super) user_id: UserId,
    pub(super) contract_id: ContractId,
    pub(super) token_id: TokenId,
    pub(super) counter_no: CounterNo,
    pub(super) parameters: Parameters,
    pub(super) activated_at: UnixMillis,
    pub(super) expires_at: Option<UnixMillis>,
    pub(super) seed: Seed,
}

impl Bearer {
    /// Whether the token's life is over, as far as is remembered.
    pub(super) fn is_over(&self, now: UnixMillis) -> bool {
        is_over(self.expires_at, now)
    }
}

/// A bearer with what the token shows around a moment. Where somebody is remembered, it is computed by the thread that the request came in on, not by the one that
/// judges all of them.
pub(super) struct Known {
    pub(super) bearer: Arc<Bearer>,
    shown: totp::Around,
}

impl Known {
    fn of(bearer: Arc<Bearer>, now: UnixMillis) -> Arc<Self> {
        let here = bearer.parameters.time_step(now.seconds());
        let shown = totp::Around::new(&bearer.seed, &bearer.parameters, here);
        Arc::new(Self { bearer, shown })
    }

    /// What the token shows.
    pub(super) fn codes(&self) -> totp::Codes<'_> {
        totp::Codes::new(&self.bearer.seed, &self.bearer.parameters).with(&self.shown)
    }
}

/// Who is behind a login.
#[derive(Clone)]
pub(super) enum Found {
    Bearer(Arc<Known>),
    NoToken {
        user_id: UserId,
        contract_id: ContractId,
        reopens_at: Option<UnixMillis>,
    },
    Nobody,
}

impl Found {
    /// The company of the user; `None` when there is no such user.
    pub(super) fn contract_id(&self) -> Option<&ContractId> {
        match self {
            Self::Bearer(known) => Some(&known.bearer.contract_id),
            Self::NoToken { contract_id, .. } => Some(contract_id),
            Self::Nobody => None,
        }
    }
}

impl Verifier {
    /// Who is behind a login, from what the database has, and remembers it.
    ///
    /// # Errors
    /// [`Failure::Vault`] when the seed cannot be opened, with the data keys that are known; [`Failure::Fault`] for a token without a counter.
    pub(super) fn open(
        &self,
        login: Login,
        stored: StoredBearer,
        now: UnixMillis,
    ) -> Result<Found, Failure> {
        let Some(token) = stored.token else {
            return Ok(Found::NoToken {
                user_id: stored.user_id,
                contract_id: stored.contract_id,
                reopens_at: stored.reopens_at,
            });
        };
        let counter_no = token
            .counter_no
            .ok_or(Failure::fault("a token has no counter"))?;
        let column = Column::TokenSeed {
            row: token.token_id.as_str(),
            parameters: &token.parameters,
        };
        let bytes = self.keys.unseal_at_once(&column, &token.sealed_seed)?;
        let seed = Seed::new(bytes.to_vec(), token.parameters.algorithm)
            .ok_or(Failure::fault("a stored seed has the wrong length"))?;
        let bearer = Arc::new(Bearer {
            user_id: stored.user_id,
            contract_id: stored.contract_id,
            token_id: token.token_id,
            counter_no,
            parameters: token.parameters,
            activated_at: token.activated_at,
            expires_at: token.expires_at,
            seed,
        });
        self.opened.cache().put(login, Arc::clone(&bearer));
        Ok(Found::Bearer(Known::of(bearer, now)))
    }

    /// Forgets this bearer of a login; the next look finds the token that lives. One that was found since is not forgotten.
    pub(super) fn forget(&self, login: &Login, bearer: &Arc<Bearer>) {
        let mut opened = self.opened.cache();
        if opened
            .peek(login)
            .is_some_and(|remembered| Arc::ptr_eq(remembered, bearer))
        {
            opened.pop(login);
        }
    }
}
