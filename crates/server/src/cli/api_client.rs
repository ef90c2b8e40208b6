//! `warifu api-client`: who may call the API, and with which keys.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use jiff::{Span, SpanRelativeTo};
use serde_json::{Value, json};
use warifu_core::id::{ContractId, ServiceId};
use warifu_core::relying::{KEY_OVERLAP_MS, Scopes, key_is_good};
use warifu_core::time::UnixMillis;

use super::{ConfigArgs, DONE, failed, start_failed};
use crate::app::api_clients::{ApiKey, ClientError, ClientPlan, ListedClient};
use crate::app::{App, moment};
use crate::networks::Networks;
use crate::startup;
use crate::telemetry;

const EXAMPLES: &str = "\
Examples:
  warifu api-client create --name core-banking --scopes verify,read --service bank --network 10.1.0.0/16
  warifu api-client rotate --name core-banking                     A new key; the old one ends in 24 hours
  warifu api-client withdraw --name core-banking --key 0123456789abcdef
  warifu api-client disable --name core-banking                    Refused at once, on every node";

/// Make, list, rotate and withdraw the keys of relying systems that call the API
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ApiClientArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a client and print its key, this once
    Create(Box<CreateArgs>),
    /// List all clients with their keys; a key itself is stored nowhere
    List(ListArgs),
    /// Give a client a new key beside the old one and print it, this once
    Rotate(RotateArgs),
    /// End one key at once
    Withdraw(WithdrawArgs),
    /// Refuse a client at once, with all its keys
    Disable(NamedArgs),
    /// Bring a disabled client back
    Enable(NamedArgs),
}

