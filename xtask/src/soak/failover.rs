//! The primary is killed under load, again and again (F24). The test itself is one of the server's; here it only runs for long.

use anyhow::Result;

use crate::Usage;
use crate::machine::{self, cargo};

/// Tells the test how often.
const TIMES: &str = "WARIFU_TEST_FAILOVERS";

/// Runs it; it prints one JSON object at the end.
///
/// # Errors
/// When the command line is not understood, or the test fails.
pub(super) fn run(arguments: &[String]) -> Result<()> {
    let times = match arguments {
        [] => 100,
        [option, number] if option == "--times" => number
            .parse::<u32>()
            .map_err(|_| Usage("--times needs a whole number".into()))?,
        _ => return Err(Usage("cargo xtask soak failover [--times N]".into()).into()),
    };
    machine::run(
        cargo()
            .args([
                "test",
                "--locked",
                "--package",
                "warifu",
                "--test",
                "product",
            ])
            .args(["--", "--exact", "--nocapture"])
            .arg("failover::f24_nothing_is_lost_and_nothing_repeated_when_the_primary_is_killed")
            .env(TIMES, times.to_string()),
    )
}
