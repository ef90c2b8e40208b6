//! R55: the app, the page or the server dies at any point, and goes on with the very same bytes.

use warifu_activation::{
    Binding,
    client::{ClientError, Pending, Registration, Started},
    server::{Answer, Attempt, Setup},
};
use warifu_core::oath::{Algorithm, Parameters};

use crate::common::{PASSWORD, Run, answer, binding, password, random, register, setup, started};

#[test]
fn an_app_killed_after_the_start_sends_the_same_start_and_finishes() {
    let setup = setup();
    let record = register(&setup, &binding());
    let before = started(7);
    let after = Started::from_bytes(&before.to_bytes()).unwrap();
    assert_eq!(after.request().encode(), before.request().encode());
    assert_eq!(after.request().digest(), before.request().digest());
    assert_eq!(after.to_bytes(), before.to_bytes());

    let (_, answer) = answer(&setup, &record, &before);
    let one = before.finish(&password(PASSWORD), &answer).unwrap();
    let two = after.finish(&password(PASSWORD), &answer).unwrap();
    assert_eq!(one.to_bytes(), two.to_bytes());
}

#[test]
fn a_slip_at_typing_the_password_again_spends_nothing() {
    let setup = setup();
    let record = register(&setup, &binding());
    let app = Started::from_bytes(&started(7).to_bytes()).unwrap();
    let (_, answer) = answer(&setup, &record, &app);
    assert_eq!(
        app.finish(&password("24608"), &answer).err(),
        Some(ClientError::AnotherPassword)
    );
    assert!(app.finish(&password(PASSWORD), &answer).is_ok());
}

#[test]
fn an_app_killed_before_the_last_answer_repeats_its_proof_and_gets_the_token() {
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
        let run = Run::of(
            Binding {
                parameters: Parameters::new(algorithm, 6, 60).unwrap(),
                ..binding()
            },
            7,
        );
        let after = Pending::from_bytes(&run.pending.to_bytes()).unwrap();
        assert_eq!(after.request().encode(), run.pending.request().encode());
        assert_eq!(after.request().digest(), run.pending.request().digest());
        assert_eq!(after.to_bytes(), run.pending.to_bytes());
        let activated = after.confirm(&run.last).unwrap();
        assert!(activated.seed.expose() == run.agreed.seed().expose());
    }
}

#[test]
fn a_server_restarted_between_the_messages_answers_with_the_same_bytes() {
    let run = Run::of(binding(), 7);
    let after = Attempt::from_bytes(&run.attempt.to_bytes()).unwrap();
    let agreed = after.finish(&run.pending.request()).unwrap();
    assert_eq!(agreed.confirm(run.last.token_id.clone()), run.last);
    assert!(agreed.seed().expose() == run.agreed.seed().expose());
    assert_eq!(after.binding(), run.attempt.binding());
    assert_eq!(after.attempt_id(), run.pending.attempt_id());
}

#[test]
fn a_restarted_server_is_the_same_server() {
    let before = setup();
    let after = Setup::from_bytes(&before.to_bytes()).unwrap();
    let page = Registration::start(&password(PASSWORD), random(2)).unwrap();
    assert_eq!(
        before.register(binding(), &page.request()),
        after.register(binding(), &page.request())
    );
    let record = register(&before, &binding());
    assert_eq!(
        answer(&before, &record, &started(7)).1,
        answer(&after, &record, &started(7)).1
    );
    let request = started(7).request();
    let decoy = |setup: &Setup| {
        let randomness = setup.decoy_randomness(&request);
        setup
            .start(Answer::Unknown, binding(), &request, 0, randomness)
            .unwrap()
            .1
    };
    assert_eq!(decoy(&before), decoy(&after));
}

#[test]
fn a_page_whose_worker_was_replaced_makes_the_same_record() {
    let setup = setup();
    let before = Registration::start(&password(PASSWORD), random(2)).unwrap();
    let after = Registration::from_bytes(&before.to_bytes()).unwrap();
    let response = setup.register(binding(), &before.request()).unwrap();
    let record = before.finish(&password(PASSWORD), &response).unwrap();
    assert_eq!(
        record,
        after.finish(&password(PASSWORD), &response).unwrap()
    );
    assert_eq!(
        after.finish(&password("1111"), &response).err(),
        Some(ClientError::AnotherPassword)
    );
}
