//! The command line of `warifu`. It parses, calls what the web pages call too, and prints.
//!
//! Exit status: 0 done; 1 refused or failed; 2 the command was not understood; 3 something that is needed could not be reached.

pub mod api_client;
pub mod authenticator;
pub mod bench;
pub mod demo;
pub mod fence;
pub mod provision;
pub mod serve;
pub mod webhook;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{self, Inputs, Loaded};
use crate::lane::BLOCKING_THREADS_MAX;
use crate::startup::StartError;

/// Done.
const DONE: u8 = 0;
/// Refused or failed.
const FAILED: u8 = 1;
/// The command was not given as it has to be: what clap ends with for all that it finds itself.
const USAGE: u8 = 2;
/// Something that is needed could not be reached.
const UNREACHABLE: u8 = 3;

const EXAMPLES: &str = "\
Examples:
  warifu demo                                   Try it: a made-up bank, on this machine only
  warifu serve --check --config warifu.toml     Look at a configuration
  warifu serve --config warifu.toml             Run the service
  warifu provision bank.toml --config warifu.toml
  warifu api-client create --name core-banking --scopes verify,read --config warifu.toml
  warifu bench                                  Measure this machine
  warifu webhook create https://bank.example/hooks
  warifu authenticator add                      Be the phone: get a token
  warifu authenticator code                     The code, with its countdown

Exit status: 0 done, 1 refused or failed, 2 usage, 3 could not reach what is needed.";

/// Warifu: one-time passwords for business internet banking, self-hosted.
#[derive(Parser)]
#[command(name = "warifu", version, about, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(Box<serve::ServeArgs>),
    Demo(demo::DemoArgs),
    Provision(Box<provision::ProvisionArgs>),
    Bench(Box<bench::BenchArgs>),
    Fence(Box<fence::FenceArgs>),
    ApiClient(api_client::ApiClientArgs),
    Webhook(Box<webhook::WebhookArgs>),
    Authenticator(authenticator::AuthenticatorArgs),
    /// Write a completion script for a shell to standard output
    ///
    /// Where it belongs, the documentation of the shell says; for bash, a file in its folder of completions.
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let code = match Cli::parse().command {
        Command::Serve(args) => with_runtime(serve::run(*args)),
        Command::Demo(args) => with_runtime(demo::run(args)),
        Command::Fence(args) => with_runtime(fence::run(*args)),
        Command::Bench(args) => with_runtime(bench::run(*args)),
        Command::Provision(args) => with_runtime(provision::run(*args)),
        Command::ApiClient(args) => with_runtime(api_client::run(args)),
        Command::Webhook(args) => with_runtime(webhook::run(*args)),
        Command::Authenticator(args) => return authenticator::run(args),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "warifu", &mut std::io::stdout());
            DONE
        }
    };
    ExitCode::from(code)
}

/// What threads have to end in that nobody can stop, when everything else is over.
const THREADS_END: Duration = Duration::from_secs(5);

fn with_runtime(command: impl Future<Output = u8>) -> u8 {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(command);
            // Whatever still looks for a mail server's name, or writes to a disk that hangs, has had its time.
            runtime.shutdown_timeout(THREADS_END);
            code
        }
        Err(error) => failed(&format!("the program could not start its threads: {error}")),
    }
}

/// Prints what went wrong, each line with the program's name, and gives the exit status.
fn failed(what: &str) -> u8 {
    for line in what.lines() {
        eprintln!("warifu: {line}");
    }
    FAILED
}

fn start_failed(error: &StartError) -> u8 {
    failed(&error.to_string());
    if error.is_unreachable() {
        UNREACHABLE
    } else {
        FAILED
    }
}

/// Where the settings come from; a flag wins over the environment, the environment over the file.
#[derive(Args)]
struct ConfigArgs {
    /// The configuration, a TOML file
    #[arg(long, value_name = "FILE", env = "WARIFU_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The address under which browsers and apps reach the server
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The path of an SQLite file, or the address of a PostgreSQL database (a password belongs into the file or the environment)
    #[arg(long, value_name = "PATH|URL")]
    database: Option<String>,
    /// The file with the root key
    #[arg(long, value_name = "FILE")]
    root_key: Option<String>,
    /// Least important messages to log: error, warn, info, debug, trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Form of the log: text, json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl ConfigArgs {
    /// Reads all settings, and says what is wrong with them.
    fn load(&self) -> Result<Loaded, u8> {
        let flags = [
            ("listen", &self.listen),
            ("public_url", &self.public_url),
            ("database.url", &self.database),
            ("root_key", &self.root_key),
            ("log.level", &self.log_level),
            ("log.format", &self.log_format),
        ];
        let inputs = Inputs {
            file: self.config.as_deref(),
            // A variable that is no text cannot be one of ours.
            environment: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
            flags: flags
                .into_iter()
                .filter_map(|(key, value)| Some((key, value.clone()?)))
                .collect(),
        };
        config::load(&inputs).map_err(|problems| failed(&problems.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn secrets_are_no_flags() {
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments() {
                let name = argument.get_id().as_str();
                assert!(
                    !name.contains("password") && !name.contains("secret"),
                    "{} {name}",
                    command.get_name()
                );
            }
        }
    }
}
