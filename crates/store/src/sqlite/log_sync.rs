//! When what was committed is on the disk, where a commit does not wait for it.
//!
//! A batch of verifications is committed without waiting for the disk (`synchronous=NORMAL`: the log is written, not synced), and threads of their own
//! sync the log, so that the next batch is judged meanwhile. All that SQLite writes after a commit stands behind it in the same log: a sync that began
//! after a commit makes it durable with all before it. Nobody is told of such a commit, nor of what a transaction saw of it, before that sync has ended.
//! So to whoever asks it is as durable as every other commit (`synchronous=FULL`); only that several are on their way at once.
//!
//! After a sync that failed nobody knows what the disk has, and one that succeeds later would say too much (the system may have given the pages up): from
//! then on no transaction begins any more, and nothing is told, until the program is started again. A start carries the whole log over into the file before
//! anything is told of it (`carry_over`), so that nothing is added behind a gap.
//!
//! Other processes on the same file see commits that are still on their way: they are the operator's own commands.

use std::collections::VecDeque;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::statement::failed;
use crate::limits::{SQLITE_BUSY_TIMEOUT, SQLITE_COMMITS_AHEAD, TURN_TIMEOUT};
use crate::{Outage, StoreError};

/// Threads that sync. While one waits for the disk, the other takes what was committed meanwhile: one after the other a commit would wait for the rest of the sync
/// before its own.
const THREADS: usize = 2;

/// The threads that sync, and how far they are.
pub(super) struct LogSync {
    /// Whether the commits of the writer's connection run ahead of the disk now. Only whoever holds that connection asks.
    ahead: AtomicBool,
    /// Commits that were begun without waiting for the disk.
    begun: AtomicU64,
    shared: Arc<Shared>,
}

/// What the threads share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    /// How many of those commits the disk has for sure, in the order in which they began.
    arrived: AtomicU64,
    /// What a sync failed by.
    failed: OnceLock<String>,
}

#[derive(Default)]
struct State {
    /// The last of those commits that has ended, and is to be synced with all before it.
    ended: u64,
    /// The last one that a sync has begun for.
    taken: u64,
    /// The syncs that have begun, in their order: what each is for, and whether it has ended well.
    syncs: VecDeque<(u64, bool)>,
    /// Who is to be told.
    waiting: Vec<(Ticket, Told)>,
    /// No more commits come.
    closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.failed.get() {
            Some(error) => Err(StoreError::gone(format!(
                "its log could not be synced ({error}): see to the disk, and start the program again"
            ))),
            None => Ok(()),
        }
    }

    /// Counts what a sync was for, which ended well. A commit is there when its own sync says so and each that began before: what an earlier one could not write, a later one may
    /// not be told of. After one that failed nothing is counted any more.
    fn succeeded(&self, state: &mut State, taken: u64) {
        for sync in state.syncs.iter_mut().filter(|sync| sync.0 == taken) {
            sync.1 = true;
        }
        while let Some(&(taken, true)) = state.syncs.front() {
            state.syncs.pop_front();
            if self.failed.get().is_none() {
                self.arrived.store(taken, Ordering::SeqCst);
            }
        }
    }

    /// What is known of a commit; `None` while it is on its way.
    fn known(&self, ticket: Ticket) -> Option<Result<(), StoreError>> {
        if self.arrived.load(Ordering::SeqCst) >= ticket.0 {
            return Some(Ok(()));
        }
        self.check().err().map(Err)
    }
}

type Told = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A commit that may still be on its way to the disk, by its number.
#[derive(Clone, Copy)]
pub(super) struct Ticket(u64);

