//! J3, the server's side (R50 to R57): what is counted, what is refused, and who is told why.

use warifu_activation::messages::{FinishRequest, StartRequest};
use warifu_core::audit::Origin;
use warifu_core::id::TokenUserId;
use warifu_core::issuance::IssuanceState;
use warifu_core::refusal::Refusal;
use warifu_core::throttle::FREE_PER_ADDRESS;
use warifu_core::time::{DAY_MS, MINUTE_MS, SECOND_MS};
use warifu_core::token::{RevokedBy, Standing, TokenState};
use warifu_server::app::manage::Task;
use warifu_server::clock::system_rng;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, confirmation, origin, refused};
use crate::phone::{
    DIGITS, Mailed, OTHER_DIGITS, Phone, finds_it_wrong, finish, issue, issue_hollow,
    made_up_proof, proved, start, start_from, started,
};

on_both_databases!(
    r50_five_starts_and_the_sixth_is_a_decoy_that_looks_the_same,
    r50_the_start_that_used_up_the_last_try_may_still_finish,
    r51_twenty_starts_a_day_over_all_issuances,
    r53_unknown_ids_are_answered_like_a_wrong_password_to_the_end,
    r52_the_same_start_is_answered_with_the_same_bytes_and_counted_once,
    r52_another_start_under_the_same_attempt_is_refused,
    r52_a_proof_is_good_for_its_own_attempt_only,
    r52_a_finish_ten_minutes_after_its_start_is_too_late,
    r47_the_proof_makes_a_token_up_to_the_last_moment_of_the_day,
    only_who_proves_the_password_is_told_that_the_issuance_is_over,
    r54_of_two_devices_one_wins_and_the_other_is_told,
    r54_two_devices_at_the_same_moment_make_exactly_one_token,
    r55_the_same_finish_gets_the_same_bytes_on_every_node,
    after_the_revocation_the_old_finish_finds_the_token_gone,
    a_token_that_is_not_confirmed_in_seven_days_is_revoked,
    bytes_that_are_no_message_change_nothing,
    r37_an_address_that_starts_too_often_is_slowed_and_no_other,
);

async fn r50_five_starts_and_the_sixth_is_a_decoy_that_looks_the_same(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue(&bank.app, &session).await;
    let mut sizes = Vec::new();
    for starts in 1..=5 {
        let response = start(&bank.app, &started(&mailed, DIGITS)).await.unwrap();
        sizes.push(response.encode().len());
        assert_eq!(bank.issuance("hanako").await.starts, starts);
    }
    assert_eq!(bank.issuance("hanako").await.state, IssuanceState::Locked);
    assert_eq!(bank.app.waiting(&session).await.unwrap().starts_left, 0);
    let sixth = started(&mailed, DIGITS);
    let decoy = start(&bank.app, &sixth).await.unwrap();
    sizes.push(decoy.encode().len());
    sizes.dedup();
    assert_eq!(sizes.len(), 1, "one size: {sizes:?}");
    assert!(
        finds_it_wrong(&sixth, DIGITS, &decoy),
        "the right password learns nothing any more"
    );
    assert_eq!(bank.issuance("hanako").await.starts, 5);
    let outcomes = bank
        .outcomes("attempt", sixth.attempt_id().as_str(), "start_activation")
        .await;
    assert_eq!(outcomes, ["locked"], "support sees why");
}

async fn r50_the_start_that_used_up_the_last_try_may_still_finish(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue(&bank.app, &session).await;
    for _ in 0..4 {
        start(&bank.app, &started(&mailed, OTHER_DIGITS))
            .await
            .unwrap();
    }
    let pending = proved(&bank.app, &mailed).await;
    finish(&bank.app, &pending).await.unwrap();
    let issuance = bank.issuance("hanako").await;
    assert!(matches!(issuance.state, IssuanceState::Consumed { .. }));
    assert_eq!(issuance.starts, 4, "a valid proof gives its own start back");
}

