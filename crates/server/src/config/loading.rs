//! From file, environment and flags to [`Config`]: gathers what was given with where it was given, then reads each setting.
//! All problems are found in one go.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use warifu_store::{DatabaseConfig, PostgresConfig};
use zeroize::Zeroizing;

use super::settings::{self, ENVIRONMENT_PREFIX, Kind, OTHER_VARIABLES, SETTINGS, Setting};
use super::{Config, Limits, PublicUrl, StoreLinks, is_loopback};
use crate::mail::{self, Credentials, MailConfig, Route, Secret, Security, SmtpConfig};
use crate::telemetry::{LogConfig, LogFormat};
use crate::web::caller::TrustedProxies;

/// The longest configuration file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Where settings come from.
#[derive(Default)]
pub struct Inputs<'a> {
    /// The TOML file, if there is one.
    pub file: Option<&'a Path>,
    /// The environment. Only names that start with `WARIFU_` are looked at.
    pub environment: Vec<(String, String)>,
    /// What flags say, by the setting's name.
    pub flags: Vec<(&'static str, String)>,
}

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody said otherwise.
    Default,
    /// The file.
    File(PathBuf),
    /// The variable of this name.
    Environment(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment, {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// One thing that is wrong with the settings; says which, where it was given, and what it has to be. Never the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(String);

/// Everything that is wrong with the settings, at least one [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The settings, and where each was given.
pub struct Loaded {
    /// The settings.
    pub config: Config,
    given: Given,
}

impl Loaded {
    /// The effective settings as a TOML file, each with where it came from, without secrets.
    #[must_use]
    pub fn printed(&self) -> String {
        use fmt::Write as _;
        let mut out = String::new();
        for setting in &SETTINGS {
            // Writing to a String does not fail.
            let _ = match self.given.values.get(setting.key) {
                Some(value) if setting.secret => {
                    writeln!(
                        out,
                        "# {} is set and not shown ({})",
                        setting.key, value.source
                    )
                }
                Some(value) => writeln!(
                    out,
                    "{} = {} # {}",
                    setting.key,
                    shown(setting, value),
                    value.source
                ),
                None => writeln!(out, "# {} is not set", setting.key),
            };
        }
        out
    }
}

fn shown(setting: &Setting, value: &Value) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    match setting.kind {
        Kind::List => {
            let items: Vec<_> = value.items().map(quoted).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Count(..) => value.text.to_string(),
        Kind::Text | Kind::Path if setting.key == settings::DATABASE_URL.key => {
            quoted(&without_password(&value.text))
        }
        Kind::Text | Kind::Path => quoted(&value.text),
    }
}

/// An address of a database with its password struck out.
fn without_password(url: &str) -> String {
    let hidden = "hidden";
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    // libpq also takes the password as a parameter.
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let address = match address.rsplit_once('@') {
        Some((user, hosts)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{hidden}@{hosts}"),
            None => address.to_owned(),
        },
        None => address.to_owned(),
    };
    let parameters: Vec<_> = parameters
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, _)) if name.contains("pass") => format!("{name}={hidden}"),
            _ => part.to_owned(),
        })
        .collect();
    let question = if parameters.is_empty() { "" } else { "?" };
    format!("{scheme}://{address}{question}{}", parameters.join("&"))
}

/// A value as it was given. Lists keep their items apart by a character that no item holds.
struct Value {
    text: Zeroizing<String>,
    source: Source,
}

const ITEM_END: char = '\u{1f}';

impl Value {
    fn items(&self) -> impl Iterator<Item = &str> {
        self.text.split(ITEM_END).filter(|item| !item.is_empty())
    }
}

#[derive(Default)]
struct Given {
    values: BTreeMap<&'static str, Value>,
    problems: Vec<Problem>,
}

