//! `warifu provision`: opens a service with its companies and users from a TOML file.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use warifu_core::service::Policy;
use warifu_core::user::{Language, Role};
use zeroize::Zeroizing;

use super::{ConfigArgs, DONE, failed, start_failed};
use crate::app::passwords::Password;
use crate::app::provision::{ContractPlan, NewPasswords, Plan, ServicePlan, UserPlan};
use crate::clock::system_rng;
use crate::startup;
use crate::telemetry;
use crate::words;

/// The longest file, in bytes.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Words of a generated password: 73 random bits.
const PASSWORD_WORDS: usize = 4;

const EXAMPLE: &str = "\
The file:
  [service]
  id = \"bank\"                       # what people type into the app
  name_ja = \"みなと銀行\"
  name_en = \"Minato Bank\"
  time_zone = \"Asia/Tokyo\"
  help_desk = \"0120-000-000\"
  profile = \"manual\"                # or strict
  [service.policy]                  # single rules that differ from the profile
  wrong_codes_max = 4
  token_lives_ms = 31_536_000_000   # tokens end after 365 days; left out: never
  renewal_opens_ms = 2_592_000_000  # their apps may renew them in the last 30 days

  [[contract]]
  name = \"株式会社みなと商会\"
  [[contract.user]]
  login_id = \"tanaka\"
  name = \"田中 美咲\"
  role = \"master\"                   # master (exactly one), administrator, general
  language = \"ja\"                   # or en
  # password, confirmation_password: left out, they are generated and printed once

What exists already is left as it is: running it twice changes nothing.";

