//! `warifu serve --check`: looks at what the settings name, without changing anything.

use std::path::Path;

use warifu_store::{DatabaseConfig, Store, StoreError};
use warifu_vault::Root;

use super::{Config, PublicUrl};
use crate::app::{Failure, keys};
use crate::clock::Clock;
use crate::mail::Mailer;
use crate::tls::{Tls, TlsFiles, day};

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
    let plain = config.public_url.is_https() && config.tls.is_none();
    if plain && config.trusted_proxies.is_empty() {
        lines.push(CheckLine::sound(
            "no trusted_proxies: behind a proxy, all visitors will look like one to the limits on sign-in",
        ));
    }
    if let Some(files) = &config.tls {
        lines.extend(check_tls(files, &config.public_url));
    }
    if let Some(listen) = config.metrics_listen {
        lines.push(CheckLine::sound(format!(
            "metrics and health: http://{listen}, without TLS"
        )));
    }
    lines.extend(check_data(config).await);
    lines.push(check_mail(config, mail).await);
    lines
}

/// The pair, its names and its end.
fn check_tls(files: &TlsFiles, public_url: &PublicUrl) -> Vec<CheckLine> {
    let tls = match Tls::open(files.clone()) {
        Ok(tls) => tls,
        Err(error) => return vec![CheckLine::broken(format!("TLS: {error}"))],
    };
    let found = tls.validity();
    let shown = files.certificate.display();
    let mut lines = vec![CheckLine::sound(format!(
        "TLS: {shown} for {}, until {}",
        found.names.join(" "),
        day(found.ends_at)
    ))];
    let now = Clock::system().now();
    if found.ends_at <= now || now < found.begins_at {
        lines.push(CheckLine::broken(format!(
            "TLS: {shown} is not valid now: from {} until {}",
            day(found.begins_at),
            day(found.ends_at)
        )));
    }
    let host = public_url.host().trim_matches(['[', ']']);
    if !found.is_for(host) {
        lines.push(CheckLine::broken(format!(
            "TLS: {shown} is not for {host}, the host of public_url"
        )));
    }
    lines
}

/// The database, and whether the root key is the one of its data.
async fn check_data(config: &Config) -> [CheckLine; 2] {
    let (database, data) = check_database(&config.database).await;
    [database, check_root_key(&config.root_key, data).await]
}

/// What is known of the data, for the root key's sake.
enum Data {
    /// There is none yet: a start would make the root key too.
    None,
    /// Keys were made for it.
    Keyed(Store),
    /// It could not be looked at.
    Unknown,
}

async fn check_database(database: &DatabaseConfig) -> (CheckLine, Data) {
    let name = match database {
        DatabaseConfig::Sqlite { path } => {
            // Opening would make the file.
            if !path.exists() {
                return (check_missing(path, "database: SQLite,"), Data::None);
            }
            format!("database: SQLite, {}", path.display())
        }
        DatabaseConfig::Postgres(_) => "database: PostgreSQL".to_owned(),
    };
    match look_into(database).await {
        Ok((state, data)) => (CheckLine::sound(format!("{name}, {state}")), data),
        Err(failure) => (
            CheckLine::broken(format!("{name}: {failure}")),
            Data::Unknown,
        ),
    }
}

async fn look_into(database: &DatabaseConfig) -> Result<(String, Data), Failure> {
    let store = Store::open(database).await?;
    let state = match store.check_schema().await {
        Ok(()) => "schema up to date".to_owned(),
        Err(StoreError::SchemaBehind { found: 0, .. }) => {
            return Ok(("empty".to_owned(), Data::None));
        }
        Err(StoreError::SchemaBehind { found, known }) => {
            format!("schema at {found}: will be brought to {known} at start")
        }
        Err(error) => return Err(error.into()),
    };
    let data = if keys::is_installed(&store).await? {
        Data::Keyed(store)
    } else {
        Data::None
    };
    Ok((state, data))
}

async fn check_root_key(path: &Path, data: Data) -> CheckLine {
    if matches!(data, Data::None) && !path.exists() {
        return check_missing(path, "root key:");
    }
    let proved = async {
        let root = Root::load(path)?;
        match &data {
            Data::Keyed(store) => keys::prove(store, &root).await,
            Data::None | Data::Unknown => Ok(()),
        }
    };
    match (proved.await, &data) {
        (Ok(()), Data::Keyed(_)) => {
            CheckLine::sound(format!("root key: {}, opens the data", path.display()))
        }
        (Ok(()), _) => CheckLine::sound(format!("root key: {}", path.display())),
        (Err(failure), _) => CheckLine::broken(format!("root key: {failure}")),
    }
}

fn check_missing(path: &Path, what: &str) -> CheckLine {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if folder.is_dir() {
        CheckLine::sound(format!("{what} {} will be made at start", path.display()))
    } else {
        CheckLine::broken(format!("{what} there is no folder {}", folder.display()))
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
