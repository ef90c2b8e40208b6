//! The made-up bank: users of made-up companies, each with a token whose seed is drawn from its number, so that clients know the codes
//! of a million tokens without keeping them.

use std::path::Path;

use sha2::{Digest as _, Sha256};
use warifu_core::contract::{Contract, USERS_MAX};
use warifu_core::id::{ContractId, IssuanceId, ServiceId, TokenId, TokenUserId, UserId};
use warifu_core::issuance::{Issuance, IssuanceState};
use warifu_core::oath::{Code, Parameters, Seed, totp};
use warifu_core::relying::{Scope, Scopes};
use warifu_core::service::{Policy, Service};
use warifu_core::time::{DAY_MS, SECOND_MS, UnixMillis};
use warifu_core::token::{Token, TokenState};
use warifu_core::user::{Language, Role, User};
use warifu_core::verification::Counter;
use warifu_store::{CounterNo, DatabaseConfig, PasswordHashes, Store, Tx, Wait};

use super::{BenchError, clock_at};
use crate::app::api_clients::{ApiKey, ClientError, ClientPlan};
use crate::app::keys::is_installed;
use crate::app::{App, Failure, Settings, keys};
use crate::clock::{Clock, random_bytes, system_rng};
use crate::processors::Processors;

/// Tokens of the bank at most.
pub const TOKENS_MAX: u32 = 10_000_000;
/// Users that one transaction adds.
const USERS_EACH: u32 = 2_000;
/// The version of each counter, one more than the codes before.
const VERSION_BEFORE: i64 = 20;
/// The service.
pub(super) const SERVICE: &str = "bench-bank";
/// The file with the root key, in the bench's folder.
pub(super) const ROOT_KEY: &str = "root.key";

/// What the clients know of the bank.
pub(super) struct Bank {
    pub(super) tokens: u32,
    /// The first time step whose codes are unused.
    pub(super) first_step: i64,
    pub(super) key: ApiKey,
    secret: [u8; 32],
}

impl Bank {
    /// The code of a token for a time step.
    ///
    /// # Errors
    /// [`BenchError::Failure`] for a seed that is none.
    pub(super) fn code(&self, number: u32, step: i64) -> Result<Code, BenchError> {
        let parameters = Policy::manual().parameters;
        let seed = Seed::new(self.seed(number).to_vec(), parameters.algorithm)
            .ok_or(Failure::fault("a seed has the wrong length"))?;
        Ok(totp::code(&seed, step, &parameters))
    }

    fn seed(&self, number: u32) -> [u8; 32] {
        Sha256::new()
            .chain_update(self.secret)
            .chain_update(number.to_be_bytes())
            .finalize()
            .into()
    }
}

/// What a user of this number signs in with.
pub(super) fn login_id(number: u32) -> String {
    format!("user{number:08}")
}

/// The middle of a time step.
pub(super) fn middle_of(step: i64) -> UnixMillis {
    let step_ms = i64::from(Policy::manual().parameters.step_s) * SECOND_MS;
    UnixMillis(step * step_ms + step_ms / 2)
}

/// The product on a database, for the bank and for its node.
pub(super) async fn open(
    database: &DatabaseConfig,
    folder: &Path,
    clock: Clock,
    processors: Processors,
) -> Result<App, BenchError> {
    let store = Store::open(database).await?;
    store.migrate(clock.now().0).await?;
    let root = keys::root_key(&store, &folder.join(ROOT_KEY)).await?;
    let settings = Settings {
        public_url: "http://127.0.0.1".to_owned(),
        mail_from: "bench@localhost".to_owned(),
        app_store_url: None,
        google_play_url: None,
        processors,
    };
    Ok(App::open(store, &root, clock, settings).await?)
}

