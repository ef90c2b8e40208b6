//! Who came before: users with their tokens, in little memory, so that of a bank with some hundred thousand tokens hardly anybody is looked for twice.

use std::hash::Hash as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chacha20::XChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use warifu_core::id::{ContractId, TokenId, UserId};
use warifu_core::oath::{Algorithm, Parameters, Seed};
use warifu_core::time::UnixMillis;
use warifu_store::{CounterNo, Login};
use zeroize::Zeroizing;

use super::bearer::Bearer;
use super::shelf::{Digest, Entry, SEED_MAX, Shelf};
use crate::clock::random_bytes;

/// Bearers that one node keeps: 116 bytes each, taken as they are needed, and 10 MiB for finding them.
const BEARERS_MAX: usize = 750_000;
/// In 48 bits: no end.
const ENDLESS: i64 = (1 << 48) - 1;

/// Bearers by their users' logins. What it holds never changes while the token lives, but the end of its life, which a renewal puts off; and it proves nothing: that the token
/// lives is looked at in each transaction.
pub(in crate::app) struct Remembered {
    hasher: SipHasher24,
    cover: Cover,
    shelf: Mutex<Shelf>,
}

/// The key that seeds in memory are under, made at the start of the program: an entry that was swapped out, was given back to the system, or reaches somebody by a fault is no seed without it.
struct Cover(Zeroizing<[u8; 32]>);

impl Default for Remembered {
    fn default() -> Self {
        Self::with_room_for(BEARERS_MAX)
    }
}

impl Remembered {
    fn with_room_for(max: usize) -> Self {
        Self {
            hasher: SipHasher24::new_with_key(&random_bytes()),
            cover: Cover(Zeroizing::new(random_bytes())),
            shelf: Mutex::new(Shelf::new(max)),
        }
    }

    /// The bearer of a login, if it is kept. One whose token's life is over is forgotten instead: another node may have renewed it, so the database is asked.
    pub(super) fn living(&self, login: &Login, now: UnixMillis) -> Option<Bearer> {
        let digest = self.digest(login);
        let (entry, parameters) = self.shelf().find(&digest)?;
        let bearer = self.bearer(&entry, parameters)?;
        if bearer.is_over(now) {
            self.shelf().remove(&digest, |kept| *kept == entry);
            return None;
        }
        Some(bearer)
    }

    /// Keeps a bearer, in place of what is kept of that login; if there is no room, in place of another, or not at all. What has no short form, as ids that this program does not
    /// make, is not kept, and what was kept of that login before is not either.
    pub(super) fn put(&self, login: &Login, bearer: &Bearer) {
        let digest = self.digest(login);
        let Some(mut entry) = without_seed(digest, bearer) else {
            self.shelf().remove(&digest, |_| true);
            return;
        };
        if self.shelf().admits(&digest) {
            entry.seed = self.cover.over(&entry.token_id, &bearer.seed);
            self.shelf().put(entry, bearer.parameters);
        }
    }

