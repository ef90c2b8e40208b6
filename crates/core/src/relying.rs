//! Relying systems: programs that ask whether a code is right (J10). What a client may do, for how long its keys are good,
//! and how many requests it may send. Never here: a key.

use crate::id::{ClientId, ContractId, ServiceId};
use crate::refusal::Refusal;
use crate::time::{DAY_MS, SECOND_MS, UnixMillis};

/// How long the old keys of a client stay good beside a new one, in milliseconds, unless another overlap is asked for.
pub const KEY_OVERLAP_MS: i64 = DAY_MS;
/// Keys of one client that may be good at once: the one in use, the next one, and one more for a rotation that went wrong.
pub const KEYS_PER_CLIENT_MAX: usize = 3;
/// The most requests a second that a client can be given; 0 stands for no limit.
pub const REQUESTS_PER_S_MAX: u32 = 1_000_000;
/// The longest name of a client, in characters.
pub const NAME_MAX: usize = 64;
/// How long the answer to a write is kept under its idempotency key, in milliseconds (R21).
pub const ANSWERS_KEPT_MS: i64 = DAY_MS;

/// A part of the API that a client may be allowed to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Ask whether a code is right, and bring a clock that is off back into step.
    Verify,
    /// Read services, contracts, users and their tokens.
    Read,
    /// Begin, repeat and cancel issuances.
    Issue,
    /// Lift suspensions.
    Release,
    /// End tokens.
    Revoke,
    /// Read the audit events of a service.
    Events,
}

impl Scope {
    /// All scopes, in the order in which they are stored and shown.
    pub const ALL: [Self; 6] = [
        Self::Verify,
        Self::Read,
        Self::Issue,
        Self::Release,
        Self::Revoke,
        Self::Events,
    ];

    /// The word, as it is stored and typed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Read => "read",
            Self::Issue => "issue",
            Self::Release => "release",
            Self::Revoke => "revoke",
            Self::Events => "events",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What a client may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// Reads words with spaces or commas between them.
    ///
    /// # Errors
    /// The first word that is no scope.
    pub fn parse(words: &str) -> Result<Self, &str> {
        words
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .map(|word| {
                Scope::ALL
                    .into_iter()
                    .find(|scope| scope.as_str() == word)
                    .ok_or(word)
            })
            .collect()
    }

    /// Whether `scope` is among them.
    #[must_use]
    pub const fn contain(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// The words with a space between each two, as they are stored.
impl core::fmt::Display for Scopes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut words = Scope::ALL.into_iter().filter(|scope| self.contain(*scope));
        if let Some(first) = words.next() {
            f.write_str(first.as_str())?;
        }
        words.try_for_each(|scope| write!(f, " {}", scope.as_str()))
    }
}

/// A relying system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Names the client in audit events.
    pub id: ClientId,
    /// The name that people gave it; one client of each.
    pub name: String,
    /// The one service it may act on; `None` for all.
    pub service_id: Option<ServiceId>,
    /// The one contract it may act on; `None` for all of the service.
    pub contract_id: Option<ContractId>,
    /// What it may do.
    pub scopes: Scopes,
    /// Networks it may call from, separated by spaces; empty for any.
    pub networks: String,
    /// Requests a second that one node answers; 0 for no limit.
    pub requests_per_s: u32,
    /// A disabled client is refused like an unknown one.
    pub disabled: bool,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Grows by one with every change.
    pub version: i64,
}

/// Whether a key is good at `now`, given when it ends.
#[must_use]
pub fn key_is_good(expires_at: Option<UnixMillis>, now: UnixMillis) -> bool {
    expires_at.is_none_or(|end| now < end)
}

/// Refuses what the client's scopes do not hold.
///
/// # Errors
/// [`Refusal::ScopeMissing`].
pub const fn may(scopes: Scopes, scope: Scope) -> Result<(), Refusal> {
    if scopes.contain(scope) {
        Ok(())
    } else {
        Err(Refusal::ScopeMissing)
    }
}

const NANOS_PER_MS: i64 = 1_000_000;
const NANOS_PER_S: i64 = SECOND_MS * NANOS_PER_MS;

