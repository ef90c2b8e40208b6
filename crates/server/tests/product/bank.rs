//! A bank for the tests: one service, two companies, people whose passwords are all the same, a clock that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use data_encoding::BASE64URL_NOPAD;
use jiff::civil::DateTime;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use warifu_core::audit::Origin;
use warifu_core::id::{ContractId, IssuanceId, ServiceId, TokenId, TokenUserId, UserId};
use warifu_core::issuance::{Issuance, IssuanceState};
use warifu_core::refusal::Refusal;
use warifu_core::service::Policy;
use warifu_core::session::Stage;
use warifu_core::time::{DAY_MS, HOUR_MS, UnixMillis};
use warifu_core::token::{Token, TokenState};
use warifu_core::user::{Language, Role, User};
use warifu_core::verification::Counter;
use warifu_server::app::passwords::Password;
use warifu_server::app::provision::{ContractPlan, NewPasswords, Plan, ServicePlan, UserPlan};
use warifu_server::app::session::{Request, Session, SessionCookie};
use warifu_server::app::sign_in::SignedIn;
use warifu_server::app::{App, Failure, Settings, keys};
use warifu_server::clock::{Clock, Comparison, random_bytes, system_rng};
use warifu_server::processors::Processors;
use warifu_store::testing::TestDatabase;
use warifu_store::{CounterNo, DatabaseConfig, Store, StoredSession, StoredToken};

/// The portal password of everybody.
pub(crate) const PASSWORD: &str = "correct horse battery";
/// The confirmation password of everybody.
pub(crate) const CONFIRMATION: &str = "staple confirmation";
/// The mail address that people ask for their tokens with.
pub(crate) const MAIL: &str = "hanako@company.example";
/// The service.
pub(crate) const SERVICE: &str = "test-bank";
/// Tokens that were made without an app.
static HOLLOW_TOKENS: AtomicU32 = AtomicU32::new(0);

/// The people of the first company: login id and role. `stranger` and `stranger-boss` are of the second one.
const PEOPLE: [(&str, Role); 6] = [
    ("master", Role::Master),
    ("admin", Role::Administrator),
    ("admin2", Role::Administrator),
    ("hanako", Role::General),
    ("jiro", Role::General),
    ("saburo", Role::General),
];

/// A time of the wall clock in Tokyo.
pub(crate) fn jst(text: &str) -> UnixMillis {
    let at = text.parse::<DateTime>().unwrap();
    let zoned = at.in_tz("Asia/Tokyo").unwrap();
    UnixMillis(zoned.timestamp().as_millisecond())
}

/// Where requests of these tests come from.
pub(crate) fn origin() -> Origin {
    Origin {
        request_id: "test".to_owned(),
        address: Some("192.0.2.1".to_owned()),
    }
}

/// What was refused, and how.
pub(crate) fn refused<T>(done: Result<T, Failure>) -> Refusal {
    match done {
        Ok(_) => panic!("it was done"),
        Err(failure) => failure
            .refusal()
            .unwrap_or_else(|| panic!("no refusal but a fault: {failure}")),
    }
}

pub(crate) fn password() -> Password {
    Password::new(PASSWORD.to_owned())
}

pub(crate) fn confirmation() -> Password {
    Password::new(CONFIRMATION.to_owned())
}

pub(crate) fn wrong_password() -> Password {
    Password::new("wrong".to_owned())
}

/// One installation with its first node.
pub(crate) struct Bank {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Clock,
    pub(crate) service_id: ServiceId,
    database: TestDatabase,
    folder: TempDir,
}

impl Bank {
    /// A bank with the manual's rules, on a working day at noon.
    pub(crate) async fn open(database: TestDatabase) -> Self {
        Self::with_policy(database, Policy::manual()).await
    }

    pub(crate) async fn with_policy(database: TestDatabase, policy: Policy) -> Self {
        let clock = Clock::manual(jst("2026-11-20T12:00:00"));
        let folder = TempDir::new().unwrap();
        let store = database.store().await;
        let root = folder.path().join("root.key");
        let app = open_app(store, &root, &clock).await;
        let bank = Self {
            app: Arc::new(app),
            clock,
            service_id: ServiceId::parse(SERVICE).unwrap(),
            database,
            folder,
        };
        bank.fill(policy).await;
        bank
    }

