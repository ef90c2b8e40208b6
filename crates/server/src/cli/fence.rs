//! `warifu fence`: after a restore.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use warifu_core::id::ServiceId;

use super::{ConfigArgs, DONE, failed, start_failed};
use crate::app::fence::Fenced;
use crate::startup;
use crate::telemetry;

const ABOUT: &str = "\
Codes that were accepted after the copy was made are unknown to it, and somebody who saw one could use it once more. Behind the
fence nothing is accepted that could have been accepted by now: people wait a few minutes, and everything else goes on. Run it before
the restored database is reachable. The nodes need not be restarted.";

/// Put up a fence after a restore, so that no code is accepted a second time
#[derive(Args)]
#[command(after_help = ABOUT)]
pub struct FenceArgs {
    /// Before this service only
    #[arg(long, value_name = "ID")]
    service: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub async fn run(args: FenceArgs) -> u8 {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    telemetry::start(loaded.config.log);
    let service = match args.service.as_deref().map(ServiceId::parse).transpose() {
        Ok(service) => service,
        Err(error) => return failed(&format!("--service: {error}")),
    };
    let app = match startup::open_app(&loaded.config).await {
        Ok(app) => app,
        Err(error) => return start_failed(&error),
    };
    match app.raise_fences(service.as_ref()).await {
        Ok(fenced) => {
            println!("{}", told(&fenced, args.json));
            DONE
        }
        Err(failure) if failure.refusal().is_some() => {
            failed("there is no such service, or the clock of this machine cannot be trusted")
        }
        Err(failure) => start_failed(&failure.into()),
    }
}

fn told(fenced: &[Fenced], as_json: bool) -> String {
    let ends = |one: &Fenced| Timestamp::from_millisecond(one.ends_at.0).unwrap_or(Timestamp::MAX);
    if as_json {
        let list: Vec<_> = fenced
            .iter()
            .map(|one| json!({"service_id": one.service_id, "ends_at": ends(one).to_string()}))
            .collect();
        return json!(list).to_string();
    }
    let lines: Vec<_> = fenced
        .iter()
        .map(|one| {
            format!(
                "{}: codes are accepted again from {}",
                one.service_id.as_str(),
                ends(one)
            )
        })
        .collect();
    lines.join("\n")
}
