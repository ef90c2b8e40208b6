//! The disk of the database is full, as the system says it (ENOSPC).

use std::time::Duration;

use tokio::time::{Instant, sleep};
use warifu_proof::kill::client::{Connection, Whole};
use warifu_proof::kill::server::Server;
use warifu_store::StoreError;
use warifu_store::testing::{Disk, DiskFault, PostgresAlone, TestDatabase};

use crate::house::{House, PROGRAM, assert_judged, assert_turned_away};

/// More than fit into the pages that a new database has.
const HOLDERS: usize = 600;
/// How long PostgreSQL and the program may take to find each other again.
const PATIENCE: Duration = Duration::from_mins(1);
/// Other processes tell nobody when they are ready.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_sqlite_turns_codes_away_counts_nothing_and_is_over_when_there_is_room() {
    let disk = Disk::sound();
    let database = TestDatabase::sqlite();
    let house = house(&database).await;
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let _running = server.start_with(disk.variables()).unwrap();
    fill_and_make_room(&house, &server, &disk).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_under_postgresql_turns_codes_away_counts_nothing_and_is_over_when_there_is_room()
 {
    let disk = Disk::sound();
    let postgres = PostgresAlone::start(&disk);
    let house = house(&postgres.database()).await;
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let _running = server.start().unwrap();
    fill_and_make_room(&house, &server, &disk).await;
}

/// A table or an index of PostgreSQL cannot grow (53100), or SQLite's log.
async fn fill_and_make_room(house: &House, server: &Server, disk: &Disk) {
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");

    disk.begin(DiskFault::Full);
    let mut refused = None;
    for number in 1..HOLDERS {
        // What is in use has some room left: a code that fits is judged.
        let before = seen(house).await.unwrap();
        let (answer, verdict) = ask(house, &mut connection, number).await;
        if answer.status == 200 {
            assert_judged(&answer, verdict);
            continue;
        }
        assert_turned_away(&answer, "service_unavailable");
        assert_eq!(seen(house).await.unwrap(), before, "nothing was judged");
        refused = Some(number);
        break;
    }
    let number = refused.expect("the disk is never full");
    println!("full after {} codes", number - 1);

    disk.end(DiskFault::Full);
    let (answer, verdict) = ask(house, &mut connection, number).await;
    assert_judged(&answer, verdict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_that_dies_of_a_full_log_turns_codes_away_and_goes_on_when_there_is_room() {
    let disk = Disk::sound();
    let postgres = PostgresAlone::start(&disk);
    let house = house(&postgres.database()).await;
    let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
    let _running = server.start().unwrap();
    let mut connection = house.connect(server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");
    let before = seen(&house).await.unwrap();

    disk.begin(DiskFault::Full);
    // The next record needs a new file, which there is no room for: PostgreSQL panics, and does not come up again before there is.
    let mut tx = house.bank.store().begin().await.unwrap();
    // Whether it still answers that is a matter of who is faster.
    let _ = tx
        .query("SELECT pg_switch_wal()::text AS at", Vec::new())
        .await;
    drop(tx);
    for number in 1..=20 {
        let (answer, _) = ask(&house, &mut connection, number).await;
        assert_turned_away(&answer, "service_unavailable");
    }
    seen(&house).await.expect_err("PostgreSQL is down");

    disk.end(DiskFault::Full);
    let begun = Instant::now();
    let after = loop {
        match seen(&house).await {
            Ok(after) => break after,
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
        sleep(ASK_AGAIN_AFTER).await;
    };
    assert_eq!(after, before, "nothing was judged");
    for number in 1..=20 {
        let (mut answer, verdict) = ask(&house, &mut connection, number).await;
        // The program's connections to the dead server are found one after the other.
        while answer.status != 200 && begun.elapsed() < PATIENCE {
            assert_turned_away(&answer, "service_unavailable");
            answer = ask(&house, &mut connection, number).await.0;
        }
        assert_judged(&answer, verdict);
    }
}

async fn house(database: &TestDatabase) -> House {
    let mut house = House::open(database).await;
    house.holders = house.bank.holders("full", HOLDERS).await.unwrap();
    house
}

/// Every other code is right. The answer, and the verdict if it is judged.
async fn ask(house: &House, connection: &mut Connection, number: usize) -> (Whole, &'static str) {
    if number.is_multiple_of(2) {
        (house.right(connection, number).await, "accepted")
    } else {
        (house.wrong(connection, number).await, "wrong")
    }
}

/// What would tell of a judgement: the versions of all counters together, and how many events were recorded.
async fn seen(house: &House) -> Result<[i64; 2], StoreError> {
    let sql = "SELECT (SELECT CAST(SUM(version) AS BIGINT) FROM counter) AS versions, (SELECT COUNT(audit_id) FROM audit) AS events";
    let rows = house
        .bank
        .store()
        .read()
        .await?
        .query(sql, Vec::new())
        .await?;
    let row = rows.first().expect("one row");
    Ok([row.int("versions")?, row.int("events")?])
}
