//! Bearers as the database has them, their seeds still sealed, in little memory: so that of a bank with some hundred thousand tokens hardly anybody is looked for twice.

use std::hash::Hash as _;

use hashbrown::HashTable;
use indexmap::IndexSet;
use siphasher::sip128::{Hasher128 as _, SipHasher24};
use warifu_core::id::{ContractId, TokenId, UserId};
use warifu_core::oath::Parameters;
use warifu_core::time::UnixMillis;
use warifu_store::{CounterNo, Login, StoredSeed};
use warifu_vault::Sealed;

use super::bearer::Bearer;
use crate::clock::random_bytes;

/// Bearers that one node keeps; 150 bytes each, which are taken when they are needed.
const BEARERS_MAX: usize = 600_000;
/// Of the users that come when there is no room, one in so many is let in, in place of another.
const LET_IN: u32 = 16;
/// Entries that are asked of the system at once.
const CHUNK: usize = 4_096;
/// Of a login's hash: two logins that are known have the same with a chance of one in 2^73, and nobody can look for such.
const DIGEST_LENGTH: usize = 14;
/// The nonce, the longest seed but those of SHA-512, and the tag. Longer ones are not kept.
const REST_MAX: usize = 60;
/// In 48 bits: no end.
const ENDLESS: i64 = (1 << 48) - 1;

/// Sealed bearers by their users' logins. As with opened ones, what it holds never changes while the token lives, but the end of its life; and it proves nothing.
pub(super) struct SealedBearers {
    max: usize,
    hasher: SipHasher24,
    kinds: IndexSet<Kind>,
    /// Where each login's entry is.
    places: HashTable<u32>,
    chunks: Vec<Vec<Entry>>,
    /// Entries that were forgotten.
    free: Vec<u32>,
    turned_away: u32,
    /// The entry that makes room next.
    next_out: u32,
}

/// What thousands of bearers have in common.
#[derive(PartialEq, Eq, Hash)]
struct Kind {
    parameters: Parameters,
    /// What the sealed seed begins with: above all the id of its key.
    header: Vec<u8>,
    rest_length: usize,
}

struct Entry {
    digest: [u8; DIGEST_LENGTH],
    /// Its place in [`SealedBearers::kinds`].
    kind: u16,
    counter_no: CounterNo,
    user_id: [u8; 16],
    contract_id: [u8; 16],
    token_id: [u8; 16],
    activated_at: [u8; 6],
    expires_at: [u8; 6],
    /// The sealed seed without its header.
    rest: [u8; REST_MAX],
}

impl Default for SealedBearers {
    fn default() -> Self {
        Self::of(BEARERS_MAX)
    }
}

impl SealedBearers {
    fn of(max: usize) -> Self {
        Self {
            max,
            hasher: SipHasher24::new_with_key(&random_bytes()),
            kinds: IndexSet::new(),
            // At once: to make it larger, each entry would have to be read.
            places: HashTable::with_capacity(max),
            chunks: Vec::new(),
            free: Vec::new(),
            turned_away: 0,
            next_out: 0,
        }
    }

    /// User, company and token of a login, if they are kept.
    pub(super) fn get(&self, login: &Login) -> Option<(UserId, ContractId, StoredSeed)> {
        let digest = self.digest(login);
        let place = self
            .places
            .find(hash_of(&digest), |place| self.is_at(*place, &digest))?;
        let entry = self.entry(*place)?;
        let kind = self.kinds.get_index(entry.kind.into())?;
        let sealed_seed = [&kind.header, entry.rest.get(..kind.rest_length)?].concat();
        let expires_at = milliseconds(entry.expires_at);
        let token = StoredSeed {
            token_id: TokenId::from_bytes(entry.token_id),
            counter_no: Some(entry.counter_no),
            parameters: kind.parameters,
            activated_at: UnixMillis(milliseconds(entry.activated_at)),
            expires_at: (expires_at != ENDLESS).then_some(UnixMillis(expires_at)),
            sealed_seed,
        };
        let user_id = UserId::from_bytes(entry.user_id);
        Some((user_id, ContractId::from_bytes(entry.contract_id), token))
    }

    /// Keeps a bearer, in place of what is kept of that login; if there is no room, in place of another, or not at all. What this program does not make, as ids of another
    /// kind, is not kept.
    pub(super) fn put(&mut self, login: &Login, bearer: &Bearer, sealed: &Sealed) {
        let digest = self.digest(login);
        let Some(entry) = self.entry_of(digest, bearer, sealed) else {
            return;
        };
        let hash = hash_of(&digest);
        let kept = self
            .places
            .find(hash, |place| self.is_at(*place, &digest))
            .copied();
        if let Some(kept) = kept {
            self.write(kept, entry);
        } else if let Some(place) = self.room() {
            self.write(place, entry);
            let chunks = &self.chunks;
            self.places
                .insert_unique(hash, place, |place| hash_at(chunks, *place));
        }
    }

