//! J3 from the app's side, against the server's half of the handshake: whatever is lost or killed, the app finishes, and both
//! sides know one token.

use crate::parties::{
    Issued, Killed, NOW, Run, STARTS_MAX, Server, add, kept, password, rng, trip,
};
use warifu_authenticator::activation::{
    ActivationError, Answer, FINISH_PATH, Next, Order, Progress, START_PATH,
};
use warifu_authenticator::tokens::TOKENS_PER_APP_MAX;
use warifu_authenticator::{LocalId, ServerAddress, State, Tokens};
use warifu_core::id::TokenUserId;
use warifu_core::oath::totp;
use warifu_core::refusal::Refusal;

const PASSWORD: &str = "604817";

fn assert_one_token(server: &Server, tokens: &Tokens) {
    assert_eq!(server.seeds.len(), 1, "tokens on the server");
    assert_eq!(tokens.len(), 1, "tokens in the app");
    let token = tokens.iter().next().unwrap();
    let State::Active(active) = token.state() else {
        panic!("the token is {}", token.state().as_str());
    };
    assert!(
        active.seed().expose() == server.seeds[0].expose(),
        "one seed"
    );
    assert_eq!(active.token_id().as_str(), "token-1");
}

#[test]
fn r55_killed_anywhere_the_app_finishes_and_both_sides_know_one_token() {
    let once = Killed::PLACES.iter().map(|&place| vec![place]);
    let twice = Killed::PLACES.iter().map(|&place| vec![place, place]);
    let everywhere = [Killed::PLACES.to_vec()];
    for killed in once.chain(twice).chain(everywhere) {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::issuing(PASSWORD);
        for (&place, seed) in killed.iter().zip(10..) {
            add(&mut server, folder.path(), PASSWORD, place, seed);
        }
        let end = add(&mut server, folder.path(), PASSWORD, Killed::Never, 30);
        assert!(matches!(end, Run::Active(_)), "{killed:?}: {end:?}");
        assert_one_token(&server, &kept(folder.path()));
        assert_eq!(server.starts, 1, "{killed:?}: a repeated try counts once");
    }
}

#[test]
fn r62_once_the_seed_is_kept_the_end_needs_no_password() {
    for killed in [
        Killed::AfterSave(2),
        Killed::AfterServer(2),
        Killed::BeforeSave(3),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::issuing(PASSWORD);
        assert_eq!(
            add(&mut server, folder.path(), PASSWORD, killed, 10),
            Run::Killed
        );
        let mut tokens = kept(folder.path());
        let id = tokens.iter().next().unwrap().id().clone();
        let Next::Send(request) = tokens.next(&id) else {
            panic!("{killed:?}: nothing to send");
        };
        assert_eq!(request.path, FINISH_PATH);
        let answer = server.answer(&request);
        let progress = tokens.answered(&id, &answer, trip(0), None);
        assert_eq!(progress, Ok(Progress::Forward));
        assert_eq!(tokens.next(&id), Next::Done);
        assert_one_token(&server, &tokens);
    }
}

#[test]
fn an_app_that_was_killed_sends_the_very_same_bytes() {
    for (killed, path) in [
        (Killed::AfterServer(1), START_PATH),
        (Killed::AfterServer(2), FINISH_PATH),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::issuing(PASSWORD);
        assert_eq!(
            add(&mut server, folder.path(), PASSWORD, killed, 10),
            Run::Killed
        );
        let requests = [kept(folder.path()), kept(folder.path())].map(|mut tokens| {
            let id = tokens
                .begin(&server.order, &password(PASSWORD), &mut rng(77))
                .unwrap();
            tokens.next(&id)
        });
        assert_eq!(requests[0], requests[1]);
        assert!(matches!(&requests[0], Next::Send(request) if request.path == path));
    }
}

