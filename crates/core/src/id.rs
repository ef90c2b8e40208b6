//! Identifiers: random ids of our own records, service ids, and the token user id with its check digit. Never a login id
//! and never a secret.

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::time::UnixMillis;

const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Characters of a record's id.
const LENGTH: usize = 26;

/// What each byte stands for in Crockford's base 32; [`u8::MAX`] for what no id holds.
const DIGITS: [u8; 256] = {
    let mut digits = [u8::MAX; 256];
    let mut digit = 0;
    while digit < 32 {
        digits[CROCKFORD[digit as usize] as usize] = digit;
        digit += 1;
    }
    digits
};

/// 26 characters of Crockford base 32: 48 bits of milliseconds, then 80 random bits, so that ids made later sort later
/// and an index stays dense. Randomness comes from the caller (R07).
fn time_ordered(now: UnixMillis, rng: &mut impl CryptoRng) -> String {
    let mut random = [0_u8; 16];
    rng.fill_bytes(&mut random[6..]);
    random[..6].copy_from_slice(&now.0.max(0).to_be_bytes()[2..]);
    text_of(random)
}

/// 128 bits as 26 characters, the first of which stands for three bits.
fn text_of(bytes: [u8; 16]) -> String {
    let mut bits = u128::from_be_bytes(bytes);
    let mut text = [0_u8; LENGTH];
    for place in text.iter_mut().rev() {
        *place = CROCKFORD[(bits & 31) as usize];
        bits >>= 5;
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// What [`text_of`] makes this text of, if it does.
fn bytes_of(text: &str) -> Option<[u8; 16]> {
    let text: [u8; LENGTH] = text.as_bytes().try_into().ok()?;
    let digits = text.map(|byte| DIGITS[usize::from(byte)]);
    let fits = digits[0] < 8 && digits.iter().all(|digit| *digit < 32);
    let bits = |bits: u128, digit: &u8| bits << 5 | u128::from(*digit);
    fits.then(|| digits.iter().fold(0, bits).to_be_bytes())
}

macro_rules! record_id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        ///
        /// 26 characters, lower-case Crockford base 32, ordered by the time of making.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new id: the time it is made plus 80 random bits.
            #[must_use]
            pub fn new(now: UnixMillis, rng: &mut impl CryptoRng) -> Self {
                Self(time_ordered(now, rng))
            }

            /// An id as it was stored. Not checked: an id that names nothing finds nothing.
            #[must_use]
            pub fn from_stored(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The same in 16 bytes, most significant first, for where many are kept in memory; `None` for what [`Self::new`] does not
            /// make, as an id that was stored may be.
            #[must_use]
            pub fn to_bytes(&self) -> Option<[u8; 16]> {
                bytes_of(&self.0)
            }

            /// The id of [`Self::to_bytes`].
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(text_of(bytes))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

record_id! {
    /// Names one company at a service (PRODUCT.md §2, contract).
    ContractId,
    /// Names one user of a contract inside the product; not the login id.
    UserId,
    /// Names one asking for a token (J1).
    IssuanceId,
    /// Names one software token.
    TokenId,
    /// Names one mail in the outbox; its Message-ID is made of it, so a repeated delivery is recognisable.
    MailId,
    /// Names one audit event.
    AuditId,
    /// Names one operator of the bank.
    OperatorId,
    /// Names one relying system that calls the API (J10).
    ClientId,
    /// Names one address that is told of events (J10).
    WebhookId,
    /// Names one telling of one event to one address; a repeated delivery is recognised by it.
    DeliveryId,
}

impl AuditId {
    /// The time that the id begins with; `None` for what is no id that this program makes.
    #[must_use]
    pub fn made_at(&self) -> Option<UnixMillis> {
        let bits = u128::from_be_bytes(self.to_bytes()?);
        i64::try_from(bits >> 80).ok().map(UnixMillis)
    }
}

/// Names one protected site, the tenant: 2 to 32 characters of `a-z`, `0-9` and `-`, starting and ending without `-`.
/// People type it into the app, so it is short and has one spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceId(String);

/// A text that is no id of the asked kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// Not the right number of characters.
    Length,
    /// A character that this kind of id never holds.
    Alphabet,
    /// The check digit does not fit the others: a typing mistake (R48).
    CheckDigit,
}

impl core::fmt::Display for IdError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Length => "the id has the wrong number of characters",
            Self::Alphabet => "the id holds a character that no such id holds",
            Self::CheckDigit => "the check digit does not fit: please look for a typing mistake",
        })
    }
}

