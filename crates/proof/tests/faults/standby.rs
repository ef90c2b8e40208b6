//! The standby that commits wait for is lost, and comes back.

use std::time::Duration;

use tokio::time::Instant;
use warifu_proof::kill::server::Server;
use warifu_store::testing::{PostgresPair, Standby};

use crate::house::{House, PROGRAM, assert_judged, assert_turned_away};

/// The longest that a request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_standby_that_commits_wait_for_nothing_is_told_until_it_is_back() {
    let mut servers = PostgresPair::start(Standby::Synchronous);
    let house = House::open(&servers.database()).await;
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let _running = server
        .start_with([(
            "WARIFU_LIMITS_REQUEST_TIMEOUT_S",
            REQUEST_TIMEOUT.as_secs().to_string(),
        )])
        .unwrap();
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");

    servers.lose_standby();
    let code = house.holders[1].code(house.step());
    // The second one is the same request, while the first one's commit still waits.
    for _ in 0..2 {
        let asked = Instant::now();
        let away = house.ask(&mut connection, 1, &code, Some("waits")).await;
        assert_turned_away(&away, "service_unavailable");
        assert!(asked.elapsed() >= REQUEST_TIMEOUT);
    }
    assert!(!house.was_judged(1).await, "nobody sees it yet");

    servers.rejoin();
    house.accepts_once(&mut connection, 1, &code, "waits").await;
}