async fn r51_twenty_starts_a_day_over_all_issuances(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let begun = bank.app.now();
    let mut mailed = None;
    for _ in 0..4 {
        let session = bank.session("hanako").await;
        let issued = issue_hollow(&bank.app, &session).await;
        for _ in 0..5 {
            start(&bank.app, &started(&issued, DIGITS)).await.unwrap();
        }
        bank.clock.advance(MINUTE_MS);
        mailed = Some(issued);
    }
    let session = bank.session("hanako").await;
    let fifth = issue_hollow(&bank.app, &session).await;
    assert_ne!(fifth.token_user_id, mailed.unwrap().token_user_id);
    let outcome = async |attempt: &str| {
        let mut outcomes = bank.outcomes("attempt", attempt, "start_activation").await;
        outcomes.pop()
    };
    let one = started(&fifth, DIGITS);
    start(&bank.app, &one).await.unwrap();
    assert_eq!(
        outcome(one.attempt_id().as_str()).await.as_deref(),
        Some("day_used_up"),
        "a new issuance is no new set of guesses"
    );
    assert_eq!(bank.issuance("hanako").await.starts, 0);
    // A day after the first five, five are free again.
    bank.set_clock(begun.plus_ms(DAY_MS + 1));
    let session = bank.session("hanako").await;
    let issued = issue_hollow(&bank.app, &session).await;
    start(&bank.app, &started(&issued, DIGITS)).await.unwrap();
    assert_eq!(bank.issuance("hanako").await.starts, 1);
}

async fn r53_unknown_ids_are_answered_like_a_wrong_password_to_the_end(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let known = issue(&bank.app, &session).await;
    let unknown_user = Mailed {
        token_user_id: TokenUserId::new(&mut system_rng())
            .as_str()
            .parse()
            .unwrap(),
        ..known.clone()
    };
    let unknown_service = Mailed {
        service_id: "nowhere-1".parse().unwrap(),
        ..known.clone()
    };
    let no_service_id = Mailed {
        service_id: "Not_an.ID".parse().unwrap(),
        ..known.clone()
    };
    let mut seen = Vec::new();
    for mailed in [known, unknown_user, unknown_service, no_service_id] {
        let wrong = started(&mailed, OTHER_DIGITS);
        let response = start(&bank.app, &wrong).await.unwrap();
        let again = start(&bank.app, &wrong).await.unwrap();
        assert_eq!(response, again, "a repeated start");
        let proof = made_up_proof(&wrong);
        let mut finished = Vec::new();
        for _ in 0..2 {
            let done = bank.app.finish_activation(&proof, &origin()).await;
            finished.push(refused(done));
        }
        seen.push((
            response.encode().len(),
            response.parameters,
            response.issuance_id.as_str().len(),
            finds_it_wrong(&wrong, OTHER_DIGITS, &response),
            finished,
        ));
    }
    let (size, .., finished) = &seen[0];
    assert!(*size > 259);
    assert_eq!(finished, &[Refusal::ActivationRefused; 2]);
    for other in &seen[1..3] {
        assert_eq!(other, &seen[0]);
    }
    // The length of an id that the caller chose may not show in the answer either.
    assert_eq!(seen[3], seen[0]);
    // And the two kinds of decoy stay what they are when asked again under another attempt.
    let again = Mailed {
        service_id: "nowhere-1".parse().unwrap(),
        token_user_id: "00000000000000".parse().unwrap(),
    };
    let first = start(&bank.app, &started(&again, DIGITS)).await.unwrap();
    let second = start(&bank.app, &started(&again, DIGITS)).await.unwrap();
    assert_eq!(first.issuance_id, second.issuance_id);
}

async fn r52_the_same_start_is_answered_with_the_same_bytes_and_counted_once(
    database: TestDatabase,
) {
    let mut bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue_hollow(&bank.app, &session).await;
    let one = started(&mailed, DIGITS).request().encode();
    let other_node = bank.node().await;
    let first = bank.app.start_activation(&one, &origin()).await.unwrap();
    bank.clock.advance(MINUTE_MS);
    let second = other_node.start_activation(&one, &origin()).await.unwrap();
    bank.restart().await;
    let third = bank.app.start_activation(&one, &origin()).await.unwrap();
    assert!(first == second && second == third);
    assert_eq!(bank.issuance("hanako").await.starts, 1);
}

