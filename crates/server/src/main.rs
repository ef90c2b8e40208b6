//! The program `warifu`.

use std::process::ExitCode;

/// Gives memory back: hashing a password takes 19 MiB for a moment, and the system's allocator would keep them in each thread
/// that ever hashed one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages, of which it then uses little: two thirds of an idle process were such pages. Where the
    // system cannot do this, the process is merely larger.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    warifu_server::cli::run()
}
