//! The list of all settings: their names, what they hold, and what they are when nobody says. One list serves the file, the
//! environment, the flags, the printed configuration and the search for the nearest name.

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any text, checked where it is used.
    Text,
    /// A file or folder. In the file it is meant from the file's own folder.
    Path,
    /// A whole number from the first to the second.
    Count(u64, u64),
    /// A list of texts; in the environment, separated by commas.
    List,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// Its name in the file, with the table's name before the dot.
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    pub(super) default: Option<&'static str>,
    /// Never printed.
    pub(super) secret: bool,
}

impl Setting {
    /// The name in the environment: `WARIFU_MAIL_SMTP_HOST` for `mail.smtp.host`.
    pub(super) fn variable(&self) -> String {
        format!(
            "{ENVIRONMENT_PREFIX}{}",
            self.key.replace('.', "_").to_ascii_uppercase()
        )
    }
}

/// What every variable of the environment that is ours starts with.
pub(super) const ENVIRONMENT_PREFIX: &str = "WARIFU_";

/// Variables with our prefix that are no settings: they belong to the command line (`WARIFU_CONFIG`), to the authenticator and
/// to the tests.
pub(super) const OTHER_VARIABLES: [&str; 3] =
    ["WARIFU_CONFIG", "WARIFU_AUTHENTICATOR_", "WARIFU_TEST_"];

const fn text(key: &'static str) -> Setting {
    Setting {
        key,
        kind: Kind::Text,
        default: None,
        secret: false,
    }
}

const fn path(key: &'static str) -> Setting {
    Setting {
        key,
        kind: Kind::Path,
        default: None,
        secret: false,
    }
}

const fn secret(key: &'static str) -> Setting {
    Setting {
        key,
        kind: Kind::Text,
        default: None,
        secret: true,
    }
}

const fn or(setting: Setting, default: &'static str) -> Setting {
    Setting {
        key: setting.key,
        kind: setting.kind,
        default: Some(default),
        secret: setting.secret,
    }
}

const fn count(key: &'static str, default: &'static str, from: u64, to: u64) -> Setting {
    Setting {
        key,
        kind: Kind::Count(from, to),
        default: Some(default),
        secret: false,
    }
}

pub(super) const LISTEN: Setting = or(text("listen"), "127.0.0.1:8080");
pub(super) const PUBLIC_URL: Setting = text("public_url");
pub(super) const ROOT_KEY: Setting = path("root_key");
/// The path of an SQLite file, or an address of PostgreSQL. Printed without the password in it.
pub(super) const DATABASE_URL: Setting = text("database.url");
pub(super) const DATABASE_CONNECTIONS_MAX: Setting =
    count("database.connections_max", "16", 1, 1000);