impl core::error::Error for IdError {}

impl IdError {
    /// The name for pages and programs: `id_length`, `id_alphabet` or `id_check_digit`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Length => "id_length",
            Self::Alphabet => "id_alphabet",
            Self::CheckDigit => "id_check_digit",
        }
    }
}

impl ServiceId {
    /// The longest service id, in characters.
    pub const LENGTH_MAX: usize = 32;

    /// Reads a service id as a person typed it: full-width letters, upper case and spaces around it are accepted.
    ///
    /// # Errors
    /// [`IdError::Length`] or [`IdError::Alphabet`].
    pub fn parse(typed: &str) -> Result<Self, IdError> {
        Self::of_nfkc(&typed.nfkc().collect::<String>())
    }

    /// Takes what is in NFKC already: a browser does that, so that the tables of Unicode stay out of what it loads.
    /// Otherwise as [`ServiceId::parse`].
    ///
    /// # Errors
    /// [`IdError::Length`] or [`IdError::Alphabet`].
    pub fn of_nfkc(typed: &str) -> Result<Self, IdError> {
        Self::of(plain(typed.chars()).to_ascii_lowercase())
    }

    /// Reads a service id as a program wrote it: in its one spelling.
    ///
    /// # Errors
    /// [`IdError::Length`] or [`IdError::Alphabet`].
    pub fn exact(text: &str) -> Result<Self, IdError> {
        Self::of(text.to_owned())
    }

    fn of(text: String) -> Result<Self, IdError> {
        if !(2..=Self::LENGTH_MAX).contains(&text.len()) {
            return Err(IdError::Length);
        }
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !text.bytes().all(allowed) || text.starts_with('-') || text.ends_with('-') {
            return Err(IdError::Alphabet);
        }
        Ok(Self(text))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ServiceId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<ServiceId> for String {
    fn from(id: ServiceId) -> Self {
        id.0
    }
}

impl core::fmt::Display for ServiceId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the app asks for beside the service id (ユーザID in the mail): 13 random digits (43 bits, R48) and a check digit.
/// New for every issuance and unrelated to the login id. Digits only, so that a phone shows its number pad.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenUserId(String);

impl TokenUserId {
    /// Digits in all, the check digit included.
    pub const LENGTH: usize = 14;

    /// A new id of 13 random digits and their check digit. Digits are drawn without bias.
    #[must_use]
    pub fn new(rng: &mut impl CryptoRng) -> Self {
        let mut digits = String::with_capacity(Self::LENGTH);
        while digits.len() < Self::LENGTH - 1 {
            let mut byte = [0_u8];
            rng.fill_bytes(&mut byte);
            // 250 is the largest multiple of ten in a byte: above it the draw is repeated.
            if byte[0] < 250 {
                digits.push(char::from(b'0' + byte[0] % 10));
            }
        }
        let check = damm(digits.bytes().map(|byte| byte - b'0'));
        digits.push(char::from(b'0' + check));
        Self(digits)
    }

    /// Reads an id as a person typed it: full-width digits, spaces and hyphens are accepted. A typing mistake is caught
    /// here, before anything is sent or counted (R48).
    ///
    /// # Errors
    /// [`IdError`], by what is wrong.
    pub fn parse(typed: &str) -> Result<Self, IdError> {
        Self::of_nfkc(&typed.nfkc().collect::<String>())
    }

    /// Takes what is in NFKC already, as [`ServiceId::of_nfkc`] does; otherwise as [`TokenUserId::parse`].
    ///
    /// # Errors
    /// [`IdError`], by what is wrong.
    pub fn of_nfkc(typed: &str) -> Result<Self, IdError> {
        let mut text = plain(typed.chars());
        text.retain(|c| c != '-');
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(IdError::Alphabet);
        }
        if text.len() != Self::LENGTH {
            return Err(IdError::Length);
        }
        if damm(text.bytes().map(|byte| byte - b'0')) != 0 {
            return Err(IdError::CheckDigit);
        }
        Ok(Self(text))
    }

    /// The 14 digits without separators.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits in groups, `1234-5678-9012-34`, as mails and pages show them.
    #[must_use]
    pub fn grouped(&self) -> String {
        let (a, b, c, d) = (&self.0[..4], &self.0[4..8], &self.0[8..12], &self.0[12..]);
        format!("{a}-{b}-{c}-{d}")
    }
}

impl TryFrom<String> for TokenUserId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text)
    }
}

