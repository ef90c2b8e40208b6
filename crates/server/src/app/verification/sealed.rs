//! Bearers as the database has them, their seeds still sealed, in little memory: so that of a bank with some hundred thousand tokens hardly anybody is looked for twice.

use std::hash::Hash as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Bearers that one node keeps; 150 bytes each, all but nine of which are taken when they are needed.
const BEARERS_MAX: usize = 600_000;
/// Of the users that come when there is no room, one in so many is let in, in place of another.
const LET_IN: u32 = 16;
/// Entries that are asked of the system at once.
const CHUNK: usize = 4_096;
/// Of a login's hash: of those that are kept, two have the same with a chance of less than one in 2^74, and nobody can look for such.
const DIGEST_LENGTH: usize = 14;
/// The nonce, the longest seed but those of SHA-512, and the tag. Longer ones are not kept.
const REST_MAX: usize = 60;
/// In 48 bits: no end.
const ENDLESS: i64 = (1 << 48) - 1;

type Digest = [u8; DIGEST_LENGTH];

/// Sealed bearers by their users' logins. As with opened ones, what it holds never changes while the token lives, but the end of its life; and it proves nothing.
pub(super) struct SealedBearers {
    hasher: SipHasher24,
    shelf: Mutex<Shelf>,
}

struct Shelf {
    max: usize,
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
#[derive(Clone, PartialEq, Eq, Hash)]
struct Kind {
    parameters: Parameters,
    /// What the sealed seed begins with: above all the id of its key.
    header: Vec<u8>,
    rest_length: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    digest: Digest,
    /// Its place in [`Shelf::kinds`].
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
            hasher: SipHasher24::new_with_key(&random_bytes()),
            shelf: Mutex::new(Shelf {
                max,
                kinds: IndexSet::new(),
                // At once: to make it larger, each entry would have to be read.
                places: HashTable::with_capacity(max),
                chunks: Vec::new(),
                free: Vec::new(),
                turned_away: 0,
                next_out: 0,
            }),
        }
    }

    /// User, company and token of a login, if they are kept.
    pub(super) fn get(&self, login: &Login) -> Option<(UserId, ContractId, StoredSeed)> {
        let digest = self.digest(login);
        let (entry, kind) = self.shelf().find(&digest)?;
        entry.into_stored(&kind)
    }

    /// Keeps a bearer, in place of what is kept of that login; if there is no room, in place of another, or not at all. What has no short form, as ids that this program does not
    /// make, is not kept.
    pub(super) fn put(&self, login: &Login, bearer: &Bearer, sealed: &Sealed) {
        let digest = self.digest(login);
        self.shelf().put(digest, bearer, sealed);
    }

    /// Forgets a login's bearer, if it has this token.
    pub(super) fn forget(&self, login: &Login, token_id: &TokenId) {
        let digest = self.digest(login);
        if let Some(token_id) = token_id.to_bytes() {
            self.shelf()
                .remove(&digest, |entry| entry.token_id == token_id);
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
}

impl Entry {
    fn into_stored(self, kind: &Kind) -> Option<(UserId, ContractId, StoredSeed)> {
        let expires_at = milliseconds(self.expires_at);
        let token = StoredSeed {
            token_id: TokenId::from_bytes(self.token_id),
            counter_no: Some(self.counter_no),
            parameters: kind.parameters,
            activated_at: UnixMillis(milliseconds(self.activated_at)),
            expires_at: (expires_at != ENDLESS).then_some(UnixMillis(expires_at)),
            sealed_seed: [&kind.header, self.rest.get(..kind.rest_length)?].concat(),
        };
        let user_id = UserId::from_bytes(self.user_id);
        Some((user_id, ContractId::from_bytes(self.contract_id), token))
    }
}

impl Shelf {
    fn find(&self, digest: &Digest) -> Option<(Entry, Kind)> {
        let entry = at(&self.chunks, self.place(digest)?)?;
        let kind = self.kinds.get_index(entry.kind.into())?;
        Some((*entry, kind.clone()))
    }

    fn place(&self, digest: &Digest) -> Option<u32> {
        let is_it = |place: &u32| holds(&self.chunks, *place, digest);
        self.places.find(hash_of(digest), is_it).copied()
    }

    fn put(&mut self, digest: Digest, bearer: &Bearer, sealed: &Sealed) {
        let kept = self.place(&digest);
        if kept.is_none() && self.turns_away() {
            return;
        }
        match (self.entry(digest, bearer, sealed), kept) {
            (Some(entry), Some(place)) => self.write(place, entry),
            (Some(entry), None) => self.insert(entry),
            (None, Some(_)) => self.remove(&digest, |_| true),
            (None, None) => {}
        }
    }

    fn insert(&mut self, entry: Entry) {
        let Some(place) = self.room() else {
            return;
        };
        self.write(place, entry);
        let chunks = &self.chunks;
        let hash = |place: &u32| hash_at(chunks, *place);
        self.places
            .insert_unique(hash_of(&entry.digest), place, hash);
    }

    fn remove(&mut self, digest: &Digest, is_it: impl Fn(&Entry) -> bool) {
        let chunks = &self.chunks;
        let kept = self.places.find_entry(hash_of(digest), |place| {
            at(chunks, *place).is_some_and(|entry| entry.digest == *digest && is_it(entry))
        });
        if let Ok(kept) = kept {
            let (place, _) = kept.remove();
            let (chunk, within) = within(place);
            let entry = self
                .chunks
                .get_mut(chunk)
                .and_then(|chunk| chunk.get_mut(within));
            if let Some(entry) = entry {
                entry.rest = [0; REST_MAX];
            }
            self.free.push(place);
        }
    }

    fn entry(&mut self, digest: Digest, bearer: &Bearer, sealed: &Sealed) -> Option<Entry> {
        let (header, rest) = sealed.split_header()?;
        let mut padded = [0; REST_MAX];
        padded.get_mut(..rest.len())?.copy_from_slice(rest);
        let expires_at = bearer.expires_at.map_or(ENDLESS, |at| at.0);
        let mut entry = Entry {
            digest,
            kind: 0,
            counter_no: bearer.counter_no,
            user_id: bearer.user_id.to_bytes()?,
            contract_id: bearer.contract_id.to_bytes()?,
            token_id: bearer.token_id.to_bytes()?,
            activated_at: six_bytes(bearer.activated_at.0)?,
            expires_at: six_bytes(expires_at)?,
            rest: padded,
        };
        let kind = Kind {
            parameters: bearer.parameters,
            header: header.to_vec(),
            rest_length: rest.len(),
        };
        let (number, _) = self.kinds.insert_full(kind);
        entry.kind = u16::try_from(number).ok()?;
        Some(entry)
    }

    fn is_full(&self) -> bool {
        self.free.is_empty() && self.places.len() >= self.max
    }

    /// Whether somebody new is to be turned away. Were everybody let in who comes, of more users than there is room for, one after the other, each would be gone before coming again.
    fn turns_away(&mut self) -> bool {
        if !self.is_full() {
            return false;
        }
        self.turned_away += 1;
        let turns_away = self.turned_away < LET_IN;
        if !turns_away {
            self.turned_away = 0;
        }
        turns_away
    }

    /// A place for a new entry, if need be that of another one.
    fn room(&mut self) -> Option<u32> {
        if !self.is_full() {
            let free = self.free.pop();
            return free.or_else(|| u32::try_from(self.places.len()).ok());
        }
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

fn holds(chunks: &[Vec<Entry>], place: u32, digest: &Digest) -> bool {
    at(chunks, place).is_some_and(|entry| entry.digest == *digest)
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
fn hash_of(digest: &Digest) -> u64 {
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
pub(super) mod tests {
    use warifu_core::oath::Algorithm;
    use warifu_core::service::Policy;

    use super::super::bearer::tests::{NOW, bearer, bearer_with, login};
    use super::*;

    const KEY: [u8; 17] = [1; 17];

    /// What a seed of so many bytes is like when it is sealed.
    pub(in super::super) fn sealed_with(seed: usize, mark: u8) -> Sealed {
        Sealed::from_stored([&KEY[..], &vec![mark; 12 + seed + 16]].concat())
    }

    fn token_of(bearers: &SealedBearers, login: &Login) -> Option<TokenId> {
        bearers.get(login).map(|(_, _, token)| token.token_id)
    }

    #[test]
    fn what_is_kept_comes_back_as_the_database_has_it() {
        let bearers = SealedBearers::of(100);
        let manual = Policy::manual().parameters;
        let sha1 = Parameters {
            algorithm: Algorithm::Sha1,
            digits: 8,
            ..manual
        };
        let kept = [
            (bearer_with(manual, None), sealed_with(32, 1)),
            (
                bearer_with(manual, Some(NOW.plus_ms(1))),
                sealed_with(32, 2),
            ),
            (bearer_with(sha1, None), sealed_with(20, 3)),
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
        let bearers = SealedBearers::of(100);
        let usual = || bearer_with(Policy::manual().parameters, None);
        let foreign = Bearer {
            user_id: UserId::from_stored("user-1"),
            ..usual()
        };
        let (mut late, mut early) = (usual(), usual());
        late.expires_at = Some(UnixMillis(1 << 48));
        early.activated_at = UnixMillis(-1);
        for (bearer, sealed) in [
            (usual(), sealed_with(64, 1)),
            (usual(), Sealed::from_stored(vec![1; 16])),
            (foreign, sealed_with(32, 1)),
            (late, sealed_with(32, 1)),
            (early, sealed_with(32, 1)),
        ] {
            // Nor what was kept before.
            bearers.put(&login(0), &usual(), &sealed_with(32, 2));
            bearers.put(&login(0), &bearer, &sealed);
            assert_eq!(bearers.get(&login(0)), None);
            bearers.put(&login(1), &bearer, &sealed);
            assert_eq!(bearers.get(&login(1)), None);
        }
        let shelf = bearers.shelf();
        assert_eq!((shelf.places.len(), shelf.free.len()), (0, 1));
    }

    #[test]
    fn a_newer_token_takes_the_place_and_only_the_one_that_is_named_is_forgotten() {
        let bearers = SealedBearers::of(100);
        let (first, second) = (bearer(None), bearer(None));
        bearers.put(&login(0), &first, &sealed_with(32, 1));
        bearers.put(&login(0), &second, &sealed_with(32, 2));
        assert_eq!(bearers.shelf().places.len(), 1);
        bearers.forget(&login(0), &first.token_id);
        bearers.forget(&login(1), &second.token_id);
        assert_eq!(token_of(&bearers, &login(0)), Some(second.token_id.clone()));
        bearers.forget(&login(0), &second.token_id);
        assert_eq!(token_of(&bearers, &login(0)), None);
        assert_eq!(bearers.shelf().chunks[0][0].rest, [0; REST_MAX]);
        // Its place is another's.
        bearers.put(&login(1), &first, &sealed_with(32, 1));
        assert_eq!(
            bearers.shelf().chunks.iter().map(Vec::len).sum::<usize>(),
            1
        );
        assert_eq!(token_of(&bearers, &login(1)), Some(first.token_id.clone()));
    }

    /// As the users of a bank that is too large, one after the other, again and again.
    #[test]
    fn of_more_than_there_is_room_for_most_of_those_who_are_kept_stay() {
        const ROOM: usize = CHUNK + 100;
        const USERS: usize = ROOM * 3 / 2;
        let bearers = SealedBearers::of(ROOM);
        let tokens: Vec<_> = (0..USERS).map(|_| bearer(None)).collect();
        for round in 0..20 {
            let mut met = 0;
            for (number, token) in tokens.iter().enumerate() {
                match token_of(&bearers, &login(number)) {
                    Some(found) => {
                        assert_eq!(found, token.token_id, "{number}");
                        met += 1;
                    }
                    None => bearers.put(&login(number), token, &sealed_with(32, 1)),
                }
                assert!(bearers.shelf().places.len() <= ROOM);
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
        bearers.put(&login(USERS), &tokens[0], &sealed_with(32, 1));
        assert!(token_of(&bearers, &login(USERS)).is_some());
        assert_eq!(bearers.shelf().places.len(), ROOM);
    }

    #[test]
    fn a_bearer_takes_little_memory() {
        assert_eq!(size_of::<Entry>(), 144);
    }
}
