//! Entries of one size by the hashes of logins, as many as there is room for.

use hashbrown::HashTable;
use indexmap::IndexSet;
use warifu_core::oath::Parameters;

/// Of the users that come when there is no room, one in so many is let in, in place of another.
const LET_IN: u32 = 16;
/// Entries that are asked of the system at once.
const CHUNK: usize = 4_096;
/// Of a login's hash: of those that are kept, two have the same with a chance of less than one in 2^73, and nobody can look for such.
pub(super) const DIGEST_LENGTH: usize = 14;
/// The longest seed but those of SHA-512, which are not kept.
pub(super) const SEED_MAX: usize = 32;

pub(super) type Digest = [u8; DIGEST_LENGTH];

/// A bearer in little memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    /// The place in [`Shelf::parameters`]; the shelf sees to it.
    pub(super) parameters: u16,
    pub(super) counter_no: [u8; 8],
    pub(super) user_id: [u8; 16],
    pub(super) contract_id: [u8; 16],
    pub(super) token_id: [u8; 16],
    pub(super) activated_at: [u8; 6],
    pub(super) expires_at: [u8; 6],
    /// Covered; a shorter seed takes the first bytes.
    pub(super) seed: [u8; SEED_MAX],
}

/// The entries. Each stays in its place until it is removed, or until it makes room.
pub(super) struct Shelf {
    max: usize,
    /// Those that are used; thousands of tokens have the same.
    parameters: IndexSet<Parameters>,
    /// Where each login's entry is.
    places: HashTable<u32>,
    chunks: Vec<Vec<Entry>>,
    /// Places whose entries were removed.
    free: Vec<u32>,
    turned_away: u32,
    /// The entry that makes room next.
    next_out: u32,
}

impl Shelf {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            parameters: IndexSet::new(),
            // At once: to make it larger, each entry would have to be read. And twice of what is needed: what was removed from a fuller table takes room in it too, in the end all that there is.
            places: HashTable::with_capacity(2 * max),
            chunks: Vec::new(),
            free: Vec::new(),
            turned_away: 0,
            next_out: 0,
        }
    }

    /// A login's entry, if there is one.
    pub(super) fn find(&self, digest: &Digest) -> Option<(Entry, Parameters)> {
        let entry = at(&self.chunks, self.place(digest)?)?;
        let parameters = self.parameters.get_index(entry.parameters.into())?;
        Some((*entry, *parameters))
    }

    fn place(&self, digest: &Digest) -> Option<u32> {
        let is_it = |place: &u32| holds(&self.chunks, *place, digest);
        self.places.find(hash_of(digest), is_it).copied()
    }

    /// Whether a login's entry is to be put here; counts those that are not.
    pub(super) fn admits(&mut self, digest: &Digest) -> bool {
        self.place(digest).is_some() || !self.turns_away()
    }

    /// Puts an entry in the place of the login's older one; else in a free one, or in that of another login.
    pub(super) fn put(&mut self, entry: Entry, parameters: Parameters) {
        let (number, _) = self.parameters.insert_full(parameters);
        let Ok(parameters) = u16::try_from(number) else {
            self.remove(&entry.digest, |_| true);
            return;
        };
        let entry = Entry {
            parameters,
            ..entry
        };
        match self.place(&entry.digest) {
            Some(place) => self.write(place, entry),
            None => self.insert(entry),
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

    /// Removes a login's entry, if it is the one that is meant, and wipes its seed.
    pub(super) fn remove(&mut self, digest: &Digest, is_it: impl Fn(&Entry) -> bool) {
        let chunks = &self.chunks;
        let found = self.places.find_entry(hash_of(digest), |place| {
            at(chunks, *place).is_some_and(|entry| entry.digest == *digest && is_it(entry))
        });
        if let Ok(found) = found {
            let (place, _) = found.remove();
            let (chunk, offset) = chunk_of(place);
            let chunk = self.chunks.get_mut(chunk);
            if let Some(entry) = chunk.and_then(|chunk| chunk.get_mut(offset)) {
                entry.seed = [0; SEED_MAX];
            }
            self.free.push(place);
        }
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
        let entry = self.places.find_entry(hash, |found| *found == place);
        entry.ok()?.remove();
        Some(place)
    }

    fn write(&mut self, place: u32, entry: Entry) {
        let (chunk, offset) = chunk_of(place);
        if chunk == self.chunks.len() {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let Some(chunk) = self.chunks.get_mut(chunk) else {
            return;
        };
        match chunk.get_mut(offset) {
            Some(old) => *old = entry,
            None => chunk.push(entry),
        }
    }
}

fn holds(chunks: &[Vec<Entry>], place: u32, digest: &Digest) -> bool {
    at(chunks, place).is_some_and(|entry| entry.digest == *digest)
}

const fn chunk_of(place: u32) -> (usize, usize) {
    let place = place as usize;
    (place / CHUNK, place % CHUNK)
}

fn at(chunks: &[Vec<Entry>], place: u32) -> Option<&Entry> {
    let (chunk, offset) = chunk_of(place);
    chunks.get(chunk)?.get(offset)
}

/// What the table finds an entry by: it is a hash already.
fn hash_of(digest: &Digest) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|at| digest[at]))
}

