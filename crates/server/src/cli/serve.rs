//! `warifu serve`.

use clap::Args;

use super::{ConfigArgs, DONE, FAILED, start_failed};
use crate::config::{Config, MailCheck, check};
use crate::startup::{self, StartError};
use crate::telemetry;

const EXAMPLE: &str = "\
A flag wins over the environment, the environment over the file, the file over the default.
A variable is named after its setting: WARIFU_MAIL_SMTP_HOST for host in [mail.smtp].

A configuration that is enough:
  public_url = \"https://otp.bank.example\"
  root_key = \"root.key\"
  trusted_proxies = [\"127.0.0.1\"]

  [database]
  url = \"warifu.db\"                # or postgres://warifu@db.bank.example/warifu

  [mail]
  from = \"Bank <otp@bank.example>\"

  [mail.smtp]
  host = \"smtp.bank.example\"       # STARTTLS on port 587
  username = \"otp\"
  password_file = \"smtp-password\"";

/// Run the service
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only look at the configuration and what it names, change nothing, and leave with 0 (sound) or 1
    #[arg(long)]
    check: bool,
    /// As --check, and contact the mail server too (no mail is sent)
    #[arg(long)]
    check_mail: bool,
    /// Only print the effective configuration, without secrets
    #[arg(long, conflicts_with_all = ["check", "check_mail"])]
    print_config: bool,
}

/// Runs the command.
pub async fn run(args: ServeArgs) -> u8 {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    if args.print_config {
        print!("{}", loaded.printed());
        return DONE;
    }
    if args.check || args.check_mail {
        let mail = if args.check_mail {
            MailCheck::Contact
        } else {
            MailCheck::Leave
        };
        return print_check(&loaded.config, mail).await;
    }
    telemetry::start(loaded.config.log);
    match serve(&loaded.config).await {
        Ok(()) => DONE,
        Err(error) => start_failed(&error),
    }
}

async fn serve(config: &Config) -> Result<(), StartError> {
    let app = startup::open_app(config).await?;
    let listener = startup::listen(config.listen).await?;
    startup::run(app, config, listener, None).await
}

async fn print_check(config: &Config, mail: MailCheck) -> u8 {
    let lines = check(config, mail).await;
    for line in &lines {
        println!(
            "{} {}",
            if line.sound { "ok    " } else { "BROKEN" },
            line.found
        );
    }
    if lines.iter().all(|line| line.sound) {
        DONE
    } else {
        FAILED
    }
}