    /// Forgets a login's bearer, if it has this token.
    pub(super) fn forget(&mut self, login: &Login, token_id: &TokenId) {
        let digest = self.digest(login);
        let chunks = &self.chunks;
        let kept = self.places.find_entry(hash_of(&digest), |place| {
            at(chunks, *place).is_some_and(|entry| {
                entry.digest == digest && Some(entry.token_id) == token_id.to_bytes()
            })
        });
        if let Ok(kept) = kept {
            let (place, _) = kept.remove();
            self.free.push(place);
        }
    }

    fn digest(&self, login: &Login) -> [u8; DIGEST_LENGTH] {
        let mut hasher = self.hasher;
        login.hash(&mut hasher);
        let hash = hasher.finish128().as_bytes();
        std::array::from_fn(|at| hash[at])
    }

    fn entry(&self, place: u32) -> Option<&Entry> {
        at(&self.chunks, place)
    }

    fn is_at(&self, place: u32, digest: &[u8; DIGEST_LENGTH]) -> bool {
        self.entry(place)
            .is_some_and(|entry| entry.digest == *digest)
    }

    fn entry_of(
        &mut self,
        digest: [u8; DIGEST_LENGTH],
        bearer: &Bearer,
        sealed: &Sealed,
    ) -> Option<Entry> {
        let (header, rest) = sealed.split_header()?;
        let mut padded = [0; REST_MAX];
        padded.get_mut(..rest.len())?.copy_from_slice(rest);
        let expires_at = bearer.expires_at.map_or(ENDLESS, |at| at.0);
        let (kind, _) = self.kinds.insert_full(Kind {
            parameters: bearer.parameters,
            header: header.to_vec(),
            rest_length: rest.len(),
        });
        Some(Entry {
            digest,
            counter_no: bearer.counter_no,
            user_id: bearer.user_id.to_bytes()?,
            contract_id: bearer.contract_id.to_bytes()?,
            token_id: bearer.token_id.to_bytes()?,
            activated_at: six_bytes(bearer.activated_at.0)?,
            expires_at: six_bytes(expires_at)?,
            rest: padded,
            kind: u16::try_from(kind).ok()?,
        })
    }

    /// A place for a new entry.
    fn room(&mut self) -> Option<u32> {
        if let Some(place) = self.free.pop() {
            return Some(place);
        }
        let next = self.places.len();
        if next < self.max {
            return u32::try_from(next).ok();
        }
        // Were everybody let in who comes, of more users than there is room for, one after the other, each would be gone before coming again.
        self.turned_away += 1;
        if self.turned_away < LET_IN {
            return None;
        }
        self.turned_away = 0;
        let place = self.next_out;
        self.next_out = (place + 1) % u32::try_from(self.max).ok()?;
        let hash = hash_at(&self.chunks, place);
        let entry = self.places.find_entry(hash, |kept| *kept == place);
        entry.ok()?.remove();
        Some(place)
    }

    fn write(&mut self, place: u32, entry: Entry) {
        let (chunk, within) = within(place);
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let Some(chunk) = self.chunks.get_mut(chunk) else {
            return;
        };
        match chunk.get_mut(within) {
            Some(old) => *old = entry,
            None => chunk.push(entry),
        }
    }
}

const fn within(place: u32) -> (usize, usize) {
    let place = place as usize;
    (place / CHUNK, place % CHUNK)
}

fn at(chunks: &[Vec<Entry>], place: u32) -> Option<&Entry> {
    let (chunk, within) = within(place);
    chunks.get(chunk)?.get(within)
}

/// What the table finds an entry by: it is a hash already.
fn hash_of(digest: &[u8; DIGEST_LENGTH]) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|at| digest[at]))
}