/// Reads and checks all settings.
///
/// # Errors
/// [`Problems`], all of them at once.
pub fn load(inputs: &Inputs<'_>) -> Result<Loaded, Problems> {
    let mut given = Given::default();
    for setting in &SETTINGS {
        if let Some(default) = setting.default {
            given.take(setting, default.to_owned(), Source::Default);
        }
    }
    if let Some(path) = inputs.file {
        given.take_file(path);
    }
    given.take_environment(&inputs.environment);
    for (key, text) in &inputs.flags {
        if let Some(setting) = settings::known(key) {
            given.take(setting, text.clone(), Source::Flag);
        }
    }
    let config = given.read();
    match config {
        Some(config) if given.problems.is_empty() => Ok(Loaded { config, given }),
        _ => Err(Problems(given.problems)),
    }
}

impl Given {
    fn take(&mut self, setting: &'static Setting, text: String, source: Source) {
        self.values.insert(
            setting.key,
            Value {
                text: Zeroizing::new(text),
                source,
            },
        );
    }

    fn problem(&mut self, text: String) {
        self.problems.push(Problem(text));
    }

    fn take_file(&mut self, path: &Path) {
        let shown = path.display();
        let read = std::fs::metadata(path).and_then(|metadata| {
            if metadata.len() > FILE_BYTES_MAX {
                return Err(std::io::Error::other("it is too long for a configuration"));
            }
            std::fs::read_to_string(path).map(Zeroizing::new)
        });
        let text = match read {
            Ok(text) => text,
            Err(error) => return self.problem(format!("{shown}: cannot be read: {error}")),
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.take_table("", table, path),
            Err(error) => {
                // Only the message: the parser's full text quotes the line, which may hold a secret.
                let line = error.span().map_or(1, |span| {
                    text.as_bytes()
                        .iter()
                        .take(span.start)
                        .filter(|&&byte| byte == b'\n')
                        .count()
                        + 1
                });
                self.problem(format!("{shown}, line {line}: {}", error.message()));
            }
        }
    }

    fn take_table(&mut self, prefix: &str, table: toml::Table, path: &Path) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}.{name}")
            };
            let Some(setting) = settings::known(&key) else {
                let starts_known = SETTINGS.iter().any(|setting| {
                    setting
                        .key
                        .strip_prefix(&key)
                        .is_some_and(|rest| rest.starts_with('.'))
                });
                match value {
                    toml::Value::Table(inner) if starts_known => self.take_table(&key, inner, path),
                    _ if starts_known => {
                        self.problem(format!(
                            "{}: `{key}` is a table: write `[{key}]`",
                            path.display()
                        ));
                    }
                    _ => self.unknown(&format!("{}: `{key}`", path.display()), &key, |near| {
                        near.to_owned()
                    }),
                }
                continue;
            };
            let source = Source::File(path.to_owned());
            match (setting.kind, value) {
                (Kind::Text, toml::Value::String(text)) => self.take(setting, text, source),
                (Kind::Path, toml::Value::String(text)) => {
                    let from = path.parent().unwrap_or(Path::new(""));
                    self.take(
                        setting,
                        from.join(text).to_string_lossy().into_owned(),
                        source,
                    );
                }
                (Kind::Count(..), toml::Value::Integer(number)) => {
                    self.take(setting, number.to_string(), source)
                }
                (Kind::List, toml::Value::Array(items))
                    if items.iter().all(toml::Value::is_str) =>
                {
                    let items: Vec<_> = items.iter().filter_map(toml::Value::as_str).collect();
                    self.take(setting, items.join(&ITEM_END.to_string()), source);
                }
                (kind, _) => {
                    let expected = match kind {
                        Kind::Text | Kind::Path => "a text in quotes",
                        Kind::Count(..) => "a whole number without quotes",
                        Kind::List => "a list of texts: [\"…\", \"…\"]",
                    };
                    self.problem(format!("{}: `{key}` must be {expected}", path.display()));
                }
            }
        }
    }

    fn take_environment(&mut self, environment: &[(String, String)]) {
        for (name, text) in environment {
            let ours = name.starts_with(ENVIRONMENT_PREFIX)
                && !OTHER_VARIABLES.iter().any(|other| name.starts_with(other));
            if !ours {
                continue;
            }
            let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == *name) else {
                let key = name[ENVIRONMENT_PREFIX.len()..].to_ascii_lowercase();
                self.unknown(&format!("environment: `{name}`"), &key, |near| {
                    settings::known(near).map_or_else(String::new, Setting::variable)
                });
                continue;
            };
            let text = if setting.kind == Kind::List {
                let items: Vec<_> = text.split(',').map(str::trim).collect();
                items.join(&ITEM_END.to_string())
            } else {
                text.clone()
            };
            self.take(setting, text, Source::Environment(name.clone()));
        }
    }

    fn unknown(&mut self, place: &str, key: &str, spelt: impl Fn(&str) -> String) {
        let hint = settings::nearest(key).map_or_else(String::new, |near| {
            format!("; did you mean `{}`?", spelt(near))
        });
        self.problem(format!("{place} is no setting of this program{hint}"));
    }
}

