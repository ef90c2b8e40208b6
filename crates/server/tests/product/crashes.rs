//! F6: whatever is lost or killed while an app activates, it finishes, and both sides know one token (R55, R62). The app is
//! the library that the command line runs, with its folder; the server is the use cases on a real database.

use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::task::Poll;

use tempfile::TempDir;
use warifu_activation::ActivationPassword;
use warifu_authenticator::activation::{Answer, Next, Order, Progress, START_PATH, Trip};
use warifu_authenticator::file::TokenFolder;
use warifu_authenticator::{LocalId, ServerAddress, State};
use warifu_core::id::{ServiceId, TokenUserId};
use warifu_core::oath::totp;
use warifu_core::time::MINUTE_MS;
use warifu_core::token::Standing;
use warifu_server::app::Failure;
use warifu_server::app::verification::Verified;
use warifu_server::clock::system_rng;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, origin};
use crate::phone::{DIGITS, digits, issue};

on_both_databases!(
    f6_one_fault_anywhere_and_the_app_finishes,
    f6_the_server_cut_at_any_of_its_waits_and_the_app_finishes,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f6_two_faults_anywhere_and_the_app_finishes() {
    let mut matrix = Matrix::open(TestDatabase::sqlite()).await;
    for first in Fault::IN_THE_APP {
        for second in Fault::IN_THE_APP {
            matrix.case(&[first, second], Between::ServerRestarts).await;
        }
    }
    matrix.close("two faults");
}

async fn f6_one_fault_anywhere_and_the_app_finishes(database: TestDatabase) {
    let mut matrix = Matrix::open(database).await;
    for between in [
        Between::Nothing,
        Between::ServerRestarts,
        Between::TenMinutesPass,
    ] {
        for fault in Fault::IN_THE_APP {
            matrix.case(&[fault], between).await;
        }
    }
    matrix.close("one fault");
}

async fn f6_the_server_cut_at_any_of_its_waits_and_the_app_finishes(database: TestDatabase) {
    let mut matrix = Matrix::open(database).await;
    for leg in 1..=2 {
        for wait in 0.. {
            let fault = Fault::ServerCut { leg, wait };
            if matrix.case(&[fault], Between::ServerRestarts).await == Faults::NotReached {
                assert!(wait > 0, "leg {leg} never waits");
                break;
            }
        }
    }
    matrix.close("the server cut");
}

/// What goes wrong in one run of the app, which saves three times and sends twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The app is killed before it saves for the n-th time.
    BeforeSave(u32),
    /// The app is killed after the n-th save, or its request is lost.
    AfterSave(u32),
    /// The server did what the n-th request asked, and its answer is lost, or the app is killed.
    AnswerLost(u32),
    /// The server is killed when it has waited so often while it worked on the n-th request.
    ServerCut { leg: u32, wait: u32 },
}

impl Fault {
    const IN_THE_APP: [Self; 8] = [
        Self::BeforeSave(1),
        Self::AfterSave(1),
        Self::AnswerLost(1),
        Self::BeforeSave(2),
        Self::AfterSave(2),
        Self::AnswerLost(2),
        Self::BeforeSave(3),
        Self::AfterSave(3),
    ];
}

/// What happens between two runs of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    Nothing,
    ServerRestarts,
    TenMinutesPass,
}

/// Whether the run came to its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Faults {
    Reached,
    NotReached,
}

#[derive(Debug)]
enum Run {
    Stopped,
    Active(LocalId),
}

struct Matrix {
    bank: Bank,
    order: Order,
    password: ActivationPassword,
    cases: u32,
}

impl Matrix {
    async fn open(database: TestDatabase) -> Self {
        let bank = Bank::open(database).await;
        let session = bank.session("hanako").await;
        let mailed = issue(&bank.app, &session).await;
        let order = Order {
            server: ServerAddress::parse("https://otp.bank.example").unwrap(),
            service_id: ServiceId::parse(mailed.service_id.as_str()).unwrap(),
            token_user_id: TokenUserId::parse(mailed.token_user_id.as_str()).unwrap(),
        };
        Self {
            bank,
            order,
            password: digits(DIGITS),
            cases: 0,
        }
    }

    /// The faults one run after the other, then a run without any: the app has its token, the server has the same one, and
    /// nothing else is left.
    async fn case(&mut self, faults: &[Fault], between: Between) -> Faults {
        self.begin_anew().await;
        let folder = TempDir::new().unwrap();
        let mut reached = Faults::NotReached;
        for fault in faults {
            if let Run::Stopped = self.add(folder.path(), Some(*fault)).await {
                reached = Faults::Reached;
            }
            match between {
                Between::Nothing => {}
                Between::ServerRestarts => self.bank.restart().await,
                Between::TenMinutesPass => self.bank.clock.advance(10 * MINUTE_MS),
            }
        }
        let what = format!("{faults:?}, {between:?}");
        let Run::Active(id) = self.add(folder.path(), None).await else {
            panic!("{what}: the app did not finish");
        };
        self.check_one_token(folder.path(), &id, &what).await;
        self.cases += 1;
        reached
    }