/// A bucket of requests that fills evenly: the generic cell rate algorithm (ITU-T I.371), with room for one second's worth. It
/// holds one number, the theoretical arrival time of the next request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bucket {
    /// Unix nanoseconds.
    next_at_ns: i64,
}

/// What a bucket says of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Whether the request is answered.
    pub allowed: bool,
    /// Requests that would be answered at once after this one.
    pub remaining: u32,
    /// When the bucket is full again, in seconds from now, rounded up.
    pub full_after_s: u32,
    /// When a request that was refused would be answered.
    pub open_at: UnixMillis,
}

impl Bucket {
    /// Takes one request out, of `per_s` (at least 1) a second, if there is one.
    pub fn take(&mut self, per_s: u32, now: UnixMillis) -> Allowance {
        let each_ns = (NANOS_PER_S / i64::from(per_s.max(1))).max(1);
        let now_ns = now.0.saturating_mul(NANOS_PER_MS);
        let full_at_ns = now_ns.saturating_add(NANOS_PER_S);
        // A clock that was set back must not lock the client out: no more than a second is ever owed.
        let due_ns = self.next_at_ns.clamp(now_ns, full_at_ns);
        let after_ns = due_ns.saturating_add(each_ns);
        let allowed = after_ns <= full_at_ns;
        let owed_ns = if allowed { after_ns } else { due_ns } - now_ns;
        self.next_at_ns = now_ns.saturating_add(owed_ns);
        let whole = |ns: i64, unit: i64| (ns.max(0) + unit - 1) / unit;
        Allowance {
            allowed,
            remaining: u32::try_from((NANOS_PER_S - owed_ns) / each_ns).unwrap_or(0),
            full_after_s: u32::try_from(whole(owed_ns, NANOS_PER_S)).unwrap_or(0),
            open_at: now.plus_ms(whole(after_ns.saturating_sub(full_at_ns), NANOS_PER_MS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_words_in_one_order() {
        let scopes = Scopes::parse("revoke, verify read").unwrap();
        assert_eq!(scopes.to_string(), "verify read revoke");
        assert_eq!(Scopes::parse(&scopes.to_string()), Ok(scopes));
        assert_eq!(Scopes::parse("verify admin"), Err("admin"));
        assert!(Scopes::parse("").unwrap().is_empty());
        assert_eq!(
            Scopes::all().to_string(),
            "verify read issue release revoke events"
        );
    }

    #[test]
    fn a_scope_that_is_missing_is_refused() {
        let scopes = Scopes::parse("verify").unwrap();
        for scope in Scope::ALL {
            let expected = if scope == Scope::Verify {
                Ok(())
            } else {
                Err(Refusal::ScopeMissing)
            };
            assert_eq!(may(scopes, scope), expected);
        }
    }

    #[test]
    fn a_key_ends_at_its_time_and_not_before() {
        let end = UnixMillis(1_000);
        assert!(key_is_good(None, end));
        assert!(key_is_good(Some(end), UnixMillis(999)));
        assert!(!key_is_good(Some(end), end));
    }

    #[test]
    fn a_bucket_gives_a_seconds_worth_at_once_and_then_so_many_a_second() {
        let mut bucket = Bucket::default();
        let now = UnixMillis(1_790_000_000_000);
        for left in (0..10).rev() {
            let taken = bucket.take(10, now);
            assert!(taken.allowed);
            assert_eq!(taken.remaining, left);
        }
        let refused = bucket.take(10, now);
        assert!(!refused.allowed);
        assert_eq!(refused.open_at, now.plus_ms(100));
        assert_eq!(refused.full_after_s, 1);
        assert!(!bucket.take(10, now.plus_ms(99)).allowed);
        assert!(bucket.take(10, now.plus_ms(100)).allowed);
        assert!(!bucket.take(10, now.plus_ms(100)).allowed);
        assert_eq!(bucket.take(10, now.plus_ms(5_000)).remaining, 9);
    }

    #[test]
    fn a_clock_that_is_set_back_locks_nobody_out() {
        let mut bucket = Bucket::default();
        let now = UnixMillis(1_790_000_000_000);
        bucket.take(1, now);
        let earlier = now.plus_ms(-3_600_000);
        assert!(
            bucket.take(1, earlier.plus_ms(1_000)).allowed
                || bucket.take(1, earlier.plus_ms(2_000)).allowed
        );
    }
}
