//! The demo: a made-up bank and a company with eight people, all in one folder. Nothing leaves the machine.
//!
//! The folder holds the database, the root key, the mails, and `demo.json`, which other programs read:
//! `{"base_url", "service_id", "mail_dir", "users": [{"login_id", "role", "password", "confirmation_password"}], "api": {"url", "key"}}`.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use warifu_core::id::ServiceId;
use warifu_core::relying::Scopes;
use warifu_core::service::Policy;
use warifu_core::user::{Language, Role};
use warifu_store::DatabaseConfig;
use zeroize::Zeroizing;

use crate::api::v1;
use crate::app::App;
use crate::app::api_clients::{ApiKey, ClientPlan};
use crate::app::passwords::Password;
use crate::app::provision::{ContractPlan, NewPasswords, Plan, ServicePlan, UserPlan};
use crate::clock::ClockTrust;
use crate::clock::{Clock, system_rng};
use crate::config::{Config, Limits, PublicUrl, StoreLinks};
use crate::mail::{MailConfig, Route};
use crate::processors::Processors;
use crate::startup::{self, StartError};
use crate::telemetry::{LogConfig, LogFormat};
use crate::web::caller::TrustedProxies;
use crate::webhook::{AllowedNetworks, WebhookConfig};
use crate::words;

/// The service id of the demo.
pub const SERVICE_ID: &str = "demo-bank";
/// The sender of its mails; `.example` belongs to nobody (RFC 2606).
const MAIL_FROM: &str = "\"Warifu Bank\" <otp@warifu.example>";
const PASSWORD_WORDS: usize = 2;

const DESCRIPTION: &str = "demo.json";
const DATABASE: &str = "warifu.db";
const ROOT_KEY: &str = "root.key";
const MAILS: &str = "mail";

/// The people of the company. None has a token.
const PEOPLE: [(&str, &str, Role, Language); 8] = [
    ("tanaka", "田中 美咲", Role::Master, Language::Ja),
    ("sato", "佐藤 健一", Role::Administrator, Language::Ja),
    ("suzuki", "鈴木 陽子", Role::Administrator, Language::Ja),
    ("takahashi", "高橋 誠", Role::General, Language::Ja),
    ("ito", "伊藤 彩", Role::General, Language::Ja),
    ("watanabe", "渡辺 隆", Role::General, Language::Ja),
    ("yamamoto", "山本 さくら", Role::General, Language::Ja),
    ("nakamura", "中村 大輔", Role::General, Language::Ja),
];

/// What the pages of the demo show.
pub struct DemoSite {
    /// The folder with the mails.
    pub mail_dir: PathBuf,
    /// The accounts. Their passwords guard nothing.
    pub accounts: Vec<DemoUser>,
    /// The API.
    pub api: DemoApi,
}

/// One account, as in `demo.json`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoUser {
    /// The login id.
    pub login_id: String,
    /// The role.
    pub role: Role,
    /// The password.
    pub password: String,
    /// The confirmation password (確認用パスワード).
    pub confirmation_password: String,
}

/// The whole of `demo.json`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    base_url: String,
    service_id: String,
    mail_dir: String,
    users: Vec<DemoUser>,
    /// Not there in a folder that an earlier version made; the next start adds it.
    #[serde(default)]
    api: Option<DemoApi>,
}

/// How programs reach the API of the demo.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoApi {
    /// The address that all paths of the API begin with.
    pub url: String,
    /// A key with every scope on the demo's service. It guards nothing.
    pub key: String,
}

/// Why the demo did not start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The port is taken.
    #[error(
        "port {0} is taken: choose another with `--port N`, or any that is free with `--port 0`"
    )]
    PortTaken(u16),
    /// The folder holds a part of a demo.
    #[error("{} holds {there} but not {missing}, so it is no whole demo: remove the folder, or choose another with `--data DIR`", dir.display())]
    HalfThere {
        /// The folder.
        dir: PathBuf,
        /// What is in it.
        there: &'static str,
        /// What is not.
        missing: &'static str,
    },
    /// `demo.json` is damaged.
    #[error("{} is not as the demo wrote it ({problem}): remove the folder, or choose another with `--data DIR`", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the file's content.
        problem: String,
    },
    /// The folder cannot be used.
    #[error("{}: {error}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// As for any server.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A demo that is ready: its people exist, its address is taken, and `demo.json` is written. It serves when
/// [`Demo::run`] is called.
pub struct Demo {
    app: Arc<App>,
    config: Config,
    listener: TcpListener,
    site: Arc<DemoSite>,
    kept: bool,
}

