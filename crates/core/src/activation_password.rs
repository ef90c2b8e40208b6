//! The rules for the activation password (利用開始パスワード, J1, R44). They run where the password is typed, in the page and
//! in the app: the server never sees it (R45).

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::id::normalised;
use crate::refusal::Refusal;

/// An activation password that meets the rules: 4 to 8 ASCII digits. No `Debug`; gone from memory when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ActivationPassword(String);

impl ActivationPassword {
    /// Reads what a person typed at issuance: full-width digits are accepted, trivial values are not.
    ///
    /// `own` are the digits that others may know of the user (login id, mail address): a password that is part of them
    /// is trivial.
    ///
    /// # Errors
    /// [`Refusal::ActivationPasswordNotDigits`], [`Refusal::ActivationPasswordLength`] or
    /// [`Refusal::ActivationPasswordTrivial`].
    pub fn choose(typed: &str, (min, max): (u8, u8), own: &[&str]) -> Result<Self, Refusal> {
        let password = Self::typed(typed, (min, max))?;
        if is_trivial(password.0.as_bytes())
            || own.iter().any(|id| digits_of(id).contains(&password.0))
        {
            return Err(Refusal::ActivationPasswordTrivial);
        }
        Ok(password)
    }

    /// Reads what a person typed into the app, where only the form matters.
    ///
    /// # Errors
    /// [`Refusal::ActivationPasswordNotDigits`] or [`Refusal::ActivationPasswordLength`].
    pub fn typed(typed: &str, (min, max): (u8, u8)) -> Result<Self, Refusal> {
        let digits = Self(normalised(typed));
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

    fn chosen(typed: &str) -> Result<(), Refusal> {
        ActivationPassword::choose(typed, (4, 8), &["tanaka5937", "t.0468@example.jp"]).map(|_| ())
    }

    #[test]
    fn r44_four_to_eight_digits_also_full_width() {
        for right in [
            "4863",
            "59371",
            "604817",
            "6048172",
            "60481725",
            "６０４８１７",
            "60 48 17",
        ] {
            assert_eq!(chosen(right), Ok(()), "{right}");
        }
        for wrong in ["", "486", "604817253"] {
            assert_eq!(
                chosen(wrong),
                Err(Refusal::ActivationPasswordLength { min: 4, max: 8 }),
                "{wrong:?}"
            );
        }
        for wrong in ["48a3", "48-63", "四八六三", "4863.", "+4863"] {
            assert_eq!(
                chosen(wrong),
                Err(Refusal::ActivationPasswordNotDigits),
                "{wrong:?}"
            );
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