async fn r52_another_start_under_the_same_attempt_is_refused(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue_hollow(&bank.app, &session).await;
    let one = started(&mailed, DIGITS).request();
    let other = StartRequest {
        attempt_id: one.attempt_id.clone(),
        ..started(&mailed, DIGITS).request()
    };
    bank.app
        .start_activation(&one.encode(), &origin())
        .await
        .unwrap();
    let done = bank.app.start_activation(&other.encode(), &origin()).await;
    assert_eq!(refused(done), Refusal::ActivationMessage);
    assert_eq!(bank.issuance("hanako").await.starts, 1);
}

async fn r52_a_proof_is_good_for_its_own_attempt_only(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue(&bank.app, &session).await;
    let pending = proved(&bank.app, &mailed).await;
    let right = pending.request();
    let other = started(&mailed, DIGITS);
    start(&bank.app, &other).await.unwrap();
    let crossed = FinishRequest {
        attempt_id: other.attempt_id().clone(),
        ke3: right.ke3.clone(),
    };
    let done = bank
        .app
        .finish_activation(&crossed.encode(), &origin())
        .await;
    assert_eq!(refused(done), Refusal::ActivationRefused);
    let unknown = FinishRequest {
        attempt_id: started(&mailed, DIGITS).attempt_id().clone(),
        ke3: right.ke3.clone(),
    };
    let done = bank
        .app
        .finish_activation(&unknown.encode(), &origin())
        .await;
    assert_eq!(refused(done), Refusal::ActivationAttemptOver);
    assert!(bank.token("hanako").await.is_none());
    finish(&bank.app, &pending).await.unwrap();
    // The attempt is done: another proof under it is refused, and the token stays.
    let mut changed = right;
    changed.ke3 = warifu_activation::messages::Ke3::from_slice(&[9; 32]).unwrap();
    let done = bank
        .app
        .finish_activation(&changed.encode(), &origin())
        .await;
    assert_eq!(refused(done), Refusal::ActivationRefused);
    let token = bank.token("hanako").await.unwrap().token;
    assert_eq!(token.state, TokenState::Activated);
}

async fn r52_a_finish_ten_minutes_after_its_start_is_too_late(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue(&bank.app, &session).await;
    let late = proved(&bank.app, &mailed).await;
    bank.clock.advance(10 * MINUTE_MS);
    assert_eq!(
        refused(finish(&bank.app, &late).await),
        Refusal::ActivationAttemptOver
    );
    let in_time = proved(&bank.app, &mailed).await;
    bank.clock.advance(10 * MINUTE_MS - 1);
    finish(&bank.app, &in_time).await.unwrap();
    // What was answered once is answered again at any time.
    bank.clock.advance(DAY_MS);
    finish(&bank.app, &in_time).await.unwrap();
}

async fn r47_the_proof_makes_a_token_up_to_the_last_moment_of_the_day(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue(&bank.app, &session).await;
    bank.clock.advance(DAY_MS - MINUTE_MS);
    let pending = proved(&bank.app, &mailed).await;
    bank.clock.advance(MINUTE_MS - 1);
    finish(&bank.app, &pending).await.unwrap();
}

async fn only_who_proves_the_password_is_told_that_the_issuance_is_over(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let expired = issue(&bank.app, &session).await;
    bank.clock.advance(DAY_MS - MINUTE_MS);
    let begun_in_time = proved(&bank.app, &expired).await;
    bank.clock.advance(MINUTE_MS);
    assert_eq!(
        refused(finish(&bank.app, &begun_in_time).await),
        Refusal::IssuanceExpired
    );
    let session = bank.session("jiro").await;
    let cancelled = issue(&bank.app, &session).await;
    bank.app.cancel_issuance(&session, &origin()).await.unwrap();
    for (mailed, reason) in [
        (expired, Refusal::IssuanceExpired),
        (cancelled, Refusal::IssuanceCancelled),
    ] {
        let right = proved(&bank.app, &mailed).await;
        assert_eq!(refused(finish(&bank.app, &right).await), reason);
        let wrong = started(&mailed, OTHER_DIGITS);
        let response = start(&bank.app, &wrong).await.unwrap();
        assert!(finds_it_wrong(&wrong, OTHER_DIGITS, &response));
        let done = bank
            .app
            .finish_activation(&made_up_proof(&wrong), &origin())
            .await;
        assert_eq!(refused(done), Refusal::ActivationRefused);
    }
    assert!(bank.token("hanako").await.is_none());
    assert!(bank.token("jiro").await.is_none());
}

