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
use warifu_store::{CounterNo, Login, StoredBearer, StoredSeed};
use warifu_vault::Sealed;

use super::batch::Verifier;
use super::sealed::SealedBearers;
use crate::app::Failure;
use crate::app::keys::Column;

/// Opened seeds that one node keeps in memory; about 300 bytes each. They are wiped when they leave.
const OPENED_MAX: NonZeroUsize = NonZeroUsize::new(16_384).expect("more than none");

/// Bits of the filter of logins that came, for each that it takes. Of those who come for the first time one in thirty is taken for one who came before, at most one in sixteen.
const LATELY_BITS: usize = 16;

/// Tokens by their users' logins: opened of those that are used often, sealed of all who came. What it holds never changes while the token lives, but the
/// end of its life, which a renewal puts off; and that it lives is looked at in each transaction.
#[derive(Default)]
pub(in crate::app) struct Remembered {
    opened: Mutex<Opened>,
    sealed: SealedBearers,
}

struct Opened {
    tokens: LruCache<Login, Arc<Bearer>>,
    lately: Lately,
}

/// Who came and was not remembered, of the last [`OPENED_MAX`] of them at most; then it begins anew. A token is remembered when its user is found here: most send one code a day, and their
/// seeds would push out those that are used often. A code that is judged again counts twice.
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
        Self {
            tokens: LruCache::new(OPENED_MAX),
            lately: Lately::new(),
        }
    }
}

impl Remembered {
    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a token, if its user came before not long ago; in place of what is remembered of that user, always.
    fn remember_if_again(&self, login: &Login, bearer: &Arc<Bearer>) {
        let mut opened = self.opened();
        if opened.tokens.contains(login) || opened.lately.note(login) {
            opened.tokens.put(login.clone(), Arc::clone(bearer));
        }
    }

    /// Who is remembered of a login, with what the token shows around `now`. One that is over is forgotten: another node may have renewed it, so it is looked at again.
    fn known(&self, login: &Login, now: UnixMillis) -> Option<Arc<Known>> {
        let mut opened = self.opened();
        let bearer = opened.tokens.get(login).map(Arc::clone)?;
        if bearer.is_over(now) {
            opened.tokens.pop(login);
            return None;
        }
        drop(opened);
        Some(Known::of(bearer, now))
    }

