//! The way from the password on the page to the token on the phone, and the people who must not get there.

use subtle::ConstantTimeEq;
use warifu_activation::{
    Binding,
    client::{ClientError, Started},
    messages::StartResponse,
    server::{Answer, ServerError, Setup},
};
use warifu_core::oath::{Algorithm, Parameters};

use crate::common::{
    PASSWORD, Run, SERVER_TIME_MS, answer, binding, id, password, random, register, setup, started,
};

#[test]
fn both_halves_end_with_the_same_keys_for_every_hash() {
    for (algorithm, seed_bytes) in [
        (Algorithm::Sha1, 20),
        (Algorithm::Sha256, 32),
        (Algorithm::Sha512, 64),
    ] {
        let parameters = Parameters::new(algorithm, 8, 30).unwrap();
        let run = Run::of(
            Binding {
                parameters,
                ..binding()
            },
            7,
        );
        let activated = run.pending.confirm(&run.last).unwrap();
        assert!(activated.seed.expose() == run.agreed.seed().expose());
        assert!(bool::from(
            activated.device_key.ct_eq(run.agreed.device_key())
        ));
        assert_eq!(activated.seed.expose().len(), seed_bytes);
        assert_ne!(
            activated.seed.expose()[..20],
            activated.device_key.expose()[..20]
        );
        assert_eq!(activated.parameters, parameters);
        assert_eq!(activated.token_id, id("token-1"));
        assert_eq!(activated.token_user_id, id("user-1"));
        assert_eq!(run.pending.server_time_ms(), SERVER_TIME_MS);
    }
}

#[test]
fn the_seed_changes_with_nothing_but_the_randomness() {
    let first = Run::of(binding(), 7);
    let again = Run::of(binding(), 7);
    let other = Run::of(binding(), 8);
    assert!(first.agreed.seed().expose() == again.agreed.seed().expose());
    assert!(first.agreed.seed().expose() != other.agreed.seed().expose());
}

#[test]
fn a_wrong_password_shows_when_the_first_answer_arrives() {
    let setup = setup();
    let record = register(&setup, &binding());
    let wrong = password("24681");
    let app = Started::new(id("demo"), id("user-1"), &wrong, random(7)).unwrap();
    let (_, answer) = answer(&setup, &record, &app);
    assert_eq!(
        app.finish(&wrong, &answer).err(),
        Some(ClientError::WrongPasswordOrIds)
    );
}

#[test]
fn another_issuance_or_other_parameters_than_registered_are_refused() {
    let setup = setup();
    let record = register(&setup, &binding());
    let app = started(7);
    for bent in [
        Binding {
            issuance_id: id("issuance-2"),
            ..binding()
        },
        Binding {
            parameters: Parameters::new(Algorithm::Sha256, 6, 30).unwrap(),
            ..binding()
        },
        Binding {
            parameters: Parameters::new(Algorithm::Sha1, 6, 60).unwrap(),
            ..binding()
        },
    ] {
        let (_, answer) = setup
            .start(
                Answer::Genuine(&record),
                bent,
                &app.request(),
                0,
                random(99),
            )
            .unwrap();
        assert_eq!(
            app.finish(&password(PASSWORD), &answer).err(),
            Some(ClientError::WrongPasswordOrIds)
        );
    }
}

#[test]
fn the_record_of_another_user_or_server_does_not_let_anybody_in() {
    let elsewhere = Setup::generate(random(50));
    let neighbour = Binding {
        token_user_id: id("user-2"),
        ..binding()
    };
    let app = started(7);
    for (setup, record) in [
        (setup(), register(&setup(), &neighbour)),
        (setup(), register(&elsewhere, &binding())),
        (elsewhere, register(&setup(), &binding())),
    ] {
        let (_, answer) = answer(&setup, &record, &app);
        assert_eq!(
            app.finish(&password(PASSWORD), &answer).err(),
            Some(ClientError::WrongPasswordOrIds)
        );
    }
}

#[test]
fn a_start_is_answered_only_for_the_service_and_user_it_names() {
    let setup = setup();
    let record = register(&setup, &binding());
    for bent in [
        Binding {
            service_id: id("other"),
            ..binding()
        },
        Binding {
            token_user_id: id("user-2"),
            ..binding()
        },
    ] {
        let answer = setup.start(
            Answer::Genuine(&record),
            bent,
            &started(7).request(),
            0,
            random(99),
        );
        assert_eq!(answer.err(), Some(ServerError::Mismatch));
    }
}

