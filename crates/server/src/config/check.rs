//! `warifu serve --check`: looks at what the settings name, without changing anything.

use std::path::Path;

use warifu_store::{DatabaseConfig, Store};

use super::Config;
use crate::mail::Mailer;

/// Whether the mail server is contacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailCheck {
    /// No: the server also starts without it (R95).
    Leave,
    /// Yes: connect, encrypt, sign in, leave again. No mail is sent.
    Contact,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckLine {
    /// Whether the server would start with it.
    pub sound: bool,
    /// What was looked at and found, in one line, without secrets.
    pub found: String,
}

impl CheckLine {
    fn sound(found: impl Into<String>) -> Self {
        Self {
            sound: true,
            found: found.into(),
        }
    }

    fn broken(found: impl Into<String>) -> Self {
        Self {
            sound: false,
            found: found.into(),
        }
    }
}

/// Looks at the root key's file, the database with its schema, and the way of the mails.
pub async fn check(config: &Config, mail: MailCheck) -> Vec<CheckLine> {
    let mut lines = vec![CheckLine::sound(format!(
        "listens on {}, reached as {}",
        config.listen, config.public_url
    ))];
    if config.public_url.is_https() && config.trusted_proxies.is_empty() {
        lines.push(CheckLine::sound(
            "no trusted_proxies: behind a proxy, all visitors will look like one to the limits on sign-in",
        ));
    }
    lines.push(match warifu_vault::Root::load(&config.root_key) {
        Ok(_) => CheckLine::sound(format!("root key: {}", config.root_key.display())),
        Err(error) => CheckLine::broken(error.to_string()),
    });
    lines.push(check_database(&config.database).await);
    lines.push(check_mail(config, mail).await);
    lines
}

async fn check_database(database: &DatabaseConfig) -> CheckLine {
    let name = match database {
        DatabaseConfig::Sqlite { path } => {
            // Opening would make the file.
            if !path.exists() {
                return check_missing_file(path);
            }
            format!("database: SQLite, {}", path.display())
        }
        DatabaseConfig::Postgres(_) => "database: PostgreSQL".to_owned(),
    };
    let looked = async {
        let store = Store::open(database).await?;
        store.ping().await?;
        store.check_schema().await
    };
    match looked.await {
        Ok(()) => CheckLine::sound(format!("{name}, schema up to date")),
        Err(warifu_store::StoreError::SchemaBehind { found, known }) => CheckLine::sound(format!(
            "{name}, schema at {found}: will be brought to {known} at start"
        )),
        Err(error) => CheckLine::broken(format!("{name}: {error}")),
    }
}

fn check_missing_file(path: &Path) -> CheckLine {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if folder.is_dir() {
        CheckLine::sound(format!(
            "database: SQLite, {} will be made at start",
            path.display()
        ))
    } else {
        CheckLine::broken(format!("database: there is no folder {}", folder.display()))
    }
}

async fn check_mail(config: &Config, mail: MailCheck) -> CheckLine {
    let name = config.mail.described();
    let mailer = match Mailer::open(&config.mail) {
        Ok(mailer) => mailer,
        Err(error) => return CheckLine::broken(format!("{name}: {error}")),
    };
    match mail {
        MailCheck::Leave => CheckLine::sound(format!("{name} (not contacted; --check-mail does)")),
        MailCheck::Contact => match mailer.check().await {
            Ok(()) => CheckLine::sound(format!("{name}, answers")),
            Err(error) => CheckLine::broken(format!("{name}: {error}")),
        },
    }
}
