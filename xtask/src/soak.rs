//! `cargo xtask soak …`: the long forms of tests that try to lose something. CI runs the short forms with all other tests.

mod failover;

use anyhow::Result;

use crate::Usage;

const HELP: &str = "\
cargo xtask soak COMMAND [OPTIONS]

Commands:
  failover --times N   kill the primary of two PostgreSQL servers under load N times (F24)
";

/// Runs one of them.
///
/// # Errors
/// When the command line is not understood, something does not build, or a violation is found.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments.split_first() {
        Some((name, rest)) if name == "failover" => failover::run(rest),
        Some((name, _)) if matches!(name.as_str(), "help" | "--help" | "-h") => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(Usage(HELP.into()).into()),
    }
}
