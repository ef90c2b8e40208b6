//! Who is behind a login: the user with the opened token, remembered while it is used often, and what that token shows.

use std::hash::RandomState;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastbloom::BloomFilter;
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

/// Bits of the filter of logins that came lately, for each that it takes. One in as many is taken for one that came before, at most.
const LATELY_BITS: usize = 16;

/// The tokens that were opened last, by their users' logins. What it holds never changes while the token lives, but the
/// end of its life, which a renewal puts off; and that it lives is looked at in each transaction.
pub(in crate::app) struct Opened(Mutex<Tokens>);

struct Tokens {
    opened: LruCache<Login, Arc<Bearer>>,
    lately: Lately,
}

/// Who came lately and was not remembered. A token is remembered when its user comes again before as many others came as can be remembered: most send one code a day, and
/// their seeds would only push out those that are used often, and stay in memory for nothing.
struct Lately {
    logins: BloomFilter<RandomState>,
    noted: usize,
}

impl Lately {
    fn new() -> Self {
        let bits = LATELY_BITS * OPENED_MAX.get();
        let filter = BloomFilter::with_num_bits(bits).hasher(RandomState::new());
        Self {
            logins: filter.hashes(1),
            noted: 0,
        }
    }

    /// Notes a login, and whether it had been noted before. Sometimes one that had not is taken for one that had.
    fn note(&mut self, login: &Login) -> bool {
        if self.logins.insert(login) {
            return true;
        }
        self.noted += 1;
        if self.noted >= OPENED_MAX.get() {
            self.logins.clear();
            self.noted = 0;
        }
        false
    }
}

impl Default for Opened {
    fn default() -> Self {
        Self(Mutex::new(Tokens {
            opened: LruCache::new(OPENED_MAX),
            lately: Lately::new(),
        }))
    }
}

impl Opened {
    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a token, if its user came before not long ago.
    fn note(&self, login: &Login, bearer: &Arc<Bearer>) {
        let mut tokens = self.tokens();
        if tokens.lately.note(login) {
            tokens.opened.put(login.clone(), Arc::clone(bearer));
        }
    }

    /// Who is remembered of a login, with what the token shows around `now`. Another node may have renewed a token: one that is remembered as over is looked at
    /// again.
    pub(super) fn known(&self, login: &Login, now: UnixMillis) -> Option<Arc<Known>> {
        let bearer = self.tokens().opened.get(login).map(Arc::clone)?;
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
        login: &Login,
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
        let mut bytes = self.keys.unseal_at_once(&column, token.sealed_seed)?;
        let seed = Seed::new(std::mem::take(&mut *bytes), token.parameters.algorithm)
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
        self.opened.note(login, &bearer);
        Ok(Found::Bearer(Known::of(bearer, now)))
    }

    /// Forgets this bearer of a login; the next look finds the token that lives. One that was found since is not forgotten.
    pub(super) fn forget(&self, login: &Login, bearer: &Arc<Bearer>) {
        let mut tokens = self.opened.tokens();
        if tokens
            .opened
            .peek(login)
            .is_some_and(|remembered| Arc::ptr_eq(remembered, bearer))
        {
            tokens.opened.pop(login);
        }
    }
}

#[cfg(test)]
mod tests {
    use warifu_core::id::ServiceId;

    use super::*;

    fn login(number: usize) -> Login {
        Login {
            service_id: ServiceId::parse("sample-bank").unwrap(),
            login_id: format!("user{number}"),
        }
    }

    #[test]
    fn who_comes_again_is_known_and_who_comes_first_hardly_ever_is() {
        let mut lately = Lately::new();
        lately.note(&login(0));
        assert!(lately.note(&login(0)));
        // Without beginning anew, a fifth of these would be taken for others.
        let strangers = 8 * OPENED_MAX.get();
        let mistaken = (1..=strangers).filter(|number| lately.note(&login(*number)));
        assert!(mistaken.count() < strangers / LATELY_BITS);
    }
}