#[test]
fn adding_an_active_token_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::issuing(PASSWORD);
    let once = add(&mut server, folder.path(), PASSWORD, Killed::Never, 10);
    let twice = add(&mut server, folder.path(), PASSWORD, Killed::Never, 11);
    assert_eq!(once, twice);
    assert_eq!(server.starts, 1);
    assert_one_token(&server, &kept(folder.path()));
}

#[test]
fn r53_a_wrong_password_and_an_unknown_user_id_end_alike_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::issuing(PASSWORD);
    let wrong = add(&mut server, folder.path(), "604818", Killed::Never, 10);
    let known = server.order.clone();
    server.order.token_user_id = TokenUserId::new(&mut rng(5));
    let unknown = add(&mut server, folder.path(), PASSWORD, Killed::Never, 11);
    assert_eq!(wrong, Run::Ended(Refusal::ActivationRefused));
    assert_eq!(wrong, unknown);
    assert!(kept(folder.path()).is_empty());

    server.order = known;
    let right = add(&mut server, folder.path(), PASSWORD, Killed::Never, 12);
    assert!(matches!(right, Run::Active(_)));
    assert_one_token(&server, &kept(folder.path()));
}

#[test]
fn r50_the_sixth_start_is_refused_even_with_the_right_password() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::issuing(PASSWORD);
    for seed in 0..u8::try_from(STARTS_MAX).unwrap() {
        let run = add(
            &mut server,
            folder.path(),
            "604818",
            Killed::Never,
            10 + seed,
        );
        assert_eq!(run, Run::Ended(Refusal::ActivationRefused));
    }
    let run = add(&mut server, folder.path(), PASSWORD, Killed::Never, 30);
    assert_eq!(run, Run::Ended(Refusal::ActivationRefused));
    assert!(server.seeds.is_empty());
}

#[test]
fn another_password_after_a_crash_is_a_new_try() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::issuing(PASSWORD);
    let mistyped = add(
        &mut server,
        folder.path(),
        "604818",
        Killed::AfterServer(1),
        10,
    );
    assert_eq!(mistyped, Run::Killed);
    let run = add(&mut server, folder.path(), PASSWORD, Killed::Never, 11);
    assert!(matches!(run, Run::Active(_)));
    assert_eq!(server.starts, 2);
    assert_one_token(&server, &kept(folder.path()));
}

#[test]
fn a_try_that_the_server_forgot_is_begun_anew() {
    for killed in [
        Killed::AfterServer(1),
        Killed::BeforeSave(2),
        Killed::AfterSave(2),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::issuing(PASSWORD);
        assert_eq!(
            add(&mut server, folder.path(), PASSWORD, killed, 10),
            Run::Killed
        );
        server.forget_unfinished_tries();
        let run = add(&mut server, folder.path(), PASSWORD, Killed::Never, 11);
        assert!(matches!(run, Run::Active(_)), "{killed:?}: {run:?}");
        assert_one_token(&server, &kept(folder.path()));
    }
}

#[test]
fn without_the_password_a_forgotten_try_ends_and_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::issuing(PASSWORD);
    add(
        &mut server,
        folder.path(),
        PASSWORD,
        Killed::AfterSave(2),
        10,
    );
    server.forget_unfinished_tries();
    let mut tokens = kept(folder.path());
    let id = tokens.iter().next().unwrap().id().clone();
    let Next::Send(request) = tokens.next(&id) else {
        panic!("a pending token has something to send");
    };
    let progress = tokens.answered(&id, &server.answer(&request), trip(0), None);
    assert_eq!(
        progress,
        Ok(Progress::Ended(Refusal::ActivationAttemptOver))
    );
    assert!(tokens.is_empty());
}

