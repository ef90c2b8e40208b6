//! `warifu demo`.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use warifu_core::service::Policy;

use super::{DONE, FAILED, failed, start_failed};
use crate::clock::Clock;
use crate::demo::{Demo, DemoError};
use crate::telemetry::{self, LogConfig, LogFormat};

/// Try it: a made-up bank with eight users, on this machine only
///
/// Mails are files, shown on the page /demo/mail. All is kept in one folder; the same command goes on where the last one
/// ended. The accounts are also in demo.json in that folder.
#[derive(Args)]
pub struct DemoArgs {
    /// The folder
    #[arg(long, value_name = "DIR", default_value = "./warifu-demo")]
    data: PathBuf,
    /// The port on 127.0.0.1; 0 for any that is free
    #[arg(long, value_name = "N", default_value_t = 8080)]
    port: u16,
    /// The rules of the made-up bank; a folder that holds a demo keeps its own
    #[arg(long, value_enum, default_value_t = Profile::Manual)]
    policy: Profile,
}

/// A policy profile (PRODUCT.md §5).
#[derive(Clone, Copy, ValueEnum)]
pub enum Profile {
    /// 60 s, 6 digits; re-issue after 20 minutes, not at night
    Manual,
    /// 30 s, 8 digits; re-issue at once
    Strict,
}

impl Profile {
    const fn policy(self) -> Policy {
        match self {
            Self::Manual => Policy::manual(),
            Self::Strict => Policy::strict(),
        }
    }
}

/// Runs the command.
pub async fn run(args: DemoArgs) -> u8 {
    telemetry::start(LogConfig {
        level: tracing::Level::WARN,
        format: LogFormat::Text,
    });
    let demo = match Demo::open(&args.data, args.port, args.policy.policy(), Clock::system()).await
    {
        Ok(demo) => demo,
        Err(DemoError::Start(error)) => return start_failed(&error),
        Err(error) => return failed(&error.to_string()),
    };
    let mut out = io::stdout();
    let announced = out
        .write_all(demo.announcement().as_bytes())
        .and_then(|()| out.flush());
    if announced.is_err() {
        return FAILED;
    }
    match demo.run().await {
        Ok(()) => DONE,
        Err(error) => start_failed(&error),
    }
}