impl LogSync {
    /// Opens the log of a database beside SQLite. Files that are closed here take none of SQLite's locks with them: it holds those on other files.
    ///
    /// # Errors
    /// [`StoreError::Config`] when the log is not there; [`StoreError::Unavailable`] when there is no thread to be had.
    pub(super) fn open(log: &Path) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::default());
        let sync = Self {
            ahead: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            shared: Arc::clone(&shared),
        };
        for _ in 0..THREADS {
            // Each opens the file for itself: the system tells each of them once of what it could not write.
            let file = File::open(log)
                .map_err(|error| StoreError::Config(format!("{}: {error}", log.display())))?;
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name("sqlite-log".to_owned())
                .spawn(move || serve(&file, &shared))
                .map_err(|error| StoreError::gone(format!("no thread: {}", error.kind())))?;
        }
        Ok(sync)
    }

    /// Before each transaction.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] since a sync failed: what stands behind the gap in the log is as uncertain as the gap, however it is written.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.shared.check()
    }

    /// Before a transaction whose commit does not wait for the disk: waits until there is room for one more.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub(super) async fn room(&self) -> Result<(), StoreError> {
        self.wait(Ticket(self.last().0.saturating_sub(SQLITE_COMMITS_AHEAD)))
            .await
    }

    /// Says how the next transaction of the writer's connection commits.
    ///
    /// # Errors
    /// As any statement; then it commits as the one before.
    pub(super) fn let_commits_run_ahead(
        &self,
        connection: &Connection,
        ahead: bool,
    ) -> Result<(), StoreError> {
        if self.ahead.load(Ordering::Relaxed) != ahead {
            let synchronous = if ahead { "NORMAL" } else { "FULL" };
            connection
                .pragma_update(None, "synchronous", synchronous)
                .map_err(|error| failed(&error))?;
            self.ahead.store(ahead, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Runs a commit that does not wait for the disk, and has it synced.
    ///
    /// # Errors
    /// Those of the commit.
    pub(super) fn run_ahead(
        &self,
        commit: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<Ticket, StoreError> {
        // From now on others may see what it changes.
        let ticket = Ticket(self.begun.fetch_add(1, Ordering::SeqCst) + 1);
        let _ended = Ended { log: self, ticket };
        commit()?;
        Ok(ticket)
    }

    /// The last commit that a transaction which reads now can have seen.
    pub(super) fn last(&self) -> Ticket {
        Ticket(self.begun.load(Ordering::SeqCst))
    }

    /// Calls back when a commit, and each before it, is on the disk: at once if it is, else on the thread that syncs, which is not to be held up.
    /// [`StoreError::Unavailable`] is told when a sync failed: nobody knows whether it is.
    pub(super) fn then(
        &self,
        ticket: Ticket,
        told: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) {
        let mut state = self.shared.state();
        if let Some(known) = self.shared.known(ticket) {
            drop(state);
            told(known);
        } else {
            state.waiting.push((ticket, Box::new(told)));
        }
    }

    /// Waits for what [`then`](Self::then) tells.
    ///
    /// # Errors
    /// What it tells, and [`StoreError::Unavailable`] when that takes too long.
    pub(super) async fn wait(&self, ticket: Ticket) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        // Nobody may listen any more.
        self.then(ticket, |arrived| drop(tell.send(arrived)));
        timeout(TURN_TIMEOUT, told)
            .await
            .map_err(|_| StoreError::Unavailable(Outage::Timeout))?
            .map_err(|_| StoreError::gone("its log is not synced any more"))?
    }
}

impl Drop for LogSync {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.work.notify_all();
    }
}

/// Has a commit synced when it has ended, however it ended.
struct Ended<'a> {
    log: &'a LogSync,
    ticket: Ticket,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.log.shared.state();
        state.ended = state.ended.max(self.ticket.0);
        drop(state);
        self.log.shared.work.notify_one();
    }
}

/// Carries the whole log over into the file, and syncs that: what a process that was killed, or whose disk failed, left in the log may be in the system's memory
/// only. Where another process has the database open, that one answers for it, and nothing is done.
///
/// # Errors
/// As any statement; then nothing is known to be on the disk.
pub(super) fn carry_over(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
    connection.busy_timeout(SQLITE_BUSY_TIMEOUT)
}

