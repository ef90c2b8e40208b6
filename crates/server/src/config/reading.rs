//! From what was given to [`Config`]: what each setting has to be, and the sentence when it is not.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum as _;
use warifu_store::{DatabaseConfig, PostgresConfig};

use super::loading::{Given, Source, without_password};
use super::settings::{self, Kind, Setting};
use super::{Config, Limits, PublicUrl, StoreLinks, is_loopback};
use crate::clock::ClockTrust;
use crate::mail::{self, Credentials, MailConfig, Route, Secret, Security, SmtpConfig};
use crate::processors::Processors;
use crate::telemetry::{LogConfig, LogFormat};
use crate::tls::TlsFiles;
use crate::web::caller::TrustedProxies;
use crate::webhook::{AllowedNetworks, WebhookConfig};

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
    pub(super) fn read(&mut self) -> Option<Config> {
        let listen = self.listen();
        let public_url = self.public_url(listen);
        let database = self.database();
        let root_key = self.path(&settings::ROOT_KEY);
        if root_key.is_none() {
            self.missing(&settings::ROOT_KEY, "name the file that holds the root key");
        }
        let mail = self.mail(public_url.as_ref());
        let trusted_proxies = self.trusted_proxies();
        let webhooks = self.webhooks();
        let log = self.log();
        let tls = self.tls();
        let metrics_listen = self.metrics_listen();
        let clock = self.clock();
        let processors = self.processors();
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
            drain: self.seconds(&settings::DRAIN),
        };
        Some(Config {
            listen: listen?,
            public_url: public_url?,
            database: database?,
            root_key: root_key?,
            mail: mail?,
            trusted_proxies,
            webhooks,
            tls,
            metrics_listen,
            log,
            links,
            clock,
            processors,
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

    fn items(&self, setting: &Setting) -> Vec<String> {
        self.values
            .get(setting.key)
            .map(|value| value.items().map(str::to_owned).collect())
            .unwrap_or_default()
    }

    fn trusted_proxies(&mut self) -> TrustedProxies {
        let items = self.items(&settings::TRUSTED_PROXIES);
        TrustedProxies::parse(&items).unwrap_or_else(|rule| {
            self.wrong(&settings::TRUSTED_PROXIES, &rule);
            TrustedProxies::default()
        })
    }

    fn clock(&mut self) -> ClockTrust {
        let text = self.text(&settings::CLOCK).unwrap_or_default();
        ClockTrust::from_str(text, false).unwrap_or_else(|_| {
            self.wrong(&settings::CLOCK, "must be `compared` or `trusted`");
            ClockTrust::default()
        })
    }

    fn processors(&mut self) -> Processors {
        let text = self.text(&settings::PROCESSORS).unwrap_or_default();
        Processors::from_str(text, false).unwrap_or_else(|_| {
            self.wrong(&settings::PROCESSORS, "must be `shared` or `divided`");
            Processors::default()
        })
    }

    fn webhooks(&mut self) -> WebhookConfig {
        let items = self.items(&settings::WEBHOOKS_ALLOW_PRIVATE);
        WebhookConfig {
            allow_private: AllowedNetworks::parse(&items).unwrap_or_else(|rule| {
                self.wrong(&settings::WEBHOOKS_ALLOW_PRIVATE, &rule);
                AllowedNetworks::default()
            }),
            ca_file: self.path(&settings::WEBHOOKS_CA_FILE),
            timeout: self.seconds(&settings::WEBHOOKS_TIMEOUT),
        }
    }

    fn tls(&mut self) -> Option<TlsFiles> {
        match (
            self.path(&settings::TLS_CERTIFICATE_FILE),
            self.path(&settings::TLS_KEY_FILE),
        ) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (Some(_), None) => {
                self.missing(&settings::TLS_KEY_FILE, "the certificate has no key");
                None
            }
            (None, Some(_)) => {
                self.missing(
                    &settings::TLS_CERTIFICATE_FILE,
                    "the key has no certificate",
                );
                None
            }
            (None, None) => None,
        }
    }

    fn metrics_listen(&mut self) -> Option<SocketAddr> {
        let anywhere = match self.text(&settings::METRICS_REACH) {
            Some("private") => false,
            Some("anywhere") => true,
            _ => {
                self.wrong(&settings::METRICS_REACH, "must be `private` or `anywhere`");
                false
            }
        };
        let text = self.text(&settings::METRICS_LISTEN)?;
        let Ok(listen) = text.parse::<SocketAddr>() else {
            self.wrong(
                &settings::METRICS_LISTEN,
                "must be ADDRESS:PORT, such as 127.0.0.1:9464",
            );
            return None;
        };
        if !anywhere && !is_private(listen.ip()) {
            self.wrong(
                &settings::METRICS_LISTEN,
                "must be a loopback or private address; to listen elsewhere, set metrics.reach = \"anywhere\"",
            );
        }
        Some(listen)
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

/// Whether only this machine or its own networks reach the address. One that stands for all addresses of the machine is not.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            address.is_loopback() || address.is_private() || address.is_link_local()
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}
