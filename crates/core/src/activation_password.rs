//! The rules for the activation password (利用開始パスワード, J1, R44). They run where the password is typed, in the page and
//! in the app: the server never sees it (R45).

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::id::normalised;
use crate::refusal::Refusal;

/// An activation password that meets the rules: 4 to 8 ASCII digits. No `Debug`; gone from memory when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ActivationPassword(String);

impl ActivationPassword {
    /// The fewest digits that a service may ask for.
    pub const DIGITS_MIN: u8 = 4;
    /// The most digits that a service may allow.
    pub const DIGITS_MAX: u8 = 8;

    /// Judges what a person chose at issuance: `limits` are the least and the most digits by the service's policy, and
    /// trivial values are refused.
    ///
    /// `digits` are normalised already, as [`normalised`] does it: the page has the browser do that, so that the tables of
    /// Unicode stay out of what it loads. `own` are texts whose digits others may know of the user (login id, mail
    /// address): a password that is part of them is trivial.
    ///
    /// # Errors
    /// [`Refusal::ActivationPasswordNotDigits`], [`Refusal::ActivationPasswordLength`] or
    /// [`Refusal::ActivationPasswordTrivial`].
    pub fn choose(digits: &str, limits: (u8, u8), own: &[&str]) -> Result<Self, Refusal> {
        let password = Self::of(digits.to_owned(), limits)?;
        if is_trivial(password.0.as_bytes())
            || own.iter().any(|id| digits_of(id).contains(&password.0))
        {
            return Err(Refusal::ActivationPasswordTrivial);
        }
        Ok(password)
    }

    /// Reads what a person typed into the app, where only the form matters: full-width digits and spaces are accepted, and
    /// the length is that of any service, for the app does not know the policy.
    ///
    /// # Errors
    /// [`Refusal::ActivationPasswordNotDigits`] or [`Refusal::ActivationPasswordLength`].
    pub fn typed(typed: &str) -> Result<Self, Refusal> {
        Self::of(normalised(typed), (Self::DIGITS_MIN, Self::DIGITS_MAX))
    }

    /// Takes what is normalised already; otherwise as [`ActivationPassword::typed`].
    ///
    /// # Errors
    /// [`Refusal::ActivationPasswordNotDigits`] or [`Refusal::ActivationPasswordLength`].
    pub fn new(digits: &str) -> Result<Self, Refusal> {
        Self::of(digits.to_owned(), (Self::DIGITS_MIN, Self::DIGITS_MAX))
    }

    fn of(digits: String, (min, max): (u8, u8)) -> Result<Self, Refusal> {
        let digits = Self(digits);
        if !digits.0.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::ActivationPasswordNotDigits);
        }
        if !(usize::from(min)..=usize::from(max)).contains(&digits.0.len()) {
            return Err(Refusal::ActivationPasswordLength { min, max });
        }
        Ok(digits)
    }

    /// The digits, for the handshake only.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// Values that are guessed first: one digit or one short group again and again, straight runs up or down (also over the
/// end of the row of keys), and dates.
fn is_trivial(digits: &[u8]) -> bool {
    repeats(digits) || runs(digits) || mirrors_keypad_column(digits) || is_date(digits)
}

fn repeats(digits: &[u8]) -> bool {
    (1..=digits.len() / 2)
        .filter(|&length| digits.len().is_multiple_of(length))
        .any(|length| {
            digits
                .chunks(length)
                .all(|chunk| chunk == &digits[..length])
        })
}

fn runs(digits: &[u8]) -> bool {
    let step = |pair: &[u8]| (pair[1] + 10 - pair[0]) % 10;
    let mut steps = digits.windows(2).map(step);
    let first = steps.next();
    matches!(first, Some(1 | 9)) && steps.all(|next| Some(next) == first)
}

fn mirrors_keypad_column(digits: &[u8]) -> bool {
    const COLUMNS: [&[u8]; 8] = [
        b"2580",
        b"0852",
        b"1470",
        b"0741",
        b"3690",
        b"0963",
        b"147258",
        b"14725836",
    ];
    COLUMNS.contains(&digits)
}

/// `MMDD`, `YYYY` of a living person, `YYMMDD` and `YYYYMMDD`: what others know of us.
fn is_date(digits: &[u8]) -> bool {
    let number = |part: &[u8]| {
        part.iter()
            .fold(0_u32, |sum, digit| sum * 10 + u32::from(digit - b'0'))
    };
    let day_of = |part: &[u8]| {
        let (month, day) = (number(&part[..2]), number(&part[2..4]));
        (1..=12).contains(&month) && (1..=31).contains(&day)
    };
    let year = |part: &[u8]| (1900..=2039).contains(&number(part));
    match digits.len() {
        4 => day_of(digits) || year(digits),
        6 => day_of(&digits[2..]),
        8 => year(&digits[..4]) && day_of(&digits[4..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: [&str; 2] = ["tanaka5937", "t.0468@example.jp"];

    fn judged(password: Result<ActivationPassword, Refusal>) -> Result<(), Refusal> {
        password.map(|_| ())
    }

    fn chosen(digits: &str) -> Result<(), Refusal> {
        judged(ActivationPassword::choose(digits, (4, 8), &OWN))
    }

    #[test]
    fn r44_an_activation_password_is_four_to_eight_digits() {
        for judge in [
            chosen,
            |digits: &str| judged(ActivationPassword::new(digits)),
            |typed: &str| judged(ActivationPassword::typed(typed)),
        ] {
            for right in ["4863", "59371", "604817", "6048172", "60481725"] {
                assert_eq!(judge(right), Ok(()), "{right}");
            }
            for wrong in ["", "486", "604817253"] {
                assert_eq!(
                    judge(wrong),
                    Err(Refusal::ActivationPasswordLength { min: 4, max: 8 }),
                    "{wrong:?}"
                );
            }
            for wrong in ["48a3", "48-63", "四八六三", "4863.", "+4863"] {
                assert_eq!(
                    judge(wrong),
                    Err(Refusal::ActivationPasswordNotDigits),
                    "{wrong:?}"
                );
            }
        }
    }

    #[test]
    fn r44_the_policy_says_how_many_digits_are_chosen() {
        for (digits, judgement) in [
            (
                "60481",
                Err(Refusal::ActivationPasswordLength { min: 6, max: 7 }),
            ),
            ("604817", Ok(())),
            (
                "60481725",
                Err(Refusal::ActivationPasswordLength { min: 6, max: 7 }),
            ),
        ] {
            let password = ActivationPassword::choose(digits, (6, 7), &OWN);
            assert_eq!(judged(password), judgement, "{digits}");
        }
    }

    #[test]
    fn the_app_takes_full_width_digits_and_spaces_and_what_is_normalised_has_none() {
        for typed in ["６０４８１７", "60 48 17", "　604817 "] {
            let password = ActivationPassword::typed(typed).map(|password| password.0.clone());
            assert_eq!(password.as_deref(), Ok("604817"), "{typed:?}");
            for exact in [judged(ActivationPassword::new(typed)), chosen(typed)] {
                assert_eq!(
                    exact,
                    Err(Refusal::ActivationPasswordNotDigits),
                    "{typed:?}"
                );
            }
        }
    }

    #[test]
    fn r44_values_that_are_guessed_first_are_refused() {
        for trivial in [
            "0000", "11111111", "1212", "123123", "1234", "87654321", "8901", "3210", "2580",
            "1225", "1984", "20260401", "840229", "5937", "0468",
        ] {
            assert_eq!(
                chosen(trivial),
                Err(Refusal::ActivationPasswordTrivial),
                "{trivial}"
            );
        }
    }
}