    /// One run of `add`, as the command line does it.
    async fn add(&self, folder: &Path, fault: Option<Fault>) -> Run {
        let mut rng = system_rng();
        let (folder, mut tokens) = TokenFolder::open(folder, &mut rng, || {}).unwrap();
        let begun = tokens.begin(&self.order, &self.password, &mut rng);
        let mut id = begun.unwrap();
        let (mut saves, mut legs) = (0, 0);
        loop {
            saves += 1;
            if fault == Some(Fault::BeforeSave(saves)) {
                return Run::Stopped;
            }
            folder.save(&tokens, &mut rng).unwrap();
            if fault == Some(Fault::AfterSave(saves)) {
                return Run::Stopped;
            }
            let Next::Send(request) = tokens.next(&id) else {
                return Run::Active(id);
            };
            legs += 1;
            let (app, from) = (&self.bank.app, origin());
            let work = async {
                if request.path == START_PATH {
                    app.start_activation(&request.body, &from).await
                } else {
                    app.finish_activation(&request.body, &from).await
                }
            };
            let done = match fault {
                Some(Fault::ServerCut { leg, wait }) if leg == legs => cut(work, wait).await,
                _ => Some(work.await),
            };
            if done.is_none() || fault == Some(Fault::AnswerLost(legs)) {
                return Run::Stopped;
            }
            let answer = match done {
                Some(Ok(message)) => Answer::Message(message),
                Some(Err(Failure::Refused(refusal))) => Answer::Refused(refusal.code().to_owned()),
                Some(Err(failure)) => panic!("{failure}"),
                None => return Run::Stopped,
            };
            let now = self.bank.app.now();
            let trip = Trip {
                sent_at: now,
                received_at: now,
            };
            let progress = tokens.answered(&id, &answer, trip, Some(&self.password));
            match progress.unwrap() {
                Progress::Forward => {}
                Progress::BeginAgain => {
                    let begun = tokens.begin(&self.order, &self.password, &mut rng);
                    id = begun.unwrap();
                }
                other => panic!("{fault:?}: {other:?}"),
            }
        }
    }

    async fn check_one_token(&self, folder: &Path, id: &LocalId, what: &str) {
        let bank = &self.bank;
        let (_, tokens) = TokenFolder::open(folder, &mut system_rng(), || {}).unwrap();
        assert_eq!(tokens.len(), 1, "{what}: tokens in the app");
        let State::Active(active) = tokens.find(id).unwrap().state() else {
            panic!("{what}: the app's token is not active");
        };
        let mut tx = bank.app.store().read().await.unwrap();
        let rows = tx
            .query(
                "SELECT t.token_id, b.token_id AS found_as FROM token t
                 LEFT JOIN bearer b ON b.counter_no = t.counter_no AND b.user_id = t.user_id AND b.activated_at_ms = t.activated_at_ms",
                Vec::new(),
            )
            .await
            .unwrap();
        drop(tx);
        let ids: Vec<_> = rows
            .iter()
            .map(|row| row.text("token_id").unwrap())
            .collect();
        assert_eq!(ids, [active.token_id().as_str()], "{what}: orphans");
        let found_as = rows[0].opt_text("found_as").unwrap();
        assert_eq!(found_as, Some(ids[0]), "{what}: verification misses it");
        let stored = bank.token("hanako").await.unwrap();
        assert_eq!(stored.counter.standing, Standing::Activated, "{what}");
        let notices = bank.notices().await;
        let told: Vec<_> = notices.iter().map(|row| row.0.as_str()).collect();
        assert_eq!(
            told,
            ["activated", "token_issued"],
            "{what}: one mail of each"
        );
        let parameters = active.parameters();
        let step = parameters.time_step(bank.app.now().seconds());
        let code = totp::code(active.seed(), step, &parameters);
        let session = bank.session("hanako").await;
        let done = bank.app.verify(&session, code.expose(), &origin()).await;
        assert!(
            matches!(done, Ok(Verified::SignedIn(_))),
            "{what}: the codes differ"
        );
    }

    /// The issuance as it was before any app came.
    async fn begin_anew(&self) {
        for sql in [
            "DELETE FROM attempt",
            "DELETE FROM bearer",
            "DELETE FROM token",
            "DELETE FROM counter",
            "DELETE FROM outbox WHERE notice <> 'token_issued'",
            "UPDATE issuance SET state = 'issued', token_id = NULL, starts = 0, version = version + 1",
        ] {
            self.bank.sql(sql, Vec::new()).await;
        }
    }

    fn close(&self, what: &str) {
        println!(
            "{what}: {} cases, as many tokens in app and server, orphans 0",
            self.cases
        );
    }
}

/// Drops the work when it has waited more than `waits` times: what a killed process leaves behind. `None` when it was
/// dropped.
async fn cut<T>(work: impl Future<Output = T>, waits: u32) -> Option<T> {
    let mut work = pin!(work);
    let mut left = waits;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}
