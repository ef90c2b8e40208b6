//! A bank full of tokens, made without apps and passwords: a service, users, and for each a token whose seed is known here. The
//! rows are those that the product itself would have written; the seeds are sealed by the product's vault.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use warifu_core::audit::{Action, Event, Origin};
use warifu_core::contract::Contract;
use warifu_core::id::{
    AuditId, ContractId, IssuanceId, OperatorId, ServiceId, TokenId, TokenUserId, UserId,
};
use warifu_core::issuance::{Issuance, IssuanceState};
use warifu_core::oath::{Parameters, Seed, totp};
use warifu_core::relying::Scopes;
use warifu_core::service::Policy;
use warifu_core::suspension::release;
use warifu_core::time::{DAY_MS, MINUTE_MS, UnixMillis};
use warifu_core::token::{Token, TokenState};
use warifu_core::user::{Actor, Language, Role, TwoOperators, User};
use warifu_core::verification::Counter;
use warifu_server::app::api_clients::{ApiKey, ClientPlan};
use warifu_server::app::provision::{Plan, ServicePlan};
use warifu_server::app::{App, Settings, keys};
use warifu_server::clock::{Clock, random_bytes, system_rng};
use warifu_server::processors::Processors;
use warifu_store::{CounterNo, DatabaseConfig, PasswordHashes, Store, StoredDataKey, Tx};
use warifu_vault::{Place, SEALS_PER_KEY_MAX, Vault};

use crate::spec::Answer;

/// The service of every bank here.
pub const SERVICE: &str = "proof-bank";
/// How far from now a code may be that a token still accepts, with all that drift can add.
const REACH: i64 = 8;
/// Users of one contract: a suspension reads them all.
const USERS_PER_CONTRACT: usize = 20;
/// Users made in one transaction.
const USERS_PER_TRANSACTION: usize = 200;

/// A database with a service on it, and where its root key lies.
pub struct Bank {
    /// Where the database is.
    pub database: DatabaseConfig,
    /// The file of the root key.
    pub root_key: PathBuf,
    /// A key of the API with every scope.
    pub api_key: ApiKey,
    terms: Terms,
    vault: Vault,
    store: Store,
}

/// The service of a bank, and its time.
pub struct Terms {
    /// The service.
    pub service_id: ServiceId,
    /// Its rules.
    pub policy: Policy,
    /// What time it is for all nodes.
    pub clock: Clock,
}

/// Somebody with a token. No `Debug`: the seed is in it.
pub struct Holder {
    /// What the user signs in with.
    pub login_id: String,
    /// The token.
    pub token_id: TokenId,
    seed: Seed,
    parameters: Parameters,
}

impl Bank {
    /// Makes the keys, the service and the API client on an empty, migrated database.
    ///
    /// # Errors
    /// When the database or the folder refuse.
    pub async fn open(
        database: DatabaseConfig,
        folder: &Path,
        policy: Policy,
        clock: Clock,
    ) -> Result<Self> {
        let store = Store::open(&database).await?;
        store.migrate(clock.now().0).await?;
        let root_key = folder.join("root.key");
        let service_id = ServiceId::parse(SERVICE).context("the service's id")?;
        let app = app(store.clone(), &root_key, &clock).await?;
        let plan = Plan {
            service: ServicePlan {
                id: SERVICE.to_owned(),
                name_ja: "証明銀行".to_owned(),
                name_en: "Proof Bank".to_owned(),
                time_zone: "Asia/Tokyo".to_owned(),
                help_desk: "-".to_owned(),
                policy: policy.clone(),
            },
            contracts: Vec::new(),
        };
        app.provision(&plan, |_| unreachable!("the plan has no users"))
            .await?;
        let api_key = ApiKey::generate();
        let client = ClientPlan {
            name: "proof".to_owned(),
            scopes: Scopes::all(),
            ..ClientPlan::default()
        };
        app.create_api_client(&client, &api_key).await?;
        let vault = vault_of(&store, &root_key, clock.now()).await?;
        Ok(Self {
            database,
            root_key,
            api_key,
            terms: Terms {
                service_id,
                policy,
                clock,
            },
            vault,
            store,
        })
    }

