//! F24: two nodes on a primary with a synchronous standby; the primary is killed under load and the standby promoted. No code is
//! accepted twice, no failure that was told is forgotten, whoever was told to be suspended stays so, and the nodes go on by themselves.
//! That such a loss would be seen is tried with an asynchronous standby.
//!
//! `cargo xtask soak failover --times 100` runs the first for long, with `--asynchronous` the second.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::Instant;
use warifu_core::id::UserId;
use warifu_core::relying::Scopes;
use warifu_core::time::MINUTE_MS;
use warifu_core::token::Standing;
use warifu_core::user::{Role, User};
use warifu_server::clock::{Clock, random_bytes, system_rng};
use warifu_store::DatabaseConfig;
use warifu_store::testing::{PostgresPair, Standby, free_address};

use crate::api::{client, plan};
use crate::bank::{Bank, SERVICE};
use crate::phone::Phone;

/// How often the primary is killed, with a synchronous standby and with the other; the variable asks for more.
const FAILOVERS: usize = 2;
const FAILOVERS_ASYNCHRONOUS: usize = 1;
const FAILOVERS_VARIABLE: &str = "WARIFU_TEST_FAILOVERS";
/// People who type right codes, people who type wrong ones, and people who type the last wrong one that they have.
const RIGHT: usize = 8;
const WRONG: usize = 4;
const LAST: usize = 4;
const PEOPLE: usize = RIGHT + WRONG + LAST;
/// Wrong codes of each: one less than suspends, so that a repeated one of unknown outcome shows. Those of the last kind have so many
/// behind them at most.
const WRONG_CODES: u32 = 4;
/// Threads that send, each with people of its own.
const SENDERS: usize = 4;
/// How long a node may take to answer again.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two tries of a request that was not answered.
const AGAIN: Duration = Duration::from_millis(20);

/// A `warifu serve` of its own.
struct Node {
    process: Child,
    api: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Node {
    fn start(bank: &Bank, database: &DatabaseConfig, name: &str) -> Self {
        let DatabaseConfig::Postgres(postgres) = database else {
            panic!("not PostgreSQL");
        };
        let address = free_address();
        let file = bank.path(&format!("{name}.toml"));
        fs::create_dir_all(bank.path("mails")).unwrap();
        let config = format!(
            "listen = \"{address}\"\nroot_key = \"root.key\"\n[database]\nurl = \"{}\"\n\
             [mail]\nfrom = \"otp@bank.example\"\neml_dir = \"mails\"\n[log]\nlevel = \"error\"\n",
            postgres.url
        );
        fs::write(&file, config).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_warifu"))
            .args(["serve", "--config"])
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            process,
            api: format!("http://{address}/api/v1/services/{SERVICE}/users"),
        }
    }
}

/// Somebody with a phone.
#[derive(Clone)]
struct Person {
    login: String,
    phone: Arc<Phone>,
}

/// A relying system that asks any of the nodes.
#[derive(Clone)]
struct Caller {
    agent: ureq::Agent,
    nodes: Vec<String>,
    key: String,
}

impl Caller {
    fn new(nodes: &[Node], key: String) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .http_status_as_error(false)
            .build();
        Self {
            agent: config.into(),
            nodes: nodes.iter().map(|node| node.api.clone()).collect(),
            key,
        }
    }

    /// One request to one node. An error says why it is not known what became of it.
    fn try_verify(
        &self,
        node: usize,
        login: &str,
        code: &str,
        name: Option<&str>,
    ) -> Result<Json, String> {
        let url = format!("{}/{login}/verify", self.nodes[node % self.nodes.len()]);
        let mut request = self
            .agent
            .post(&url)
            .header("authorization", &format!("Bearer {}", self.key))
            .header("content-type", "application/json");
        if let Some(name) = name {
            request = request.header("idempotency-key", name);
        }
        let told = |error: ureq::Error| error.to_string();
        let body = json!({ "code": code }).to_string();
        let mut response = request.send(body).map_err(told)?;
        let body = response.body_mut().read_to_string().map_err(told)?;
        match response.status().as_u16() {
            200 => Ok(serde_json::from_str(&body).unwrap()),
            500.. => Err(body),
            status => panic!("{status}: {body}"),
        }
    }

    /// The same until it is answered, at one node after the other: the verdict, and how many tries came before it.
    fn verify(&self, first: usize, login: &str, code: &str, name: Option<&str>) -> (String, u32) {
        let begun = Instant::now();
        for tries in 0.. {
            match self.try_verify(first + tries as usize, login, code, name) {
                Ok(answer) => return (answer["verdict"].as_str().unwrap().to_owned(), tries),
                Err(last) => assert!(begun.elapsed() < PATIENCE, "no node answers: {last}"),
            }
            thread::sleep(AGAIN);
        }
        unreachable!("the loop ends by an answer or by patience");
    }
}

