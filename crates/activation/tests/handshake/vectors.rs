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
    ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES, Binding, Randomness, SUITE_ID,
    client::{Registration, Started},
    messages::StartRequest,
    server::{Answer, Setup},
};
use warifu_core::oath::{Algorithm, Parameters};

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

/// The key schedule once more, from what went over the wire and OPAQUE's session key, as docs/protocol.md §5 tells it.
struct Schedule {
    parameters: Vec<u8>,
    client_identity: Vec<u8>,
    server_identity: Vec<u8>,
    credential_identifier: Vec<u8>,
    transcript: Vec<u8>,
    seed: Vec<u8>,
    device_key: Vec<u8>,
    confirmation_key: Vec<u8>,
    confirmation: Vec<u8>,
}

fn schedule(binding: &Binding, token_id: &str, opaque: [&[u8]; 3], session_key: &[u8]) -> Schedule {
    let algorithm = binding.parameters.algorithm;
    let number = match algorithm {
        Algorithm::Sha1 => 1,
        Algorithm::Sha256 => 2,
        Algorithm::Sha512 => 3,
    };
    let step_s = binding.parameters.step_s.to_be_bytes();
    let parameters = [&[number, binding.parameters.digits], step_s.as_slice()].concat();
    let [service, user, issuance] = [
        &binding.service_id,
        &binding.token_user_id,
        &binding.issuance_id,
    ]
    .map(|id| id.as_str().as_bytes());
    let client_identity = lp(&[service, user, issuance, &parameters]);
    let server_identity = lp(&[service, SUITE_ID.as_bytes()]);
    let [ke1, ke2, ke3] = opaque;
    let identities = lp(&[&client_identity, &server_identity]);
    let transcript = Sha256::digest(lp(&[ke1, ke2, ke3, &identities])).to_vec();
    let seed_fields = lp(&[b"warifu/1 seed", service, user, issuance, &parameters]);
    let seed = expand(
        session_key,
        &[seed_fields, transcript.clone()].concat(),
        algorithm.seed_len(),
    );
    let labelled =
        |label: &[u8]| expand(session_key, &[&lp(&[label]), &transcript[..]].concat(), 32);
    let confirmation_key = labelled(b"warifu/1 confirm");
    let device_key = labelled(b"warifu/1 device");
    let confirmation = Hmac::<Sha256>::new_from_slice(&confirmation_key)
        .unwrap()
        .chain_update(b"fin")
        .chain_update(lp(&[token_id.as_bytes()]))
        .chain_update(&transcript)
        .finalize()
        .into_bytes()
        .to_vec();
    Schedule {
        parameters,
        client_identity,
        server_identity,
        credential_identifier: lp(&[service, user]),
        transcript,
        seed,
        device_key,
        confirmation_key,
        confirmation,
    }
}

/// What the same start gets when the ids do not exist.
fn decoy(setup: &Setup, start: &StartRequest, parameters: Parameters) -> Vec<u8> {
    let binding = Binding {
        service_id: start.service_id.clone(),
        token_user_id: start.token_user_id.clone(),
        issuance_id: setup.public_issuance_id(&start.service_id, &start.token_user_id, None),
        parameters,
    };
    let randomness = setup.decoy_randomness(start);
    let (_, response) = setup
        .start(Answer::Unknown, binding, start, SERVER_TIME_MS, randomness)
        .unwrap();
    response.encode()
}

/// 32 bytes each for the setup, the page, the app and the server's answer.
const RANDOMNESS: [u8; 4] = [0x00, 0x20, 0x40, 0x60];

