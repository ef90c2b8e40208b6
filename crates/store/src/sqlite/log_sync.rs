//! When what was committed is on the disk, where a commit does not wait for it.
//!
//! A batch of verifications is committed without waiting for the disk (`synchronous=NORMAL`: the log is written, not synced), and a thread of its own
//! syncs the log, so that the next batch is judged meanwhile. All that SQLite writes after a commit stands behind it in the same log: a sync that began
//! after a commit makes it durable with all before it. Nobody is told of such a commit, nor of what a transaction saw of it, before that sync has ended.
//! So to whoever asks it is as durable as every other commit (`synchronous=FULL`); only that several are on their way at once.
//!
//! After a sync that failed nobody knows what the disk has, and one that succeeds later would say too much (the system may have given the pages up): from
//! then on no transaction begins any more, and nothing is told, until the program is started again. A start carries the whole log over into the file before
//! anything is told of it (`carry_over`), so that nothing is added behind a gap.
//!
//! Other processes on the same file see commits that are still on their way: they are the operator's own commands.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::statement::failed;
use crate::limits::{SQLITE_BUSY_TIMEOUT, SQLITE_COMMITS_AHEAD, TURN_TIMEOUT};
use crate::{Outage, StoreError};

/// The thread that syncs, and how far it is.
pub(super) struct LogSync {
    /// Whether the commits of the writer's connection run ahead of the disk now. Only whoever holds that connection asks.
    ahead: AtomicBool,
    /// Commits that were begun without waiting for the disk.
    begun: AtomicU64,
    disk: Arc<Disk>,
    thread: Sender<Command>,
}

/// What is known of the disk.
#[derive(Default)]
struct Disk {
    /// How many of those commits it has for sure, in the order in which they began.
    arrived: AtomicU64,
    /// What a sync failed by.
    failed: OnceLock<String>,
}

impl Disk {
    fn check(&self) -> Result<(), StoreError> {
        match self.failed.get() {
            Some(error) => Err(StoreError::gone(format!(
                "its log could not be synced ({error}): see to the disk, and start the program again"
            ))),
            None => Ok(()),
        }
    }
}

enum Command {
    /// This commit has ended, and is to be synced.
    Sync(Ticket),
    /// Somebody waits for it.
    Tell(Ticket, Told),
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
        let file = File::open(log)
            .map_err(|error| StoreError::Config(format!("{}: {error}", log.display())))?;
        let (thread, commands) = channel();
        let disk = Arc::new(Disk::default());
        let reached = Arc::clone(&disk);
        thread::Builder::new()
            .name("sqlite-log".to_owned())
            .spawn(move || serve(&file, &commands, &reached))
            .map_err(|error| StoreError::gone(format!("no thread: {}", error.kind())))?;
        Ok(Self {
            ahead: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            disk,
            thread,
        })
    }

    /// Before each transaction.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] since a sync failed: what stands behind the gap in the log is as uncertain as the gap, however it is written.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.disk.check()
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
        if self.disk.arrived.load(Ordering::SeqCst) >= ticket.0 {
            told(Ok(()));
        } else {
            self.send(Command::Tell(ticket, Box::new(told)));
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

    fn send(&self, command: Command) {
        // The thread ends with the last sender, not before.
        let _ = self.thread.send(command);
    }
}

/// Has a commit synced when it has ended, however it ended.
struct Ended<'a> {
    log: &'a LogSync,
    ticket: Ticket,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.log.send(Command::Sync(self.ticket));
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

/// Ends when the last sender is gone.
fn serve(log: &File, commands: &Receiver<Command>, disk: &Disk) {
    let mut waiting: Vec<(Ticket, Told)> = Vec::new();
    let mut arrived = 0;
    while let Ok(first) = commands.recv() {
        // One sync is enough for all that ended before it begins.
        let mut ended = arrived;
        for command in std::iter::once(first).chain(commands.try_iter()) {
            match command {
                Command::Sync(ticket) => ended = ended.max(ticket.0),
                Command::Tell(ticket, told) => waiting.push((ticket, told)),
            }
        }
        if ended > arrived && disk.check().is_ok() {
            match log.sync_data() {
                Ok(()) => {
                    arrived = ended;
                    disk.arrived.store(arrived, Ordering::SeqCst);
                }
                Err(error) => drop(disk.failed.set(error.to_string())),
            }
        }
        let failed = disk.check();
        let known = |(ticket, _): &mut (Ticket, Told)| failed.is_err() || ticket.0 <= arrived;
        for (_, told) in waiting.extract_if(.., known) {
            let answer = failed.clone();
            // A defect costs whoever waited, and nobody else (R90).
            drop(catch_unwind(AssertUnwindSafe(|| told(answer))));
        }
    }
}