/// Open a service with its companies and users
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct ProvisionArgs {
    /// The TOML file; - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    service: FileService,
    #[serde(default, rename = "contract")]
    contracts: Vec<FileContract>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileService {
    id: String,
    name_ja: String,
    name_en: String,
    time_zone: String,
    help_desk: String,
    #[serde(default)]
    profile: FileProfile,
    #[serde(default)]
    policy: toml::Table,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum FileProfile {
    #[default]
    Manual,
    Strict,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileContract {
    name: String,
    #[serde(default, rename = "user")]
    users: Vec<FileUser>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileUser {
    login_id: String,
    name: String,
    role: Role,
    #[serde(default)]
    language: Language,
    password: Option<Zeroizing<String>>,
    confirmation_password: Option<Zeroizing<String>>,
}

/// Passwords that the file gives, by login id.
type Given = HashMap<String, (Option<Zeroizing<String>>, Option<Zeroizing<String>>)>;

/// A user that was made, for the output. Passwords of the file are not repeated.
#[derive(Serialize)]
struct Made {
    login_id: String,
    role: Role,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation_password: Option<Zeroizing<String>>,
}

#[derive(Serialize)]
struct Outcome {
    service_id: String,
    users_made: Vec<Made>,
    users_kept: usize,
}

/// Runs the command.
pub async fn run(args: ProvisionArgs) -> u8 {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    telemetry::start(loaded.config.log);
    let (plan, given) = match read(&args.file).and_then(|text| parse(&text)) {
        Ok(parsed) => parsed,
        Err(problem) => return failed(&format!("{}: {problem}", args.file.display())),
    };
    let app = match startup::open_app(&loaded.config).await {
        Ok(app) => app,
        Err(error) => return start_failed(&error),
    };
    let mut made = Vec::new();
    let result = app
        .provision(&plan, |user| passwords(user, &given, &mut made))
        .await;
    let done = match result {
        Ok(done) => done,
        Err(failure) => {
            // Users made before it failed have passwords that nobody else knows.
            let code = start_failed(&failure.into());
            print(&outcome(&plan, made), args.json);
            return code;
        }
    };
    made.retain(|user| done.contains(&user.login_id));
    print(&outcome(&plan, made), args.json);
    DONE
}

fn outcome(plan: &Plan, users_made: Vec<Made>) -> Outcome {
    let users: usize = plan
        .contracts
        .iter()
        .map(|contract| contract.users.len())
        .sum();
    Outcome {
        service_id: plan.service.id.clone(),
        users_kept: users.saturating_sub(users_made.len()),
        users_made,
    }
}

fn read(path: &std::path::Path) -> Result<Zeroizing<String>, String> {
    let mut text = Zeroizing::new(String::new());
    let read = if path.as_os_str() == "-" {
        std::io::stdin()
            .take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
    };
    match read {
        Ok(length) if length as u64 > FILE_BYTES_MAX => {
            Err(format!("longer than {FILE_BYTES_MAX} bytes"))
        }
        Ok(_) => Ok(text),
        Err(error) => Err(error.to_string()),
    }
}

fn parse(text: &str) -> Result<(Plan, Given), String> {
    // The parser's full text quotes lines of the file, which may hold passwords: only its message.
    let file: File = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| {
            text.bytes()
                .take(span.start)
                .filter(|&byte| byte == b'\n')
                .count()
                + 1
        });
        format!("line {line}: {}", error.message())
    })?;
    let mut given = Given::new();
    let contracts = file
        .contracts
        .into_iter()
        .map(|contract| ContractPlan {
            name: contract.name,
            users: contract
                .users
                .into_iter()
                .map(|user| {
                    given.insert(
                        user.login_id.clone(),
                        (user.password, user.confirmation_password),
                    );
                    UserPlan {
                        login_id: user.login_id,
                        name: user.name,
                        role: user.role,
                        language: user.language,
                    }
                })
                .collect(),
        })
        .collect();
    let service = file.service;
    let plan = Plan {
        service: ServicePlan {
            policy: policy(service.profile, service.policy)?,
            id: service.id,
            name_ja: service.name_ja,
            name_en: service.name_en,
            time_zone: service.time_zone,
            help_desk: service.help_desk,
        },
        contracts,
    };
    plan.check().map_err(|error| error.to_string())?;
    Ok((plan, given))
}

/// The profile's policy with single rules changed.
fn policy(profile: FileProfile, changes: toml::Table) -> Result<Policy, String> {
    let profile = match profile {
        FileProfile::Manual => Policy::manual(),
        FileProfile::Strict => Policy::strict(),
    };
    let wrong = |problem: &dyn std::fmt::Display| format!("service.policy: {problem}");
    let mut table = toml::Table::try_from(&profile).map_err(|error| wrong(&error))?;
    lay_over(&mut table, changes);
    table
        .try_into()
        .map_err(|error: toml::de::Error| wrong(&error.message()))
}

fn lay_over(table: &mut toml::Table, changes: toml::Table) {
    for (name, change) in changes {
        match (table.get_mut(&name), change) {
            (Some(toml::Value::Table(inner)), toml::Value::Table(change)) => {
                lay_over(inner, change);
            }
            (_, change) => {
                table.insert(name, change);
            }
        }
    }
}

fn passwords(user: &UserPlan, given: &Given, made: &mut Vec<Made>) -> NewPasswords {
    let (password, confirmation) = given.get(&user.login_id).cloned().unwrap_or_default();
    let generated = |given: &Option<Zeroizing<String>>| {
        given
            .is_none()
            .then(|| words::password(PASSWORD_WORDS, &mut system_rng()))
    };
    let new = Made {
        login_id: user.login_id.clone(),
        role: user.role,
        password: generated(&password),
        confirmation_password: generated(&confirmation),
    };
    let chosen = |given: Option<Zeroizing<String>>, generated: &Option<Zeroizing<String>>| {
        Password::new(
            given
                .or_else(|| generated.clone())
                .as_deref()
                .cloned()
                .unwrap_or_default(),
        )
    };
    let passwords = NewPasswords {
        password: chosen(password, &new.password),
        confirmation_password: chosen(confirmation, &new.confirmation_password),
    };
    made.push(new);
    passwords
}

fn print(outcome: &Outcome, json: bool) {
    if json {
        match serde_json::to_string_pretty(outcome) {
            Ok(text) => println!("{text}"),
            Err(error) => eprintln!("warifu: the result could not be written as JSON: {error}"),
        }
        return;
    }
    println!(
        "service {}: {} users made, {} kept",
        outcome.service_id,
        outcome.users_made.len(),
        outcome.users_kept
    );
    let text = |password: &Option<Zeroizing<String>>| {
        password.as_ref().map_or_else(
            || "(as in the file)".to_owned(),
            |password| password.to_string(),
        )
    };
    for user in &outcome.users_made {
        println!(
            "  {}  {}  password {}  confirmation password {}",
            user.login_id,
            user.role.as_str(),
            text(&user.password),
            text(&user.confirmation_password)
        );
    }
    if outcome
        .users_made
        .iter()
        .any(|user| user.password.is_some() || user.confirmation_password.is_some())
    {
        println!("The passwords are shown this once. Hand them over by a safe way.");
    }
}

#[cfg(test)]
mod tests {
    use warifu_core::time::DAY_MS;

    use super::*;

    #[test]
    fn the_file_of_the_help_is_taken_with_its_rules() {
        let file: Vec<_> = EXAMPLE
            .lines()
            .filter(|line| line.starts_with("  "))
            .collect();
        let (plan, _) = parse(&file.join("\n")).unwrap();
        let policy = plan.service.policy;
        assert_eq!(policy.wrong_codes_max, 4);
        assert_eq!(policy.token_lives_ms, 365 * DAY_MS);
        assert_eq!(policy.renewal_opens_ms, 30 * DAY_MS);
        assert_eq!(policy.run_max, Policy::manual().run_max);
    }

    #[test]
    fn a_life_that_no_token_may_have_is_refused_by_name() {
        let file = EXAMPLE.replace("31_536_000_000", "1000");
        let file: Vec<_> = file.lines().filter(|line| line.starts_with("  ")).collect();
        let refused = parse(&file.join("\n")).err().unwrap();
        assert!(refused.contains("token_lives_ms"), "{refused}");
    }
}