/// Reading of single settings.
impl Given {
    fn text(&self, setting: &Setting) -> Option<&str> {
        self.values
            .get(setting.key)
            .map(|value| value.text.as_str())
            .filter(|text| !text.is_empty())
    }

    fn path(&self, setting: &Setting) -> Option<PathBuf> {
        self.text(setting).map(PathBuf::from)
    }

    fn wrong(&mut self, setting: &Setting, rule: &str) {
        let source = self
            .values
            .get(setting.key)
            .map_or(Source::Default, |value| value.source.clone());
        self.problem(format!("`{}` ({source}) {rule}", setting.key));
    }

    fn missing(&mut self, setting: &Setting, what: &str) {
        self.problem(format!(
            "`{}` is not set: {what} (file, or {})",
            setting.key,
            setting.variable()
        ));
    }

    fn count(&mut self, setting: &Setting) -> u64 {
        let Kind::Count(from, to) = setting.kind else {
            return 0;
        };
        let Some(text) = self.text(setting) else {
            return from;
        };
        match text.parse() {
            Ok(number) if (from..=to).contains(&number) => number,
            _ => {
                self.wrong(
                    setting,
                    &format!("must be a whole number from {from} to {to}"),
                );
                from
            }
        }
    }

    fn size(&mut self, setting: &Setting) -> usize {
        usize::try_from(self.count(setting)).unwrap_or(usize::MAX)
    }

    fn seconds(&mut self, setting: &Setting) -> Duration {
        Duration::from_secs(self.count(setting))
    }

    fn link(&mut self, setting: &Setting) -> Option<String> {
        let link = self.text(setting)?.to_owned();
        if !link.starts_with("https://") || link.contains(char::is_whitespace) {
            self.wrong(setting, "must be an address that starts with https://");
        }
        Some(link)
    }

    /// All settings; `None` when one that must be there is not. What is wrong is in `problems`.
    fn read(&mut self) -> Option<Config> {
        let listen = self.listen();
        let public_url = self.public_url(listen);
        let database = self.database();
        let root_key = self.path(&settings::ROOT_KEY);
        if root_key.is_none() {
            self.missing(&settings::ROOT_KEY, "name the file that holds the root key");
        }
        let mail = self.mail(public_url.as_ref());
        let trusted_proxies = self.trusted_proxies();
        let log = self.log();
        let links = StoreLinks {
            app_store_url: self.link(&settings::APP_STORE_URL),
            google_play_url: self.link(&settings::GOOGLE_PLAY_URL),
        };
        let limits = Limits {
            body_bytes_max: self.size(&settings::BODY_BYTES_MAX),
            requests_max: self.size(&settings::REQUESTS_MAX),
            connections_max: self.size(&settings::CONNECTIONS_MAX),
            request_timeout: self.seconds(&settings::REQUEST_TIMEOUT),
            header_timeout: self.seconds(&settings::HEADER_TIMEOUT),
            shutdown_timeout: self.seconds(&settings::SHUTDOWN_TIMEOUT),
        };
        Some(Config {
            listen: listen?,
            public_url: public_url?,
            database: database?,
            root_key: root_key?,
            mail: mail?,
            trusted_proxies,
            log,
            links,
            limits,
        })
    }

