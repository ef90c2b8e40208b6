//! Portal and confirmation passwords: Argon2id with a pepper (R70), off the async threads, a few at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use data_encoding::BASE64_NOPAD;
use tokio::sync::Semaphore;
use warifu_core::refusal::Refusal;
use warifu_core::time::{SECOND_MS, UnixMillis};
use zeroize::Zeroizing;

use super::Failure;
use crate::clock::random_bytes;

/// Argon2id memory in KiB (R70).
pub const MEMORY_KIB: u32 = 19 * 1024;
/// Argon2id passes (R70).
pub const PASSES: u32 = 2;
/// Passwords hashed at once: each takes its memory and a core.
pub const AT_ONCE_MAX: usize = 2;
/// Passwords that may wait for their turn; one more is asked to come again.
pub const WAITING_MAX: usize = 64;
/// The longest password in bytes: beyond it a try is wrong without being hashed.
pub const LENGTH_MAX: usize = 256;

/// A password as typed. No `Debug`; gone from memory when dropped.
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes what was typed.
    #[must_use]
    pub fn new(typed: String) -> Self {
        Self(Zeroizing::new(typed))
    }
}

/// Hashes and checks passwords.
pub struct Passwords {
    pepper: Arc<Zeroizing<Vec<u8>>>,
    turns: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// What stands for the hash of nobody's password: checked when the login id is unknown, so that both answers take as long (R25).
    nobody: String,
}

impl Passwords {
    /// With the installation's pepper.
    ///
    /// # Errors
    /// [`Failure::Fault`] when the pepper is too long for Argon2.
    pub fn new(pepper: &[u8]) -> Result<Self, Failure> {
        argon2(pepper)?;
        Ok(Self {
            pepper: Arc::new(Zeroizing::new(pepper.to_vec())),
            turns: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
            nobody: nobody(),
        })
    }

    /// The PHC string of a password, with a salt of its own.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn hash(&self, password: &Password) -> Result<String, Failure> {
        let bytes = Zeroizing::new(password.0.as_bytes().to_vec());
        let pepper = Arc::clone(&self.pepper);
        self.in_turn(UnixMillis(0), move || hash(&pepper, &bytes))
            .await?
    }

    /// Whether `password` is the one of `hash`. Without a hash the answer is no, after as long a time.
    ///
    /// # Errors
    /// [`Refusal::TooManyRequests`] when too many wait; [`Failure::Fault`] when the stored hash cannot be read.
    pub async fn verify(
        &self,
        password: &Password,
        hash: Option<&str>,
        now: UnixMillis,
    ) -> Result<bool, Failure> {
        let known = hash.is_some() && password.0.len() <= LENGTH_MAX;
        let stored = hash.unwrap_or(&self.nobody).to_owned();
        let end = password.0.len().min(LENGTH_MAX);
        let bytes = Zeroizing::new(password.0.as_bytes()[..end].to_vec());
        let pepper = Arc::clone(&self.pepper);
        let right = self
            .in_turn(now, move || verify(&pepper, &bytes, &stored))
            .await??;
        Ok(right && known)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        now: UnixMillis,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let _place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| {
            Refusal::TooManyRequests {
                open_at: now.plus_ms(SECOND_MS),
            }
        })?;
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|_| Failure::fault("no turns are left"))?;
        tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        })
        .await
        .map_err(|_| Failure::fault("a password was not hashed to the end"))
    }
}

fn argon2(pepper: &[u8]) -> Result<Argon2<'_>, Failure> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None)
        .map_err(|_| Failure::fault("Argon2 parameters"))?;
    Argon2::new_with_secret(pepper, Algorithm::Argon2id, Version::V0x13, params)
        .map_err(|_| Failure::fault("the password pepper is unusable"))
}

fn hash(pepper: &[u8], password: &[u8]) -> Result<String, Failure> {
    argon2(pepper)?
        .hash_password_with_salt(password, &random_bytes::<16>())
        .map(|hash| hash.to_string())
        .map_err(|_| Failure::fault("a password was not hashed"))
}

/// A PHC string that costs as much to check as any other, and that no password has: what stands in the place of the hash is random.
/// Nothing has to be hashed for it when the program starts.
fn nobody() -> String {
    format!(
        "$argon2id$v={}$m={MEMORY_KIB},t={PASSES},p=1${}${}",
        u32::from(Version::V0x13),
        BASE64_NOPAD.encode(&random_bytes::<16>()),
        BASE64_NOPAD.encode(&random_bytes::<{ Params::DEFAULT_OUTPUT_LEN }>()),
    )
}

fn verify(pepper: &[u8], password: &[u8], stored: &str) -> Result<bool, Failure> {
    let stored = PasswordHash::new(stored)
        .map_err(|_| Failure::fault("a stored password hash cannot be read"))?;
    Ok(argon2(pepper)?.verify_password(password, &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r25_what_stands_for_nobodys_hash_costs_as_much_as_a_hash() {
        let real = hash(b"pepper", b"password").unwrap();
        let made_up = nobody();
        let shape = |text: &str| {
            let parts: Vec<_> = text.split('$').collect();
            (parts[..4].join("$"), parts[4].len(), parts[5].len())
        };
        assert_eq!(shape(&made_up), shape(&real));
        assert!(!verify(b"pepper", b"password", &made_up).unwrap());
        assert!(verify(b"pepper", b"password", &real).unwrap());
    }
}