fn hash_at(chunks: &[Vec<Entry>], place: u32) -> u64 {
    at(chunks, place).map_or(0, |entry| hash_of(&entry.digest))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use siphasher::sip128::SipHasher24;
    use warifu_core::service::Policy;

    use super::*;

    impl Shelf {
        /// Each place is one login's or free, and there are not more than there may be.
        pub(in super::super) fn assert_sound(&self) {
            let places: Vec<_> = self.places.iter().chain(&self.free).collect();
            let different: HashSet<_> = places.iter().collect();
            let taken: usize = self.chunks.iter().map(Vec::len).sum();
            assert_eq!(different.len(), places.len());
            assert_eq!(places.len(), taken);
            assert!(taken <= self.max, "{taken} of {}", self.max);
            for place in &self.places {
                let entry = at(&self.chunks, *place).unwrap();
                assert_eq!(self.place(&entry.digest), Some(*place));
            }
        }
    }

    fn digest(number: u64) -> Digest {
        let hash = SipHasher24::new().hash(&number.to_be_bytes()).as_bytes();
        std::array::from_fn(|at| hash[at])
    }

    fn entry(number: u64) -> Entry {
        Entry {
            digest: digest(number),
            parameters: 0,
            counter_no: number.to_be_bytes(),
            user_id: [1; 16],
            contract_id: [2; 16],
            token_id: [3; 16],
            activated_at: [4; 6],
            expires_at: [5; 6],
            seed: [6; SEED_MAX],
        }
    }

    fn put(shelf: &mut Shelf, number: u64) {
        shelf.put(entry(number), Policy::manual().parameters);
    }

    #[test]
    fn an_entry_takes_little_memory() {
        assert_eq!(size_of::<Entry>(), 116);
    }

    #[test]
    fn what_is_removed_is_wiped_and_its_place_is_anothers() {
        let mut shelf = Shelf::new(100);
        put(&mut shelf, 0);
        shelf.remove(&digest(0), |entry| entry.seed == [0; SEED_MAX]);
        assert_eq!(shelf.find(&digest(0)).unwrap().0, entry(0));
        shelf.remove(&digest(0), |_| true);
        assert!(shelf.find(&digest(0)).is_none());
        assert_eq!(shelf.chunks[0][0].seed, [0; SEED_MAX]);
        put(&mut shelf, 1);
        assert_eq!(shelf.chunks[0].len(), 1);
        assert_eq!(shelf.find(&digest(1)).unwrap().0, entry(1));
        shelf.assert_sound();
    }

    /// As the users of a bank that is too large, one after the other, again and again.
    #[test]
    fn of_more_than_there_is_room_for_most_of_those_who_are_kept_stay() {
        const ROOM: usize = CHUNK + 100;
        const USERS: u64 = ROOM as u64 * 3 / 2;
        let mut shelf = Shelf::new(ROOM);
        for round in 0..20 {
            let mut met = 0;
            for number in 0..USERS {
                match shelf.find(&digest(number)) {
                    Some((found, _)) => {
                        assert_eq!(found, entry(number));
                        met += 1;
                    }
                    None if shelf.admits(&digest(number)) => put(&mut shelf, number),
                    None => {}
                }
            }
            assert!(round == 0 || met > ROOM * 9 / 10, "{met} of {ROOM}");
        }
        shelf.assert_sound();
        assert_eq!((shelf.places.len(), shelf.free.len()), (ROOM, 0));
        // Nobody is shut out for ever.
        let first_come = (0..ROOM as u64).filter(|number| shelf.find(&digest(*number)).is_some());
        assert!(first_come.count() < ROOM * 9 / 10);
        // With some removed, there is room at once.
        let gone = (0..USERS).find(|number| shelf.find(&digest(*number)).is_some());
        shelf.remove(&digest(gone.unwrap()), |_| true);
        assert!(shelf.admits(&digest(USERS)));
        put(&mut shelf, USERS);
        assert_eq!((shelf.places.len(), shelf.free.len()), (ROOM, 0));
    }

    /// It would read each entry anew, while everybody waits. (So would a table that is put in order as it is, which is not seen here; a table that is so empty hardly ever needs that.)
    #[test]
    fn the_table_of_places_never_grows() {
        // As full as that of a node: 36 of 100.
        const ROOM: usize = 46_875;
        let mut shelf = Shelf::new(ROOM);
        let buckets = shelf.places.num_buckets();
        for number in 0..600_000 {
            put(&mut shelf, number);
        }
        assert_eq!(shelf.places.num_buckets(), buckets);
        shelf.assert_sound();
    }
}