    /// Forgets a login's bearer, if it has this token; the next look finds the one that lives. A newer token that was found since is not forgotten.
    pub(super) fn forget(&self, login: &Login, token_id: &TokenId) {
        let digest = self.digest(login);
        if let Some(token_id) = token_id.to_bytes() {
            let is_it = |kept: &Entry| kept.token_id == token_id;
            self.shelf().remove(&digest, is_it);
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn digest(&self, login: &Login) -> Digest {
        let mut hasher = self.hasher;
        login.hash(&mut hasher);
        let hash = hasher.finish128().as_bytes();
        std::array::from_fn(|at| hash[at])
    }

    fn bearer(&self, entry: &Entry, parameters: Parameters) -> Option<Bearer> {
        let expires_at = milliseconds(entry.expires_at);
        Some(Bearer {
            user_id: UserId::from_bytes(entry.user_id),
            contract_id: ContractId::from_bytes(entry.contract_id),
            token_id: TokenId::from_bytes(entry.token_id),
            counter_no: CounterNo::from_bytes(entry.counter_no),
            parameters,
            activated_at: UnixMillis(milliseconds(entry.activated_at)),
            expires_at: (expires_at != ENDLESS).then_some(UnixMillis(expires_at)),
            seed: self.cover.off(entry, parameters.algorithm)?,
        })
    }
}

/// The short form of a bearer but for its seed; `None` where there is none.
fn without_seed(digest: Digest, bearer: &Bearer) -> Option<Entry> {
    let expires_at = match bearer.expires_at {
        Some(UnixMillis(ENDLESS)) => return None,
        Some(at) => at.0,
        None => ENDLESS,
    };
    let fits = bearer.seed.expose().len() <= SEED_MAX;
    fits.then_some(Entry {
        digest,
        parameters: 0,
        counter_no: bearer.counter_no.to_bytes(),
        user_id: bearer.user_id.to_bytes()?,
        contract_id: bearer.contract_id.to_bytes()?,
        token_id: bearer.token_id.to_bytes()?,
        activated_at: six_bytes(bearer.activated_at.0)?,
        expires_at: six_bytes(expires_at)?,
        seed: [0; SEED_MAX],
    })
}

impl Cover {
    /// A token's seed under the key. One that is too long has no entry and does not come here.
    fn over(&self, token_id: &[u8; 16], seed: &Seed) -> [u8; SEED_MAX] {
        let mut covered = [0; SEED_MAX];
        for (to, from) in covered.iter_mut().zip(seed.expose()) {
            *to = *from;
        }
        self.apply(token_id, &mut covered);
        covered
    }

    /// An entry's seed without it.
    fn off(&self, entry: &Entry, algorithm: Algorithm) -> Option<Seed> {
        let mut seed = Zeroizing::new(entry.seed);
        self.apply(&entry.token_id, &mut seed);
        let seed = seed.get(..algorithm.seed_len())?;
        Seed::new(seed.to_vec(), algorithm)
    }

    /// `XChaCha20` (draft-irtf-cfrg-xchacha-03): a stream for each token, which has one seed in its life.
    fn apply(&self, token_id: &[u8; 16], seed: &mut [u8; SEED_MAX]) {
        let mut nonce = [0; 24];
        nonce[..16].copy_from_slice(token_id);
        XChaCha20::new((&*self.0).into(), &nonce.into()).apply_keystream(seed);
    }
}

/// A time of this program in 48 bits; `None` for what needs more.
fn six_bytes(milliseconds: i64) -> Option<[u8; 6]> {
    let [0, 0, six @ ..] = milliseconds.to_be_bytes() else {
        return None;
    };
    Some(six)
}

fn milliseconds(six: [u8; 6]) -> i64 {
    let mut eight = [0; 8];
    eight[2..].copy_from_slice(&six);
    i64::from_be_bytes(eight)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand_core::Rng as _;
    use warifu_core::id::ServiceId;
    use warifu_core::service::Policy;

    use super::*;
    use crate::clock::system_rng;

    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn login(number: usize) -> Login {
        Login {
            service_id: ServiceId::parse("sample-bank").unwrap(),
            login_id: format!("user{number}"),
        }
    }

    /// Somebody with nothing in common with anybody else.
    fn somebody(algorithm: Algorithm) -> Bearer {
        let rng = &mut system_rng();
        let mut seed = vec![0; algorithm.seed_len()];
        rng.fill_bytes(&mut seed);
        let ago = i64::from(rng.next_u32());
        Bearer {
            user_id: UserId::new(NOW, rng),
            contract_id: ContractId::new(NOW, rng),
            token_id: TokenId::new(NOW, rng),
            counter_no: CounterNo::new(NOW, rng.next_u32()),
            parameters: Parameters {
                algorithm,
                ..Policy::manual().parameters
            },
            activated_at: NOW.plus_ms(-ago),
            expires_at: Some(NOW.plus_ms(1 + ago)),
            seed: Seed::new(seed, algorithm).unwrap(),
        }
    }

    fn usual() -> Bearer {
        somebody(Algorithm::Sha256)
    }

    /// All of it, to be compared.
    fn facts(bearer: &Bearer) -> impl PartialEq + std::fmt::Debug + use<> {
        (
            bearer.user_id.clone(),
            bearer.contract_id.clone(),
            bearer.token_id.clone(),
            bearer.counter_no,
            bearer.parameters,
            bearer.activated_at,
            bearer.expires_at,
            bearer.seed.expose().to_vec(),
        )
    }

    fn token_of(remembered: &Remembered, number: usize) -> Option<TokenId> {
        let bearer = remembered.living(&login(number), NOW);
        bearer.map(|bearer| bearer.token_id)
    }

    fn kept_of(remembered: &Remembered, number: usize) -> Option<Entry> {
        let digest = remembered.digest(&login(number));
        remembered.shelf().find(&digest).map(|(entry, _)| entry)
    }

    #[test]
    fn what_is_kept_comes_back() {
        let remembered = Remembered::with_room_for(100);
        let endless = Bearer {
            expires_at: None,
            ..usual()
        };
        let kept = [usual(), somebody(Algorithm::Sha1), endless, usual()];
        for (number, bearer) in kept.iter().enumerate() {
            remembered.put(&login(number), bearer);
        }
        for (number, bearer) in kept.iter().enumerate() {
            let found = remembered.living(&login(number), NOW).unwrap();
            assert_eq!(facts(&found), facts(bearer));
        }
        assert!(token_of(&remembered, kept.len()).is_none());
    }

    #[test]
    fn seeds_are_covered_and_the_same_one_never_looks_alike() {
        for algorithm in [Algorithm::Sha1, Algorithm::Sha256] {
            let first = somebody(algorithm);
            let second = Bearer {
                seed: first.seed.clone(),
                ..somebody(algorithm)
            };
            let (here, there) = [(); 2].map(|()| Remembered::with_room_for(100)).into();
            here.put(&login(0), &first);
            here.put(&login(1), &second);
            there.put(&login(0), &first);
            let covered = [(&here, 0), (&here, 1), (&there, 0)]
                .map(|(remembered, number)| kept_of(remembered, number).unwrap().seed);
            let length = algorithm.seed_len();
            let mut different: HashSet<_> = covered.iter().map(|seed| &seed[..length]).collect();
            different.insert(first.seed.expose());
            assert_eq!(different.len(), 4);
        }
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        let remembered = Remembered::with_room_for(100);
        let foreign = Bearer {
            user_id: UserId::from_stored("user-1"),
            ..usual()
        };
        let early = Bearer {
            activated_at: UnixMillis(-1),
            ..usual()
        };
        let late = [ENDLESS, ENDLESS + 1].map(|end| Bearer {
            expires_at: Some(UnixMillis(end)),
            ..usual()
        });
        let [late, later] = late;
        for bearer in [somebody(Algorithm::Sha512), foreign, early, late, later] {
            // Nor what was kept before.
            remembered.put(&login(0), &usual());
            remembered.put(&login(0), &bearer);
            assert!(kept_of(&remembered, 0).is_none());
            remembered.put(&login(1), &bearer);
            assert!(kept_of(&remembered, 1).is_none());
        }
    }

    #[test]
    fn a_newer_token_takes_the_place_and_only_the_one_that_is_named_is_forgotten() {
        let remembered = Remembered::with_room_for(100);
        let (first, second) = (usual(), usual());
        remembered.put(&login(0), &first);
        remembered.put(&login(0), &second);
        remembered.forget(&login(0), &first.token_id);
        remembered.forget(&login(1), &second.token_id);
        assert_eq!(token_of(&remembered, 0), Some(second.token_id.clone()));
        remembered.forget(&login(0), &second.token_id);
        assert_eq!(token_of(&remembered, 0), None);
    }

    #[test]
    fn one_that_is_over_is_forgotten() {
        let remembered = Remembered::with_room_for(100);
        let who = login(0);
        let bearer = usual();
        let end = bearer.expires_at.unwrap();
        remembered.put(&who, &bearer);
        assert!(remembered.living(&who, end.plus_ms(-1)).is_some());
        assert!(remembered.living(&who, end).is_none());
        assert!(kept_of(&remembered, 0).is_none());
    }

    #[test]
    fn threads_side_by_side_mix_nobody_up() {
        const USERS: usize = 400;
        // Room for most of them, so that each makes room for another now and then.
        let remembered = Remembered::with_room_for(USERS * 3 / 4);
        let bearers: Vec<_> = (0..USERS).map(|_| usual()).collect();
        let walk = |stride: usize| {
            let mut met = 0;
            for step in 0..20 * USERS {
                let number = step * stride % USERS;
                let (who, bearer) = (login(number), &bearers[number]);
                match remembered.living(&who, NOW) {
                    Some(found) => {
                        assert_eq!(facts(&found), facts(bearer), "{number}");
                        met += 1;
                    }
                    None => remembered.put(&who, bearer),
                }
                if step % 50 == 0 {
                    remembered.forget(&who, &bearer.token_id);
                }
            }
            met
        };
        std::thread::scope(|scope| {
            let walks = [1, 3, 7, 11].map(|stride| scope.spawn(move || walk(stride)));
            for walk in walks {
                assert!(walk.join().unwrap() > USERS);
            }
        });
        remembered.shelf().assert_sound();
    }
}
