//! Device messages: what an app asks about its token after the activation (docs/protocol.md §6), and how both sides prove that
//! they hold the token's device key. The bodies are the server's and the app's business; here are the proofs over their bytes.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::DeviceKey;
use crate::codec::put_lp;
use crate::schedule::{HASH_BYTES, hmac_sha256};

/// The media type of requests and answers.
pub const MEDIA_TYPE: &str = "application/vnd.warifu.device+json";
/// The header that carries the proof of a request or an answer, as HTTP/2 spells it.
pub const PROOF_HEADER: &str = "warifu-proof";
/// The most bytes of a request's body.
pub const REQUEST_BYTES_MAX: usize = 1024;
/// Hexadecimal digits of a nonce: 16 random bytes.
pub const NONCE_DIGITS: usize = 32;

/// What an app asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// How the token stands, and what time it is.
    Status,
    /// That the token may live on.
    Renew,
}

impl Ask {
    const fn request_label(self) -> &'static [u8] {
        match self {
            Self::Status => b"warifu/1 status request",
            Self::Renew => b"warifu/1 renew request",
        }
    }

    const fn answer_label(self) -> &'static [u8] {
        match self {
            Self::Status => b"warifu/1 status answer",
            Self::Renew => b"warifu/1 renew answer",
        }
    }
}

/// HMAC-SHA-256 under a device key: who sends it holds the key. No secret, for it goes over the wire.
#[derive(Clone, Copy, Debug)]
pub struct Proof([u8; HASH_BYTES]);

impl Proof {
    /// Hexadecimal digits of a proof.
    pub const DIGITS: usize = 2 * HASH_BYTES;

    /// The proof that a request with this body carries: over lp(label) | lp(body).
    #[must_use]
    pub fn of_request(key: &DeviceKey, ask: Ask, body: &[u8]) -> Self {
        Self::over(key, &[ask.request_label(), body])
    }

    /// The proof that an answer with this body carries: over lp(label) | lp(token id) | lp(nonce) | lp(body), with the nonce in
    /// the hexadecimal digits in which the request had it, so that an answer is good for one request.
    #[must_use]
    pub fn of_answer(key: &DeviceKey, ask: Ask, token_id: &str, nonce: &str, body: &[u8]) -> Self {
        let (label, token_id, nonce) = (ask.answer_label(), token_id.as_bytes(), nonce.as_bytes());
        Self::over(key, &[label, token_id, nonce, body])
    }

    fn over(key: &DeviceKey, fields: &[&[u8]]) -> Self {
        let mut message = Vec::new();
        for field in fields {
            put_lp(&mut message, field);
        }
        Self(hmac_sha256(key.expose(), &message))
    }

    /// Reads a header's value; `None` for anything but 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != Self::DIGITS {
            return None;
        }
        let mut bytes = [0; HASH_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// Whether the two are the same; compares in constant time.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// In 64 lower-case hexadecimal digits.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whether the text is a nonce: 32 lower-case hexadecimal digits.
#[must_use]
pub fn is_nonce(text: &str) -> bool {
    text.len() == NONCE_DIGITS && text.bytes().all(|digit| nibble(digit).is_some())
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use serde_json::Value;

    use super::*;

    /// Made by another program, with nothing but its language's HMAC.
    const VECTORS: &str = include_str!("../tests/vectors/device-1.json");

    fn key(hexadecimal: &str) -> DeviceKey {
        let bytes = HEXLOWER.decode(hexadecimal.as_bytes()).unwrap();
        DeviceKey::new(bytes.try_into().unwrap())
    }

    #[test]
    fn the_proofs_are_those_of_the_vectors() {
        let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
        assert_eq!(vectors.len(), 2);
        for vector in &vectors {
            let text = |name: &str| vector[name].as_str().unwrap();
            let ask = match text("ask") {
                "status" => Ask::Status,
                other => {
                    assert_eq!(other, "renew");
                    Ask::Renew
                }
            };
            let key = key(text("device_key"));
            let request = Proof::of_request(&key, ask, text("request_body").as_bytes());
            assert_eq!(request.to_string(), text("request_proof"));
            let (token_id, nonce) = (text("token_id"), text("nonce"));
            let body = text("answer_body").as_bytes();
            let answer = Proof::of_answer(&key, ask, token_id, nonce, body);
            assert_eq!(answer.to_string(), text("answer_proof"));
            assert!(is_nonce(nonce));
        }
    }

    #[test]
    fn whatever_differs_another_proof_comes_out() {
        let (one, other) = (DeviceKey::new([1; 32]), DeviceKey::new([2; 32]));
        let proofs = [
            Proof::of_request(&one, Ask::Status, b"{}"),
            Proof::of_request(&other, Ask::Status, b"{}"),
            Proof::of_request(&one, Ask::Renew, b"{}"),
            Proof::of_request(&one, Ask::Status, b"{ }"),
            Proof::of_answer(&one, Ask::Status, "a", "b", b"{}"),
            Proof::of_answer(&one, Ask::Renew, "a", "b", b"{}"),
            Proof::of_answer(&one, Ask::Status, "ab", "", b"{}"),
            Proof::of_answer(&one, Ask::Status, "a", "c", b"{}"),
        ];
        for (place, proof) in proofs.iter().enumerate() {
            for (other_place, other) in proofs.iter().enumerate() {
                assert_eq!(proof.equals(other), place == other_place);
            }
        }
    }

    #[test]
    fn a_proof_is_64_lower_case_digits_and_a_nonce_32() {
        let proof = Proof::of_request(&DeviceKey::new([1; 32]), Ask::Status, b"");
        let text = proof.to_string();
        assert!(Proof::parse(&text).unwrap().equals(&proof));
        for wrong in ["", &text[1..], &text.to_uppercase(), &format!("{text}0")] {
            assert!(Proof::parse(wrong).is_none(), "{wrong}");
        }
        assert!(is_nonce("0123456789abcdef0123456789abcdef"));
        for wrong in [
            "",
            "0123456789abcdef0123456789abcde",
            "0123456789ABCDEF0123456789ABCDEF",
        ] {
            assert!(!is_nonce(wrong), "{wrong}");
        }
    }
}