/// What one sender was told.
#[derive(Default)]
struct Told {
    /// Right codes that were accepted, by login.
    accepted: Vec<(Person, String)>,
    /// What those were told who type wrong codes, by login.
    wrong: BTreeMap<String, Wrong>,
}

/// What somebody was told of wrong codes.
#[derive(Default)]
struct Wrong {
    /// That they were wrong.
    told: u32,
    /// Requests before an answer whose outcome nobody knows.
    unknown: u32,
    /// When it was told that the one-time password is suspended. After that no code is typed: a suspension that was forgotten would
    /// come about anew.
    suspended_at: Option<Instant>,
}

/// Sends right codes under a name each, so that a repetition is the same request (R21), and wrong codes without one, so that each
/// repetition may be counted too.
fn send(
    caller: &Caller,
    number: usize,
    people: &[Person],
    codes: &[Vec<String>],
    tell: &Sender<String>,
) -> Told {
    let mut told = Told::default();
    for round in 0..WRONG_CODES as usize {
        for (person, codes) in people.iter().zip(codes) {
            let types_right = person.login.starts_with("right");
            let verdict = if types_right && round < codes.len() {
                let name = format!("{:032x}", u128::from_ne_bytes(random_bytes()));
                let (verdict, _) =
                    caller.verify(number + round, &person.login, &codes[round], Some(&name));
                assert_eq!(verdict, "accepted", "a right code, asked under one name");
                told.accepted.push((person.clone(), codes[round].clone()));
                verdict
            } else if !types_right {
                let wrong = told.wrong.entry(person.login.clone()).or_default();
                if wrong.suspended_at.is_some() {
                    continue;
                }
                let code = person.phone.wrong_code(Clock::system().now());
                let (verdict, unknown) = caller.verify(number + round, &person.login, &code, None);
                match verdict.as_str() {
                    "wrong" => wrong.told += 1,
                    "suspended" => wrong.suspended_at = Some(Instant::now()),
                    other => panic!("{}: {other}", person.login),
                }
                wrong.unknown += unknown;
                verdict
            } else {
                continue;
            };
            // The one who listens may have heard enough.
            let _ = tell.send(verdict);
        }
    }
    told
}

/// What was answered and is not so any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Losses {
    /// Codes that were accepted, and once more.
    replays: u32,
    /// Wrong codes that were counted, and are forgotten.
    failures: u32,
    /// People who were told to be suspended, and are not.
    suspensions: u32,
}

/// How many were told to be suspended, in a failover.
#[derive(Clone, Copy, Default)]
struct Suspensions {
    all: u32,
    /// While the first primary was alive.
    before: u32,
}

/// What one failover showed.
struct Round {
    /// From the kill to the first answer of each node.
    recovered: Duration,
    suspensions: Suspensions,
    losses: Losses,
}

struct Scene {
    standby: Standby,
    bank: Bank,
    people: Vec<Person>,
    /// Somebody whose codes are only asked to see whether a node answers.
    prober: Person,
    caller: Caller,
    _nodes: Vec<Node>,
    servers: PostgresPair,
}

impl Scene {
    async fn open(standby: Standby) -> Self {
        let servers = PostgresPair::start(standby);
        let database = servers.database();
        let config = database.config().clone();
        let bank = Bank::open(database).await;
        let mut people = Vec::new();
        for number in 0..=PEOPLE {
            bank.set_clock(Clock::system().now());
            let word = match number {
                ..RIGHT => "right",
                _ if number < RIGHT + WRONG => "wrong",
                _ => "last",
            };
            let login = format!("{word}-{number}");
            hire(&bank, &login).await;
            let phone = Arc::new(bank.phone(&login).await);
            people.push(Person { login, phone });
        }
        let prober = people.pop().unwrap();
        let key = client(&bank.app, &plan("bank", &Scopes::all().to_string())).await;
        let nodes = vec![
            Node::start(&bank, &config, "one"),
            Node::start(&bank, &config, "other"),
        ];
        let caller = Caller::new(&nodes, key);
        Self {
            standby,
            bank,
            people,
            prober,
            caller,
            _nodes: nodes,
            servers,
        }
    }

    /// The next round begins as if no code had ever been typed.
    async fn forget(&self) {
        let begun = Instant::now();
        // The pool finds the new primary as the nodes do.
        while let Err(failure) = self.try_forget().await {
            assert!(begun.elapsed() < PATIENCE, "{failure}");
        }
    }