    /// One more node: the product with a connection pool of its own.
    ///
    /// # Errors
    /// When the database cannot be opened.
    pub async fn node(&self) -> Result<Arc<App>> {
        let store = Store::open(&self.database).await?;
        Ok(Arc::new(
            app(store, &self.root_key, &self.terms.clock).await?,
        ))
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The service and its time.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Closes the database; nothing of the bank is left open.
    #[must_use]
    pub fn close(self) -> Terms {
        self.terms
    }

    /// Makes users with one token each; their names begin with `prefix`.
    ///
    /// # Errors
    /// When the database refuses, as it does for a name that is taken.
    pub async fn holders(&self, prefix: &str, count: usize) -> Result<Vec<Holder>> {
        let mut holders = Vec::with_capacity(count);
        while holders.len() < count {
            let mut tx = self.store.begin().await?;
            let until = count.min(holders.len() + USERS_PER_TRANSACTION);
            let mut contract_id = None;
            while holders.len() < until {
                if holders.len() % USERS_PER_CONTRACT == 0 || contract_id.is_none() {
                    contract_id = Some(self.contract(&mut tx).await?);
                }
                let contract_id = contract_id.clone().context("a contract")?;
                let login_id = format!("{prefix}-{}", holders.len());
                holders.push(self.holder(&mut tx, login_id, contract_id).await?);
            }
            tx.commit().await?;
        }
        Ok(holders)
    }

    async fn contract(&self, tx: &mut Tx) -> Result<ContractId> {
        let now = self.terms.clock.now();
        let id = ContractId::new(now, &mut system_rng());
        let contract = Contract {
            name: id.to_string(),
            id,
            service_id: self.terms.service_id.clone(),
        };
        tx.insert_contract(&contract, now).await?;
        Ok(contract.id)
    }

    async fn holder(
        &self,
        tx: &mut Tx,
        login_id: String,
        contract_id: ContractId,
    ) -> Result<Holder> {
        // So long ago that a code of the step before was possible.
        let then = self.terms.clock.now().plus_ms(-10 * MINUTE_MS);
        let parameters = self.terms.policy.parameters;
        let user = User {
            id: UserId::new(then, &mut system_rng()),
            service_id: self.terms.service_id.clone(),
            contract_id,
            login_id,
            name: "-".to_owned(),
            role: Role::General,
            language: Language::Ja,
            mail_address: None,
            disabled: false,
            reopens_at: None,
        };
        let no_password = PasswordHashes {
            password: "-".to_owned(),
            confirmation_password: "-".to_owned(),
        };
        ensure!(
            tx.insert_user(&user, &no_password, then).await?,
            "the user exists"
        );
        let token_id = TokenId::new(then, &mut system_rng());
        let issuance = Issuance {
            id: IssuanceId::new(then, &mut system_rng()),
            service_id: self.terms.service_id.clone(),
            user_id: user.id.clone(),
            token_user_id: TokenUserId::new(&mut system_rng()),
            mail_address: "-".to_owned(),
            parameters,
            created_at: then,
            expires_at: then.plus_ms(DAY_MS),
            starts: 0,
            state: IssuanceState::Consumed {
                token_id: token_id.clone(),
            },
        };
        tx.insert_issuance(&issuance, b"-").await?;
        let bytes = random_bytes::<64>()[..parameters.algorithm.seed_len()].to_vec();
        let sealed = self.sealed(&token_id, parameters, &bytes)?;
        let token = Token {
            id: token_id,
            service_id: self.terms.service_id.clone(),
            user_id: user.id,
            issuance_id: issuance.id,
            parameters,
            activated_at: then,
            expires_at: None,
            state: TokenState::Activated,
        };
        let counter = Counter::of_new_token(None);
        // A whole bank is made at once: its numbers are spread over some minutes.
        let spread = u32::from_le_bytes(random_bytes()) >> 12;
        let counter_no = CounterNo::new(
            then.plus_ms(spread.into()),
            u32::from_le_bytes(random_bytes()),
        );
        ensure!(
            tx.insert_token(&token, (counter_no, &counter), &sealed, b"-")
                .await?,
            "the user has a token"
        );
        Ok(Holder {
            login_id: user.login_id,
            token_id: token.id,
            seed: Seed::new(bytes, parameters.algorithm).context("a seed of the right length")?,
            parameters,
        })
    }

    /// A seed as the product seals it (R63).
    fn sealed(&self, token_id: &TokenId, parameters: Parameters, seed: &[u8]) -> Result<Vec<u8>> {
        let parameters = format!(
            "{}/{}/{}",
            parameters.algorithm.as_str(),
            parameters.digits,
            parameters.step_s
        );
        let place = Place {
            table: "token",
            row: token_id.as_str(),
            column: "sealed_seed",
            parameters: parameters.as_bytes(),
        };
        let sealed = self.vault.seal(SERVICE, &place, seed, &mut system_rng())?;
        Ok(sealed.into_bytes())
    }
}

impl Holder {
    /// The code of a time step.
    #[must_use]
    pub fn code(&self, step: i64) -> String {
        totp::code(&self.seed, step, &self.parameters)
            .expose()
            .to_owned()
    }