impl From<TokenUserId> for String {
    fn from(id: TokenUserId) -> Self {
        id.0
    }
}

/// NFKC, and no white space: what people paste and what Japanese keyboards type becomes plain ASCII.
#[must_use]
pub fn normalised(typed: &str) -> String {
    plain(typed.nfkc())
}

/// No white space, and one kind of hyphen, in what is in NFKC.
fn plain(nfkc: impl Iterator<Item = char>) -> String {
    nfkc.filter(|c| !c.is_whitespace())
        .map(|c| match c {
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30fc}' => '-',
            other => other,
        })
        .collect()
}

/// The check digit of H. Michael Damm (2004): finds every single wrong digit and every swap of neighbours. Over digits
/// that end with their own check digit the result is 0.
fn damm(digits: impl Iterator<Item = u8>) -> u8 {
    const QUASIGROUP: [[u8; 10]; 10] = [
        [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
        [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
        [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
        [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
        [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
        [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
        [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
        [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
        [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
        [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
    ];
    digits.fold(0, |interim, digit| {
        QUASIGROUP[usize::from(interim)][usize::from(digit)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    #[test]
    fn r48_a_token_user_id_has_43_random_bits_and_a_check_digit() {
        let mut rng = ChaCha20Rng::from_seed([7; 32]);
        let ids: std::collections::BTreeSet<_> =
            (0..10_000).map(|_| TokenUserId::new(&mut rng)).collect();
        assert_eq!(ids.len(), 10_000);
        for id in ids {
            assert_eq!(TokenUserId::parse(&id.grouped()), Ok(id.clone()));
            assert_eq!(id.as_str().len(), TokenUserId::LENGTH);
        }
    }

    #[test]
    fn r48_every_wrong_digit_and_every_swap_of_neighbours_is_caught() {
        let id = TokenUserId::new(&mut ChaCha20Rng::from_seed([8; 32]));
        let digits = id.as_str().as_bytes().to_vec();
        for place in 0..digits.len() {
            for digit in b'0'..=b'9' {
                let mut typed = digits.clone();
                typed[place] = digit;
                let typed = String::from_utf8(typed).unwrap();
                let expected = if typed == id.as_str() {
                    Ok(id.clone())
                } else {
                    Err(IdError::CheckDigit)
                };
                assert_eq!(TokenUserId::parse(&typed), expected);
            }
            if place > 0 && digits[place] != digits[place - 1] {
                let mut typed = digits.clone();
                typed.swap(place, place - 1);
                assert_eq!(
                    TokenUserId::parse(&String::from_utf8(typed).unwrap()),
                    Err(IdError::CheckDigit)
                );
            }
        }
    }

    #[test]
    fn ids_are_read_as_japanese_keyboards_type_them() {
        let id = TokenUserId::new(&mut ChaCha20Rng::from_seed([9; 32]));
        let wide: String = id
            .grouped()
            .chars()
            .map(|c| {
                c.to_digit(10)
                    .map_or('ー', |digit| char::from_u32('０' as u32 + digit).unwrap())
            })
            .collect();
        assert_eq!(TokenUserId::parse(&format!(" {wide}　")), Ok(id));
        assert_eq!(
            ServiceId::parse("　ＤＥＭＯ－Bank ").unwrap().as_str(),
            "demo-bank"
        );
        for wrong in ["", "a", "-a", "a-", "a_b", "a/b", &"a".repeat(33)] {
            assert!(ServiceId::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn what_a_browser_has_normalised_is_read_as_what_was_typed() {
        for typed in ["　ＤＥＭＯ－Bank ", "demo―bank", "ﬁ-bank", "a_b", ""] {
            let nfkc: String = typed.nfkc().collect();
            assert_eq!(ServiceId::of_nfkc(&nfkc), ServiceId::parse(typed));
        }
        let id = TokenUserId::new(&mut ChaCha20Rng::from_seed([9; 32]));
        let mistyped = id.as_str().replace(|c: char| c.is_ascii_digit(), "1");
        for (nfkc, read) in [
            (id.grouped(), Ok(id.clone())),
            (id.grouped().replace('-', " \u{2212} "), Ok(id)),
            (mistyped, Err(IdError::CheckDigit)),
            ("1234".to_owned(), Err(IdError::Length)),
            ("１234".to_owned(), Err(IdError::Alphabet)),
        ] {
            assert_eq!(TokenUserId::of_nfkc(&nfkc), read, "{nfkc}");
        }
    }

    #[test]
    fn an_event_s_id_tells_when_it_was_made() {
        let mut rng = ChaCha20Rng::from_seed([11; 32]);
        for at in [0, 1, 1_790_000_000_123, (1 << 48) - 1] {
            let id = AuditId::new(UnixMillis(at), &mut rng);
            assert_eq!(id.made_at(), Some(UnixMillis(at)));
        }
        for wrong in [
            "",
            "0",
            "06b1u000000000000000000000",
            "80000000000000000000000000",
        ] {
            assert_eq!(AuditId::from_stored(wrong).made_at(), None, "{wrong}");
        }
    }

    #[test]
    fn an_id_is_the_same_in_bytes_and_what_is_no_id_has_none() {
        let mut rng = ChaCha20Rng::from_seed([12; 32]);
        for at in [0, 1_790_000_000_123, (1 << 48) - 1] {
            let id = TokenId::new(UnixMillis(at), &mut rng);
            let bytes = id.to_bytes().unwrap();
            assert_eq!(TokenId::from_bytes(bytes), id);
            assert_eq!(bytes[..6], at.to_be_bytes()[2..]);
        }
        let last = "7zzzzzzzzzzzzzzzzzzzzzzzzz";
        let stored = TokenId::from_stored(last);
        assert_eq!(stored.to_bytes(), Some([u8::MAX; 16]));
        for wrong in [
            "",
            "token-1",
            &last[1..],
            &format!("{last}0"),
            &last.to_uppercase(),
            &last.replacen('7', "8", 1),
            &last.replacen('z', "u", 1),
            &last.replacen("zz", "é", 1),
        ] {
            assert_eq!(TokenId::from_stored(wrong).to_bytes(), None, "{wrong}");
        }
    }

    #[test]
    fn ids_made_later_sort_later() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let ids: Vec<_> = (0..100)
            .map(|ms| UserId::new(UnixMillis(1_700_000_000_000 + ms), &mut rng))
            .collect();
        assert!(ids.is_sorted());
        assert!(ids.iter().all(|id| id.as_str().len() == 26));
    }
}