/// Makes the bank in an empty database.
pub(super) async fn fill(
    database: &DatabaseConfig,
    folder: &Path,
    tokens: u32,
    mut told: impl FnMut(u32),
) -> Result<Bank, BenchError> {
    let store = Store::open(database).await?;
    store.migrate(0).await?;
    if is_installed(&store).await? {
        return Err(BenchError::NotEmpty);
    }
    drop(store);
    let step_s = i64::from(Policy::manual().parameters.step_s);
    let now = Clock::system().now();
    let step = now.seconds() / step_s;
    let app = open(database, folder, clock_at(step), Processors::Shared).await?;
    let service = service();
    let mut tx = app.store().begin().await?;
    tx.insert_service(&service, now).await?;
    tx.commit().await?;
    let key = ApiKey::generate();
    let plan = ClientPlan {
        name: "bench".to_owned(),
        scopes: Scopes::parse(Scope::Verify.as_str()).unwrap_or_default(),
        service_id: Some(service.id.clone()),
        ..ClientPlan::default()
    };
    app.create_api_client(&plan, &key)
        .await
        .map_err(|error| match error {
            ClientError::Failure(failure) => BenchError::from(failure),
            _ => Failure::fault("the bench's client was refused").into(),
        })?;
    let bank = Bank {
        tokens,
        first_step: step + 2,
        key,
        secret: random_bytes(),
    };
    // As if users had come one after the other, one a millisecond until now, in the order of their logins: ids are in the
    // order of the time, as a bank's are. With one time for all they would be anywhere in their indexes.
    let began = now.plus_ms(-i64::from(tokens));
    let mut next = 0;
    while next < tokens {
        app.ready_to_seal(&service.id).await?;
        let until = (next + USERS_EACH).min(tokens);
        // To hand each statement to another thread and back would take most of the time, and nothing else runs on this one.
        let mut tx = app.store().begin_here(Wait::ForLockAndDisk).await?;
        let mut contract = None;
        for number in next..until {
            let now = began.plus_ms(number.into());
            if contract.is_none() || (number as usize).is_multiple_of(USERS_MAX) {
                contract = Some(add_contract(&mut tx, &service.id, number, now).await?);
            }
            if let Some(contract) = &contract {
                add_bearer(&mut tx, &app, &bank, contract, number, now).await?;
            }
        }
        tx.commit().await?;
        next = until;
        told(next);
    }
    Ok(bank)
}

fn service() -> Service {
    Service {
        // A literal that is a service id.
        id: ServiceId::parse(SERVICE).expect("a service id"),
        name_ja: "ベンチ銀行".to_owned(),
        name_en: "Bench Bank".to_owned(),
        time_zone: "Asia/Tokyo".to_owned(),
        help_desk: "-".to_owned(),
        policy: Policy::manual(),
    }
}

async fn add_contract(
    tx: &mut Tx,
    service_id: &ServiceId,
    number: u32,
    now: UnixMillis,
) -> Result<Contract, BenchError> {
    let contract = Contract {
        id: ContractId::new(now, &mut system_rng()),
        service_id: service_id.clone(),
        name: format!("Company {number}"),
    };
    tx.insert_contract(&contract, now).await?;
    Ok(contract)
}

/// An id that no other token of the bench has: of a million random ones, two are the same in one run of twenty.
fn token_user_id(number: u32) -> Result<TokenUserId, BenchError> {
    (0..10)
        .find_map(|check_digit| TokenUserId::parse(&format!("{number:013}{check_digit}")).ok())
        .ok_or_else(|| Failure::fault("an id without a check digit").into())
}

async fn add_bearer(
    tx: &mut Tx,
    app: &App,
    bank: &Bank,
    contract: &Contract,
    number: u32,
    now: UnixMillis,
) -> Result<(), BenchError> {
    let rng = &mut system_rng();
    let parameters: Parameters = Policy::manual().parameters;
    let user = User {
        id: UserId::new(now, rng),
        service_id: contract.service_id.clone(),
        contract_id: contract.id.clone(),
        login_id: login_id(number),
        name: format!("User {number}"),
        role: Role::General,
        language: Language::Ja,
        mail_address: None,
        disabled: false,
        reopens_at: None,
    };
    // No password: nobody signs in here.
    let hashes = PasswordHashes {
        password: "-".to_owned(),
        confirmation_password: "-".to_owned(),
    };
    tx.insert_user(&user, &hashes, now).await?;
    let token_id = TokenId::new(now, rng);
    let issuance = Issuance {
        id: IssuanceId::new(now, rng),
        service_id: user.service_id.clone(),
        user_id: user.id.clone(),
        token_user_id: token_user_id(number)?,
        mail_address: "-".to_owned(),
        parameters,
        created_at: now,
        expires_at: now.plus_ms(DAY_MS),
        starts: 0,
        state: IssuanceState::Consumed {
            token_id: token_id.clone(),
        },
    };
    tx.insert_issuance(&issuance, b"-").await?;
    let sealed = app.seal_seed(&user.service_id, &token_id, parameters, &bank.seed(number))?;
    let token = Token {
        id: token_id,
        service_id: user.service_id,
        user_id: user.id,
        issuance_id: issuance.id,
        parameters,
        activated_at: now,
        expires_at: None,
        state: TokenState::InUse { confirmed_at: now },
    };
    let counter = Counter {
        // Whoever has used a token has a last step, and one that no client asks with; and codes before: with the second the row of a counter becomes longer on SQLite, and then with
        // right codes alone not for a hundred.
        version: VERSION_BEFORE,
        last_step: bank.first_step - 2,
        standing: token.state.standing(),
        ..Counter::of_new_token(None)
    };
    let counter_no = CounterNo::new(now, u32::from_le_bytes(random_bytes()));
    tx.insert_token(&token, (counter_no, &counter), &sealed, b"-")
        .await?;
    Ok(())
}