    async fn try_forget(&self) -> Result<(), warifu_store::StoreError> {
        let mut tx = self.bank.app.store().begin().await?;
        tx.execute(
            "UPDATE counter SET version = version + 1, last_step = -1, failures = 0, run_since_success = 0, drift = 0, standing = 'in_use'",
            Vec::new(),
        )
        .await?;
        tx.execute(
            "UPDATE token SET suspended_at_ms = NULL, confirmed_at_ms = activated_at_ms",
            Vec::new(),
        )
        .await?;
        for person in &self.people {
            tx.execute(
                "UPDATE counter SET failures = $1, run_since_success = $1
                 WHERE counter_no = (SELECT counter_no FROM token WHERE token_id = $2)",
                vec![
                    self.behind(person).into(),
                    person.phone.token_id.as_str().into(),
                ],
            )
            .await?;
        }
        tx.commit().await
    }

    /// Wrong codes that somebody has typed before a round begins. The last one comes at any moment of a round, or, where it is to be
    /// forgotten, at once.
    fn behind(&self, person: &Person) -> u32 {
        let Some(number) = person.login.strip_prefix("last-") else {
            return 0;
        };
        match self.standby {
            Standby::Synchronous => number.parse::<u32>().unwrap() % WRONG_CODES + 1,
            Standby::Asynchronous => WRONG_CODES,
        }
    }

    /// One failover under load.
    async fn round(&mut self) -> Round {
        self.forget().await;
        self.bank.set_clock(Clock::system().now());
        let now = self.bank.app.now();
        // A second code hides that the first one was forgotten, and only a second code shows that the first one stays used up.
        let codes: Vec<Vec<String>> = (1..)
            .zip(&self.people)
            .map(|(number, person)| {
                let times = [now, now.plus_ms(MINUTE_MS)];
                let of_some = times.iter().take(number % 2 + 1);
                of_some.map(|at| person.phone.code(*at)).collect()
            })
            .collect();
        for node in 0..2 {
            // Both answer before it begins.
            let login = self.prober.login.clone();
            let code = self.prober.phone.wrong_code(now);
            let caller = self.caller.clone();
            tokio::task::spawn_blocking(move || caller.verify(node, &login, &code, None))
                .await
                .unwrap();
        }
        if self.standby == Standby::Asynchronous {
            self.servers.hold_standby_back();
        }
        let (tell, answered) = channel();
        let senders: Vec<_> = (0..SENDERS)
            .map(|number| {
                let own = |place: usize| place % SENDERS == number;
                let people: Vec<_> = pick(&self.people, own);
                let codes: Vec<_> = pick(&codes, own);
                let (caller, tell) = (self.caller.clone(), tell.clone());
                thread::spawn(move || send(&caller, number, &people, &codes, &tell))
            })
            .collect();
        // When all senders have ended, nobody tells any more.
        drop(tell);
        let [moment] = random_bytes::<1>();
        let answers = match self.standby {
            Standby::Synchronous => usize::from(moment) % (2 * PEOPLE) + 5,
            // Each has been told something by then, or nearly each.
            Standby::Asynchronous => PEOPLE,
        };
        let mut suspended = self.standby == Standby::Synchronous;
        for heard in 1.. {
            suspended |= answered.recv().unwrap() == "suspended";
            if suspended && heard >= answers {
                break;
            }
        }
        self.servers.kill_primary();
        let killed = Instant::now();
        self.servers.promote_standby();
        let promoted = killed.elapsed();
        let probe = self.caller.clone();
        let (login, code) = (self.prober.login.clone(), self.prober.phone.wrong_code(now));
        let recovered = tokio::task::spawn_blocking(move || {
            for node in 0..2 {
                let asked = Instant::now();
                while probe.try_verify(node, &login, &code, None).is_err() {
                    assert!(asked.elapsed() < PATIENCE, "node {node} does not come back");
                    thread::sleep(AGAIN);
                }
            }
            killed.elapsed()
        })
        .await
        .unwrap();
        let told = tokio::task::spawn_blocking(move || {
            senders
                .into_iter()
                .map(|sender| sender.join().unwrap())
                .collect::<Vec<_>>()
        })
        .await
        .unwrap();
        println!("promoted after {promoted:?}, both nodes answer after {recovered:?}");
        let told_at = |at: &Wrong| at.suspended_at;
        let suspended: Vec<_> = told
            .iter()
            .flat_map(|told| told.wrong.values().filter_map(told_at))
            .collect();
        let before = suspended.iter().filter(|at| **at < killed);
        let suspensions = Suspensions {
            all: u32::try_from(suspended.len()).unwrap(),
            before: u32::try_from(before.count()).unwrap(),
        };
        let losses = self.look_for_losses(told).await;
        self.servers.rejoin();
        Round {
            recovered,
            suspensions,
            losses,
        }
    }

