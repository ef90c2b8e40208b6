//! The program's clock jumps.

use std::path::PathBuf;

use warifu_proof::kill::server::{Running, Server};
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::house::{House, PROGRAM, assert_judged, assert_turned_away};

on_both_databases!(
    r19_a_clock_an_hour_on_or_back_turns_codes_away_and_counts_nothing_until_it_is_right,
);

/// A clock that another program may be shown: libfaketime.
fn libfaketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
        .expect("this test needs libfaketime (Debian: apt-get install libfaketime)")
}

async fn r19_a_clock_an_hour_on_or_back_turns_codes_away_and_counts_nothing_until_it_is_right(
    database: TestDatabase,
) {
    let house = House::open(&database).await;
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let clock = house.folder.path().join("clock");
    // Put in place as a whole: the program looks at it all the time.
    let put = |offset: &str| {
        let next = clock.with_extension("next");
        std::fs::write(&next, offset).unwrap();
        std::fs::rename(&next, &clock).unwrap();
    };
    put("+0");
    let _running: Running = server
        .start_with([
            ("LD_PRELOAD", libfaketime().as_os_str()),
            ("FAKETIME_TIMESTAMP_FILE", clock.as_os_str()),
            ("FAKETIME_NO_CACHE", "1".as_ref()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".as_ref()),
        ])
        .unwrap();
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");
    for offset in ["+3600", "-3600"] {
        put(offset);
        assert_turned_away(&house.right(&mut connection, 1).await, "clock_unsure");
        assert_turned_away(&house.wrong(&mut connection, 1).await, "clock_unsure");
    }
    put("+0");
    assert_eq!(house.failures(1).await, 0);
    assert_judged(&house.right(&mut connection, 1).await, "accepted");
}
