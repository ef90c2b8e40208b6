//! The threads that connections live on. Each has a runtime of its own: a connection stays on its lane from the first byte to the last, and what it waits for
//! wakes that thread and no other. Workers that share their tasks share one look-out for the network too: when answers come by the dozen, as after a
//! commit, one of them reads and writes for all while the others sleep.
//!
//! Never here: work that takes long. It would hold up every connection of the lane, and belongs to the threads for blocking work. A code that is alone, and as quick as
//! the last one, is judged here (`app::verification`).

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use crate::processors::{self, Seats};

/// Lanes that a server has at most. Each keeps three files open.
const LANES_MAX: usize = 16;
/// Threads for work that blocks (files, password hashing), beside those of the database: of the program, and of each lane.
pub const BLOCKING_THREADS_MAX: usize = 16;
/// Errands that a lane takes at once, before it looks at the network again.
const ERRANDS_AT_ONCE: usize = 128;

type Errand = Box<dyn FnOnce() + Send>;

thread_local! {
    static HERE: RefCell<Option<Lane>> = const { RefCell::new(None) };
    /// What waits until all that is ready on this lane has been done.
    static LATER: RefCell<Vec<Errand>> = const { RefCell::new(Vec::new()) };
}

/// A way to have something small done on a lane. Clones lead to the same one.
#[derive(Clone)]
pub struct Lane(mpsc::UnboundedSender<Errand>);

impl Lane {
    /// The lane that this thread is, if it is one.
    #[must_use]
    pub fn here() -> Option<Self> {
        HERE.with_borrow(Clone::clone)
    }

    /// Has `errand` done once everything that is ready on this lane has had its turn, and what has come from the network by then too: what many requests of one moment ask
    /// for is asked for in one go. Where there is no lane, it is done at once.
    pub fn later(errand: impl FnOnce() + Send + 'static) {
        if HERE.with_borrow(Option::is_none) {
            return errand();
        }
        let first = LATER.with_borrow_mut(|later| {
            later.push(Box::new(errand));
            later.len() == 1
        });
        if first {
            tokio::spawn(async {
                yield_now().await;
                do_all(LATER.take());
            });
        }
    }

    /// Has `errand` done on the lane. Many at once wake it once, where each task that is woken from another thread would wake it anew. Never done if
    /// the lane has ended, and its connections with it.
    pub fn run(&self, errand: impl FnOnce() + Send + 'static) {
        let _ = self.0.send(Box::new(errand));
    }
}

/// All lanes of a server. They end when this is dropped, with whatever still runs on them.
pub(crate) struct Lanes(Vec<Held>);

struct Held {
    runtime: Handle,
    /// Each connection holds a clone, so that they can be counted.
    visitors: Arc<()>,
    /// Ends the lane when it is dropped.
    open: oneshot::Sender<()>,
}

impl Lanes {
    /// Opens one lane for each processor, also where they may not use the last one, but no more than `most`, nor than [`LANES_MAX`]; they run on `seats`.
    ///
    /// # Errors
    /// When the system has no thread or no look-out for the network to give.
    pub(crate) fn open(most: usize, seats: Seats) -> io::Result<Self> {
        let lanes =
            (0..processors::count().min(most).clamp(1, LANES_MAX)).map(|_| open_lane(seats));
        lanes.collect::<io::Result<_>>().map(Self)
    }

    /// The runtime of one of the lanes, for what is to live there; numbers beyond the last begin anew.
    pub(crate) fn runtime(&self, number: usize) -> &Handle {
        &self.0[number % self.0.len()].runtime
    }

    /// Lets a connection live on the lane that has the fewest.
    ///
    /// # Errors
    /// When the connection cannot be handed over; it is closed then.
    pub(crate) fn admit<V>(
        &self,
        stream: TcpStream,
        visit: impl FnOnce(TcpStream) -> V + Send + 'static,
    ) -> io::Result<()>
    where
        V: Future<Output = ()> + Send + 'static,
    {
        let fewest = self
            .0
            .iter()
            .filter(|lane| !lane.open.is_closed())
            .min_by_key(|lane| Arc::strong_count(&lane.visitors))
            .ok_or(io::ErrorKind::NotFound)?;
        let visitor = Arc::clone(&fewest.visitors);
        let stream = stream.into_std()?;
        fewest.runtime.spawn(async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => visit(stream).await,
                Err(error) => tracing::warn!(%error, "a connection could not be handed over"),
            }
            drop(visitor);
        });
        Ok(())
    }
}