impl Demo {
    /// Opens the demo in `dir`, or makes it. The policy is only for one that is new.
    ///
    /// # Errors
    /// [`DemoError`] says what to do.
    pub async fn open(
        dir: &Path,
        port: u16,
        policy: Policy,
        clock: Clock,
    ) -> Result<Self, DemoError> {
        make_folder(dir)?;
        let dir = &fs::canonicalize(dir).map_err(|error| folder_error(dir, error))?;
        let known = look_into(dir)?;
        let kept = known.is_some();
        let listener = bind(port).await?;
        let address = listener.local_addr().map_err(|error| StartError::System {
            what: "cannot see the own address".to_owned(),
            error,
        })?;
        let config = config(dir, address);
        make_folder(&dir.join(MAILS))?;
        let app = startup::open_app_by(&config, clock).await?;
        let kept_key = known
            .as_ref()
            .and_then(|known| known.api.as_ref())
            .and_then(|api| ApiKey::received(&api.key));
        let key = kept_key.unwrap_or_else(ApiKey::generate);
        let api = DemoApi {
            url: format!("{}{}", config.public_url.as_str(), v1::BASE),
            key: key.expose().to_owned(),
        };
        let description = Description {
            base_url: config.public_url.as_str().to_owned(),
            service_id: SERVICE_ID.to_owned(),
            mail_dir: dir.join(MAILS).to_string_lossy().into_owned(),
            users: known.map_or_else(new_users, |known| known.users),
            api: Some(api.clone()),
        };
        // The passwords are on the disk before anybody has them: a start that is cut off here is finished by the next one.
        write_description(dir, &description)?;
        let passwords = |user: &UserPlan| passwords_of(user, &description.users);
        app.provision(&plan(policy), passwords)
            .await
            .map_err(StartError::from)?;
        app.keep_api_client(&client(), &key)
            .await
            .map_err(StartError::from)?;
        let site = Arc::new(DemoSite {
            mail_dir: dir.join(MAILS),
            accounts: description.users,
            api,
        });
        Ok(Self {
            app,
            config,
            listener,
            site,
            kept,
        })
    }

    /// The address of the demo.
    #[must_use]
    pub fn base_url(&self) -> &str {
        self.config.public_url.as_str()
    }

    /// Whether the folder held a demo already.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.kept
    }

    /// The accounts and the folder with the mails.
    #[must_use]
    pub fn site(&self) -> &DemoSite {
        &self.site
    }

    /// The product behind it.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Where and what, for the terminal.
    #[must_use]
    pub fn announcement(&self) -> String {
        use std::fmt::Write as _;
        let width = |text: &dyn Fn(&DemoUser) -> usize, head: &str| {
            self.site
                .accounts
                .iter()
                .map(text)
                .max()
                .unwrap_or(0)
                .max(head.len())
        };
        let heads = ["login id", "role", "password", "confirmation password"];
        let widths = [
            width(&|user| user.login_id.len(), heads[0]),
            width(&|user| user.role.as_str().len(), heads[1]),
            width(&|user| user.password.len(), heads[2]),
            width(&|user| user.confirmation_password.len(), heads[3]),
        ];
        let mut out = format!(
            "Warifu demo: {url}\n\n  mails     {url}/demo/mail (files in {mails})\n  service   {SERVICE_ID}\n\n",
            url = self.base_url(),
            mails = self.site.mail_dir.display(),
        );
        let mut row = |cells: [&str; 4]| {
            let padded: Vec<_> = cells
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            // Writing to a String does not fail.
            let _ = writeln!(out, "  {}", padded.join("  ").trim_end());
        };
        row(heads);
        for user in &self.site.accounts {
            row([
                &user.login_id,
                user.role.as_str(),
                &user.password,
                &user.confirmation_password,
            ]);
        }
        let _ = write!(
            out,
            "\n  API       {url} (documents: {url}/docs)\n  its key   {key}\n\n  \
             curl -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{{\"code\": \"123456\"}}' \
             {url}/services/{SERVICE_ID}/users/tanaka/verify\n",
            url = self.site.api.url,
            key = self.site.api.key,
        );
        out.push_str("\nStop with Ctrl+C. The same command goes on where this one ended.\n");
        out
    }

    /// Serves until the process is asked to stop.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn run(self) -> Result<(), StartError> {
        startup::run(self.app, &self.config, self.listener, Some(self.site)).await
    }
}

/// What the folder holds: `None` for nothing yet.
fn look_into(dir: &Path) -> Result<Option<Description>, DemoError> {
    let is_there = |name: &str| dir.join(name).exists();
    let half = |there, missing| DemoError::HalfThere {
        dir: dir.to_owned(),
        there,
        missing,
    };
    match (
        is_there(DESCRIPTION),
        is_there(DATABASE),
        is_there(ROOT_KEY),
    ) {
        (false, false, false) => Ok(None),
        (true, true, true) => read_description(&dir.join(DESCRIPTION)).map(Some),
        (true, false, _) => Err(half(DESCRIPTION, DATABASE)),
        (true, true, false) => Err(half(DESCRIPTION, ROOT_KEY)),
        (false, true, _) => Err(half(DATABASE, DESCRIPTION)),
        (false, false, true) => Err(half(ROOT_KEY, DESCRIPTION)),
    }
}

