//! SQLite: one writer connection and a few readers, each with a thread of its own. A transaction leases a connection and
//! sends its statements there, so that no call into SQLite holds up the tasks of an async runtime. Whose thread may
//! wait runs them there (`begin_here`): handing them over and back costs more than most of them.
//!
//! Leases are handed out in the order they were asked for. A lease that is dropped goes home by way of its thread, which
//! first rolls back what is still open: no one gets a connection with somebody else's transaction in it.

mod log_sync;
mod statement;

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;

use crate::limits::{
    SQLITE_BUSY_TIMEOUT, SQLITE_CHECKPOINT_PAGES, SQLITE_READERS, SQLITE_STATEMENTS_MAX,
    SQLITE_THREAD_QUEUE, SQLITE_WAL_KEPT_BYTES, SQLITE_WRITER_CACHE_KIB, TURN_TIMEOUT,
};
use crate::rows::Ask;
use crate::tx::{Durable, Ended, Next};
use crate::{Conflict, Outage, Row, StoreError, Value, Wait};
use log_sync::{LogSync, Ticket};
use statement::{bind, execute, failed, finish, prepare, query, refused, together};

/// The first version without the corruption bug in the reset of the write-ahead log.
const VERSION_MIN: i32 = 3_051_003;

/// The name of the thread that writes, by which its processor time is found.
pub const WRITER: &str = "sqlite-writer";

/// The connections of one database file.
pub(crate) struct Sqlite {
    writer: Arc<Home>,
    readers: Arc<Home>,
}

/// Where the connections of one kind wait for the next transaction.
struct Home {
    role: Role,
    log: Arc<LogSync>,
    /// Fair: permits go to those who wait, in the order they came.
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Thread>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Writer,
    Reader,
}

/// A connection and the thread that serves it.
#[derive(Clone)]
struct Thread {
    commands: SyncSender<Command>,
    /// Whoever leases it has it alone: nobody ever waits here. The thread owns it, and closes it when it ends.
    connection: Weak<Mutex<Connection>>,
}

type Job = Box<dyn FnOnce(&Mutex<Connection>) + Send>;

enum Command {
    Job(Job),
    /// Roll back what is open, then put the connection back.
    GoHome(Held),
}

/// A connection that is held by one transaction.
pub(crate) struct Lease {
    held: Option<Held>,
    log: Arc<LogSync>,
    begun: bool,
    /// Whether statements run on the caller's thread, and what that waits for.
    here: Option<Wait>,
}

/// A commit that is perhaps still on its way to the disk.
pub(crate) struct OnItsWay {
    log: Arc<LogSync>,
    ticket: Ticket,
}

impl OnItsWay {
    /// Calls back when it is there, or when that will never be known.
    pub(crate) fn then(self, told: impl FnOnce(Result<(), StoreError>) + Send + 'static) {
        self.log.then(self.ticket, told);
    }

    /// Waits until it is there.
    async fn arrived(self) -> Result<(), StoreError> {
        self.log.wait(self.ticket).await
    }
}

struct Held {
    thread: Thread,
    home: Arc<Home>,
    permit: OwnedSemaphorePermit,
}

impl Sqlite {
    pub(crate) async fn open(path: &Path) -> Result<Self, StoreError> {
        if rusqlite::version_number() < VERSION_MIN {
            return Err(StoreError::SqliteTooOld {
                found: rusqlite::version(),
            });
        }
        create_private(path)?;
        // The writer first: it turns the file to the write-ahead log.
        let writer = start_thread(Role::Writer, path.to_owned()).await?;
        let log = Arc::new(LogSync::open(&log_of(path)?)?);
        let mut readers = Vec::with_capacity(SQLITE_READERS);
        for _ in 0..SQLITE_READERS {
            readers.push(start_thread(Role::Reader, path.to_owned()).await?);
        }
        Ok(Self {
            writer: Home::of(Role::Writer, vec![writer], &log),
            readers: Home::of(Role::Reader, readers, &log),
        })
    }

