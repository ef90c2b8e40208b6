//! The program `warifu`.

use std::process::ExitCode;

/// Gives memory back: hashing a password takes 19 MiB for a moment, and the system's allocator would keep them in each thread
/// that ever hashed one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    warifu_server::cli::run()
}