#[test]
fn r54_whoever_proves_the_password_too_late_is_told_why() {
    for refusal in [
        Refusal::AlreadyActivated,
        Refusal::IssuanceExpired,
        Refusal::IssuanceCancelled,
        Refusal::ActivationGone,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::issuing(PASSWORD);
        server.state = Issued::Over(refusal);
        let run = add(&mut server, folder.path(), PASSWORD, Killed::Never, 10);
        assert_eq!(run, Run::Ended(refusal));
        assert!(kept(folder.path()).is_empty(), "{refusal}");
    }
}

#[test]
fn r54_of_two_devices_one_wins() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut server = Server::issuing(PASSWORD);
    add(&mut server, one.path(), PASSWORD, Killed::AfterSave(2), 10);
    let winner = add(&mut server, other.path(), PASSWORD, Killed::Never, 11);
    let late = add(&mut server, one.path(), PASSWORD, Killed::Never, 12);
    assert!(matches!(winner, Run::Active(_)));
    assert_eq!(late, Run::Ended(Refusal::AlreadyActivated));
    assert_one_token(&server, &kept(other.path()));
    assert!(kept(one.path()).is_empty());
}

#[test]
fn a_refusal_for_now_or_of_an_unknown_kind_drops_nothing() {
    for killed in [Killed::AfterServer(1), Killed::AfterServer(2)] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::issuing(PASSWORD);
        add(&mut server, folder.path(), PASSWORD, killed, 10);
        for code in ["too_many_requests", "internal", "", "some_later_code"] {
            let mut tokens = kept(folder.path());
            let id = tokens.iter().next().unwrap().id().clone();
            let before = tokens.to_bytes();
            let answer = Answer::Refused(code.to_owned());
            let progress = tokens.answered(&id, &answer, trip(0), Some(&password(PASSWORD)));
            assert_eq!(progress, Ok(Progress::Refused(code.to_owned())));
            assert!(before == tokens.to_bytes(), "{killed:?}, {code}");
        }
    }
}

#[test]
fn an_answer_that_is_cut_changed_or_strange_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::issuing(PASSWORD);
    add(
        &mut server,
        folder.path(),
        PASSWORD,
        Killed::AfterSave(2),
        10,
    );
    let mut tokens = kept(folder.path());
    let id = tokens.iter().next().unwrap().id().clone();
    let Next::Send(request) = tokens.next(&id) else {
        panic!("a pending token has something to send");
    };
    let Answer::Message(right) = server.answer(&request) else {
        panic!("the server refuses");
    };
    let before = tokens.to_bytes();
    let mut wrong: Vec<Vec<u8>> = (0..right.len()).map(|end| right[..end].to_vec()).collect();
    for place in 0..right.len() {
        let mut changed = right.clone();
        changed[place] ^= 1;
        wrong.push(changed);
    }
    wrong.push([right.as_slice(), b"0"].concat());
    wrong.push(b"<!doctype html>".to_vec());
    for message in wrong {
        let progress = tokens.answered(&id, &Answer::Message(message), trip(0), None);
        assert_eq!(progress, Err(ActivationError::BadAnswer));
        assert!(before == tokens.to_bytes());
    }
    let progress = tokens.answered(&id, &Answer::Message(right), trip(0), None);
    assert_eq!(progress, Ok(Progress::Forward));
    assert_one_token(&server, &tokens);
}

#[test]
fn a_started_try_needs_its_password_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::issuing(PASSWORD);
    add(
        &mut server,
        folder.path(),
        PASSWORD,
        Killed::AfterSave(1),
        10,
    );
    let mut tokens = kept(folder.path());
    let id = tokens.iter().next().unwrap().id().clone();
    let Next::Send(request) = tokens.next(&id) else {
        panic!("a started token has something to send");
    };
    let progress = tokens.answered(&id, &server.answer(&request), trip(0), None);
    assert_eq!(progress, Err(ActivationError::PasswordNeeded));
    assert_eq!(tokens.len(), 1);
}

fn orders() -> impl Iterator<Item = Order> {
    let mut rng = rng(3);
    let order = Server::issuing(PASSWORD).order;
    std::iter::repeat_with(move || Order {
        token_user_id: TokenUserId::new(&mut rng),
        ..order.clone()
    })
}

