//! Who is behind a login: the user with the token, its seed opened, from the database or from this node's memory, and what that token shows.

use std::sync::Arc;

use warifu_core::id::{ContractId, TokenId, UserId};
use warifu_core::life::is_over;
use warifu_core::oath::{Parameters, Seed, totp};
use warifu_core::time::UnixMillis;
use warifu_store::{CounterNo, Login, StoredBearer};
use warifu_vault::Sealed;

use super::batch::Verifier;
use crate::app::Failure;
use crate::app::keys::Column;

/// A user with a token, its seed opened.
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
/// judges all of them; only what is judged again is computed there.
pub(super) struct Known {
    pub(super) bearer: Arc<Bearer>,
    shown: totp::Around,
}

impl Known {
    fn of(bearer: Bearer, now: UnixMillis) -> Arc<Self> {
        let here = bearer.parameters.time_step(now.seconds());
        let shown = totp::Around::new(&bearer.seed, &bearer.parameters, here);
        let bearer = Arc::new(bearer);
        Arc::new(Self { bearer, shown })
    }

    /// What the token shows.
    pub(super) fn codes(&self) -> totp::Codes<'_> {
        totp::Codes::new(&self.bearer.seed, &self.bearer.parameters).with(&self.shown)
    }
}

/// Who is behind a login.
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
    /// Who is remembered of a login, with what the token shows around `now`.
    pub(super) fn recall(&self, login: &Login, now: UnixMillis) -> Option<Arc<Known>> {
        let bearer = self.remembered.living(login, now)?;
        Some(Known::of(bearer, now))
    }

    /// Who is behind a login, from what the database has; it is remembered, if there is a token that lives.
    ///
    /// # Errors
    /// [`Failure::Vault`] when the seed cannot be opened, with the data keys that are known; [`Failure::Fault`] for a token without a counter.
    pub(super) fn open(
        &self,
        login: &Login,
        stored: StoredBearer,
        now: UnixMillis,
    ) -> Result<Found, Failure> {
        let (user_id, contract_id) = (stored.user_id, stored.contract_id);
        let Some(token) = stored.token else {
            return Ok(Found::NoToken {
                user_id,
                contract_id,
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
        let sealed = Sealed::from_stored(token.sealed_seed);
        let mut bytes = self.keys.unseal_at_once(&column, &sealed)?;
        let seed = Seed::new(std::mem::take(&mut *bytes), token.parameters.algorithm)
            .ok_or(Failure::fault("a stored seed has the wrong length"))?;
        let bearer = Bearer {
            user_id,
            contract_id,
            token_id: token.token_id,
            counter_no,
            parameters: token.parameters,
            activated_at: token.activated_at,
            expires_at: token.expires_at,
            seed,
        };
        if !bearer.is_over(now) {
            self.remembered.put(login, &bearer);
        }
        Ok(Found::Bearer(Known::of(bearer, now)))
    }
}
