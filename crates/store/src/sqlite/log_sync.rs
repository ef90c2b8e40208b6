//! When what was committed is on the disk, where a commit does not wait for it.
//!
//! A batch of verifications is committed without waiting for the disk (`synchronous=NORMAL`: the log is written, not synced), and a thread of its own
//! syncs the log, so that the next batch is judged meanwhile. All that SQLite writes after a commit stands behind it in the same log: a sync that began
//! after a commit makes it durable with all before it. Nobody is told of such a commit, nor of what a transaction saw of it, before that sync has ended.
//! So to whoever asks it is as durable as every other commit (`synchronous=FULL`); only that several are on their way at once.
//!
//! After a sync that failed nobody knows what the disk has, and one that succeeds later would say too much (the system may have given the pages up): from
//! then on no transaction begins any more, and nothing is told, until the program is started again.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::failed;
use crate::StoreError;

/// The thread that syncs, and how far it is.
pub(super) struct LogSync {
    /// Whether the commits of the writer's connection run ahead of the disk now. Only its thread asks.
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
    /// A sync failed.
    failed: AtomicBool,
}

enum Command {
    /// This commit has ended, and is to be synced.
    Sync(Ticket),
    /// Somebody waits for it.
    Tell(Ticket, Told),
}

type Told = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// A commit that may still be on its way to the disk, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
        if self.disk.failed.load(Ordering::SeqCst) {
            return Err(lost());
        }
        Ok(())
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

    /// Before a commit that does not wait for the disk: from now on others may see what it changes.
    pub(super) fn begin(&self) -> Ticket {
        Ticket(self.begun.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// After that commit, however it ended.
    pub(super) fn end(&self, ticket: Ticket) {
        self.send(Command::Sync(ticket));
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
    pub(super) async fn wait(&self, ticket: Ticket) -> Result<(), StoreError> {
        let (tell, told) = oneshot::channel();
        // Nobody may listen any more.
        self.then(ticket, |arrived| drop(tell.send(arrived)));
        told.await.unwrap_or_else(|_| Err(lost()))
    }

    fn send(&self, command: Command) {
        // The thread ends with the last sender, not before.
        let _ = self.thread.send(command);
    }
}

/// Ends when the last sender is gone.
fn serve(log: &File, commands: &Receiver<Command>, disk: &Disk) {
    let mut waiting: Vec<(Ticket, Told)> = Vec::new();
    let mut arrived = 0;
    let mut failed = false;
    while let Ok(first) = commands.recv() {
        // One sync is enough for all that ended before it begins.
        let mut ended = arrived;
        for command in std::iter::once(first).chain(commands.try_iter()) {
            match command {
                Command::Sync(ticket) => ended = ended.max(ticket.0),
                Command::Tell(ticket, told) => waiting.push((ticket, told)),
            }
        }
        if ended > arrived && !failed {
            failed = log.sync_data().is_err();
            disk.failed.store(failed, Ordering::SeqCst);
            if !failed {
                arrived = ended;
                disk.arrived.store(arrived, Ordering::SeqCst);
            }
        }
        for (_, told) in waiting.extract_if(.., |(ticket, _)| failed || ticket.0 <= arrived) {
            let answer = if failed { Err(lost()) } else { Ok(()) };
            // A defect costs whoever waited, and nobody else (R90).
            drop(catch_unwind(AssertUnwindSafe(|| told(answer))));
        }
    }
}

fn lost() -> StoreError {
    StoreError::gone("its log could not be synced: see to the disk, and start the program again")
}
