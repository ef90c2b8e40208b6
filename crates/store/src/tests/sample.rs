//! A service with a contract and its people, and what they come to have, for the cases of the queries.

use std::sync::atomic::{AtomicU32, Ordering};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use warifu_core::contract::Contract;
use warifu_core::id::{ContractId, IssuanceId, ServiceId, TokenId, TokenUserId, UserId};
use warifu_core::issuance::{Issuance, IssuanceState};
use warifu_core::service::{Policy, Service};
use warifu_core::time::{DAY_MS, UnixMillis};
use warifu_core::token::{Token, TokenState};
use warifu_core::user::{Language, Role, User};
use warifu_core::verification::Counter;

use crate::{AttemptState, CounterNo, PasswordHashes, Store, StoredAttempt};

pub(super) const NOW: UnixMillis = UnixMillis(1_790_000_000_000);

pub(super) fn service(id: &str) -> Service {
    Service {
        id: ServiceId::parse(id).unwrap(),
        name_ja: format!("{id}銀行"),
        name_en: format!("{id} bank"),
        time_zone: "Asia/Tokyo".to_owned(),
        help_desk: "0120-000-000".to_owned(),
        policy: Policy::strict(),
    }
}

pub(super) fn contract(service: &Service, id: &str) -> Contract {
    Contract {
        id: ContractId::from_stored(id),
        service_id: service.id.clone(),
        name: format!("株式会社 {id}"),
    }
}

pub(super) fn user(contract: &Contract, login_id: &str, role: Role) -> User {
    User {
        id: UserId::from_stored(format!("user-{}-{login_id}", contract.id)),
        service_id: contract.service_id.clone(),
        contract_id: contract.id.clone(),
        login_id: login_id.to_owned(),
        name: format!("利用者 {login_id}"),
        role,
        language: Language::Ja,
        mail_address: None,
        disabled: false,
        reopens_at: None,
    }
}

pub(super) fn hashes(of: &str) -> PasswordHashes {
    PasswordHashes {
        password: format!("$argon2id${of}"),
        confirmation_password: format!("$argon2id$confirm${of}"),
    }
}

/// The service `bank` with the contract `c`, stored.
pub(super) async fn store_contract(store: &Store) -> Contract {
    let service = service("bank");
    let contract = contract(&service, "c");
    let mut tx = store.begin().await.unwrap();
    tx.insert_service(&service, NOW).await.unwrap();
    tx.insert_contract(&contract, NOW).await.unwrap();
    tx.commit().await.unwrap();
    contract
}

/// A general user of the contract, stored.
pub(super) async fn store_user(store: &Store, contract: &Contract, login_id: &str) -> User {
    let user = user(contract, login_id, Role::General);
    let mut tx = store.begin().await.unwrap();
    assert!(tx.insert_user(&user, &hashes(login_id), NOW).await.unwrap());
    tx.commit().await.unwrap();
    user
}

/// The user `taro` of [`store_contract`], stored.
pub(super) async fn store_taro(store: &Store) -> User {
    let contract = store_contract(store).await;
    store_user(store, &contract, "taro").await
}

/// An issuance; the seed makes its ids differ from those of another seed.
pub(super) fn issuance(user: &User, seed: u8) -> Issuance {
    let mut rng = ChaCha20Rng::from_seed([seed; 32]);
    Issuance {
        id: IssuanceId::from_stored(format!("issuance-{}-{seed:03}", user.login_id)),
        service_id: user.service_id.clone(),
        user_id: user.id.clone(),
        token_user_id: TokenUserId::new(&mut rng),
        mail_address: "taro@example.jp".to_owned(),
        parameters: Policy::manual().parameters,
        created_at: NOW,
        expires_at: NOW.plus_ms(DAY_MS),
        starts: 0,
        state: IssuanceState::Issued,
    }
}

/// An issuance, stored with a record.
pub(super) async fn store_issuance(store: &Store, user: &User, seed: u8) -> Issuance {
    let issuance = issuance(user, seed);
    let mut tx = store.begin().await.unwrap();
    tx.insert_issuance(&issuance, b"sealed record")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    issuance
}

pub(super) fn token(issuance: &Issuance, id: &str, state: TokenState) -> (Token, Counter) {
    let token = Token {
        id: TokenId::from_stored(id),
        service_id: issuance.service_id.clone(),
        user_id: issuance.user_id.clone(),
        issuance_id: issuance.id.clone(),
        parameters: issuance.parameters,
        activated_at: NOW,
        expires_at: None,
        state,
    };
    let counter = Counter {
        standing: state.standing(),
        ..Counter::of_new_token(None)
    };
    (token, counter)
}

/// A number that no other counter of the tests has.
pub(super) fn counter_no() -> CounterNo {
    static MADE: AtomicU32 = AtomicU32::new(0);
    CounterNo::new(NOW, MADE.fetch_add(1, Ordering::Relaxed))
}

/// A token in this state, stored with an issuance of its own.
pub(super) async fn store_token(
    store: &Store,
    user: &User,
    seed: u8,
    state: TokenState,
) -> (Token, Counter) {
    let issuance = store_issuance(store, user, seed).await;
    let (token, counter) = token(
        &issuance,
        &format!("token-{}-{seed:03}", user.login_id),
        state,
    );
    let mut tx = store.begin().await.unwrap();
    let inserted = tx
        .insert_token(
            &token,
            (counter_no(), &counter),
            b"sealed seed",
            b"sealed key",
        )
        .await;
    assert!(inserted.unwrap());
    tx.commit().await.unwrap();
    (token, counter)
}

/// A start that counts.
pub(super) fn attempt(issuance: &Issuance, id: &str, started_at: UnixMillis) -> StoredAttempt {
    StoredAttempt {
        issuance_id: Some(issuance.id.clone()),
        user_id: Some(issuance.user_id.clone()),
        counted: true,
        ..decoy(id, started_at)
    }
}

/// A start that asked for what does not exist.
pub(super) fn decoy(id: &str, started_at: UnixMillis) -> StoredAttempt {
    StoredAttempt {
        attempt_id: id.to_owned(),
        service_id: "nowhere".to_owned(),
        token_user_id: "00000000000000".to_owned(),
        issuance_id: None,
        user_id: None,
        counted: false,
        ke1_hash: [1; 32],
        start_reply: vec![2, 3],
        sealed_state: Some(vec![4]),
        state: AttemptState::Open,
        finish_hash: None,
        finish_reply: None,
        started_at,
        expires_at: started_at.plus_ms(600_000),
    }
}