    pub(crate) async fn begin(&self) -> Result<Lease, StoreError> {
        Home::lease(&self.writer).await
    }

    /// A transaction whose statements run on the caller's thread.
    pub(crate) async fn begin_here(&self, wait: Wait) -> Result<Lease, StoreError> {
        if wait == Wait::ForLock {
            self.writer.log.room().await?;
        }
        let mut lease = Home::lease(&self.writer).await?;
        lease.here = Some(wait);
        Ok(lease)
    }

    pub(crate) async fn read(&self) -> Result<Lease, StoreError> {
        Home::lease(&self.readers).await
    }
}

impl Home {
    fn of(role: Role, idle: Vec<Thread>, log: &Arc<LogSync>) -> Arc<Self> {
        Arc::new(Self {
            role,
            log: Arc::clone(log),
            permits: Arc::new(Semaphore::new(idle.len())),
            idle: Mutex::new(idle),
        })
    }

    async fn lease(home: &Arc<Self>) -> Result<Lease, StoreError> {
        let permit = timeout(TURN_TIMEOUT, home.permits.clone().acquire_owned())
            .await
            .map_err(|_| StoreError::Unavailable(Outage::NoTurn))?
            .map_err(|_| StoreError::gone("closed"))?;
        let thread = home
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let thread = thread.ok_or_else(|| StoreError::gone("its thread ended"))?;
        Ok(Lease {
            held: Some(Held {
                thread,
                home: home.clone(),
                permit,
            }),
            log: Arc::clone(&home.log),
            begun: false,
            here: None,
        })
    }
}

impl Held {
    fn go_home(self) {
        self.home
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.thread);
        drop(self.permit);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(held) = self.held.take() {
            let thread = held.thread.clone();
            // This fails only when the thread is gone, and with it the connection and its transaction.
            let _ = thread.commands.try_send(Command::GoHome(held));
        }
    }
}

impl Lease {
    /// Whether the next transaction may begin while the commit of this one is on its way to the disk.
    fn runs_ahead(&self) -> bool {
        self.here == Some(Wait::ForLock)
    }

    /// Runs `sql` once for each set of parameters and answers with the rows of each.
    pub(crate) async fn query_each(
        &mut self,
        sql: &'static str,
        batch: Vec<Vec<Value>>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        self.run(move |connection| query(connection, sql, &batch))
            .await
    }

    /// Runs several statements, each once for each of its sets of parameters, and answers with all rows of each statement.
    pub(crate) async fn query_together(
        &mut self,
        asks: Vec<Ask>,
    ) -> Result<Vec<Vec<Row>>, StoreError> {
        self.run(move |connection| together(connection, asks)).await
    }

