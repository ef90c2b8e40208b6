//! `warifu webhook`: who is told of what, and what could not be told.

use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use warifu_core::id::{DeliveryId, ServiceId, WebhookId};
use warifu_core::time::{HOUR_MS, UnixMillis};
use warifu_core::webhook::{EventType, Wanted};
use warifu_store::{DeliveryCounts, StoredDelivery, StoredWebhook};
use zeroize::Zeroizing;

use super::{ConfigArgs, DONE, FAILED, failed, start_failed};
use crate::app::App;
use crate::app::webhooks::{NewWebhook, OVERLAP_HOURS_MAX, OVERLAP_MS, WebhookError};
use crate::config::Config;
use crate::startup::{self, StartError};
use crate::telemetry;
use crate::webhook::Sender;

const EXAMPLES: &str = "\
Examples:
  warifu webhook create https://bank.example/hooks/otp --config warifu.toml
  warifu webhook create https://bank.example/fraud --event token.revoked --event token.suspended
  warifu webhook test 0123..                    Send it a delivery of type webhook.test now
  warifu webhook dead --redeliver --all         Send again what was given up

How to receive and verify: docs/webhooks.md";

/// Tell other systems of events: addresses, their secrets, and what could not be delivered
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct WebhookArgs {
    #[command(subcommand)]
    command: WebhookCommand,
}