    /// Two companies whose masters are provisioned; their passwords' hashes serve for everybody, for hashing takes its time.
    async fn fill(&self, policy: Policy) {
        let plan = Plan {
            service: ServicePlan {
                id: SERVICE.to_owned(),
                name_ja: "試験銀行".to_owned(),
                name_en: "Test Bank".to_owned(),
                time_zone: "Asia/Tokyo".to_owned(),
                help_desk: "0120-000-000".to_owned(),
                policy,
            },
            contracts: vec![ContractPlan {
                name: "株式会社いろは".to_owned(),
                users: vec![UserPlan {
                    login_id: "master".to_owned(),
                    name: "社長".to_owned(),
                    role: Role::Master,
                    language: Language::Ja,
                }],
            }],
        };
        plan.check().unwrap();
        let new = |_: &UserPlan| NewPasswords {
            password: password(),
            confirmation_password: confirmation(),
        };
        self.app.provision(&plan, new).await.unwrap();
        let now = self.app.now();
        let mut tx = self.app.store().begin().await.unwrap();
        let (master, hashes) = tx
            .user_by_login(&self.service_id, "master")
            .await
            .unwrap()
            .unwrap();
        let second = warifu_core::contract::Contract {
            id: ContractId::new(now, &mut system_rng()),
            service_id: self.service_id.clone(),
            name: "株式会社にほへ".to_owned(),
        };
        tx.insert_contract(&second, now).await.unwrap();
        let first = PEOPLE[1..]
            .iter()
            .map(|(login, role)| (*login, *role, master.contract_id.clone()));
        let others = [
            ("stranger-boss", Role::Master, second.id.clone()),
            ("stranger", Role::General, second.id.clone()),
        ];
        for (login_id, role, contract_id) in first.chain(others) {
            let user = User {
                id: UserId::new(now, &mut system_rng()),
                contract_id,
                login_id: login_id.to_owned(),
                name: "社員".to_owned(),
                role,
                ..master.clone()
            };
            assert!(tx.insert_user(&user, &hashes, now).await.unwrap());
        }
        tx.commit().await.unwrap();
    }

    /// Another node on the same database, with the same clock.
    pub(crate) async fn node(&self) -> Arc<App> {
        self.node_by(&self.clock).await
    }

    /// Another node, whose clock is another one.
    pub(crate) async fn node_by(&self, clock: &Clock) -> Arc<App> {
        let root = self.folder.path().join("root.key");
        Arc::new(open_app(self.database.open().await, &root, clock).await)
    }

    /// Another node, whose clock cannot be trusted: the database's server says that it is an hour later (R19).
    pub(crate) async fn node_with_unsure_clock(&self) -> Arc<App> {
        let clock = Clock::system();
        let node = self.node_by(&clock).await;
        let later = clock.now().plus_ms(HOUR_MS);
        let heard = clock
            .compare_with(false, async { Ok::<_, ()>(Some(later)) })
            .await;
        assert_eq!(heard, Ok(Comparison::Heard));
        node
    }

    /// The server is stopped and started again: nothing survives but the database and the root key.
    pub(crate) async fn restart(&mut self) {
        self.app = self.node().await;
    }

    /// Where the database is, for a process of its own.
    pub(crate) fn database(&self) -> &DatabaseConfig {
        self.database.config()
    }

    /// A folder of this bank that lives as long as it.
    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn set_clock(&self, at: UnixMillis) {
        self.clock.advance(at.since_ms(self.clock.now()));
    }

    /// The user as the database has it now.
    pub(crate) async fn user(&self, login: &str) -> User {
        let mut tx = self.app.store().read().await.unwrap();
        let found = tx.user_by_login(&self.service_id, login).await.unwrap();
        found.expect("a user of the bank").0
    }

    /// Signs in as a browser does.
    pub(crate) async fn sign_in(
        &self,
        login: &str,
        password: &Password,
    ) -> Result<SignedIn, Failure> {
        let (language, origin) = (Language::Ja, origin());
        self.app
            .sign_in(&self.service_id, login, password, language, &origin)
            .await
    }

    /// A session as the right password begins it, without the password's hashing.
    pub(crate) async fn session(&self, login: &str) -> Session {
        let cookie = self.cookie(login, Stage::Password).await;
        self.session_of(&cookie).await.expect("a session")
    }

    /// A session as a right code begins it.
    pub(crate) async fn full_session(&self, login: &str) -> Session {
        let cookie = self.cookie(login, Stage::Full).await;
        self.session_of(&cookie).await.expect("a session")
    }

    pub(crate) async fn cookie(&self, login: &str, stage: Stage) -> SessionCookie {
        let text = BASE64URL_NOPAD.encode(&random_bytes::<32>());
        let user = self.user(login).await;
        let now = self.app.now();
        let session = StoredSession {
            hash: Sha256::digest(text.as_bytes()).into(),
            user_id: user.id,
            stage,
            csrf_token: BASE64URL_NOPAD.encode(&random_bytes::<32>()),
            language: Language::Ja,
            began_at: now,
            used_at: now,
        };
        let mut tx = self.app.store().begin().await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.commit().await.unwrap();
        SessionCookie::received(&text)
    }

    pub(crate) async fn session_of(&self, cookie: &SessionCookie) -> Option<Session> {
        self.app.session(cookie, Request::Person).await.unwrap()
    }