fn vector(name: &str, binding: &Binding, typed: &str) -> Value {
    let token_id = "token-0001";
    let [for_setup, for_page, for_app, for_answer] = RANDOMNESS.map(counting);

    let setup = Setup::generate(Randomness::new(for_setup));
    let page = Registration::start(&password(typed), Randomness::new(for_page)).unwrap();
    let registration_response = setup.register(binding.clone(), &page.request()).unwrap();
    let record = page
        .finish(&password(typed), &registration_response)
        .unwrap();
    let app = Started::new(
        binding.service_id.clone(),
        binding.token_user_id.clone(),
        &password(typed),
        Randomness::new(for_app),
    )
    .unwrap();
    let start = app.request();
    let (attempt, start_response) = setup
        .start(
            Answer::Genuine(&record.record),
            binding.clone(),
            &start,
            SERVER_TIME_MS,
            Randomness::new(for_answer),
        )
        .unwrap();
    let pending = app.finish(&password(typed), &start_response).unwrap();
    let finish = pending.request();
    let agreed = attempt.finish(&finish).unwrap();
    let last = agreed.confirm(id(token_id));
    let activated = pending.confirm(&last).unwrap();
    let attempt_state = attempt.to_bytes();
    let session_key = &attempt_state[attempt_state.len() - 64..attempt_state.len() - 32];
    let opaque: [&[u8]; 3] = [
        start.ke1.as_bytes(),
        start_response.ke2.as_bytes(),
        finish.ke3.as_bytes(),
    ];
    let again = schedule(binding, token_id, opaque, session_key);
    assert_eq!(again.seed, activated.seed.expose());
    assert_eq!(again.seed, agreed.seed().expose());
    assert_eq!(again.device_key, activated.device_key.expose());
    assert_eq!(again.confirmation, last.confirmation);

    json!({
        "inputs": {
            "service_id": binding.service_id.as_str(),
            "token_user_id": binding.token_user_id.as_str(),
            "issuance_id": binding.issuance_id.as_str(),
            "token_id": token_id,
            "algorithm": name,
            "digits": binding.parameters.digits,
            "step_s": binding.parameters.step_s,
            "activation_password": typed,
            "server_time_ms": SERVER_TIME_MS,
            "setup_randomness": hex(&for_setup),
            "registration_randomness": hex(&for_page),
            "activation_randomness": hex(&for_app),
            "answer_randomness": hex(&for_answer),
        },
        "identities": {
            "parameters": hex(&again.parameters),
            "client_identity": hex(&again.client_identity),
            "server_identity": hex(&again.server_identity),
            "credential_identifier": hex(&again.credential_identifier),
        },
        "messages": {
            "registration_request": hex(&page.request().encode()),
            "registration_response": hex(&registration_response.encode()),
            "registration_record": hex(&record.encode()),
            "start_request": hex(&start.encode()),
            "start_response": hex(&start_response.encode()),
            "finish_request": hex(&finish.encode()),
            "finish_response": hex(&last.encode()),
            "decoy_start_response": hex(&decoy(&setup, &start, binding.parameters)),
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
            "transcript_hash": hex(&again.transcript),
            "seed": hex(&again.seed),
            "device_key": hex(&again.device_key),
            "confirmation_key": hex(&again.confirmation_key),
            "confirmation": hex(&again.confirmation),
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
    let binding = |algorithm, digits, step_s| Binding {
        service_id: id("demo-bank"),
        token_user_id: id("k7m2-9xqa-4t"),
        issuance_id: id("0123456789abcdef0123456789abcdef"),
        parameters: Parameters::new(algorithm, digits, step_s).unwrap(),
    };
    let vectors = json!({
        "suite": SUITE_ID,
        "argon2id": {
            "memory_kib": ARGON2_MEMORY_KIB,
            "passes": ARGON2_PASSES,
            "lanes": ARGON2_LANES,
        },
        "vectors": [
            vector("SHA256", &binding(Algorithm::Sha256, 6, 60), "402816"),
            vector("SHA512", &binding(Algorithm::Sha512, 8, 30), "93751426"),
            vector("SHA1", &binding(Algorithm::Sha1, 6, 60), "2580"),
        ],
    });
    if std::env::var_os("WARIFU_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&vectors).unwrap();
        std::fs::write(&file, text + "\n").unwrap();
    }
    let published: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(published, vectors);
}
