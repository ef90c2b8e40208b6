//! The primary is killed under load, again and again (F24). The test itself is one of the server's; here it only runs for long.

use anyhow::Result;

use crate::Usage;
use crate::machine::{self, cargo};

/// Tells the test how often.
const TIMES: &str = "WARIFU_TEST_FAILOVERS";

/// What the two tests say.
const SYNCHRONOUS: &str =
    "failover::f24_nothing_is_lost_and_nothing_repeated_when_the_primary_is_killed";
const ASYNCHRONOUS: &str = "failover::f24_what_is_lost_with_an_asynchronous_standby_is_found";

/// Runs it; it prints one JSON object at the end. With `--asynchronous` commits do not wait for the standby: then codes that were
/// accepted must be found to be accepted again, wrong ones to be forgotten, and people to be suspended no more; a run that does not
/// find them fails.
///
/// # Errors
/// When the command line is not understood, or the test fails.
pub(super) fn run(arguments: &[String]) -> Result<()> {
    let (mut times, mut test) = (100, SYNCHRONOUS);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--times" => {
                times = arguments
                    .next()
                    .and_then(|number| number.parse::<u32>().ok())
                    .filter(|times| *times > 0)
                    .ok_or_else(|| Usage("--times needs a whole number above 0".into()))?;
            }
            "--asynchronous" => test = ASYNCHRONOUS,
            _ => {
                let usage = "cargo xtask soak failover [--times N] [--asynchronous]";
                return Err(Usage(usage.into()).into());
            }
        }
    }
    let product = || {
        let mut cargo = cargo();
        cargo.args([
            "test",
            "--locked",
            "--package",
            "warifu",
            "--test",
            "product",
            "--",
        ]);
        cargo
    };
    // A name that fits no test would pass at once.
    let listed = product().args(["--exact", "--list", test]).output()?;
    if !String::from_utf8_lossy(&listed.stdout).contains(test) {
        anyhow::bail!("there is no test {test}");
    }
    machine::run(
        product()
            .args(["--exact", "--nocapture", test])
            .env(TIMES, times.to_string()),
    )
}