#[derive(Subcommand)]
enum WebhookCommand {
    /// Make a webhook; its signing secret is shown this once
    Create {
        /// Where deliveries go: an address with https, or with http to this machine
        #[arg(value_name = "URL")]
        url: String,
        /// The service whose events it is told of; may be left out when there is only one
        #[arg(long, value_name = "ID")]
        service: Option<String>,
        /// A type of events, such as token.revoked; may be given several times. Without any: all but verification.accepted
        #[arg(long = "event", value_name = "TYPE")]
        events: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
    /// List all webhooks and how many deliveries wait, went, and were given up
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Give a webhook a new secret, shown this once; the old one signs beside it for a while
    Rotate {
        /// The webhook's id
        #[arg(value_name = "ID")]
        id: String,
        /// How long the old secret still signs, in hours; 0 when it was betrayed
        #[arg(long, value_name = "HOURS", default_value_t = default_overlap_hours(), value_parser = clap::value_parser!(u32).range(0..=i64::from(OVERLAP_HOURS_MAX)))]
        overlap_hours: u32,
        #[command(flatten)]
        common: Common,
    },
    /// Tell a webhook nothing any more
    Disable {
        /// The webhook's id
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// Bring a disabled webhook back
    Enable {
        /// The webhook's id
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        common: Common,
    },
    /// List the deliveries that were given up, and send them again
    Dead {
        /// Only those of this webhook
        #[arg(long, value_name = "ID")]
        webhook: Option<String>,
        /// Queue these again: ids of deliveries, or --all
        #[arg(long, value_name = "DELIVERY_ID", num_args = 0..)]
        redeliver: Option<Vec<String>>,
        /// With --redeliver: everything that is listed
        #[arg(long, requires = "redeliver")]
        all: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Send a webhook a delivery of type webhook.test from this machine now, and say what came of it
    Test {
        /// The webhook's id
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Args)]
struct Common {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

fn default_overlap_hours() -> u32 {
    u32::try_from(OVERLAP_MS / HOUR_MS).unwrap_or(OVERLAP_HOURS_MAX)
}

/// What a command has done, for both ways of printing.
#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Secret {
        webhook_id: String,
        secret: Zeroizing<String>,
    },
    List(Vec<Listed>),
    Changed {
        webhook_id: String,
        changed: bool,
    },
    Dead(Vec<Dead>),
    Redelivered {
        redelivered: usize,
    },
    Test {
        webhook_id: String,
        delivered: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

#[derive(Serialize)]
struct Listed {
    webhook_id: String,
    service_id: String,
    url: String,
    events: Vec<&'static str>,
    disabled: bool,
    created_at: String,
    queued: u64,
    delivered: u64,
    dead: u64,
}

#[derive(Serialize)]
struct Dead {
    delivery_id: String,
    webhook_id: String,
    created_at: String,
    tries: u32,
    reason: Option<String>,
    body: String,
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Runs the command.
pub async fn run(args: WebhookArgs) -> u8 {
    let common = args.command.common();
    let json = common.json;
    let loaded = match common.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    telemetry::start(loaded.config.log);
    let done = match startup::open_app(&loaded.config).await {
        Ok(app) => act(&app, &loaded.config, args.command).await,
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(outcome) => {
            print(&outcome, json);
            match outcome {
                Outcome::Test {
                    delivered: false, ..
                } => FAILED,
                _ => DONE,
            }
        }
        Err(CommandError::Start(error)) => start_failed(&error),
        Err(CommandError::Webhook(WebhookError::App(failure))) => start_failed(&failure.into()),
        Err(error) => failed(&error.to_string()),
    }
}

impl WebhookCommand {
    fn common(&self) -> &Common {
        match self {
            Self::Create { common, .. }
            | Self::List { common }
            | Self::Rotate { common, .. }
            | Self::Disable { common, .. }
            | Self::Enable { common, .. }
            | Self::Dead { common, .. }
            | Self::Test { common, .. } => common,
        }
    }
}

async fn act(
    app: &Arc<App>,
    config: &Config,
    command: WebhookCommand,
) -> Result<Outcome, CommandError> {
    Ok(match command {
        WebhookCommand::Create {
            url,
            service,
            events,
            ..
        } => {
            let wanted = wanted(&events)?;
            let service_id = service_id(app, service).await?;
            let NewWebhook { id, secret } = app
                .create_webhook(&service_id, &url, wanted, &config.webhooks.allow_private)
                .await?;
            Outcome::Secret {
                webhook_id: id.to_string(),
                secret,
            }
        }
        WebhookCommand::List { .. } => {
            let all = app.webhooks().await.map_err(WebhookError::App)?;
            Outcome::List(all.iter().map(listed).collect())
        }
        WebhookCommand::Rotate {
            id, overlap_hours, ..
        } => Outcome::Secret {
            secret: app
                .rotate_webhook(&WebhookId::from_stored(id.as_str()), overlap_hours)
                .await?,
            webhook_id: id,
        },
        WebhookCommand::Disable { id, .. } => switch(app, id, true).await?,
        WebhookCommand::Enable { id, .. } => switch(app, id, false).await?,
        WebhookCommand::Dead {
            webhook,
            redeliver,
            all,
            ..
        } => {
            let webhook = webhook.map(WebhookId::from_stored);
            let dead = app.dead_deliveries(webhook.as_ref()).await?;
            match redeliver {
                Some(ids) => redeliver_of(app, &dead, &ids, all).await?,
                None => Outcome::Dead(dead.into_iter().map(dead_of).collect()),
            }
        }
        WebhookCommand::Test { id, .. } => {
            let sender = Sender::open(&config.webhooks).map_err(StartError::Webhooks)?;
            let sent = app
                .test_webhook(&WebhookId::from_stored(id.as_str()), &sender)
                .await?;
            Outcome::Test {
                webhook_id: id,
                delivered: sent.is_ok(),
                reason: sent.err().map(|error| error.to_string()),
            }
        }
    })
}

fn wanted(events: &[String]) -> Result<Wanted, CommandError> {
    Wanted::parse(events.iter().map(String::as_str)).map_err(|unknown| {
        let known: Vec<_> = EventType::ALL.iter().map(|one| one.as_str()).collect();
        CommandError::Usage(format!(
            "there is no type of events `{unknown}`; there are {}",
            known.join(", ")
        ))
    })
}

async fn service_id(app: &App, given: Option<String>) -> Result<ServiceId, CommandError> {
    if let Some(text) = given {
        return ServiceId::parse(&text)
            .map_err(|error| CommandError::Usage(format!("--service {text}: {error}")));
    }
    let services = app.services().await.map_err(WebhookError::App)?;
    match services.as_slice() {
        [one] => Ok(one.id.clone()),
        [] => Err(CommandError::Usage(
            "there is no service yet: make one with `warifu provision`".to_owned(),
        )),
        several => {
            let ids: Vec<_> = several.iter().map(|service| service.id.as_str()).collect();
            Err(CommandError::Usage(format!(
                "say which service with --service: {}",
                ids.join(", ")
            )))
        }
    }
}

async fn switch(app: &App, id: String, disabled: bool) -> Result<Outcome, CommandError> {
    let changed = app
        .set_webhook_disabled(&WebhookId::from_stored(id.as_str()), disabled)
        .await?;
    Ok(Outcome::Changed {
        webhook_id: id,
        changed,
    })
}

async fn redeliver_of(
    app: &App,
    dead: &[StoredDelivery],
    ids: &[String],
    all: bool,
) -> Result<Outcome, CommandError> {
    if all != ids.is_empty() {
        return Err(CommandError::Usage(
            "--redeliver takes either ids of deliveries or --all".to_owned(),
        ));
    }
    let mut chosen = Vec::new();
    for id in ids {
        let found = dead.iter().find(|one| one.delivery.id.as_str() == id);
        chosen
            .push(found.ok_or_else(|| WebhookError::NoDead(DeliveryId::from_stored(id.as_str())))?);
    }
    if all {
        chosen.extend(dead);
    }
    for one in &chosen {
        app.redeliver(one).await?;
    }
    Ok(Outcome::Redelivered {
        redelivered: chosen.len(),
    })
}

fn listed((webhook, counts): &(StoredWebhook, DeliveryCounts)) -> Listed {
    Listed {
        webhook_id: webhook.id.to_string(),
        service_id: webhook.service_id.to_string(),
        url: webhook.url.clone(),
        events: webhook.wanted.names(),
        disabled: webhook.disabled,
        created_at: moment(webhook.created_at),
        queued: counts.queued,
        delivered: counts.delivered,
        dead: counts.dead,
    }
}

fn dead_of(dead: StoredDelivery) -> Dead {
    Dead {
        delivery_id: dead.delivery.id.to_string(),
        webhook_id: dead.delivery.webhook_id.to_string(),
        created_at: moment(dead.delivery.created_at),
        tries: dead.tries,
        reason: dead.last_error,
        body: dead.delivery.body,
    }
}

fn moment(at: UnixMillis) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

fn print(outcome: &Outcome, json: bool) {
    if json {
        match serde_json::to_string_pretty(outcome) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("warifu: the result could not be written as JSON: {error}"),
        }
        return;
    }
    match outcome {
        Outcome::Secret { webhook_id, secret } => {
            println!("webhook {webhook_id}");
            println!("secret  {}", secret.as_str());
            println!("The secret is shown this once. Hand it over by a safe way.");
        }
        Outcome::List(all) if all.is_empty() => println!("There is no webhook."),
        Outcome::List(all) => {
            for one in all {
                println!(
                    "{}  {}  {}  {}\n  {}\n  {} queued, {} delivered, {} dead",
                    one.webhook_id,
                    one.service_id,
                    if one.disabled { "disabled" } else { "enabled" },
                    one.url,
                    one.events.join(" "),
                    one.queued,
                    one.delivered,
                    one.dead
                );
            }
        }
        Outcome::Changed {
            webhook_id,
            changed,
        } => println!(
            "webhook {webhook_id}: {}",
            if *changed {
                "changed"
            } else {
                "it was so already"
            }
        ),
        Outcome::Dead(all) if all.is_empty() => println!("No delivery was given up."),
        Outcome::Dead(all) => {
            for one in all {
                println!(
                    "{}  webhook {}  {}  {} tries: {}\n  {}",
                    one.delivery_id,
                    one.webhook_id,
                    one.created_at,
                    one.tries,
                    one.reason.as_deref().unwrap_or("no reason noted"),
                    one.body
                );
            }
        }
        Outcome::Redelivered { redelivered } => println!(
            "{redelivered} deliveries queued again; a running server sends them within 15 seconds"
        ),
        Outcome::Test {
            delivered: true, ..
        } => println!("delivered: the endpoint answered with 2xx"),
        Outcome::Test { reason, .. } => println!(
            "not delivered: {}",
            reason.as_deref().unwrap_or("no reason")
        ),
    }
}
