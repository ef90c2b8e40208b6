//! Bytes that are not what they should be: a clear refusal, never a panic, and never an activation.

use proptest::prelude::*;
use warifu_activation::{
    DecodeError,
    client::{ClientError, Pending, Registration, Started},
    messages::{
        FinishRequest, FinishResponse, Ke2, MESSAGE_BYTES_MAX, Record, RegistrationRecord,
        RegistrationRequest, RegistrationResponse, StartRequest, StartResponse,
    },
    server::{Answer, Attempt, ServerError, Setup},
};

use crate::common::{PASSWORD, Run, answer, binding, password, random, register, setup, started};

type Decoder = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

/// One good example of each message and kept state, and its decoder followed by its encoder.
fn examples() -> Vec<(&'static str, Vec<u8>, Decoder)> {
    let setup = setup();
    let page = Registration::start(&password(PASSWORD), random(2)).unwrap();
    let registration_response = setup.register(binding(), &page.request()).unwrap();
    let record = page
        .finish(&password(PASSWORD), &registration_response)
        .unwrap();
    let app = started(7);
    let (attempt, start_response) = answer(&setup, &record.record, &app);
    let pending = app.finish(&password(PASSWORD), &start_response).unwrap();
    let last = attempt
        .finish(&pending.request())
        .unwrap()
        .confirm(crate::common::id("token-1"));
    vec![
        ("registration request", page.request().encode(), |bytes| {
            RegistrationRequest::decode(bytes).map(|message| message.encode())
        }),
        (
            "registration response",
            registration_response.encode(),
            |bytes| RegistrationResponse::decode(bytes).map(|message| message.encode()),
        ),
        ("registration record", record.encode(), |bytes| {
            RegistrationRecord::decode(bytes).map(|message| message.encode())
        }),
        ("start request", app.request().encode(), |bytes| {
            StartRequest::decode(bytes).map(|message| message.encode())
        }),
        ("start response", start_response.encode(), |bytes| {
            StartResponse::decode(bytes).map(|message| message.encode())
        }),
        ("finish request", pending.request().encode(), |bytes| {
            FinishRequest::decode(bytes).map(|message| message.encode())
        }),
        ("finish response", last.encode(), |bytes| {
            FinishResponse::decode(bytes).map(|message| message.encode())
        }),
        ("registration state", page.to_bytes().to_vec(), |bytes| {
            Registration::from_bytes(bytes).map(|state| state.to_bytes().to_vec())
        }),
        ("started state", app.to_bytes().to_vec(), |bytes| {
            Started::from_bytes(bytes).map(|state| state.to_bytes().to_vec())
        }),
        ("pending state", pending.to_bytes().to_vec(), |bytes| {
            Pending::from_bytes(bytes).map(|state| state.to_bytes().to_vec())
        }),
        ("setup", setup.to_bytes().to_vec(), |bytes| {
            Setup::from_bytes(bytes).map(|state| state.to_bytes().to_vec())
        }),
        ("attempt", attempt.to_bytes().to_vec(), |bytes| {
            Attempt::from_bytes(bytes).map(|state| state.to_bytes().to_vec())
        }),
    ]
}

#[test]
fn every_message_reads_back_as_it_was_written_and_as_no_other() {
    let examples = examples();
    for (name, bytes, _) in &examples {
        assert!(bytes.len() <= MESSAGE_BYTES_MAX, "{name}");
        for (other, _, decode) in &examples {
            if name == other {
                assert_eq!(decode(bytes).as_ref(), Ok(bytes), "{name}");
            } else {
                assert!(
                    matches!(decode(bytes), Err(DecodeError::Type { .. })),
                    "{name} read as {other}"
                );
            }
        }
    }
}

