//! The published vectors: `tests/vectors/activation-1.json` fixes every byte that both halves make from fixed randomness, so
//! that another implementation can be held against it, and so that nothing here can change unseen.
//!
//! The key schedule is computed a second time here, step by step as docs/protocol.md tells it.
//! `WARIFU_WRITE_VECTORS=1 cargo test -p warifu-activation vectors` writes the file anew after a deliberate change.

use std::path::Path;

use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use warifu_activation::{
    ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES, Algorithm, Binding, Parameters, Randomness,
    SUITE_ID,
    client::{Registration, Started},
    server::Setup,
};

use crate::common::{SERVER_TIME_MS, id, password};

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn lp(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend_from_slice(&u16::try_from(field.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}

/// Randomness that is 32 bytes counting up from `first`.
fn counting(first: u8) -> [u8; Randomness::BYTES] {
    std::array::from_fn(|place| first.wrapping_add(u8::try_from(place).unwrap()))
}

fn expand(key: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Hkdf::<Sha256>::from_prk(key)
        .unwrap()
        .expand(info, &mut bytes)
        .unwrap();
    bytes
}

fn vector(algorithm: Algorithm, name: &str, digits: u8, step_s: u32, typed: &str) -> Value {
    let [service, user, issuance, token] = [
        "demo-bank",
        "k7m2-9xqa-4t",
        "0123456789abcdef0123456789abcdef",
        "token-0001",
    ];
    let parameters = Parameters::new(algorithm, digits, step_s).unwrap();
    let binding = Binding {
        service_id: id(service),
        token_user_id: id(user),
        issuance_id: id(issuance),
        parameters,
    };
    let [for_setup, for_page, for_app, for_answer] = [0x00, 0x20, 0x40, 0x60].map(counting);

    let setup = Setup::generate(Randomness::new(for_setup));
    let page = Registration::start(&password(typed), Randomness::new(for_page)).unwrap();
    let registration_response = setup.register(binding.clone(), &page.request()).unwrap();
    let record = page
        .finish(&password(typed), &registration_response)
        .unwrap();
    let app = Started::new(
        id(service),
        id(user),
        &password(typed),
        Randomness::new(for_app),
    )
    .unwrap();
    let start = app.request();
    let (attempt, start_response) = setup
        .start(
            Some(&record.record),
            binding,
            &start,
            SERVER_TIME_MS,
            Randomness::new(for_answer),
        )
        .unwrap();
    let pending = app.finish(&password(typed), &start_response).unwrap();
    let finish = pending.request();
    let agreed = attempt.finish(&finish).unwrap();
    let last = agreed.confirm(id(token));
    let activated = pending.confirm(&last).unwrap();
    let decoy_issuance_id = setup.public_issuance_id(&id(service), &id(user), None);
    let (_, decoy) = setup
        .start(
            None,
            Binding {
                service_id: id(service),
                token_user_id: id(user),
                issuance_id: decoy_issuance_id,
                parameters,
            },
            &start,
            SERVER_TIME_MS,
            setup.decoy_randomness(&start),
        )
        .unwrap();

    // The key schedule once more, from what went over the wire and the session key in the server's state.
    let number = match algorithm {
        Algorithm::Sha1 => 1,
        Algorithm::Sha256 => 2,
        Algorithm::Sha512 => 3,
    };
    let parameter_bytes = [&[number, digits], step_s.to_be_bytes().as_slice()].concat();
    let [service, user, issuance] = [service, user, issuance].map(str::as_bytes);
    let client_identity = lp(&[service, user, issuance, &parameter_bytes]);
    let server_identity = lp(&[service, SUITE_ID.as_bytes()]);
    let transcript = Sha256::digest(lp(&[
        start.ke1.as_bytes(),
        start_response.ke2.as_bytes(),
        finish.ke3.as_bytes(),
        &lp(&[&client_identity, &server_identity]),
    ]));
    let attempt_state = attempt.to_bytes();
    let session_key = &attempt_state[attempt_state.len() - 64..attempt_state.len() - 32];
    let seed_info = [
        lp(&[b"warifu/1 seed", service, user, issuance, &parameter_bytes]),
        transcript.to_vec(),
    ]
    .concat();
    let seed = expand(session_key, &seed_info, algorithm.seed_bytes());
    let labelled =
        |label: &[u8]| expand(session_key, &[&lp(&[label]), &transcript[..]].concat(), 32);
    let confirmation_key = labelled(b"warifu/1 confirm");
    let device_key = labelled(b"warifu/1 device");
    let confirmation = Hmac::<Sha256>::new_from_slice(&confirmation_key)
        .unwrap()
        .chain_update(b"fin")
        .chain_update(lp(&[token.as_bytes()]))
        .chain_update(transcript)
        .finalize()
        .into_bytes();
    assert_eq!(seed, activated.seed.expose());
    assert_eq!(seed, agreed.seed().expose());
    assert_eq!(device_key, activated.device_key.expose());
    assert_eq!(confirmation[..], last.confirmation);

    json!({
        "inputs": {
            "service_id": str::from_utf8(service).unwrap(),
            "token_user_id": str::from_utf8(user).unwrap(),
            "issuance_id": str::from_utf8(issuance).unwrap(),
            "token_id": token,
            "algorithm": name,
            "digits": digits,
            "step_s": step_s,
            "activation_password": typed,
            "server_time_ms": SERVER_TIME_MS,
            "setup_randomness": hex(&for_setup),
            "registration_randomness": hex(&for_page),
            "activation_randomness": hex(&for_app),
            "answer_randomness": hex(&for_answer),
        },
        "identities": {
            "parameters": hex(&parameter_bytes),
            "client_identity": hex(&client_identity),
            "server_identity": hex(&server_identity),
            "credential_identifier": hex(&lp(&[service, user])),
        },
        "messages": {
            "registration_request": hex(&page.request().encode()),
            "registration_response": hex(&registration_response.encode()),
            "registration_record": hex(&record.encode()),
            "start_request": hex(&start.encode()),
            "start_response": hex(&start_response.encode()),
            "finish_request": hex(&finish.encode()),
            "finish_response": hex(&last.encode()),
            "decoy_start_response": hex(&decoy.encode()),
        },
        "opaque": {
            "registration_request": hex(page.request().blinded.as_bytes()),
            "registration_response": hex(registration_response.evaluated.as_bytes()),
            "registration_record": hex(record.record.as_bytes()),
            "ke1": hex(start.ke1.as_bytes()),
            "ke2": hex(start_response.ke2.as_bytes()),
            "ke3": hex(finish.ke3.as_bytes()),
            "session_key": hex(session_key),
        },
        "keys": {
            "transcript_hash": hex(&transcript),
            "seed": hex(&seed),
            "device_key": hex(&device_key),
            "confirmation_key": hex(&confirmation_key),
            "confirmation": hex(&confirmation),
        },
        "states": {
            "setup": hex(&setup.to_bytes()),
            "registration": hex(&page.to_bytes()),
            "started": hex(&app.to_bytes()),
            "attempt": hex(&attempt_state),
            "pending": hex(&pending.to_bytes()),
        },
    })
}

#[test]
fn the_published_vectors_are_what_both_halves_make() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/activation-1.json");
    let vectors = json!({
        "suite": SUITE_ID,
        "argon2id": {
            "memory_kib": ARGON2_MEMORY_KIB,
            "passes": ARGON2_PASSES,
            "lanes": ARGON2_LANES,
        },
        "vectors": [
            vector(Algorithm::Sha256, "SHA256", 6, 60, "402816"),
            vector(Algorithm::Sha512, "SHA512", 8, 30, "93751426"),
            vector(Algorithm::Sha1, "SHA1", 6, 60, "2580"),
        ],
    });
    if std::env::var_os("WARIFU_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&vectors).unwrap();
        std::fs::write(&file, text + "\n").unwrap();
    }
    let published: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(published, vectors);
}