    fn listen(&mut self) -> Option<SocketAddr> {
        let listen = self
            .text(&settings::LISTEN)
            .and_then(|text| text.parse().ok());
        if listen.is_none() {
            self.wrong(
                &settings::LISTEN,
                "must be ADDRESS:PORT, such as 127.0.0.1:8080 or [::]:8080",
            );
        }
        listen
    }

    fn public_url(&mut self, listen: Option<SocketAddr>) -> Option<PublicUrl> {
        if let Some(text) = self.text(&settings::PUBLIC_URL) {
            let parsed = PublicUrl::parse(text);
            return parsed
                .map_err(|rule| self.wrong(&settings::PUBLIC_URL, rule))
                .ok();
        }
        match listen {
            Some(listen) if listen.ip().is_loopback() && listen.port() != 0 => {
                Some(PublicUrl::loopback(listen))
            }
            _ => {
                self.missing(
                    &settings::PUBLIC_URL,
                    "browsers and apps need the address under which they reach this server",
                );
                None
            }
        }
    }

    fn database(&mut self) -> Option<DatabaseConfig> {
        let pool_max = self.size(&settings::DATABASE_CONNECTIONS_MAX);
        let tls_roots = self.path(&settings::DATABASE_CA_FILE);
        let Some(value) = self
            .values
            .get(settings::DATABASE_URL.key)
            .filter(|value| !value.text.is_empty())
        else {
            self.missing(
                &settings::DATABASE_URL,
                "give the path of an SQLite file, or a postgres:// address",
            );
            return None;
        };
        let url = value.text.as_str();
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let url = url.to_owned();
            if value.source == Source::Flag && without_password(&url) != url {
                self.wrong(
                    &settings::DATABASE_URL,
                    "holds a password, which every user of this machine can see in a flag: put it into the file or the environment",
                );
            }
            return Some(DatabaseConfig::Postgres(PostgresConfig {
                url,
                pool_max,
                tls_roots,
            }));
        }
        if url.contains("://") {
            self.wrong(
                &settings::DATABASE_URL,
                "must be the path of an SQLite file, or start with postgres://",
            );
            return None;
        }
        let path = Path::new(url);
        let path = match &value.source {
            Source::File(file) => file.parent().unwrap_or(Path::new("")).join(path),
            _ => path.to_owned(),
        };
        Some(DatabaseConfig::Sqlite { path })
    }

    fn mail(&mut self, public_url: Option<&PublicUrl>) -> Option<MailConfig> {
        let from = self.text(&settings::MAIL_FROM).map(str::to_owned);
        match &from {
            None => self.missing(
                &settings::MAIL_FROM,
                "give the sender of all mails, such as `Bank <otp@bank.example>`",
            ),
            Some(from) if !mail::is_mailbox(from) => {
                self.wrong(
                    &settings::MAIL_FROM,
                    "must be a mail address, or `Name <address>`",
                );
            }
            Some(_) => {}
        }
        let route = match (
            self.path(&settings::MAIL_EML_DIR),
            self.text(&settings::SMTP_HOST).map(str::to_owned),
        ) {
            (Some(dir), None) => Some(Route::Eml { dir }),
            (None, Some(host)) => self.smtp(host, public_url).map(Route::Smtp),
            (None, None) => {
                self.missing(
                    &settings::SMTP_HOST,
                    "name the server that takes our mails, or a folder with `mail.eml_dir`",
                );
                None
            }
            (Some(_), Some(_)) => {
                self.problem(
                    "`mail.smtp.host` and `mail.eml_dir` are both set: mails go one way only"
                        .to_owned(),
                );
                None
            }
        };
        Some(MailConfig {
            from: from?,
            route: route?,
        })
    }

    fn smtp(&mut self, host: String, public_url: Option<&PublicUrl>) -> Option<SmtpConfig> {
        let security = match self.text(&settings::SMTP_SECURITY) {
            Some("starttls") => Security::StartTls,
            Some("tls") => Security::Tls,
            Some("none") if is_loopback(&host) => Security::None,
            Some("none") => {
                self.wrong(
                    &settings::SMTP_SECURITY,
                    "can only be `none` for a mail server on this machine",
                );
                return None;
            }
            _ => {
                self.wrong(
                    &settings::SMTP_SECURITY,
                    "must be `starttls`, `tls` or `none`",
                );
                return None;
            }
        };
        let port = if self.text(&settings::SMTP_PORT).is_some() {
            u16::try_from(self.count(&settings::SMTP_PORT)).unwrap_or(u16::MAX)
        } else {
            security.default_port()
        };
        Some(SmtpConfig {
            host,
            port,
            security,
            credentials: self.credentials(),
            ca_file: self.path(&settings::SMTP_CA_FILE),
            hello_name: public_url
                .map_or_else(|| "localhost".to_owned(), |url| url.host().to_owned()),
        })
    }

    fn credentials(&mut self) -> Option<Credentials> {
        let username = self.text(&settings::SMTP_USERNAME).map(str::to_owned);
        let password = self
            .text(&settings::SMTP_PASSWORD)
            .map(|text| Secret::new(text.to_owned()));
        let file = self.path(&settings::SMTP_PASSWORD_FILE);
        let password = match (password, file) {
            (Some(_), Some(_)) => {
                self.problem(
                    "`mail.smtp.password` and `mail.smtp.password_file` are both set: keep one"
                        .to_owned(),
                );
                None
            }
            (None, Some(file)) => match Secret::read(&file) {
                Ok(secret) => Some(secret),
                Err(error) => {
                    self.wrong(
                        &settings::SMTP_PASSWORD_FILE,
                        &format!("cannot be read: {}: {error}", file.display()),
                    );
                    None
                }
            },
            (given, None) => given,
        };
        match (username, password) {
            (Some(username), Some(password)) => Some(Credentials { username, password }),
            (Some(_), None) if self.problems.is_empty() => {
                self.missing(
                    &settings::SMTP_PASSWORD,
                    "the mail server's user has no password",
                );
                None
            }
            (None, Some(_)) => {
                self.missing(
                    &settings::SMTP_USERNAME,
                    "there is a password for the mail server, but no user",
                );
                None
            }
            _ => None,
        }
    }

    fn trusted_proxies(&mut self) -> TrustedProxies {
        let parsed = self
            .values
            .get(settings::TRUSTED_PROXIES.key)
            .map(|value| value.items().map(str::to_owned).collect::<Vec<_>>())
            .unwrap_or_default();
        TrustedProxies::parse(&parsed).unwrap_or_else(|rule| {
            self.wrong(&settings::TRUSTED_PROXIES, &rule);
            TrustedProxies::default()
        })
    }

    fn log(&mut self) -> LogConfig {
        let level = self
            .text(&settings::LOG_LEVEL)
            .and_then(LogConfig::parse_level);
        if level.is_none() {
            self.wrong(
                &settings::LOG_LEVEL,
                "must be `error`, `warn`, `info`, `debug` or `trace`",
            );
        }
        let format = match self.text(&settings::LOG_FORMAT) {
            Some("json") => LogFormat::Json,
            Some("text") => LogFormat::Text,
            _ => {
                self.wrong(&settings::LOG_FORMAT, "must be `text` or `json`");
                LogFormat::Text
            }
        };
        LogConfig {
            level: level.unwrap_or(tracing::Level::INFO),
            format,
        }
    }
}