fn hash_at(chunks: &[Vec<Entry>], place: u32) -> u64 {
    at(chunks, place).map_or(0, |entry| hash_of(&entry.digest))
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
    use warifu_core::oath::Algorithm;
    use warifu_core::service::Policy;

    use super::super::bearer::tests::{NOW, bearer, bearer_with, login};
    use super::*;

    const KEY: [u8; 17] = [1; 17];

    /// What a seed of so many bytes is like when it is sealed.
    fn sealed(seed: usize, mark: u8) -> Sealed {
        Sealed::from_stored([&KEY[..], &vec![mark; 12 + seed + 16]].concat())
    }

    fn token_of(bearers: &SealedBearers, login: &Login) -> Option<TokenId> {
        bearers.get(login).map(|(_, _, token)| token.token_id)
    }

    #[test]
    fn what_is_kept_comes_back_as_the_database_has_it() {
        let mut bearers = SealedBearers::of(100);
        let manual = Policy::manual().parameters;
        let sha1 = Parameters {
            algorithm: Algorithm::Sha1,
            digits: 8,
            ..manual
        };
        let kept = [
            (bearer_with(manual, None), sealed(32, 1)),
            (bearer_with(manual, Some(NOW.plus_ms(1))), sealed(32, 2)),
            (bearer_with(sha1, None), sealed(20, 3)),
        ];
        for (number, (bearer, sealed)) in kept.iter().enumerate() {
            bearers.put(&login(number), bearer, sealed);
        }
        for (number, (bearer, sealed)) in kept.into_iter().enumerate() {
            let expected = (
                bearer.user_id,
                bearer.contract_id,
                StoredSeed {
                    token_id: bearer.token_id,
                    counter_no: Some(bearer.counter_no),
                    parameters: bearer.parameters,
                    activated_at: bearer.activated_at,
                    expires_at: bearer.expires_at,
                    sealed_seed: sealed.into_bytes(),
                },
            );
            assert_eq!(bearers.get(&login(number)), Some(expected));
        }
        assert_eq!(bearers.get(&login(3)), None);
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        let mut bearers = SealedBearers::of(100);
        let usual = || bearer_with(Policy::manual().parameters, None);
        let foreign = Bearer {
            user_id: UserId::from_stored("user-1"),
            ..usual()
        };
        let (mut late, mut early) = (usual(), usual());
        late.expires_at = Some(UnixMillis(1 << 48));
        early.activated_at = UnixMillis(-1);
        for (bearer, sealed) in [
            (usual(), sealed(64, 1)),
            (usual(), Sealed::from_stored(vec![1; 16])),
            (foreign, sealed(32, 1)),
            (late, sealed(32, 1)),
            (early, sealed(32, 1)),
        ] {
            bearers.put(&login(0), &bearer, &sealed);
            assert_eq!(bearers.get(&login(0)), None);
        }
    }

    #[test]
    fn a_newer_token_takes_the_place_and_only_the_one_that_is_named_is_forgotten() {
        let mut bearers = SealedBearers::of(100);
        let (first, second) = (bearer(None), bearer(None));
        bearers.put(&login(0), &first, &sealed(32, 1));
        bearers.put(&login(0), &second, &sealed(32, 2));
        assert_eq!(bearers.places.len(), 1);
        bearers.forget(&login(0), &first.token_id);
        bearers.forget(&login(1), &second.token_id);
        assert_eq!(token_of(&bearers, &login(0)), Some(second.token_id.clone()));
        bearers.forget(&login(0), &second.token_id);
        assert_eq!(token_of(&bearers, &login(0)), None);
        // Its place is another's.
        bearers.put(&login(1), &first, &sealed(32, 1));
        assert_eq!(bearers.chunks.iter().map(Vec::len).sum::<usize>(), 1);
        assert_eq!(token_of(&bearers, &login(1)), Some(first.token_id.clone()));
    }

    /// As the users of a bank that is too large, one after the other, again and again.
    #[test]
    fn of_more_than_there_is_room_for_most_of_those_who_are_kept_stay() {
        const ROOM: usize = CHUNK + 100;
        const USERS: usize = ROOM * 3 / 2;
        let mut bearers = SealedBearers::of(ROOM);
        let tokens: Vec<_> = (0..USERS).map(|_| bearer(None)).collect();
        for round in 0..20 {
            let mut met = 0;
            for (number, token) in tokens.iter().enumerate() {
                match token_of(&bearers, &login(number)) {
                    Some(found) => {
                        assert_eq!(found, token.token_id, "{number}");
                        met += 1;
                    }
                    None => bearers.put(&login(number), token, &sealed(32, 1)),
                }
                assert!(bearers.places.len() <= ROOM);
            }
            assert!(round == 0 || met > ROOM * 9 / 10, "{met} of {ROOM}");
        }
        // Nobody is shut out for ever.
        let first_come = (0..ROOM).filter(|number| token_of(&bearers, &login(*number)).is_some());
        assert!(first_come.count() < ROOM * 9 / 10);
        // With some forgotten, there is room at once.
        let gone = (0..USERS).find(|number| token_of(&bearers, &login(*number)).is_some());
        let gone = gone.unwrap();
        bearers.forget(&login(gone), &tokens[gone].token_id);
        bearers.put(&login(USERS), &tokens[0], &sealed(32, 1));
        assert!(token_of(&bearers, &login(USERS)).is_some());
        assert_eq!(bearers.places.len(), ROOM);
    }

    #[test]
    fn a_bearer_takes_little_memory() {
        assert_eq!(size_of::<Entry>(), 144);
    }
}