#[test]
fn r60_an_eleventh_token_is_refused_before_there_is_anything_to_send() {
    let mut tokens = Tokens::default();
    let mut orders = orders();
    let ten: Vec<Order> = orders.by_ref().take(TOKENS_PER_APP_MAX).collect();
    let ids: Vec<LocalId> = ten
        .iter()
        .map(|order| {
            tokens
                .begin(order, &password(PASSWORD), &mut rng(4))
                .unwrap()
        })
        .collect();
    let eleventh = orders.next().unwrap();
    let refused = tokens.begin(&eleventh, &password(PASSWORD), &mut rng(4));
    assert_eq!(refused, Err(ActivationError::AppFull));
    assert_eq!(tokens.len(), TOKENS_PER_APP_MAX);

    let again = tokens.begin(&ten[9], &password(PASSWORD), &mut rng(4));
    assert_eq!(again.as_ref(), Ok(&ids[9]), "one of the ten may go on");
    assert!(tokens.remove(&ids[0]));
    assert!(
        tokens
            .begin(&eleventh, &password(PASSWORD), &mut rng(4))
            .is_ok()
    );
}

#[test]
fn a_try_at_a_mistyped_server_makes_room_for_the_right_one() {
    let mut tokens = Tokens::default();
    let right = Server::issuing(PASSWORD).order;
    let mistyped = Order {
        server: ServerAddress::parse("https://bnak.example").unwrap(),
        ..right.clone()
    };
    tokens
        .begin(&mistyped, &password(PASSWORD), &mut rng(4))
        .unwrap();
    let id = tokens
        .begin(&right, &password(PASSWORD), &mut rng(5))
        .unwrap();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens.find(&id).unwrap().server(), &right.server);
}

#[test]
fn j7_codes_are_those_of_the_servers_clock() {
    for (ahead_ms, took_ms) in [(0, 0), (90_000, 400), (-3_600_000, 1_000), (250, 500)] {
        let mut server = Server::issuing(PASSWORD);
        server.ahead_ms = ahead_ms;
        let mut tokens = Tokens::default();
        let typed = password(PASSWORD);
        let id = tokens.begin(&server.order, &typed, &mut rng(4)).unwrap();
        assert!(
            tokens.find(&id).unwrap().code(NOW).is_none(),
            "no code before it is active"
        );
        while let Next::Send(request) = tokens.next(&id) {
            let answer = server.answer(&request);
            tokens
                .answered(&id, &answer, trip(took_ms), Some(&typed))
                .unwrap();
        }
        let token = tokens.find(&id).unwrap();
        assert_eq!(
            token.offset_ms(),
            ahead_ms - took_ms / 2,
            "half the way is taken off"
        );

        let State::Active(active) = token.state() else {
            panic!("not active");
        };
        for at_ms in [0, 29_999, 59_999, 60_000] {
            let now = NOW.plus_ms(at_ms);
            let seconds = now.plus_ms(ahead_ms - took_ms / 2).seconds();
            let parameters = active.parameters();
            let expected = totp::code(active.seed(), parameters.time_step(seconds), &parameters);
            let shown = token.code(now).unwrap();
            assert!(shown.code.equals(&expected));
            assert_eq!(shown.expires_in_s, 60 - seconds.rem_euclid(60));
        }
    }
}

#[test]
fn j7_the_time_in_a_repeated_answer_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::issuing(PASSWORD);
    server.ahead_ms = -600_000;
    add(
        &mut server,
        folder.path(),
        PASSWORD,
        Killed::AfterServer(1),
        10,
    );
    server.ahead_ms = 0;
    add(&mut server, folder.path(), PASSWORD, Killed::Never, 11);
    assert_eq!(kept(folder.path()).iter().next().unwrap().offset_ms(), 0);
}
