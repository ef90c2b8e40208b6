//! The queue before the database: codes that arrive while a transaction runs wait here, and are judged together in the next
//! one. There is no timer: an idle system judges a code at once, a busy one many with one commit.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;

use futures_util::FutureExt as _;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use warifu_core::audit::Origin;
use warifu_core::id::{ContractId, ServiceId};
use warifu_core::oath::Code;
use warifu_core::refusal::Refusal;
use warifu_store::{Login, Wait};
use zeroize::Zeroizing;

use super::batch::Verifier;
use super::bearer::Known;
use super::told::Told;
use super::{Verification, Verified};
use crate::app::Failure;
use crate::app::api_clients::ApiCaller;
use crate::app::idempotency::Idempotency;
use crate::app::session::Session;
use crate::lane::Lane;
use crate::processors::Seats;

/// Codes that may wait; the next one is told that the service is busy.
pub const WAITING_MAX: usize = 4_096;
/// The name of the thread that judges, by which its processor time is found.
pub const VERIFIER: &str = "verifier";
/// Codes that one transaction judges at most.
pub const BATCH_MAX: usize = 128;

/// What was typed. No `Debug`.
pub(super) enum Proof {
    /// A code that a person typed into a page.
    Typed(Zeroizing<String>),
    /// A code that a program sent.
    Exact(Zeroizing<String>),
    /// Two consecutive codes that a program sent (R17).
    Consecutive([Zeroizing<String>; 2]),
}

/// What was typed, read: as many codes as were asked for.
pub(super) enum Codes {
    One(Code),
    Two([Code; 2]),
}

impl Proof {
    /// Reads what was typed. People are read kindly, programs exactly (R28).
    ///
    /// # Errors
    /// [`Refusal::CodeFormat`]; what is no code is not judged and not counted.
    pub(super) fn codes(&self, digits: u8) -> Result<Codes, Refusal> {
        let exact = |text: &Zeroizing<String>| Code::exact(text, digits);
        let codes = match self {
            Self::Typed(text) => Code::typed(text, digits).map(Codes::One),
            Self::Exact(text) => exact(text).map(Codes::One),
            Self::Consecutive([first, second]) => {
                exact(first).and_then(|first| Ok(Codes::Two([first, exact(second)?])))
            }
        };
        codes.map_err(|_| Refusal::CodeFormat { digits })
    }
}

/// Where the code came in, and what follows there.
pub(super) enum Channel {
    /// The verification page: a right code makes this session a full one.
    Page(Box<Session>),
    /// The API.
    Client {
        caller: Arc<ApiCaller>,
        idempotency: Option<Idempotency>,
    },
}

impl Channel {
    /// Whether a program asks.
    pub(super) const fn is_client(&self) -> bool {
        matches!(self, Self::Client { .. })
    }

    /// Whether whoever asks may know of a user of this service and company (R41).
    pub(super) fn sees(&self, service_id: &ServiceId, contract_id: &ContractId) -> bool {
        match self {
            Self::Page(_) => true,
            Self::Client { caller, .. } => {
                caller.service_id.as_ref().is_none_or(|id| id == service_id)
                    && caller
                        .contract_id
                        .as_ref()
                        .is_none_or(|id| id == contract_id)
            }
        }
    }
}

/// A code to judge.
pub(super) struct Question {
    /// Whose code it is.
    pub(super) login: Login,
    pub(super) proof: Proof,
    pub(super) channel: Channel,
    pub(super) origin: Origin,
}

/// What came of it, for the channel that it came in by.
pub(super) enum Answer {
    Page(Verified),
    Client(Told),
    /// What is kept, or was, for the same request, in its words.
    InWords(Box<Verification>),
    /// Key or client are not what this node remembered of them; nothing was judged.
    OldCaller,
}

/// Who is remembered of a question's login.
pub(super) enum Recall {
    /// Who was when it came in; for its first judgement. Who was not is looked for in the database.
    AtArrival(Option<Arc<Known>>),
    /// Who will be when it is judged again.
    Now,
}

/// A question that waits for its answer.
pub(super) struct Job {
    /// Shared with the thread that judges it.
    pub(super) question: Arc<Question>,
    /// Whom its judgement goes by, if anybody is remembered.
    pub(super) known: Recall,
    /// How often another node's write came between.
    pub(super) losses: u32,
    /// Whether the data keys were read anew for it.
    pub(super) keys_were_read: bool,
    reply: oneshot::Sender<Result<Answer, Failure>>,
    /// Where the asker waits, if that is a lane.
    lane: Option<Lane>,
}

impl Job {
    /// Whether somebody still waits. A question whose asker has gone is not judged: the code stays good for the next try.
    pub(super) fn is_awaited(&self) -> bool {
        !self.reply.is_closed()
    }

    pub(super) fn answer(self, answer: Result<Answer, Failure>) {
        let reply = self.reply;
        // The asker may have gone while the transaction ran: what is committed is committed.
        let tell = move || drop(reply.send(answer));
        match self.lane {
            Some(lane) => lane.run(tell),
            None => tell(),
        }
    }
}

/// The entrance.
pub(in crate::app) struct Queue {
    sender: mpsc::Sender<Job>,
    verifier: Arc<Verifier>,
}