async fn r54_of_two_devices_one_wins_and_the_other_is_told(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue(&bank.app, &session).await;
    let first = proved(&bank.app, &mailed).await;
    let second = proved(&bank.app, &mailed).await;
    let reply = finish(&bank.app, &first).await.unwrap();
    let told = finish(&bank.app, &second).await;
    assert_eq!(refused(told), Refusal::AlreadyActivated);
    let token = bank.token("hanako").await.unwrap().token;
    assert_eq!(token.id.as_str(), Phone::of(&first, &reply).token_id);
    let notices: Vec<_> = bank.notices().await.into_iter().map(|row| row.0).collect();
    assert_eq!(
        notices,
        ["activated", "activated_elsewhere", "token_issued"]
    );
    // Asked again, nobody is mailed again.
    finish(&bank.app, &second).await.unwrap_err();
    assert_eq!(bank.notices().await.len(), 3);
}

async fn r54_two_devices_at_the_same_moment_make_exactly_one_token(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let other_node = bank.node().await;
    let session = bank.session("hanako").await;
    let mailed = issue(&bank.app, &session).await;
    let devices = [
        proved(&bank.app, &mailed).await,
        proved(&other_node, &mailed).await,
    ];
    let (one, two) = tokio::join!(
        finish(&bank.app, &devices[0]),
        finish(&other_node, &devices[1])
    );
    let (won, lost) = match (one, two) {
        (Ok(_), Err(failure)) | (Err(failure), Ok(_)) => (1, failure.refusal()),
        other => panic!("exactly one wins: {other:?}"),
    };
    assert_eq!((won, lost), (1, Some(Refusal::AlreadyActivated)));
    let notices = bank.notices().await;
    let told = notices.iter().filter(|row| row.0 == "activated_elsewhere");
    assert_eq!(told.count(), 1);
}

async fn r55_the_same_finish_gets_the_same_bytes_on_every_node(database: TestDatabase) {
    let mut bank = Bank::open(database).await;
    let other_node = bank.node().await;
    let session = bank.session("hanako").await;
    let mailed = issue(&bank.app, &session).await;
    let started = started(&mailed, DIGITS);
    let response = start(&other_node, &started).await.unwrap();
    let pending = started
        .finish(&crate::phone::digits(DIGITS), &response)
        .unwrap();
    let (one, two) = tokio::join!(finish(&bank.app, &pending), finish(&other_node, &pending));
    // The two came at the same moment: whoever was second may be asked to come again, and then gets the same.
    let replies = [one, two].into_iter().filter_map(Result::ok);
    let replies: Vec<_> = replies.collect();
    assert!(!replies.is_empty());
    bank.restart().await;
    let again = finish(&bank.app, &pending).await.unwrap();
    let there = finish(&other_node, &pending).await.unwrap();
    assert!(replies.iter().all(|reply| *reply == again) && there == again);
    let token = bank.token("hanako").await.unwrap();
    let token_id = token.token.id.as_str();
    let outcomes = bank.outcomes("token", token_id, "finish_activation").await;
    assert_eq!(outcomes, ["done"], "one token, one event");
    let notices = bank.notices().await;
    assert!(
        notices.iter().all(|row| row.0 != "activated_elsewhere"),
        "one device is no two: {notices:?}"
    );
}