#[test]
fn a_proof_fits_its_own_attempt_only() {
    let setup = setup();
    let record = register(&setup, &binding());
    let (first, second) = (started(7), started(8));
    let (first_attempt, first_answer) = answer(&setup, &record, &first);
    let (second_attempt, _) = answer(&setup, &record, &second);
    let proof = first
        .finish(&password(PASSWORD), &first_answer)
        .unwrap()
        .request();
    assert!(first_attempt.finish(&proof).is_ok());
    assert_eq!(
        second_attempt.finish(&proof).err(),
        Some(ServerError::Mismatch)
    );
    let mut renamed = proof.clone();
    renamed.attempt_id = second.attempt_id().clone();
    assert_eq!(
        second_attempt.finish(&renamed).err(),
        Some(ServerError::WrongProof)
    );
    // Nor does the same start, answered a second time with fresh randomness.
    let (answered_again, _) = setup
        .start(
            Answer::Genuine(&record),
            binding(),
            &first.request(),
            0,
            random(98),
        )
        .unwrap();
    assert_eq!(
        answered_again.finish(&proof).err(),
        Some(ServerError::WrongProof)
    );
}

#[test]
fn a_confirmation_fits_its_own_activation_and_token_only() {
    let run = Run::of(binding(), 7);
    let other = Run::of(binding(), 8);
    assert!(run.pending.confirm(&run.last).is_ok());
    assert_eq!(
        run.pending.confirm(&other.last).err(),
        Some(ClientError::NotConfirmed)
    );
    let mut renamed = run.last.clone();
    renamed.token_id = id("token-2");
    assert_eq!(
        run.pending.confirm(&renamed).err(),
        Some(ClientError::NotConfirmed)
    );
}

#[test]
fn a_decoy_cannot_be_told_from_a_wrong_password() {
    let setup = setup();
    let record = register(&setup, &binding());
    let app = started(7);
    let request = app.request();
    let public = |issuance| setup.public_issuance_id(&id("demo"), &id("user-1"), issuance);
    let decoy = || {
        let binding = Binding {
            issuance_id: public(None),
            ..binding()
        };
        let randomness = setup.decoy_randomness(&request);
        setup
            .start(
                Answer::Unknown,
                binding,
                &request,
                SERVER_TIME_MS,
                randomness,
            )
            .unwrap()
    };
    let (attempt, fake) = decoy();
    let (_, real) = answer(&setup, &record, &app);
    let real = StartResponse {
        issuance_id: public(Some("issuance-1")),
        ..real
    };
    assert_eq!(fake.encode().len(), real.encode().len());
    assert_ne!(fake.ke2, real.ke2);
    assert_ne!(fake.issuance_id, real.issuance_id);
    assert_eq!(
        app.finish(&password(PASSWORD), &fake).err(),
        Some(ClientError::WrongPasswordOrIds)
    );

    // The same start gets the same decoy, another start another one under the same issuance id.
    assert_eq!(fake, decoy().1);
    let randomness = setup.decoy_randomness(&started(8).request());
    let (_, other) = setup
        .start(
            Answer::Unknown,
            binding(),
            &started(8).request(),
            0,
            randomness,
        )
        .unwrap();
    assert_ne!(other.ke2, fake.ke2);

    // Once starts are used up or closed, the same KE1 is evaluated under other keys: a genuine answer that was kept cannot
    // be used to check guesses with decoys.
    let evaluated = |how: Answer<'_>| {
        let randomness = setup.decoy_randomness(&request);
        let (_, answer) = setup
            .start(how, binding(), &request, 0, randomness)
            .unwrap();
        answer.ke2.as_bytes()[..33].to_vec()
    };
    let genuine = evaluated(Answer::Genuine(&record));
    assert_eq!(genuine, evaluated(Answer::Unknown));
    assert_ne!(genuine, evaluated(Answer::Closed));
    assert_ne!(genuine, evaluated(Answer::Spent));
    assert_ne!(evaluated(Answer::Closed), evaluated(Answer::Spent));

    // And no proof fits it, not even one of the right password.
    let (_, answer) = answer(&setup, &record, &app);
    let proof = app.finish(&password(PASSWORD), &answer).unwrap().request();
    assert_eq!(attempt.finish(&proof).err(), Some(ServerError::WrongProof));
}