#[test]
fn a_message_cut_anywhere_or_followed_by_anything_is_refused() {
    for (name, bytes, decode) in examples() {
        for length in 0..bytes.len() {
            assert!(
                matches!(decode(&bytes[..length]), Err(DecodeError::Truncated { .. })),
                "{name} cut to {length} bytes"
            );
        }
        let followed = [bytes.as_slice(), &[0]].concat();
        assert_eq!(decode(&followed), Err(DecodeError::TrailingBytes), "{name}");
        let endless = [bytes.as_slice(), &[0; MESSAGE_BYTES_MAX]].concat();
        assert_eq!(decode(&endless), Err(DecodeError::TooLong), "{name}");
    }
}

#[test]
fn another_version_or_suite_is_named_as_such() {
    for (name, mut bytes, decode) in examples() {
        bytes[0] = 2;
        assert_eq!(
            decode(&bytes),
            Err(DecodeError::Version { found: 2 }),
            "{name}"
        );
    }
    let mut request = started(7).request().encode();
    request[4] ^= 1;
    assert_eq!(
        StartRequest::decode(&request),
        Err(DecodeError::UnsupportedSuite)
    );
}

#[test]
fn a_field_with_a_byte_more_or_less_is_refused_with_its_name() {
    let good = Run::of(binding(), 7).pending.request();
    let field = |ke3: &[u8]| {
        let attempt_id = good.attempt_id.as_str().as_bytes();
        let length = u8::try_from(ke3.len()).unwrap();
        [&[1, 0x13, 0, 32], attempt_id, &[0, length], ke3].concat()
    };
    let ke3 = good.ke3.as_bytes();
    assert_eq!(FinishRequest::decode(&field(ke3)).as_ref(), Ok(&good));
    for wrong in [&ke3[1..], &[ke3.as_slice(), &[0]].concat(), &[]] {
        assert_eq!(
            FinishRequest::decode(&field(wrong)),
            Err(DecodeError::Length {
                field: "KE3",
                expected: 32,
                found: wrong.len()
            })
        );
    }
}

#[test]
fn a_record_whose_key_is_no_point_of_the_curve_is_refused_when_it_arrives() {
    let record = register(&setup(), &binding());
    // The fifth is SEC 1's compact form, a second spelling of the point.
    for prefix in [0, 1, 4, 0xff, 5] {
        let mut bent = *record.as_bytes();
        bent[0] = prefix;
        assert_eq!(
            Record::from_slice(&bent),
            Err(DecodeError::Value {
                field: "registration record"
            })
        );
    }
    let mut infinite = *record.as_bytes();
    infinite[..33].fill(0);
    assert!(Record::from_slice(&infinite).is_err());
    // x = p, the field's prime, is not reduced.
    let mut unreduced = *record.as_bytes();
    unreduced[1..33].fill(0xff);
    assert!(Record::from_slice(&unreduced).is_err());
}

#[test]
fn a_record_changed_in_any_part_lets_nobody_in() {
    let setup = setup();
    let record = register(&setup, &binding());
    let app = started(7);
    // Client key (other sign), masking key, envelope nonce, envelope MAC: each at its edges.
    for (place, mask) in [
        (0, 1),
        (33, 1),
        (64, 0x80),
        (65, 1),
        (96, 0x80),
        (97, 1),
        (128, 0x80),
    ] {
        let mut bent = *record.as_bytes();
        bent[place] ^= mask;
        let bent = Record::from_slice(&bent).unwrap();
        let (_, answer) = answer(&setup, &bent, &app);
        assert_eq!(
            app.finish(&password(PASSWORD), &answer).err(),
            Some(ClientError::WrongPasswordOrIds),
            "byte {place}"
        );
    }
}

#[test]
fn a_second_message_changed_in_any_part_activates_nothing() {
    let setup = setup();
    let record = register(&setup, &binding());
    let app = started(7);
    let (_, good) = answer(&setup, &record, &app);
    // Evaluated element, masking nonce, masked key and envelope, server nonce, ephemeral key, MAC: each at its edges.
    for (place, mask) in [
        (0, 1),
        (33, 1),
        (64, 0x80),
        (65, 1),
        (98, 1),
        (161, 0x80),
        (162, 1),
        (193, 0x80),
        (194, 1),
        (227, 1),
        (258, 0x80),
    ] {
        let mut bent = *good.ke2.as_bytes();
        bent[place] ^= mask;
        let answer = StartResponse {
            ke2: Ke2::from_slice(&bent).unwrap(),
            ..good.clone()
        };
        assert_eq!(
            app.finish(&password(PASSWORD), &answer).err(),
            Some(ClientError::WrongPasswordOrIds),
            "byte {place}"
        );
    }
}