    /// Runs several statements that only read, gives their rows to `decide`, and does what it says, in one visit. A commit of a transaction
    /// that may run ahead is then perhaps still on its way to the disk.
    pub(crate) async fn read_and_finish<T: Send + 'static>(
        &mut self,
        asks: Vec<Ask>,
        decide: impl FnOnce(Vec<Vec<Row>>) -> Result<Next<T>, StoreError> + Send + 'static,
    ) -> Result<Ended<T>, StoreError> {
        let (log, ahead) = (Arc::clone(&self.log), self.runs_ahead());
        let job = move |connection: &Connection| {
            let rows = together(connection, asks)?;
            let (last, told) = match decide(rows)? {
                Next::Stay(told) => return Ok(Ended::Open(told)),
                Next::Finish(last, told) => (last, told),
            };
            let writes = last.iter().any(|last| !last.rows.is_empty());
            if !finish(connection, last)? {
                return Ok(Ended::Lost);
            }
            let on_its_way = commit(connection, log, ahead && writes)?;
            Ok(Ended::Committed(told, Durable::on_its_way(on_its_way)))
        };
        let ended = if self.begun {
            self.send(job).await?
        } else {
            self.begin_with(job).await?
        };
        if matches!(ended, Ended::Committed(..))
            && let Some(held) = self.held.take()
        {
            held.go_home();
        }
        Ok(ended)
    }

    /// Runs `sql` once for each set of parameters and answers with the number of rows each one changed.
    pub(crate) async fn execute_each(
        &mut self,
        sql: &'static str,
        batch: Vec<Vec<Value>>,
    ) -> Result<Vec<u64>, StoreError> {
        self.run(move |connection| {
            let mut statement = prepare(connection, sql)?;
            batch
                .iter()
                .map(|params| {
                    bind(&mut statement, params)?;
                    Ok(statement.raw_execute().map_err(|e| failed(&e))? as u64)
                })
                .collect()
        })
        .await
    }

    /// Runs a migration: several statements without parameters.
    pub(crate) async fn script(&mut self, sql: String) -> Result<(), StoreError> {
        self.run(move |connection| connection.execute_batch(&sql).map_err(|e| refused(&e)))
            .await
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        let mut on_its_way = None;
        if self.begun {
            let (log, ahead) = (Arc::clone(&self.log), self.runs_ahead());
            let commit = move |connection: &Connection| commit(connection, log, ahead);
            on_its_way = Some(self.send(commit).await?);
        }
        if let Some(held) = self.held.take() {
            held.go_home();
        }
        match on_its_way {
            Some(on_its_way) => on_its_way.arrived().await,
            None => Ok(()),
        }
    }

    /// The transaction begins with its first statement, in the same visit to the thread. What that one saw is told when the disk has it.
    async fn run<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.begun {
            return self.send(job).await;
        }
        let log = Arc::clone(&self.log);
        let (answer, seen) = self
            .begin_with(move |connection| Ok((job(connection), log.last())))
            .await?;
        self.log.wait(seen).await?;
        answer
    }

    /// Begins the transaction and does its first work, in one visit to the thread.
    async fn begin_with<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.log.check()?;
        self.begun = true;
        let writes = self
            .held
            .as_ref()
            .is_some_and(|held| held.home.role == Role::Writer);
        let begin = if writes { "BEGIN IMMEDIATE" } else { "BEGIN" };
        let (log, ahead, patient) = (
            Arc::clone(&self.log),
            self.runs_ahead(),
            self.here != Some(Wait::ForDisk),
        );
        self.send(move |connection| {
            if writes {
                log.let_commits_run_ahead(connection, ahead)?;
            }
            if patient {
                execute(connection, begin)?;
            } else {
                begin_at_once(connection, begin)?;
            }
            job(connection)
        })
        .await
    }

    async fn send<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let gone = || StoreError::gone("its thread ended");
        let Thread {
            commands,
            connection,
        } = &self.held.as_ref().ok_or_else(gone)?.thread;
        if self.here.is_some() {
            return guarded(&*connection.upgrade().ok_or_else(gone)?, job);
        }
        let (reply, answer) = oneshot::channel();
        commands
            .try_send(Command::Job(Box::new(move |connection| {
                // Nobody listens any more when the transaction was dropped meanwhile; then a roll-back follows.
                let _ = reply.send(guarded(connection, job));
            })))
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// A defect costs its transaction, and not the thread, on which all others depend (R90).
fn guarded<T>(
    connection: &Mutex<Connection>,
    job: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
    catch_unwind(AssertUnwindSafe(|| job(&connection)))
        .unwrap_or_else(|_panic| Err(StoreError::Statement("its work met a defect".to_owned())))
}

async fn start_thread(role: Role, path: PathBuf) -> Result<Thread, StoreError> {
    let (sender, commands) = sync_channel(SQLITE_THREAD_QUEUE);
    let (reply, opened) = oneshot::channel();
    let name = match role {
        Role::Writer => WRITER,
        Role::Reader => "sqlite-reader",
    };
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || match connect(role, &path) {
            Ok(connection) => {
                let connection = Arc::new(Mutex::new(connection));
                if reply.send(Ok(Arc::downgrade(&connection))).is_ok() {
                    serve(&connection, &commands);
                }
            }
            Err(error) => drop(reply.send(Err(error))),
        })
        .map_err(|error| StoreError::gone(format!("no thread: {}", error.kind())))?;
    let connection = opened
        .await
        .map_err(|_| StoreError::gone("its thread ended"))??;
    Ok(Thread {
        commands: sender,
        connection,
    })
}

