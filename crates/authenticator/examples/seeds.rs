//! Prints the seed of each active token of a folder, in hexadecimal, one a line: for the test that looks for them everywhere
//! else. The program itself has no command that shows a seed.

use std::io::Write as _;
use std::path::PathBuf;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use warifu_authenticator::State;
use warifu_authenticator::file::TokenFolder;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args_os().nth(1).ok_or("which folder?")?);
    // Draws nothing: the folder has its key already.
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let (_held, tokens) = TokenFolder::open(&folder, &mut rng, || ())?;
    let mut out = std::io::stdout().lock();
    for token in tokens.iter() {
        if let State::Active(active) = token.state() {
            for byte in active.seed().expose() {
                write!(out, "{byte:02x}")?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}
