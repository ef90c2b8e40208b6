//! The program `warifu`.

use std::process::ExitCode;

fn main() -> ExitCode {
    warifu_server::cli::run()
}
