//! The project's own tasks, behind `cargo xtask`: run every test, check the dependencies, soak, measure beside others.
//!
//! Nothing of the product lives here, and the product never depends on it. What a task needs from the machine it
//! installs or names; it never goes on without it.

mod api;
mod deny;
mod machine;
mod peers;
mod postgres;
mod python;
mod soak;
mod test;
mod wasm;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask TASK

Tasks:
  test    run every test of the project on this machine; installs what is missing (see `cargo xtask test --help`)
  wasm    build the browser's part of the activation anew, over the committed one
  deny    check licences, sources and advisories of the dependencies with cargo-deny
  soak    try exactly-once for long: model, race, guess, kill (see `cargo xtask soak --help`)
  peers   measure Warifu beside privacyIDEA and django-otp on this machine (see `cargo xtask peers --help`)
  help    print this
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match arguments.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("", arguments.as_slice()),
    };
    let outcome = match task {
        "test" => test::run(rest),
        "wasm" => wasm::rebuild(),
        "deny" => deny::run(),
        "soak" => soak::run(rest),
        "peers" => peers::run(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(USAGE);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(if error.is::<Usage>() { USAGE } else { FAILED })
        }
    }
}

/// Exit status of a task that ran and failed.
const FAILED: u8 = 1;
/// Exit status of a command line that was not understood.
const USAGE: u8 = 2;

/// A command line that was not understood: the text says how.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}
