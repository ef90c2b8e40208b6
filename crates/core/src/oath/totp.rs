//! TOTP, RFC 6238: the HOTP of the time step.

use core::cell::OnceCell;

use super::{Code, Parameters, Seed, hotp};

/// The codes of one token, for whoever looks at several time steps.
pub struct Codes<'a> {
    seed: &'a Seed,
    parameters: &'a Parameters,
    computed: Option<&'a Around>,
    /// Set up when the first code is computed.
    hotp: OnceCell<hotp::Codes>,
}

/// The codes of one time step, the one before and the one after, computed before they are looked at. Nothing else of the token is in it.
pub struct Around {
    first: i64,
    codes: [Code; 3],
}

impl Around {
    /// Those around a time step.
    #[must_use]
    pub fn new(seed: &Seed, parameters: &Parameters, time_step: i64) -> Self {
        let codes = Codes::new(seed, parameters);
        let first = time_step.saturating_sub(1);
        Self {
            first,
            codes: [0, 1, 2].map(|offset| codes.at(first.saturating_add(offset))),
        }
    }

    fn get(&self, time_step: i64) -> Option<&Code> {
        let at = time_step.checked_sub(self.first)?;
        self.codes.get(usize::try_from(at).ok()?)
    }
}

impl<'a> Codes<'a> {
    /// The codes of these parameters.
    #[must_use]
    pub const fn new(seed: &'a Seed, parameters: &'a Parameters) -> Self {
        Self {
            seed,
            parameters,
            computed: None,
            hotp: OnceCell::new(),
        }
    }

    /// The same, where some were computed beforehand, of the same token.
    #[must_use]
    pub fn with(self, computed: &'a Around) -> Self {
        Self {
            computed: Some(computed),
            ..self
        }
    }

    /// How the codes are computed.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        self.parameters
    }

    /// The code of one time step. A step before 1970 is taken as step 0: no clock that is right shows one.
    #[must_use]
    pub fn at(&self, time_step: i64) -> Code {
        let (algorithm, digits) = (self.parameters.algorithm, self.parameters.digits);
        self.hotp
            .get_or_init(|| hotp::Codes::new(self.seed, algorithm, digits))
            .at(u64::try_from(time_step).unwrap_or(0))
    }

    /// Whether `code` is the one of a time step, compared in constant time (R20).
    #[must_use]
    pub fn shows(&self, code: &Code, time_step: i64) -> bool {
        let known = self.computed.and_then(|computed| computed.get(time_step));
        known.map_or_else(
            || self.at(time_step).equals(code),
            |known| known.equals(code),
        )
    }
}

/// The code of one time step, as [`Codes::at`] gives it.
#[must_use]
pub fn code(seed: &Seed, time_step: i64, parameters: &Parameters) -> Code {
    Codes::new(seed, parameters).at(time_step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oath::Algorithm;

    fn seed(algorithm: Algorithm) -> Seed {
        let bytes = b"1234567890"
            .iter()
            .copied()
            .cycle()
            .take(algorithm.seed_len())
            .collect();
        Seed::new(bytes, algorithm).unwrap()
    }

    fn at(seconds: i64, algorithm: Algorithm, digits: u8, step_s: u32) -> String {
        let parameters = Parameters {
            algorithm,
            digits,
            step_s,
        };
        code(&seed(algorithm), parameters.time_step(seconds), &parameters)
            .expose()
            .to_owned()
    }

    #[test]
    fn r01_r03_rfc_6238_appendix_b_vectors() {
        let rows = [
            (59, ["94287082", "46119246", "90693936"]),
            (1_111_111_109, ["07081804", "68084774", "25091201"]),
            (1_111_111_111, ["14050471", "67062674", "99943326"]),
            (1_234_567_890, ["89005924", "91819424", "93441116"]),
            (2_000_000_000, ["69279037", "90698825", "38618901"]),
            (20_000_000_000, ["65353130", "77737706", "47863826"]),
        ];
        for (seconds, expected) in rows {
            for (algorithm, expected) in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512]
                .into_iter()
                .zip(expected)
            {
                assert_eq!(
                    at(seconds, algorithm, 8, 30),
                    expected,
                    "{algorithm:?} at {seconds}"
                );
            }
        }
    }

    #[test]
    fn r02_the_edges_of_a_minute() {
        let of = |seconds| at(seconds, Algorithm::Sha256, 8, 60);
        assert_eq!(of(59), "18920136");
        assert_eq!(of(60), "46119246");
        assert_eq!(of(119), "46119246");
        assert_eq!(of(120), "30882438");
        assert_eq!(of(20_000_000_000), "03964845");
    }

    #[test]
    fn r20_codes_that_were_computed_beforehand_are_those_that_are_looked_at() {
        let parameters = Parameters {
            algorithm: Algorithm::Sha256,
            digits: 6,
            step_s: 60,
        };
        let seed = seed(Algorithm::Sha256);
        let fresh = Codes::new(&seed, &parameters);
        for around in [8, 0, i64::MIN, i64::MAX] {
            let before = Around::new(&seed, &parameters, around);
            let computed = Codes::new(&seed, &parameters).with(&before);
            for step in (-3..=12).chain([i64::MIN, i64::MAX]) {
                for shown in -3..=12 {
                    let code = fresh.at(shown);
                    let expected = fresh.at(step).equals(&code);
                    assert_eq!(computed.shows(&code, step), expected, "{around}, {step}");
                }
            }
        }
    }

    #[test]
    fn r04_leading_zeros_are_kept() {
        assert_eq!(at(20_000_000_000, Algorithm::Sha256, 8, 60).len(), 8);
        assert_eq!(at(20_000_000_000, Algorithm::Sha256, 6, 60), "964845");
    }

    #[test]
    fn r28_a_code_is_digits_only_and_full_width_is_read() {
        assert_eq!(
            Code::typed(" １２３　456 ", 6).map(|code| code.expose().to_owned()),
            Ok("123456".into())
        );
        for wrong in [
            "",
            "12345",
            "1234567",
            "12345a",
            "12345\u{0660}",
            "-12345",
            "１２３４５６",
        ] {
            assert!(Code::exact(wrong, 6).is_err(), "{wrong:?}");
        }
        assert!(Code::typed("12345a", 6).is_err());
    }
}