#[test]
fn a_first_message_changed_on_the_way_activates_nothing() {
    let setup = setup();
    let record = register(&setup, &binding());
    let app = started(7);
    // Blinded element (other sign), client nonce, ephemeral key (other sign).
    for (place, mask) in [(0, 1), (33, 1), (64, 0x80), (65, 1)] {
        let mut request = app.request();
        let mut bent = *request.ke1.as_bytes();
        bent[place] ^= mask;
        request.ke1 = warifu_activation::messages::Ke1::from_slice(&bent).unwrap();
        let (_, answer) = setup
            .start(Answer::Genuine(&record), binding(), &request, 0, random(99))
            .unwrap();
        assert_eq!(
            app.finish(&password(PASSWORD), &answer).err(),
            Some(ClientError::WrongPasswordOrIds),
            "byte {place}"
        );
    }
}

#[test]
fn a_server_that_reflects_the_blinded_password_is_caught() {
    let setup = setup();
    let record = register(&setup, &binding());
    let app = started(7);
    let (_, good) = answer(&setup, &record, &app);
    let mut reflected = *good.ke2.as_bytes();
    reflected[..33].copy_from_slice(&app.request().ke1.as_bytes()[..33]);
    let answer = StartResponse {
        ke2: Ke2::from_slice(&reflected).unwrap(),
        ..good
    };
    assert_eq!(
        app.finish(&password(PASSWORD), &answer).err(),
        Some(ClientError::BadAnswer)
    );
}

#[test]
fn a_proof_or_confirmation_with_any_bit_changed_is_refused() {
    let run = Run::of(binding(), 7);
    let good = run.pending.request().encode();
    for place in 0..good.len() {
        let mut bent = good.clone();
        bent[place] ^= 1;
        match FinishRequest::decode(&bent) {
            Err(_) => {}
            Ok(message) => assert!(
                matches!(
                    run.attempt.finish(&message).err(),
                    Some(ServerError::WrongProof | ServerError::Mismatch)
                ),
                "byte {place}"
            ),
        }
    }
    let good = run.last.encode();
    for place in 0..good.len() {
        let mut bent = good.clone();
        bent[place] ^= 1;
        match FinishResponse::decode(&bent) {
            Err(_) => {}
            Ok(message) => assert_eq!(
                run.pending.confirm(&message).err(),
                Some(ClientError::NotConfirmed),
                "byte {place}"
            ),
        }
    }
}

#[test]
fn messages_bent_at_random_are_refused_or_mean_exactly_what_they_say() {
    let examples = examples();
    let bends = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4);
    proptest!(ProptestConfig::with_cases(2_000), |(which in 0..examples.len(), bends in bends)| {
        let (_, good, decode) = &examples[which];
        let mut bent = good.clone();
        for (place, byte) in bends {
            let place = place.index(bent.len());
            bent[place] = byte;
        }
        if let Ok(again) = decode(&bent) {
            prop_assert_eq!(again, bent);
        }
    });
}

#[test]
fn no_bytes_at_all_can_break_a_decoder() {
    let examples = examples();
    let bytes = prop::collection::vec(any::<u8>(), 0..MESSAGE_BYTES_MAX + 8);
    proptest!(ProptestConfig::with_cases(2_000), |(bytes in bytes, headed in any::<bool>())| {
        for (_, good, decode) in &examples {
            let mut bytes = bytes.clone();
            if headed && bytes.len() >= 2 {
                bytes[..2].copy_from_slice(&good[..2]);
            }
            if let Ok(again) = decode(&bytes) {
                prop_assert_eq!(again, bytes);
            }
        }
    });
}