fn read_description(path: &Path) -> Result<Description, DemoError> {
    let wrong = |problem: String| DemoError::Description {
        path: path.to_owned(),
        problem,
    };
    let text = fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|error| folder_error(path, error))?;
    let description: Description = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("line {}, column {}", error.line(), error.column())))?;
    let expected = PEOPLE
        .iter()
        .map(|(login_id, _, role, _)| (*login_id, *role));
    let found = description
        .users
        .iter()
        .map(|user| (user.login_id.as_str(), user.role));
    if description.service_id != SERVICE_ID || !found.eq(expected) {
        return Err(wrong("other people".to_owned()));
    }
    Ok(description)
}

/// In one step, so that whoever reads the file reads it whole.
fn write_description(dir: &Path, description: &Description) -> Result<(), DemoError> {
    let path = dir.join(DESCRIPTION);
    let unfinished = dir.join(".demo.json.unfinished");
    let write = || -> io::Result<()> {
        let mut bytes = Zeroizing::new(serde_json::to_vec_pretty(description)?);
        bytes.push(b'\n');
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        File::open(dir)?.sync_all()
    };
    write().map_err(|error| folder_error(&path, error))
}

fn make_folder(dir: &Path) -> Result<(), DemoError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| folder_error(dir, error))
}

fn folder_error(path: &Path, error: io::Error) -> DemoError {
    DemoError::Folder {
        path: path.to_owned(),
        error,
    }
}

async fn bind(port: u16) -> Result<TcpListener, DemoError> {
    match startup::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
        Err(StartError::System { error, .. }) if error.kind() == io::ErrorKind::AddrInUse => {
            Err(DemoError::PortTaken(port))
        }
        other => Ok(other?),
    }
}

fn config(dir: &Path, listen: SocketAddr) -> Config {
    Config {
        listen,
        public_url: PublicUrl::loopback(listen),
        database: DatabaseConfig::Sqlite {
            path: dir.join(DATABASE),
        },
        root_key: dir.join(ROOT_KEY),
        mail: MailConfig {
            from: MAIL_FROM.to_owned(),
            route: Route::Eml {
                dir: dir.join(MAILS),
            },
        },
        trusted_proxies: TrustedProxies::default(),
        webhooks: WebhookConfig {
            allow_private: AllowedNetworks::this_machine(),
            ..WebhookConfig::default()
        },
        tls: None,
        metrics_listen: None,
        log: LogConfig {
            level: tracing::Level::WARN,
            format: LogFormat::Text,
        },
        links: StoreLinks::default(),
        clock: ClockTrust::Compared,
        processors: Processors::Shared,
        limits: Limits::default(),
    }
}

fn plan(policy: Policy) -> Plan {
    Plan {
        service: ServicePlan {
            id: SERVICE_ID.to_owned(),
            name_ja: "わりふ銀行(デモ)".to_owned(),
            name_en: "Warifu Bank (demo)".to_owned(),
            time_zone: "Asia/Tokyo".to_owned(),
            help_desk: "Warifu Bank 0120-000-000 (9:00-17:00)".to_owned(),
            policy,
        },
        contracts: vec![ContractPlan {
            name: "株式会社みなと商会".to_owned(),
            users: PEOPLE
                .iter()
                .map(|(login_id, name, role, language)| UserPlan {
                    login_id: (*login_id).to_owned(),
                    name: (*name).to_owned(),
                    role: *role,
                    language: *language,
                })
                .collect(),
        }],
    }
}

/// The client whose key is in `demo.json`.
fn client() -> ClientPlan {
    ClientPlan {
        name: "demo".to_owned(),
        scopes: Scopes::all(),
        service_id: ServiceId::parse(SERVICE_ID).ok(),
        ..ClientPlan::default()
    }
}

fn new_users() -> Vec<DemoUser> {
    let mut rng = system_rng();
    PEOPLE
        .iter()
        .map(|(login_id, _, role, _)| DemoUser {
            login_id: (*login_id).to_owned(),
            role: *role,
            password: words::password(PASSWORD_WORDS, &mut rng).to_string(),
            confirmation_password: words::password(PASSWORD_WORDS, &mut rng).to_string(),
        })
        .collect()
}

fn passwords_of(user: &UserPlan, users: &[DemoUser]) -> NewPasswords {
    let known = users.iter().find(|known| known.login_id == user.login_id);
    let password = |pick: fn(&DemoUser) -> &String| {
        Password::new(known.map_or_else(
            || words::password(PASSWORD_WORDS, &mut system_rng()).to_string(),
            |user| pick(user).clone(),
        ))
    };
    NewPasswords {
        password: password(|user| &user.password),
        confirmation_password: password(|user| &user.confirmation_password),
    }
}