    /// What both nodes say of a code, one after the other.
    async fn verdicts(&self, login: &str, code: &str) -> [String; 2] {
        let (caller, login, code) = (self.caller.clone(), login.to_owned(), code.to_owned());
        let ask = move || [0, 1].map(|node| caller.verify(node, &login, &code, None).0);
        tokio::task::spawn_blocking(ask).await.unwrap()
    }

    async fn look_for_losses(&self, told: Vec<Told>) -> Losses {
        let mut losses = Losses::default();
        let mut accepted = 0;
        for told in told {
            for (person, code) in told.accepted {
                accepted += 1;
                for verdict in self.verdicts(&person.login, &code).await {
                    match verdict.as_str() {
                        "already_used" => {}
                        "accepted" => {
                            println!("R12: a code of {} is accepted again", person.login);
                            losses.replays += 1;
                        }
                        other => panic!("{}: {other}", person.login),
                    }
                }
            }
            for (login, wrong) in told.wrong {
                let by_login = |person: &&Person| person.login == login;
                let person = self.people.iter().find(by_login).unwrap();
                let counter = self.bank.token(&login).await.unwrap().counter;
                let (kept, least) = (counter.failures, self.behind(person) + wrong.told);
                let suspended = wrong.suspended_at.is_some();
                let most = least + wrong.unknown + u32::from(suspended);
                assert!(kept <= most, "{login} was not asked so often");
                if kept < least {
                    println!("R31: {login} was told {least} failures, {kept} are counted");
                    losses.failures += least - kept;
                }
                if !suspended {
                    continue;
                }
                let right = person.phone.code(Clock::system().now());
                let verdicts = self.verdicts(&login, &right).await;
                if counter.standing != Standing::Suspended || verdicts != ["suspended"; 2] {
                    println!("R31: {login} was told to be suspended, and is told {verdicts:?}");
                    losses.suspensions += 1;
                }
            }
        }
        assert_eq!(accepted, RIGHT / 2 * 3);
        losses
    }
}

fn pick<T: Clone>(all: &[T], own: impl Fn(usize) -> bool) -> Vec<T> {
    let places = all.iter().enumerate().filter(|(place, _)| own(*place));
    places.map(|(_, one)| one.clone()).collect()
}

/// One more employee of the first company.
async fn hire(bank: &Bank, login: &str) {
    let now = bank.app.now();
    let mut tx = bank.app.store().begin().await.unwrap();
    let (master, hashes) = tx
        .user_by_login(&bank.service_id, "master")
        .await
        .unwrap()
        .unwrap();
    let user = User {
        id: UserId::new(now, &mut system_rng()),
        login_id: login.to_owned(),
        role: Role::General,
        ..master
    };
    assert!(tx.insert_user(&user, &hashes, now).await.unwrap());
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_nothing_is_lost_and_nothing_repeated_when_the_primary_is_killed() {
    let rounds = fail_over(Standby::Synchronous, FAILOVERS).await;
    assert!(rounds.iter().all(|losses| *losses == Losses::default()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_what_is_lost_with_an_asynchronous_standby_is_found() {
    let rounds = fail_over(Standby::Asynchronous, FAILOVERS_ASYNCHRONOUS).await;
    assert!(
        rounds
            .iter()
            .all(|losses| losses.replays > 0 && losses.failures > 0 && losses.suspensions > 0),
        "the standby had not what was answered, and nobody noticed"
    );
}

/// Kills the primary so often, or as often as the variable says, and reports. What each time was lost.
async fn fail_over(standby: Standby, times: usize) -> Vec<Losses> {
    let times = std::env::var(FAILOVERS_VARIABLE)
        .ok()
        .map_or(times, |number| number.parse().unwrap());
    let begun = Instant::now();
    let mut scene = Scene::open(standby).await;
    let (mut recovered, mut losses) = (Vec::new(), Vec::new());
    let mut suspensions = Suspensions::default();
    for _ in 0..times {
        let round = scene.round().await;
        recovered.push(round.recovered);
        losses.push(round.losses);
        suspensions.all += round.suspensions.all;
        suspensions.before += round.suspensions.before;
    }
    recovered.sort();
    let report = json!({
        "standby": match standby {
            Standby::Synchronous => "synchronous",
            Standby::Asynchronous => "asynchronous",
        },
        "failovers": times,
        "replays": losses.iter().map(|lost| lost.replays).sum::<u32>(),
        "lost_failures": losses.iter().map(|lost| lost.failures).sum::<u32>(),
        "suspensions": suspensions.all,
        "suspensions_before_the_kill": suspensions.before,
        "lost_suspensions": losses.iter().map(|lost| lost.suspensions).sum::<u32>(),
        "recovery_ms": {
            "p50": recovered[times / 2].as_millis(),
            "max": recovered[times - 1].as_millis(),
        },
        "elapsed_s": begun.elapsed().as_secs(),
    });
    println!("{report}");
    losses
}