impl Queue {
    /// Opens the queue; the work ends when the queue is dropped. It has a thread and a runtime of its own: among the tasks of another runtime it would wait for its turn behind
    /// the requests that wait for it. It runs on `seats`.
    ///
    /// # Errors
    /// [`Failure::Fault`] when there is no thread to be had; what [`Store::with_own_connection`](warifu_store::Store::with_own_connection) fails with.
    pub(in crate::app) async fn open(verifier: Verifier, seats: Seats) -> Result<Self, Failure> {
        let no_thread = |_| Failure::fault("there is no thread for verification");
        let verifier = Arc::new(verifier);
        let shared = Arc::clone(&verifier);
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let (tell, ready) = oneshot::channel();
        let serve = move || {
            seats.take();
            let runtime = Builder::new_current_thread()
                // Of the threads for blocking work, if there ever is one.
                .on_thread_start(move || seats.leave())
                .enable_all()
                .build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = tell.send(Err(no_thread(error)));
                    return;
                }
            };
            runtime.block_on(async {
                match verifier.store.with_own_connection() {
                    Ok(store) => {
                        let verifier = Verifier::clone(&verifier);
                        let verifier = Arc::new(Verifier { store, ..verifier });
                        // Who opens it may have gone; then the receiver says so.
                        let _ = tell.send(Ok(()));
                        work(verifier, receiver).await;
                    }
                    Err(error) => drop(tell.send(Err(error.into()))),
                }
            });
        };
        thread::Builder::new()
            .name(VERIFIER.to_owned())
            .spawn(serve)
            .map_err(no_thread)?;
        ready
            .await
            .unwrap_or(Err(Failure::fault("the verification has ended")))?;
        Ok(Self {
            sender,
            verifier: shared,
        })
    }

    /// Waits for the answer, which comes after the commit.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when [`WAITING_MAX`] wait already; else what refuses or fails the question.
    pub(super) async fn ask(&self, question: Question) -> Result<Answer, Failure> {
        let _asking = self.verifier.traffic.ask();
        let (reply, answer) = oneshot::channel();
        let place = self.sender.clone().try_reserve_owned();
        let place = place.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Failure::from(Refusal::Busy),
            mpsc::error::TrySendError::Closed(_) => Failure::fault("the verification has ended"),
        })?;
        let job = Job {
            known: Recall::AtArrival(
                self.verifier
                    .recall(&question.login, self.verifier.clock.now()),
            ),
            question: Arc::new(question),
            losses: 0,
            keys_were_read: false,
            reply,
            lane: Lane::here(),
        };
        let verifier = Arc::clone(&self.verifier);
        let waiting = WAITING_MAX - self.sender.capacity();
        // The first code that is handed over wakes the verifier: better with all that came with it.
        Lane::later(move || {
            let alone = verifier.traffic.is_alone_and_quick();
            if alone && job.lane.is_some() && verifier.store.runs_here() {
                tokio::spawn(work_on_lane(verifier, job, place));
            } else {
                verifier.metrics.queue_depth(waiting);
                place.send(job);
            }
        });
        answer
            .await
            .unwrap_or(Err(Failure::fault("a verification ended with a defect")))
    }

    /// Whether there is room for another question.
    pub(in crate::app) fn has_room(&self) -> bool {
        self.sender.capacity() > 0
    }
}

/// The verifier's own work.
async fn work(verifier: Arc<Verifier>, mut receiver: mpsc::Receiver<Job>) {
    // Those whom another node came before are judged again with those who came meanwhile.
    let mut batch: Vec<Job> = Vec::with_capacity(BATCH_MAX);
    let mut crowd = Crowd::default();
    loop {
        let room = BATCH_MAX - batch.len();
        if !batch.is_empty() {
            batch.extend(std::iter::from_fn(|| receiver.try_recv().ok()).take(room));
        } else if receiver.recv_many(&mut batch, room).await == 0 {
            return;
        }
        verifier.metrics.queue_depth(receiver.len());
        let jobs = std::mem::take(&mut batch);
        let wait = if crowd.is_behind(jobs.len()) {
            Wait::ForLock
        } else {
            Wait::ForLockAndDisk
        };
        batch = judge(&verifier, jobs, wait).await;
    }
}

/// Judges a code that is alone on the lane that it came in on. If it is to be judged again, the verifier does so, in the place that was kept for it.
async fn work_on_lane(verifier: Arc<Verifier>, job: Job, place: mpsc::OwnedPermit<Job>) {
    let again = judge(&verifier, vec![job], Wait::ForDisk).await;
    if let Some(job) = again.into_iter().next() {
        place.send(job);
    }
}

/// Judges and answers; gives back those that are to be judged again.
async fn judge(verifier: &Arc<Verifier>, jobs: Vec<Job>, wait: Wait) -> Vec<Job> {
    // A defect costs the batch that met it, and no other (R90): those who wait are told by their dropped replies, or by the error that SQLite gives instead.
    AssertUnwindSafe(verifier.judge(jobs, wait))
        .catch_unwind()
        .await
        .unwrap_or_else(|_panic| {
            tracing::error!("a batch of verifications met a defect");
            Vec::new()
        })
}

/// Whether others are to be expected behind a batch.
#[derive(Default)]
struct Crowd {
    /// Whether the last batch was one of several codes.
    several: bool,
}

impl Crowd {
    /// A code that is alone has nobody behind it to be judged meanwhile: its commit waits for the disk itself, which is sooner. After a batch of several it is alone
    /// by chance, and others are on their way here.
    const fn is_behind(&mut self, codes: usize) -> bool {
        let before = std::mem::replace(&mut self.several, codes > 1);
        self.several || before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_expected_behind_a_code_that_is_alone_again() {
        let mut crowd = Crowd::default();
        let expected = [
            (1, false),
            (1, false),
            (3, true),
            (1, true),
            (1, false),
            (2, true),
        ];
        for (codes, behind) in expected {
            assert_eq!(crowd.is_behind(codes), behind, "{codes}");
        }
    }
}