/// Syncs until the database is closed, and everything that was committed is on the disk.
fn serve(log: &File, shared: &Shared) {
    let mut state = shared.state();
    loop {
        if state.ended == state.taken {
            if state.closed {
                return;
            }
            state = shared
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        // One sync is enough for all that ended before it begins.
        let taken = state.ended;
        state.taken = taken;
        state.syncs.push_back((taken, false));
        drop(state);
        let synced = match shared.check() {
            Ok(()) => log.sync_data(),
            // It would say too much.
            Err(_) => Ok(()),
        };
        state = shared.state();
        match synced {
            Ok(()) => shared.succeeded(&mut state, taken),
            Err(error) => drop(shared.failed.set(error.to_string())),
        }
        let mut known = Vec::new();
        for (ticket, told) in std::mem::take(&mut state.waiting) {
            match shared.known(ticket) {
                Some(answer) => known.push((answer, told)),
                None => state.waiting.push((ticket, told)),
            }
        }
        drop(state);
        for (answer, told) in known {
            // A defect costs whoever waited, and nobody else (R90).
            drop(catch_unwind(AssertUnwindSafe(|| told(answer))));
        }
        state = shared.state();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[test]
    fn a_commit_is_there_when_each_sync_that_began_before_has_ended_well() {
        let shared = Shared::default();
        let arrived = || shared.arrived.load(Ordering::SeqCst);
        let mut state = State {
            syncs: [(5, false), (6, false), (8, false), (9, false)].into(),
            ..State::default()
        };
        shared.succeeded(&mut state, 6);
        assert_eq!(arrived(), 0, "the one before may fail still");
        shared.succeeded(&mut state, 5);
        assert_eq!(arrived(), 6);
        shared.failed.set("gone".to_owned()).unwrap();
        shared.succeeded(&mut state, 9);
        shared.succeeded(&mut state, 8);
        assert_eq!(arrived(), 6, "nobody knows any more");
        assert!(matches!(shared.known(Ticket(6)), Some(Ok(()))));
        assert!(matches!(shared.known(Ticket(7)), Some(Err(_))));
    }

    fn on_a_disk() -> (LogSync, tempfile::NamedTempFile) {
        let file = tempfile::NamedTempFile::new().unwrap();
        (LogSync::open(file.path()).unwrap(), file)
    }

    /// What is told of a commit, once it is.
    fn told_of(log: &LogSync, ticket: Ticket) -> Receiver<Result<(), StoreError>> {
        let (tell, told) = channel();
        log.then(ticket, move |arrived| tell.send(arrived).unwrap());
        told
    }

    #[test]
    fn every_commit_is_told_of_once_and_not_before_it_is_there() {
        let (log, _file) = on_a_disk();
        let (tell, told) = channel();
        for _ in 0..500 {
            let ticket = log.run_ahead(|| Ok(())).unwrap();
            let (tell, shared) = (tell.clone(), Arc::clone(&log.shared));
            log.then(ticket, move |arrived| {
                let there = shared.arrived.load(Ordering::SeqCst) >= ticket.0;
                tell.send((ticket.0, arrived.is_ok() && there)).unwrap();
            });
        }
        let mut numbers: Vec<_> = (0..500)
            .map(|_| told.recv_timeout(SOON).unwrap())
            .map(|(number, right)| if right { number } else { 0 })
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=500).collect::<Vec<_>>());
        assert!(told.try_recv().is_err());
    }

    #[test]
    fn a_commit_that_failed_holds_up_none_behind_it() {
        let (log, _file) = on_a_disk();
        assert!(log.run_ahead(|| Err(StoreError::Full)).is_err());
        let ticket = log.run_ahead(|| Ok(())).unwrap();
        told_of(&log, ticket).recv_timeout(SOON).unwrap().unwrap();
    }

    #[test]
    fn after_a_sync_that_failed_everybody_is_told_so_and_nothing_begins() {
        // What is no file cannot be synced.
        let log = LogSync::open(Path::new("/dev/null")).unwrap();
        assert!(log.check().is_ok());
        for _ in 0..3 {
            let ticket = log.run_ahead(|| Ok(())).unwrap();
            let arrived = told_of(&log, ticket).recv_timeout(SOON).unwrap();
            assert!(matches!(arrived, Err(StoreError::Unavailable(_))));
        }
        assert!(log.check().is_err());
    }

    #[test]
    fn who_is_called_back_may_ask_and_wait_for_more() {
        let (log, _file) = on_a_disk();
        let log = Arc::new(log);
        let (tell, told) = channel();
        let ticket = log.run_ahead(|| Ok(())).unwrap();
        let again = Arc::clone(&log);
        log.then(ticket, move |_| {
            let next = again.run_ahead(|| Ok(())).unwrap();
            again.then(next, move |arrived| tell.send(arrived).unwrap());
        });
        told.recv_timeout(SOON).unwrap().unwrap();
    }

    #[test]
    fn r90_a_defect_in_one_callback_costs_no_other() {
        let (log, _file) = on_a_disk();
        for _ in 0..4 {
            let ticket = log.run_ahead(|| Ok(())).unwrap();
            log.then(ticket, |_| panic!("a defect"));
            told_of(&log, ticket).recv_timeout(SOON).unwrap().unwrap();
        }
    }

    #[test]
    fn what_was_committed_is_told_of_also_when_the_database_is_closed_meanwhile() {
        for _ in 0..50 {
            let (log, _file) = on_a_disk();
            let ticket = log.run_ahead(|| Ok(())).unwrap();
            let told = told_of(&log, ticket);
            drop(log);
            told.recv_timeout(SOON).unwrap().unwrap();
        }
    }
}