fn do_all(errands: impl IntoIterator<Item = Errand>) {
    for errand in errands {
        // A defect costs its errand, and not the lane (R90).
        let _ = catch_unwind(AssertUnwindSafe(errand));
    }
}

fn open_lane(seats: Seats) -> io::Result<Held> {
    let runtime = Builder::new_current_thread()
        // Of the threads for blocking work, which a lane starts.
        .on_thread_start(move || seats.leave())
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()?;
    let handle = runtime.handle().clone();
    let (errands, mut waiting) = mpsc::unbounded_channel::<Errand>();
    let (open, closed) = oneshot::channel();
    thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || {
            seats.take();
            HERE.set(Some(Lane(errands)));
            runtime.block_on(async {
                let work = async {
                    let mut taken = Vec::with_capacity(ERRANDS_AT_ONCE);
                    while waiting.recv_many(&mut taken, ERRANDS_AT_ONCE).await > 0 {
                        do_all(taken.drain(..));
                    }
                };
                tokio::select! {
                    () = work => {}
                    _ = closed => {}
                }
            });
        })?;
    Ok(Held {
        runtime: handle,
        visitors: Arc::default(),
        open,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;
    use crate::processors::{Processors, Work, numbers};

    #[test]
    fn what_requests_of_one_moment_put_off_is_done_together_after_them() {
        let lane = open_lane(Seats::default()).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (done, all_done) = channel();
        let see = {
            let seen = Arc::clone(&seen);
            move |what: String| seen.lock().unwrap().push(what)
        };
        lane.runtime.spawn(async move {
            for number in 0..3 {
                let (see, done) = (see.clone(), done.clone());
                tokio::spawn(async move {
                    see(format!("asks {number}"));
                    Lane::later(move || {
                        see(format!("done {number}"));
                        done.send(()).unwrap();
                    });
                });
            }
        });
        for _ in 0..3 {
            all_done.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        let expected = ["asks 0", "asks 1", "asks 2", "done 0", "done 1", "done 2"];
        assert_eq!(*seen.lock().unwrap(), expected);
    }

    #[test]
    fn work_that_blocks_leaves_the_seats_of_its_lane() {
        let here = || rustix::thread::sched_getaffinity(None).unwrap();
        let all = here();
        let lane = open_lane(Processors::Divided.seats(Work::Connections)).unwrap();
        let (tell, told) = channel();
        lane.runtime.spawn(async move {
            let blocking = tokio::task::spawn_blocking(here).await.unwrap();
            tell.send((here(), blocking)).unwrap();
        });
        let (seated, blocking) = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(blocking, all);
        // Where there are two processors or more, and no quota, a lane may not use all of them.
        let divided = processors::count() > 1 && processors::count() == numbers(&all).len();
        assert_eq!(seated != all, divided);
    }

    #[test]
    fn where_there_is_no_lane_nothing_is_put_off() {
        let done = Arc::new(Mutex::new(false));
        let seen = Arc::clone(&done);
        Lane::later(move || *seen.lock().unwrap() = true);
        assert!(*done.lock().unwrap());
    }

    #[test]
    fn r90_a_defect_in_what_was_put_off_costs_the_others_nothing() {
        let lane = open_lane(Seats::default()).unwrap();
        let (done, all_done) = channel();
        lane.runtime.spawn(async move {
            Lane::later(|| panic!("a defect"));
            Lane::later(move || done.send(()).unwrap());
        });
        all_done.recv_timeout(Duration::from_secs(10)).unwrap();
    }

    #[tokio::test]
    async fn r90_a_lane_that_ended_takes_no_connections() {
        let alive = open_lane(Seats::default()).unwrap();
        let ended = Held {
            runtime: alive.runtime.clone(),
            visitors: Arc::default(),
            // Its other end went with the lane.
            open: oneshot::channel().0,
        };
        let lanes = Lanes(vec![ended, alive]);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        for _ in 0..3 {
            let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (came, comes) = oneshot::channel();
            let visit = |_stream| async move { came.send(()).unwrap() };
            lanes.admit(accepted.unwrap().0, visit).unwrap();
            comes.await.unwrap();
        }
        assert_eq!(Arc::strong_count(&lanes.0[0].visitors), 1);
    }

    #[tokio::test]
    async fn without_a_lane_a_connection_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let refused = Lanes(Vec::new()).admit(accepted.unwrap().0, |_stream| async {});
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