#[derive(Args)]
struct CreateArgs {
    /// Its name, one client of each
    #[arg(long)]
    name: String,
    /// What it may do: verify, read, issue, release, revoke, events; with commas between them, or `all`
    #[arg(long, value_parser = scopes)]
    scopes: Scopes,
    /// The one service it may act on; all when left out
    #[arg(long, value_name = "ID", value_parser = service)]
    service: Option<ServiceId>,
    /// The one contract it may act on, by its id, or with --service by its name; all when left out
    #[arg(long, value_name = "ID|NAME")]
    contract: Option<String>,
    /// An address or network it may call from, such as 10.1.0.0/16; may be given more than once; any when left out
    #[arg(long, value_name = "NETWORK")]
    network: Vec<String>,
    /// Requests a second that each node answers; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 0)]
    requests_per_s: u32,
    /// How long the key is good, such as 90d or 12h; for ever when left out
    #[arg(long, value_name = "TIME", value_parser = length)]
    expires_in: Option<Length>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct RotateArgs {
    /// Which client
    #[arg(long)]
    name: String,
    /// How long the new key is good, such as 90d; for ever when left out
    #[arg(long, value_name = "TIME", value_parser = length)]
    expires_in: Option<Length>,
    /// How long the old keys stay good from now on; 24 hours when left out
    #[arg(long, value_name = "TIME", value_parser = length)]
    overlap: Option<Length>,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct WithdrawArgs {
    /// Which client
    #[arg(long)]
    name: String,
    /// The public part of the key: the characters between `wfk_` and the next `_`
    #[arg(long, value_name = "ID")]
    key: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct NamedArgs {
    /// Which client
    #[arg(long)]
    name: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Args)]
struct Common {
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

/// A length of time in milliseconds.
#[derive(Clone, Copy)]
struct Length(i64);

fn scopes(text: &str) -> Result<Scopes, String> {
    if text == "all" {
        return Ok(Scopes::all());
    }
    Scopes::parse(text)
        .map_err(|word| format!("`{word}` is no scope; there are: {}", Scopes::all()))
}

fn service(text: &str) -> Result<ServiceId, String> {
    ServiceId::parse(text).map_err(|error| error.to_string())
}

fn length(text: &str) -> Result<Length, String> {
    let wrong = || "a length of time such as 90d, 12h or 30m".to_owned();
    let span: Span = text.parse().map_err(|_| wrong())?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong())?;
    match i64::try_from(duration.as_millis()) {
        Ok(ms @ 0..) => Ok(Length(ms)),
        _ => Err(wrong()),
    }
}

/// Runs the command.
pub async fn run(args: ApiClientArgs) -> u8 {
    let common = match &args.command {
        Command::Create(args) => &args.common,
        Command::List(args) => &args.common,
        Command::Rotate(args) => &args.common,
        Command::Withdraw(args) => &args.common,
        Command::Disable(args) | Command::Enable(args) => &args.common,
    };
    let json = common.json;
    let loaded = match common.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    telemetry::start(loaded.config.log);
    let app = match startup::open_app(&loaded.config).await {
        Ok(app) => app,
        Err(error) => return start_failed(&error),
    };
    match perform(&app, args.command).await {
        Ok((value, _)) if json => {
            println!("{value:#}");
            DONE
        }
        Ok((_, text)) => {
            print!("{text}");
            DONE
        }
        Err(ClientError::Failure(failure)) => start_failed(&failure.into()),
        Err(error) => failed(&error.to_string()),
    }
}

/// Does it, and gives the result as JSON and as text.
async fn perform(app: &App, command: Command) -> Result<(Value, String), ClientError> {
    match command {
        Command::Create(args) => create(app, *args).await,
        Command::List(_) => Ok(list(&app.api_clients().await?, app.now())),
        Command::Rotate(args) => rotate(app, &args).await,
        Command::Withdraw(args) => {
            app.withdraw_api_key(&args.name, &args.key).await?;
            let text = format!("key {} of client {} has ended\n", args.key, args.name);
            Ok((json!({ "name": args.name, "key_id": args.key }), text))
        }
        Command::Disable(args) => set_disabled(app, &args.name, true).await,
        Command::Enable(args) => set_disabled(app, &args.name, false).await,
    }
}

async fn create(app: &App, args: CreateArgs) -> Result<(Value, String), ClientError> {
    let networks = Networks::parse(&args.network).map_err(ClientError::Networks)?;
    let key = ApiKey::generate();
    let expires_at = args.expires_in.map(|length| app.now().plus_ms(length.0));
    let plan = ClientPlan {
        name: args.name,
        scopes: args.scopes,
        service_id: args.service,
        contract: args.contract,
        networks,
        requests_per_s: args.requests_per_s,
        expires_at,
    };
    let client = app.create_api_client(&plan, &key).await?;
    Ok(shown_once(&client.name, &key, expires_at))
}

async fn rotate(app: &App, args: &RotateArgs) -> Result<(Value, String), ClientError> {
    let key = ApiKey::generate();
    let now = app.now();
    let expires_at = args.expires_in.map(|length| now.plus_ms(length.0));
    let overlap_ms = args.overlap.map_or(KEY_OVERLAP_MS, |length| length.0);
    app.rotate_api_key(&args.name, &key, expires_at, overlap_ms)
        .await?;
    let (mut value, mut text) = shown_once(&args.name, &key, expires_at);
    let ends = moment(now.plus_ms(overlap_ms));
    let _ = writeln!(text, "The keys before it end at {ends}, or earlier.");
    value["old_keys_end_at"] = ends.into();
    Ok((value, text))
}

async fn set_disabled(
    app: &App,
    name: &str,
    disabled: bool,
) -> Result<(Value, String), ClientError> {
    app.set_api_client_disabled(name, disabled).await?;
    let word = if disabled { "disabled" } else { "enabled" };
    Ok((
        json!({ "name": name, "disabled": disabled }),
        format!("client {name} is {word}\n"),
    ))
}

fn shown_once(name: &str, key: &ApiKey, expires_at: Option<UnixMillis>) -> (Value, String) {
    let ends = expires_at.map(moment);
    let mut text = format!("client {name}\nkey    {}\n", key.expose());
    if let Some(ends) = &ends {
        let _ = writeln!(text, "ends   {ends}");
    }
    text.push_str("The key is shown this once. Hand it over by a safe way.\n");
    let value =
        json!({ "name": name, "key_id": key.id(), "key": key.expose(), "expires_at": ends });
    (value, text)
}

fn list(clients: &[ListedClient], now: UnixMillis) -> (Value, String) {
    let mut text = String::new();
    let mut values = Vec::new();
    for ListedClient { client, keys } in clients {
        let limit = |id: Option<&str>| id.unwrap_or("all").to_owned();
        let service = client.service_id.as_ref().map(ServiceId::as_str);
        let contract = client.contract_id.as_ref().map(ContractId::as_str);
        let _ = writeln!(
            text,
            "{}{}\n  scopes {}\n  service {}, contract {}, networks {}, requests a second {}",
            client.name,
            if client.disabled { " (disabled)" } else { "" },
            client.scopes,
            limit(service),
            limit(contract),
            if client.networks.is_empty() {
                "any"
            } else {
                &client.networks
            },
            if client.requests_per_s == 0 {
                "any".to_owned()
            } else {
                client.requests_per_s.to_string()
            },
        );
        let mut key_values = Vec::new();
        for key in keys {
            let good = key_is_good(key.expires_at, now);
            let ends = key.expires_at.map(moment);
            let used = key.used_at.map(moment);
            let _ = writeln!(
                text,
                "  key {} {}, {}, {}",
                key.id,
                if good { "good" } else { "over" },
                ends.as_ref()
                    .map_or_else(|| "without an end".to_owned(), |at| format!("ends {at}")),
                used.as_ref()
                    .map_or_else(|| "never used".to_owned(), |at| format!("last used {at}")),
            );
            key_values.push(
                json!({ "key_id": key.id, "good": good, "created_at": moment(key.created_at),
                "expires_at": ends, "used_at": used }),
            );
        }
        let networks: Vec<_> = client.networks.split_whitespace().collect();
        let scopes: Vec<_> = client
            .scopes
            .to_string()
            .split(' ')
            .map(str::to_owned)
            .collect();
        values.push(json!({ "client_id": client.id, "name": client.name, "disabled": client.disabled, "scopes": scopes,
            "service_id": client.service_id, "contract_id": client.contract_id, "networks": networks,
            "requests_per_s": client.requests_per_s, "created_at": moment(client.created_at), "keys": key_values }));
    }
    if clients.is_empty() {
        text.push_str("There is no client.\n");
    }
    (Value::Array(values), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_write_them() {
        for (text, ms) in [
            ("24h", KEY_OVERLAP_MS),
            ("1d", KEY_OVERLAP_MS),
            ("90 days", 90 * KEY_OVERLAP_MS),
            ("0s", 0),
        ] {
            assert!(length(text).is_ok_and(|length| length.0 == ms), "{text}");
        }
        for text in ["", "soon", "-1h", "1month"] {
            assert!(length(text).is_err(), "{text}");
        }
    }
}
