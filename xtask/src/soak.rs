//! `cargo xtask soak …`: the long forms of the proof of exactly-once. What they do lives in `crates/proof`; here they are built,
//! with the program that they kill, and get what they need from the machine.

mod failover;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::Usage;
use crate::machine::{self, cargo, command, target};
use crate::test::with_postgres_for_tests;

const HELP: &str = "\
cargo xtask soak COMMAND [OPTIONS]

Builds everything with optimisation, then tries for long what the tests try for seconds. Each prints one JSON object at the end
and fails at the first violation. What the figures mean: docs/reliability.md.

Commands:
  model   every state of the models of the counter protocol
  race    --submits N --database sqlite|postgres    the same codes at once at three nodes (F1)
  guess   --rounds N  --database sqlite|postgres    1,000 callers who guess at three nodes (F5)
  kill    --kills N   --database sqlite|postgres    the program killed over and over (F2, F4, F14, F23)
  failover --times N  the primary of two PostgreSQL servers killed under load (F24)
           --asynchronous   the same with a standby that no commit waits for: fails unless it finds what that loses

`cargo xtask soak COMMAND --help` prints all options.
";

/// Runs one of them.
///
/// # Errors
/// When the command line is not understood, something does not build, or a violation is found.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(Usage(HELP.into()).into());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{HELP}");
        return Ok(());
    }
    if name == "failover" {
        return failover::run(rest);
    }
    if !["model", "race", "guess", "kill"].contains(&name.as_str()) {
        return Err(Usage(format!("no soak {name}\n\n{HELP}")).into());
    }
    // The program is built as it ships, apart from the harness, whose features would otherwise get into it. Each run has a copy of its own: several run at once, and a later
    // build is not to come between two kills.
    let mut program = None;
    if name == "kill" && !rest.iter().any(|argument| argument == "--program") {
        machine::run(cargo().args(["build", "--release", "--locked", "--package", "warifu"]))?;
        program = Some(ProgramCopy::of(&target().join("release/warifu"))?);
    }
    let built = [
        "build",
        "--release",
        "--locked",
        "--package",
        "warifu-proof",
        "--bin",
        "soak",
    ];
    machine::run(cargo().args(built))?;
    let mut soak = command(target().join("release/soak"));
    soak.arg(name).args(rest);
    if let Some(ProgramCopy(path)) = &program {
        soak.arg("--program").arg(path);
    }
    if rest.iter().any(|argument| argument.contains("postgres")) {
        return with_postgres_for_tests(|variable, url| machine::run(soak.env(variable, url)));
    }
    machine::run(&mut soak)
}

/// A copy of the program, removed with this; a run that is ended from outside leaves it among the builds.
struct ProgramCopy(PathBuf);

impl ProgramCopy {
    fn of(program: &Path) -> Result<Self> {
        let copy = Self(program.with_file_name(format!("warifu-to-kill-{}", std::process::id())));
        std::fs::copy(program, &copy.0)?;
        Ok(copy)
    }
}

impl Drop for ProgramCopy {
    fn drop(&mut self) {
        // There may be none yet, and one that stays harms nobody.
        let _ = std::fs::remove_file(&self.0);
    }
}