    /// The codes of all steps that a token may accept around `step`, whatever its drift, and of some more.
    #[must_use]
    pub fn near(&self, step: i64) -> Vec<(i64, String)> {
        (step - REACH..=step + REACH)
            .map(|step| (step, self.code(step)))
            .collect()
    }

    /// Whether `code` is that of `step` alone, as seen from `here`.
    #[must_use]
    pub fn is_alone(&self, step: i64, code: &str, here: i64) -> bool {
        self.near(here)
            .iter()
            .all(|(other, of_other)| *other == step || of_other != code)
    }

    /// A code that is none of `near`; `salt` picks one.
    ///
    /// # Panics
    /// Never: there are more codes than are near.
    #[must_use]
    pub fn code_but(&self, near: &[(i64, String)], salt: u32) -> String {
        let digits = usize::from(self.parameters.digits);
        let codes = 10_u32.pow(self.parameters.digits.into());
        (0..codes)
            .map(|n| format!("{:0digits$}", salt.wrapping_add(n) % codes))
            .find(|code| near.iter().all(|(_, right)| right != code))
            .expect("a code that is none of the window's")
    }
}

/// Lifts a suspension as the product's use cases do it: read, let the core decide, write on the condition of the version, record.
///
/// # Errors
/// When the database refuses.
pub async fn lift(store: &Store, terms: &Terms, holder: &Holder) -> Result<Answer> {
    let [first, second] = ["proof-1", "proof-2"].map(OperatorId::from_stored);
    let actor = Actor::Operators(TwoOperators::new(first, second).context("two operators")?);
    loop {
        let mut tx = store.begin().await?;
        let stored = tx.token(&holder.token_id).await?.context("the token")?;
        let user = tx.user(&stored.token.user_id).await?.context("the user")?;
        let found = Some((stored.token.clone(), stored.counter));
        let Ok((token, counter)) = release(&actor, &user, found, &terms.policy) else {
            return Ok(Answer::Refused);
        };
        let version = stored.counter.version;
        if !tx.swap_counter(&token.id, version, &counter).await? {
            continue;
        }
        tx.set_token_state(&token.id, &token.state).await?;
        let now = terms.clock.now();
        let event = Event {
            id: AuditId::new(now, &mut system_rng()),
            at: now,
            service_id: Some(terms.service_id.clone()),
            actor,
            action: Action::Release,
            target_kind: "token",
            target_id: token.id.to_string(),
            outcome: "done",
            origin: Origin::default(),
        };
        tx.insert_event(&event).await?;
        tx.commit().await?;
        return Ok(Answer::Done);
    }
}

async fn app(store: Store, root_key: &Path, clock: &Clock) -> Result<App> {
    let root = keys::root_key(&store, root_key).await?;
    let settings = Settings {
        public_url: "https://otp.bank.example".to_owned(),
        mail_from: "Bank <otp@bank.example>".to_owned(),
        app_store_url: None,
        google_play_url: None,
        processors: Processors::Shared,
    };
    Ok(App::open(store, &root, clock.clone(), settings).await?)
}

/// The installation's vault with a data key of our own, which the product finds like that of another node.
async fn vault_of(store: &Store, root_key: &Path, now: UnixMillis) -> Result<Vault> {
    let root = keys::root_key(store, root_key).await?;
    let mut tx = store.begin().await?;
    let kek = tx.installation_value("kek").await?.context("no keys")?;
    let vault = Vault::open_with(&root, &kek)?;
    let key = vault.new_data_key(SERVICE, &mut system_rng())?;
    let stored = StoredDataKey {
        id: key.id.to_text(),
        owner: SERVICE.to_owned(),
        wrapped: key.wrapped.clone(),
    };
    tx.insert_data_key(&stored, SEALS_PER_KEY_MAX, now).await?;
    tx.commit().await?;
    vault.add_data_key(&key, SEALS_PER_KEY_MAX)?;
    Ok(vault)
}
