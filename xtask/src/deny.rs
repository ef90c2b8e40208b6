//! `cargo xtask deny`: licences, sources, bans and advisories of the dependencies, by the rules of `deny.toml`.

use anyhow::{Result, ensure};

use crate::machine;

/// Runs cargo-deny.
///
/// # Errors
/// When cargo-deny is not installed, or finds something.
pub(crate) fn run() -> Result<()> {
    let installed = machine::cargo()
        .args(["deny", "--version"])
        .output()
        .is_ok_and(|answer| answer.status.success());
    ensure!(
        installed,
        "cargo-deny is not installed: `cargo install --locked cargo-deny`, then run this again"
    );
    machine::run(
        machine::cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"]),
    )?;
    // Apart from the rest: this one reads the advisory database over the network.
    machine::run(machine::cargo().args(["deny", "--locked", "check", "advisories"]))
}