    /// Forgets a token of a login; the next look finds the one that lives. One that was found since is not forgotten.
    pub(super) fn forget(&self, login: &Login, token_id: &TokenId) {
        let mut opened = self.opened();
        if (opened.tokens.peek(login)).is_some_and(|bearer| bearer.token_id == *token_id) {
            opened.tokens.pop(login);
        }
        drop(opened);
        self.sealed.forget(login, token_id);
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
    /// Who is remembered of a login, opened or sealed, with what the token shows around `now`.
    pub(super) fn recall(&self, login: &Login, now: UnixMillis) -> Option<Arc<Known>> {
        if let Some(known) = self.remembered.known(login, now) {
            return Some(known);
        }
        let (user_id, contract_id, token) = self.remembered.sealed.get(login)?;
        let token_id = token.token_id.clone();
        let opened = self.opened_of(user_id, contract_id, token);
        let lives = opened.ok().filter(|(bearer, _)| !bearer.is_over(now));
        let Some((bearer, _)) = lives else {
            // Another node may have renewed it, or the data keys are to be read anew: the database is asked.
            self.remembered.sealed.forget(login, &token_id);
            return None;
        };
        self.remembered.remember_if_again(login, &bearer);
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
        let (bearer, sealed) = self.opened_of(user_id, contract_id, token)?;
        if !bearer.is_over(now) {
            self.remembered.sealed.put(login, &bearer, &sealed);
            self.remembered.remember_if_again(login, &bearer);
        }
        Ok(Found::Bearer(Known::of(bearer, now)))
    }

    /// The bearer with the opened seed, and the seed as it was stored.
    fn opened_of(
        &self,
        user_id: UserId,
        contract_id: ContractId,
        token: StoredSeed,
    ) -> Result<(Arc<Bearer>, Sealed), Failure> {
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
        let bearer = Arc::new(Bearer {
            user_id,
            contract_id,
            token_id: token.token_id,
            counter_no,
            parameters: token.parameters,
            activated_at: token.activated_at,
            expires_at: token.expires_at,
            seed,
        });
        Ok((bearer, sealed))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use warifu_core::id::ServiceId;
    use warifu_core::service::Policy;

    use super::super::sealed::tests::sealed_with;
    use super::*;
    use crate::clock::system_rng;

    pub(in super::super) const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    pub(in super::super) fn login(number: usize) -> Login {
        Login {
            service_id: ServiceId::parse("sample-bank").unwrap(),
            login_id: format!("user{number}"),
        }
    }

    pub(in super::super) fn bearer(expires_at: Option<UnixMillis>) -> Arc<Bearer> {
        Arc::new(bearer_with(Policy::manual().parameters, expires_at))
    }

    pub(in super::super) fn bearer_with(
        parameters: Parameters,
        expires_at: Option<UnixMillis>,
    ) -> Bearer {
        let rng = &mut system_rng();
        let seed = vec![7; parameters.algorithm.seed_len()];
        Bearer {
            user_id: UserId::new(NOW, rng),
            contract_id: ContractId::new(NOW, rng),
            token_id: TokenId::new(NOW, rng),
            counter_no: CounterNo::new(NOW, 1),
            parameters,
            activated_at: NOW,
            expires_at,
            seed: Seed::new(seed, parameters.algorithm).unwrap(),
        }
    }

    fn token_of(remembered: &Remembered, login: &Login, now: UnixMillis) -> Option<TokenId> {
        let known = remembered.known(login, now)?;
        Some(known.bearer.token_id.clone())
    }

    #[test]
    fn who_comes_again_is_known_and_who_comes_first_hardly_ever_is() {
        let mut lately = Lately::new();
        lately.note(&login(0));
        for number in 1..=200 {
            lately.note(&login(number));
        }
        assert!(lately.note(&login(0)));
        // Without beginning anew, a fifth of these would be taken for others.
        let strangers = 201..=8 * OPENED_MAX.get();
        let mistaken = strangers.filter(|number| lately.note(&login(*number)));
        assert!(mistaken.count() < OPENED_MAX.get() / 2);
    }

    #[test]
    fn a_token_is_remembered_the_second_time_and_then_replaced_at_once() {
        let remembered = Remembered::default();
        let (who, first, second) = (login(0), bearer(None), bearer(None));
        remembered.remember_if_again(&who, &first);
        assert!(token_of(&remembered, &who, NOW).is_none());
        remembered.remember_if_again(&who, &first);
        assert!(token_of(&remembered, &who, NOW).is_some_and(|id| id == first.token_id));
        // Also when the filter has begun anew.
        remembered.opened().lately = Lately::new();
        remembered.remember_if_again(&who, &second);
        remembered.forget(&who, &first.token_id);
        assert!(token_of(&remembered, &who, NOW).is_some_and(|id| id == second.token_id));
        remembered.forget(&who, &second.token_id);
        assert!(token_of(&remembered, &who, NOW).is_none());
    }

    #[test]
    fn of_an_opened_and_a_sealed_token_only_the_named_one_is_forgotten() {
        let remembered = Remembered::default();
        let (who, old, new) = (login(0), bearer(None), bearer(None));
        (0..2).for_each(|_| remembered.remember_if_again(&who, &old));
        remembered.sealed.put(&who, &new, &sealed_with(32, 1));
        let sealed = || {
            remembered
                .sealed
                .get(&who)
                .map(|(_, _, token)| token.token_id)
        };
        remembered.forget(&who, &old.token_id);
        assert!(token_of(&remembered, &who, NOW).is_none());
        assert!(sealed().is_some_and(|id| id == new.token_id));
        remembered.forget(&who, &new.token_id);
        assert!(sealed().is_none());
    }

    #[test]
    fn a_token_that_is_over_does_not_stay() {
        let remembered = Remembered::default();
        let (who, end) = (login(0), NOW.plus_ms(1_000));
        let over = bearer(Some(end));
        (0..2).for_each(|_| remembered.remember_if_again(&who, &over));
        assert!(token_of(&remembered, &who, end.plus_ms(-1)).is_some());
        assert!(token_of(&remembered, &who, end).is_none());
        assert_eq!(Arc::strong_count(&over), 1, "and its seed is wiped");
    }
}
