//! Prints the secrets of each user's live token in a folder of the demo, which may be running: for the tests of the app in the
//! browser, which look for them everywhere else. The program itself has no command that shows a seed, and this is no part of it.
//!
//! `cargo run -p warifu --example token_seeds -- DIR`, where `DIR` holds `warifu.db` and `root.key`, prints a line for each token, the oldest of a service first:
//! `token_id algorithm digits step_s seed device_key`, with the two secrets in hexadecimal.

use std::io::Write as _;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use warifu_core::time::UnixMillis;
use warifu_store::{DatabaseConfig, Judged, Judgement, Login, Store, Wanted};
use warifu_vault::{DataKeyId, Place, Root, Sealed, Vault, WrappedKey};

/// More users than any folder of a test has.
const USERS_MAX: u32 = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("which folder?")?);
    let root = Root::load(&folder.join("root.key"))?;
    let database = folder.join("warifu.db");
    if !database.exists() {
        return Err("the folder has no warifu.db".into());
    }
    let store = Store::open(&DatabaseConfig::Sqlite { path: database }).await?;
    let mut tx = store.read().await?;
    let kek = tx.installation_value("kek").await?.ok_or("no keys")?;
    let vault = Vault::open_with(&root, &kek)?;
    for key in tx.data_keys().await? {
        let wrapped = WrappedKey {
            id: DataKeyId::from_text(&key.id).ok_or("a data key without an id")?,
            service_id: key.owner,
            wrapped: key.wrapped,
        };
        vault.add_data_key(&wrapped, 0)?;
    }
    let mut out = std::io::stdout().lock();
    for service in tx.services().await? {
        let users = tx
            .users_of_service_after(&service.id, None, "", USERS_MAX)
            .await?;
        let logins: Vec<_> = users.iter().map(|(user, _)| Login::of(user)).collect();
        let wanted = Wanted {
            logins: logins.iter().collect(),
            ..Wanted::default()
        };
        let read = store.read().await?;
        let Judged::Open(_, ground) = read.judge(&wanted, UnixMillis(0), Judgement::Stay).await?
        else {
            return Err("it was only to be read".into());
        };
        let mut tokens: Vec<_> = ground
            .bearers
            .into_iter()
            .filter_map(|bearer| bearer?.token)
            .collect();
        tokens.sort_by(|one, other| one.token_id.as_str().cmp(other.token_id.as_str()));
        for token in tokens {
            let stored = tx
                .token(&token.token_id)
                .await?
                .ok_or("a token that is gone")?;
            let (algorithm, digits, step_s) = (
                token.parameters.algorithm.as_str(),
                token.parameters.digits,
                token.parameters.step_s,
            );
            let place = |column, parameters| Place {
                table: "token",
                row: token.token_id.as_str(),
                column,
                parameters,
            };
            let parameters = format!("{algorithm}/{digits}/{step_s}");
            let seed = vault.open(
                &place("sealed_seed", parameters.as_bytes()),
                &Sealed::from_stored(token.sealed_seed),
            )?;
            let device_key = vault.open(
                &place("sealed_device_key", &[]),
                &Sealed::from_stored(stored.sealed_device_key),
            )?;
            writeln!(
                out,
                "{} {algorithm} {digits} {step_s} {} {}",
                token.token_id,
                HEXLOWER.encode(&seed),
                HEXLOWER.encode(&device_key)
            )?;
        }
    }
    Ok(())
}