/// Ends when the last sender is gone, that is with the store itself.
fn serve(connection: &Mutex<Connection>, commands: &Receiver<Command>) {
    let roll_back = |connection: &Connection| {
        if connection.is_autocommit() {
            return Ok(());
        }
        execute(connection, "ROLLBACK")
    };
    while let Ok(command) = commands.recv() {
        match command {
            Command::Job(job) => job(connection),
            Command::GoHome(held) => {
                if guarded(connection, roll_back).is_ok() {
                    held.go_home();
                } else {
                    // A connection that cannot roll back is not fit for anybody.
                    return;
                }
            }
        }
    }
}

/// The write-ahead log of a database, which SQLite keeps beside the file itself, not beside a link to it.
fn log_of(path: &Path) -> Result<PathBuf, StoreError> {
    let file = path
        .canonicalize()
        .map_err(|error| StoreError::Config(format!("{}: {error}", path.display())))?;
    Ok(log_beside(file))
}

/// How SQLite names the log beside a file.
pub(crate) fn log_beside(file: PathBuf) -> PathBuf {
    let mut log = file.into_os_string();
    log.push("-wal");
    log.into()
}

/// Creates the file for our own eyes; SQLite gives its log the same mode.
fn create_private(path: &Path) -> Result<(), StoreError> {
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Config(format!("{}: {error}", path.display()))),
    }
}

fn connect(role: Role, path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(SQLITE_BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(SQLITE_STATEMENTS_MAX);
        // What a statement does never depends on what it is asked with; else some are planned anew each time.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // Nothing of a query goes to a temporary file.
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        match role {
            Role::Writer => {
                connection.pragma_update(None, "journal_mode", "WAL")?;
                connection.pragma_update(None, "synchronous", "FULL")?;
                connection.pragma_update(None, "journal_size_limit", SQLITE_WAL_KEPT_BYTES)?;
                connection.pragma_update(None, "wal_autocheckpoint", SQLITE_CHECKPOINT_PAGES)?;
                // A negative number counts KiB, not pages.
                connection.pragma_update(
                    None,
                    "cache_size",
                    format!("-{SQLITE_WRITER_CACHE_KIB}"),
                )?;
                // A seed goes with its row, not when its place is needed.
                connection.pragma_update(None, "secure_delete", true)?;
                log_sync::carry_over(&connection)?;
            }
            Role::Reader => connection.pragma_update(None, "query_only", true)?,
        }
        Ok(connection)
    };
    open().map_err(|e| failed(&e))
}

/// Begins, if nobody else has the lock.
fn begin_at_once(connection: &Connection, statement: &'static str) -> Result<(), StoreError> {
    let waits = |most| connection.busy_timeout(most).map_err(|e| failed(&e));
    waits(Duration::ZERO)?;
    let begun = execute(connection, statement);
    waits(SQLITE_BUSY_TIMEOUT)?;
    match begun {
        Err(StoreError::Unavailable(Outage::Timeout)) => {
            Err(StoreError::Conflict(Conflict::Serialization))
        }
        other => other,
    }
}

/// Commits, and gives what is to be waited for before anybody is told. Without `ahead` SQLite itself waits for the disk, if anything was written; but what
/// the transaction saw, or stands behind in the log, may be on its way still.
fn commit(connection: &Connection, log: Arc<LogSync>, ahead: bool) -> Result<OnItsWay, StoreError> {
    let commit = || execute(connection, "COMMIT");
    let ticket = if ahead {
        log.run_ahead(commit)?
    } else {
        commit()?;
        log.last()
    };
    Ok(OnItsWay { log, ticket })
}