async fn after_the_revocation_the_old_finish_finds_the_token_gone(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue(&bank.app, &session).await;
    let pending = proved(&bank.app, &mailed).await;
    finish(&bank.app, &pending).await.unwrap();
    let master = bank.full_session("master").await;
    let hanako = bank.user("hanako").await;
    let outcomes = bank
        .app
        .perform(
            &master,
            Task::Revoke,
            &[hanako.id],
            &confirmation(),
            &origin(),
        )
        .await
        .unwrap();
    assert!(outcomes[0].result.is_ok());
    assert_eq!(
        refused(finish(&bank.app, &pending).await),
        Refusal::ActivationGone
    );
}

async fn a_token_that_is_not_confirmed_in_seven_days_is_revoked(database: TestDatabase) {
    let bank = Bank::open(database).await;
    bank.phone("hanako").await;
    let token = bank.token("hanako").await.unwrap().token;
    let confirmed = TokenState::InUse {
        confirmed_at: bank.app.now(),
    };
    bank.hollow_token("jiro", confirmed).await;
    bank.sql(
        "UPDATE counter SET failures = 3, run_since_success = 3
         WHERE counter_no = (SELECT counter_no FROM token WHERE token_id = $1)",
        warifu_store::params![&token.id],
    )
    .await;
    bank.clock.advance(7 * DAY_MS);
    bank.app.keep_house().await.unwrap();
    let standing = async |login| bank.token(login).await.unwrap().counter.standing;
    assert_eq!(standing("hanako").await, Standing::Activated);
    bank.clock.advance(1);
    let before = bank.events().await;
    bank.app.keep_house().await.unwrap();
    bank.app.keep_house().await.unwrap();
    assert_eq!(standing("hanako").await, Standing::Revoked);
    assert_eq!(standing("jiro").await, Standing::InUse);
    assert_eq!(bank.events().await, before + 1);
    let state = bank.token("hanako").await.unwrap().token.state;
    assert!(matches!(
        state,
        TokenState::Revoked {
            by: RevokedBy::System,
            ..
        }
    ));
    // The user may ask again at once, and wrong codes before are not forgiven (R33).
    bank.phone("hanako").await;
    let counter = bank.token("hanako").await.unwrap().counter;
    assert_eq!((counter.failures, counter.run_since_success), (3, 3));
}

async fn bytes_that_are_no_message_change_nothing(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let session = bank.session("hanako").await;
    let mailed = issue_hollow(&bank.app, &session).await;
    let good = started(&mailed, DIGITS).request().encode();
    let before = bank.events().await;
    let mut cases: Vec<Vec<u8>> = (0..good.len()).map(|end| good[..end].to_vec()).collect();
    cases.push([good.as_slice(), &[0]].concat());
    cases.push(vec![0xff; 4096]);
    for bytes in cases {
        let started = bank.app.start_activation(&bytes, &origin()).await;
        assert_eq!(refused(started), Refusal::ActivationMessage);
        let finished = bank.app.finish_activation(&bytes, &origin()).await;
        assert_eq!(refused(finished), Refusal::ActivationMessage);
    }
    assert_eq!(bank.events().await, before);
    assert_eq!(bank.issuance("hanako").await.starts, 0);
}

async fn r37_an_address_that_starts_too_often_is_slowed_and_no_other(database: TestDatabase) {
    let bank = Bank::open(database).await;
    let nobody = Mailed {
        service_id: "test-bank".parse().unwrap(),
        token_user_id: "00000000000000".parse().unwrap(),
    };
    let from = |address: &str| Origin {
        address: Some(address.to_owned()),
        ..origin()
    };
    let (guesser, other) = (from("198.51.100.7"), from("203.0.113.9"));
    for _ in 0..=FREE_PER_ADDRESS {
        let one = started(&nobody, DIGITS);
        start_from(&bank.app, &one, &guesser).await.unwrap();
    }
    let one = started(&nobody, DIGITS);
    let open_at = bank.app.now().plus_ms(SECOND_MS);
    let early = start_from(&bank.app, &one, &guesser).await;
    assert_eq!(refused(early), Refusal::TooManyRequests { open_at });
    start_from(&bank.app, &started(&nobody, DIGITS), &other)
        .await
        .unwrap();
    bank.clock.advance(SECOND_MS);
    start_from(&bank.app, &one, &guesser).await.unwrap();
}
