//! The program `warifu`, built as a part of this package, so that its tests always kill the current one. Only the allocator is
//! the system's. The long forms kill the program that ships.

use std::process::ExitCode;

fn main() -> ExitCode {
    warifu_server::cli::run()
}
