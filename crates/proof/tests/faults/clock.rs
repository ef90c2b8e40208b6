//! The program's clock jumps.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use warifu_proof::kill::server::{Running, Server};
use warifu_store::on_both_databases;
use warifu_store::testing::{TestDatabase, free_address};

use crate::house::{House, PROGRAM, assert_judged, assert_turned_away, figure_as, get};

on_both_databases!(
    r19_a_clock_an_hour_on_or_back_turns_codes_away_and_counts_nothing_until_it_is_right,
);

/// Apart by no more than this, two clocks are the same here.
const NEAR_S: f64 = 5.0;

/// A clock that another program may be shown: libfaketime.
fn libfaketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists())
        .expect("this test needs libfaketime (Debian: apt-get install libfaketime)")
}

/// A program whose clock can be put, and what it is asked.
struct Clocked {
    house: House,
    server: Server,
    metrics: SocketAddr,
    clock: PathBuf,
}

impl Clocked {
    async fn prepare(database: &TestDatabase) -> Self {
        let house = House::open(database).await;
        let server = Server::prepare(PROGRAM.as_ref(), &house.bank, house.folder.path()).unwrap();
        Self {
            clock: house.folder.path().join("clock"),
            metrics: free_address(),
            house,
            server,
        }
    }

    /// Puts its clock so many seconds away, as a whole: the program looks at it all the time.
    fn put(&self, offset: &str) {
        let next = self.clock.with_extension("next");
        std::fs::write(&next, offset).unwrap();
        std::fs::rename(&next, &self.clock).unwrap();
    }

    fn start(&self) -> Running {
        self.server
            .start_with([
                ("LD_PRELOAD", libfaketime().as_os_str()),
                ("FAKETIME_TIMESTAMP_FILE", self.clock.as_os_str()),
                ("FAKETIME_NO_CACHE", "1".as_ref()),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1".as_ref()),
                ("WARIFU_METRICS_LISTEN", self.metrics.to_string().as_ref()),
            ])
            .unwrap()
    }

    /// Whether the operators are told: of the offset in seconds, and that nobody should be sent here while it is large.
    async fn assert_offset(&self, seconds: f64) {
        let offset: f64 = figure_as(self.metrics, "warifu_clock_offset_seconds").await;
        assert!((offset - seconds).abs() < NEAR_S, "{offset}");
        let ready = get(self.metrics, "/healthz/ready").await;
        let is_near = seconds.abs() < NEAR_S;
        assert_eq!(ready.contains("200 OK"), is_near, "{ready}");
        assert_eq!(ready.contains("\"clock\""), !is_near, "{ready}");
    }
}

async fn r19_a_clock_an_hour_on_or_back_turns_codes_away_and_counts_nothing_until_it_is_right(
    database: TestDatabase,
) {
    let clocked = Clocked::prepare(&database).await;
    let house = &clocked.house;
    clocked.put("+0");
    let _running = clocked.start();
    let mut connection = house.connect(clocked.server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");
    clocked.assert_offset(0.0).await;
    for (offset, seconds) in [("+3600", 3_600.0), ("-3600", -3_600.0)] {
        clocked.put(offset);
        assert_turned_away(&house.right(&mut connection, 1).await, "clock_unsure");
        assert_turned_away(&house.wrong(&mut connection, 1).await, "clock_unsure");
        clocked.assert_offset(seconds).await;
    }
    clocked.put("+0");
    assert_eq!(house.failures(1).await, 0);
    assert_judged(&house.right(&mut connection, 1).await, "accepted");
    clocked.assert_offset(0.0).await;
}

/// On SQLite there is no other clock to ask (docs/reliability.md).
#[tokio::test]
async fn r19_a_program_that_starts_with_another_clock_than_postgresqls_judges_nothing_until_it_is_right()
 {
    let clocked = Clocked::prepare(&TestDatabase::postgres().await).await;
    let house = &clocked.house;
    for (offset, seconds) in [("+3600", 3_600.0), ("-3600", -3_600.0)] {
        clocked.put(offset);
        let _running = clocked.start();
        let mut connection = house.connect(clocked.server.address()).await;
        assert_turned_away(&house.right(&mut connection, 0).await, "clock_unsure");
        clocked.assert_offset(seconds).await;
        clocked.put("+0");
        let wrong = house.wrong(&mut connection, 0).await;
        assert_judged(&wrong, "wrong");
        clocked.assert_offset(0.0).await;
    }
    assert_eq!(house.failures(0).await, 2);
}

/// Statements that find another clock than PostgreSQL's own, which is so many seconds ahead as a row says.
const CLOCK_THAT_CAN_BE_PUT: [&str; 4] = [
    "CREATE TABLE clock_put (ahead_s BIGINT NOT NULL)",
    "INSERT INTO clock_put (ahead_s) VALUES (0)",
    "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
     'SELECT pg_catalog.clock_timestamp() + (SELECT ahead_s FROM public.clock_put) * INTERVAL ''1 second'''",
    "DO 'BEGIN EXECUTE format(''ALTER DATABASE %I SET search_path = public, pg_catalog'', current_database()); END'",
];

/// The clocks are compared all the time, also where nobody asks for measurements.
#[tokio::test]
async fn r19_when_postgresqls_clock_changes_while_the_program_runs_it_judges_nothing_until_the_two_agree()
 {
    let clocked = Clocked::prepare(&TestDatabase::postgres().await).await;
    let house = &clocked.house;
    let run = async |sql| {
        let mut tx = house.bank.store().begin().await.unwrap();
        tx.execute(sql, Vec::new()).await.unwrap();
        tx.commit().await.unwrap();
    };
    for sql in CLOCK_THAT_CAN_BE_PUT {
        run(sql).await;
    }
    let _running = clocked.server.start().unwrap();
    let mut connection = house.connect(clocked.server.address()).await;
    assert_judged(&house.right(&mut connection, 0).await, "accepted");
    // Some time between two comparisons, and more on a busy machine.
    let mut told = async |word: &str| {
        for _ in 0..600 {
            let answer = house.wrong(&mut connection, 1).await;
            if answer.body["code"] == word || answer.body["verdict"] == word {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("never {word}");
    };
    run("UPDATE clock_put SET ahead_s = 3600").await;
    assert_turned_away(&told("clock_unsure").await, "clock_unsure");
    run("UPDATE clock_put SET ahead_s = 20").await;
    assert_judged(&told("suspended").await, "suspended");
    assert_judged(&house.right(&mut connection, 2).await, "accepted");
}
