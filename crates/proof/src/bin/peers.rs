//! The clients of `cargo xtask peers`: drives one server, and prints one JSON object.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser};
use warifu_proof::peers::{Peer, Tokens, load, same, same_of_warifu};

/// Drive a server of one-time passwords with right codes
#[derive(Parser)]
enum Arguments {
    /// The site in `xtask/peers/django_otp_site`
    DjangoOtp(Driven),
    /// privacyIDEA
    Privacyidea(Driven),
    /// Warifu, started for it, with the same codes at once
    Warifu(Started),
}

#[derive(Args)]
struct Driven {
    /// Where it listens
    #[arg(long)]
    address: SocketAddr,
    /// Its tokens, as JSON; what was used is noted there
    #[arg(long)]
    tokens: PathBuf,
    /// Clients at once
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// How long to ask
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Instead, send each of so many codes from all clients at the same moment
    #[arg(long)]
    same: Option<usize>,
}

#[derive(Args)]
struct Started {
    /// The program
    #[arg(long)]
    program: PathBuf,
    /// Callers at once
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// How many codes to send
    #[arg(long, default_value_t = 50)]
    same: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // One thread: the clients are to leave the processors to who is measured.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(arguments)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("peers: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<String> {
    match arguments {
        Arguments::DjangoOtp(driven) => drive(Peer::DjangoOtp, &driven).await,
        Arguments::Privacyidea(driven) => drive(Peer::PrivacyIdea, &driven).await,
        Arguments::Warifu(started) => {
            let program = std::path::absolute(&started.program)?;
            let found = same_of_warifu(&program, started.same, started.clients).await?;
            Ok(serde_json::to_string(&found)?)
        }
    }
}

async fn drive(peer: Peer, driven: &Driven) -> Result<String> {
    let mut tokens = Tokens::read(&driven.tokens)?;
    let text = if let Some(codes) = driven.same {
        let found = same(peer, driven.address, &mut tokens, codes, driven.clients).await?;
        serde_json::to_string(&found)?
    } else {
        let duration = Duration::from_secs_f64(driven.seconds);
        let rate = load(peer, driven.address, &mut tokens, driven.clients, duration).await?;
        serde_json::to_string(&rate)?
    };
    tokens.write(&driven.tokens)?;
    Ok(text)
}
