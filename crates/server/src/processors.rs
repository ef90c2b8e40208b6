//! Which processors the busiest threads may use: those of the connections (`lane`), and the one that judges codes (`app::verification`).
//!
//! Left alone, the system lets these threads wait behind each other while another processor has nothing to do: a thread that ran within the last half
//! millisecond is not moved to a processor that has become idle, and where most are busy it does not look for an idle one when it wakes a thread. On a machine
//! of two processors that was a fourth of the time (docs/performance.md). Where nothing else runs, each kind is better given processors of its own.
//!
//! Never here: priorities, or a promise. A system that refuses is told of in the log, and threads run where it lets them.

use std::io;
use std::thread::available_parallelism;

use clap::ValueEnum;
use rustix::process::getpid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// How the busiest threads share the processors that this process may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Processors {
    /// The system decides. Right where other programs are busy on the same machine, nodes among them.
    #[default]
    Shared,
    /// Verification has the last one, connections all others. Without two processors, or with less time than they have (a quota), the same as
    /// [`Shared`](Self::Shared).
    Divided,
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Reads requests and writes answers.
    Connections,
    /// Judges codes.
    Verification,
}

/// Where threads of one kind may run. The default is anywhere.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seats(Option<CpuSet>);

impl Processors {
    /// Where threads that do this may run.
    pub(crate) fn seats(self, work: Work) -> Seats {
        let allowed = match (self, allowed()) {
            (Self::Shared, _) => return Seats::default(),
            (Self::Divided, Ok(allowed)) => allowed,
            (Self::Divided, Err(error)) => {
                tracing::warn!(%error, "nobody says which processors there are: they are shared");
                return Seats::default();
            }
        };
        let Some((last, others)) = numbers(&allowed)
            .split_last()
            .filter(|(_, others)| !others.is_empty() && count() > others.len())
            .map(|(last, others)| (*last, others.to_vec()))
        else {
            return Seats::default();
        };
        let mut seats = CpuSet::new();
        match work {
            Work::Connections => others.into_iter().for_each(|number| seats.set(number)),
            Work::Verification => seats.set(last),
        }
        Seats(Some(seats))
    }
}

impl Seats {
    /// From now on this thread runs there, and those that it starts.
    pub(crate) fn take(&self) {
        if let Some(seats) = &self.0 {
            run_on(seats);
        }
    }

    /// From now on this thread runs wherever the process may: for those that one with a seat has started, to do something else.
    pub(crate) fn leave(&self) {
        if self.0.is_none() {
            return;
        }
        match allowed() {
            Ok(allowed) => run_on(&allowed),
            Err(error) => tracing::warn!(%error, "a thread stays where it was started"),
        }
    }
}

/// How many processors' time this process may use; a quota counts.
pub(crate) fn count() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn run_on(seats: &CpuSet) {
    if let Err(error) = sched_setaffinity(None, seats) {
        tracing::warn!(%error, "a thread runs where the system lets it");
    }
}

/// The processors that this process may use: those of its first thread, which never takes a seat.
fn allowed() -> io::Result<CpuSet> {
    Ok(sched_getaffinity(Some(getpid()))?)
}

pub(crate) fn numbers(set: &CpuSet) -> Vec<usize> {
    (0..CpuSet::MAX_CPU)
        .filter(|&number| set.is_set(number))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Where a thread may run that takes these seats, and then one that it starts and that leaves them.
    fn seated(seats: Seats) -> (Vec<usize>, Vec<usize>) {
        let mine = || numbers(&sched_getaffinity(None).unwrap());
        let there = move || {
            seats.take();
            let started = thread::spawn(move || {
                seats.leave();
                mine()
            });
            (mine(), started.join().unwrap())
        };
        thread::spawn(there).join().unwrap()
    }

    #[test]
    fn divided_processors_are_all_given_away_and_none_twice() {
        let all = numbers(&allowed().unwrap());
        let (connections, of_connections) = seated(Processors::Divided.seats(Work::Connections));
        let (verification, of_verification) = seated(Processors::Divided.seats(Work::Verification));
        assert_eq!([&of_connections, &of_verification], [&all, &all]);
        if all.len() > 1 && count() == all.len() {
            assert_eq!(verification, [all[all.len() - 1]]);
            assert_eq!(connections, all[..all.len() - 1]);
        } else {
            assert_eq!([connections, verification], [all.clone(), all]);
        }
    }

    #[test]
    fn shared_processors_are_everybodys() {
        let all = numbers(&allowed().unwrap());
        for work in [Work::Connections, Work::Verification] {
            let (mine, of_mine) = seated(Processors::Shared.seats(work));
            assert_eq!([mine, of_mine], [all.clone(), all.clone()]);
        }
    }
}