pub(super) const DATABASE_CA_FILE: Setting = path("database.ca_file");
pub(super) const MAIL_FROM: Setting = text("mail.from");
pub(super) const MAIL_EML_DIR: Setting = path("mail.eml_dir");
pub(super) const SMTP_HOST: Setting = text("mail.smtp.host");
/// Without one: 587 for `starttls`, 465 for `tls`, 25 for `none`.
pub(super) const SMTP_PORT: Setting = Setting {
    key: "mail.smtp.port",
    kind: Kind::Count(1, 65535),
    default: None,
    secret: false,
};
pub(super) const SMTP_SECURITY: Setting = or(text("mail.smtp.security"), "starttls");
pub(super) const SMTP_USERNAME: Setting = text("mail.smtp.username");
pub(super) const SMTP_PASSWORD: Setting = secret("mail.smtp.password");
pub(super) const SMTP_PASSWORD_FILE: Setting = path("mail.smtp.password_file");
pub(super) const SMTP_CA_FILE: Setting = path("mail.smtp.ca_file");
pub(super) const TRUSTED_PROXIES: Setting = Setting {
    key: "trusted_proxies",
    kind: Kind::List,
    default: Some(""),
    secret: false,
};
/// Networks that are not public and may hold endpoints of webhooks all the same.
pub(super) const WEBHOOKS_ALLOW_PRIVATE: Setting = Setting {
    key: "webhooks.allow_private",
    kind: Kind::List,
    default: Some(""),
    secret: false,
};
pub(super) const WEBHOOKS_CA_FILE: Setting = path("webhooks.ca_file");
/// A claim on a delivery outlives it.
pub(super) const WEBHOOKS_TIMEOUT: Setting = count("webhooks.timeout_s", "20", 1, 60);
pub(super) const TLS_CERTIFICATE_FILE: Setting = path("tls.certificate_file");
pub(super) const TLS_KEY_FILE: Setting = path("tls.key_file");
pub(super) const METRICS_LISTEN: Setting = text("metrics.listen");
/// `private`: loopback and private addresses only; `anywhere`: whatever is asked for.
pub(super) const METRICS_REACH: Setting = or(text("metrics.reach"), "private");
pub(super) const LOG_LEVEL: Setting = or(text("log.level"), "info");
pub(super) const LOG_FORMAT: Setting = or(text("log.format"), "text");
/// `compared`: codes are judged while the clock is that of the database's server and not before what is recorded; `trusted`: whatever those say.
pub(super) const CLOCK: Setting = or(text("clock"), "compared");
/// `shared`: the system decides; `divided`: verification has the last one, connections the others.
pub(super) const PROCESSORS: Setting = or(text("processors"), "shared");
pub(super) const APP_STORE_URL: Setting = text("links.app_store_url");
pub(super) const GOOGLE_PLAY_URL: Setting = text("links.google_play_url");
pub(super) const BODY_BYTES_MAX: Setting =
    count("limits.body_bytes_max", "65536", 16 * 1024, 1024 * 1024);
pub(super) const REQUESTS_MAX: Setting = count("limits.requests_max", "256", 1, 65536);
pub(super) const CONNECTIONS_MAX: Setting = count("limits.connections_max", "8192", 1, 1_000_000);
pub(super) const REQUEST_TIMEOUT: Setting = count("limits.request_timeout_s", "30", 1, 300);
pub(super) const HEADER_TIMEOUT: Setting = count("limits.header_timeout_s", "10", 1, 120);
pub(super) const SHUTDOWN_TIMEOUT: Setting = count("limits.shutdown_timeout_s", "20", 1, 300);
pub(super) const DRAIN: Setting = count("limits.drain_s", "0", 0, 120);

/// All of them, in the order in which they are printed.
pub(super) const SETTINGS: [Setting; 36] = [
    LISTEN,
    PUBLIC_URL,
    ROOT_KEY,
    DATABASE_URL,
    DATABASE_CONNECTIONS_MAX,
    DATABASE_CA_FILE,
    MAIL_FROM,
    MAIL_EML_DIR,
    SMTP_HOST,
    SMTP_PORT,
    SMTP_SECURITY,
    SMTP_USERNAME,
    SMTP_PASSWORD,
    SMTP_PASSWORD_FILE,
    SMTP_CA_FILE,
    TRUSTED_PROXIES,
    CLOCK,
    PROCESSORS,
    WEBHOOKS_ALLOW_PRIVATE,
    WEBHOOKS_CA_FILE,
    WEBHOOKS_TIMEOUT,
    TLS_CERTIFICATE_FILE,
    TLS_KEY_FILE,
    METRICS_LISTEN,
    METRICS_REACH,
    LOG_LEVEL,
    LOG_FORMAT,
    APP_STORE_URL,
    GOOGLE_PLAY_URL,
    BODY_BYTES_MAX,
    REQUESTS_MAX,
    CONNECTIONS_MAX,
    REQUEST_TIMEOUT,
    HEADER_TIMEOUT,
    SHUTDOWN_TIMEOUT,
    DRAIN,
];

/// The known setting of this name.
pub(super) fn known(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

/// The known name that is most like `key`, if any is like it at all.
pub(super) fn nearest(key: &str) -> Option<&'static str> {
    // People forget the table as often as they misspell the name.
    let likeness = |setting: &Setting| {
        let last = setting.key.rsplit('.').next().unwrap_or(setting.key);
        strsim::jaro_winkler(setting.key, key).max(strsim::jaro_winkler(last, key) * 0.99)
    };
    SETTINGS
        .iter()
        .map(|setting| (likeness(setting), setting.key))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}