    /// Puts a token in this state at the user, with a seed that nobody knows: for what asks for no code.
    pub(crate) async fn hollow_token(&self, login: &str, state: TokenState) -> TokenId {
        let user = self.user(login).await;
        let now = self.app.now();
        let issuance_id = IssuanceId::new(now, &mut system_rng());
        let token = Token {
            id: TokenId::new(now, &mut system_rng()),
            service_id: self.service_id.clone(),
            user_id: user.id.clone(),
            issuance_id: issuance_id.clone(),
            parameters: Policy::manual().parameters,
            activated_at: now,
            expires_at: None,
            state,
        };
        let issuance = Issuance {
            id: issuance_id,
            service_id: self.service_id.clone(),
            user_id: user.id.clone(),
            token_user_id: TokenUserId::new(&mut system_rng()),
            mail_address: MAIL.to_owned(),
            parameters: token.parameters,
            created_at: now,
            expires_at: now.plus_ms(DAY_MS),
            starts: 0,
            state: IssuanceState::Consumed {
                token_id: token.id.clone(),
            },
        };
        let counter = Counter {
            standing: state.standing(),
            ..Counter::of_new_token(None)
        };
        // Not by chance: the clock may stand still, and no two are alike.
        let counter_no = CounterNo::new(now, HOLLOW_TOKENS.fetch_add(1, Ordering::Relaxed));
        let mut tx = self.app.store().begin().await.unwrap();
        tx.insert_issuance(&issuance, b"nothing").await.unwrap();
        let made = tx
            .insert_token(&token, (counter_no, &counter), b"nothing", b"nothing")
            .await;
        assert!(made.unwrap(), "the user has a live token already");
        tx.set_mail_address(&user.id, &format!("{login}@company.example"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        token.id
    }

    /// Suspended a moment ago.
    pub(crate) fn suspended(&self) -> TokenState {
        let now = self.app.now();
        TokenState::Suspended {
            suspended_at: now,
            confirmed_at: Some(now),
        }
    }

    /// The user's latest token, whatever its state.
    pub(crate) async fn token(&self, login: &str) -> Option<StoredToken> {
        let user = self.user(login).await;
        let mut tx = self.app.store().read().await.unwrap();
        tx.latest_token(&user.id).await.unwrap()
    }

    /// The user's latest issuance.
    pub(crate) async fn issuance(&self, login: &str) -> Issuance {
        let user = self.user(login).await;
        let mut tx = self.app.store().read().await.unwrap();
        let latest = tx.latest_issuance(&user.id).await.unwrap();
        latest.expect("an issuance").0
    }

    /// How many events the audit log holds.
    pub(crate) async fn events(&self) -> u64 {
        let mut tx = self.app.store().read().await.unwrap();
        tx.count_events().await.unwrap()
    }

    /// The outcomes of the events about one thing with this action, in the order of their words: events of one millisecond
    /// have no other.
    pub(crate) async fn outcomes(&self, kind: &str, id: &str, action: &str) -> Vec<String> {
        let mut tx = self.app.store().read().await.unwrap();
        let events = tx.events_of(kind, id).await.unwrap();
        let of_action = events.into_iter().filter(|event| event.action == action);
        let mut outcomes: Vec<_> = of_action.map(|event| event.outcome).collect();
        outcomes.sort();
        outcomes
    }

    /// The notices in the outbox, whatever their state, each with its reader's address, in the order of the words.
    pub(crate) async fn notices(&self) -> Vec<(String, String)> {
        let mut tx = self.app.store().read().await.unwrap();
        let rows = tx
            .query(
                "SELECT notice, to_address FROM outbox ORDER BY notice, to_address",
                Vec::new(),
            )
            .await
            .unwrap();
        rows.iter()
            .map(|row| {
                (
                    row.text("notice").unwrap().to_owned(),
                    row.text("to_address").unwrap().to_owned(),
                )
            })
            .collect()
    }

    /// Runs one statement of a test.
    pub(crate) async fn sql(&self, sql: &'static str, params: Vec<warifu_store::Value>) -> u64 {
        let mut tx = self.app.store().begin().await.unwrap();
        let changed = tx.execute(sql, params).await.unwrap();
        tx.commit().await.unwrap();
        changed
    }
}

async fn open_app(store: Store, root: &std::path::Path, clock: &Clock) -> App {
    let root = keys::root_key(&store, root).await.unwrap();
    let settings = Settings {
        public_url: "https://otp.bank.example".to_owned(),
        mail_from: "Bank <otp@bank.example>".to_owned(),
        app_store_url: None,
        google_play_url: None,
        processors: Processors::Shared,
    };
    App::open(store, &root, clock.clone(), settings)
        .await
        .unwrap()
}
