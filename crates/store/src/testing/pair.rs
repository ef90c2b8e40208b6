//! Two PostgreSQL servers, a primary and its standby, for tests that lose the primary.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command};

use super::TestDatabase;
use super::cluster::{INSTALL, PASSWORD, as_account, programs};
use super::ports::kept_port;

const SCRIPT: &str = include_str!("pair.sh");

/// Whether commits wait for the standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standby {
    /// No commit is answered that the standby has not on its disk.
    Synchronous,
    /// What was answered may be lost with the primary.
    Asynchronous,
}

/// The two servers. Dropped, they are stopped and their data removed.
pub struct PostgresPair {
    guard: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    ports: [u16; 2],
}

impl PostgresPair {
    /// Starts both.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or cannot be started.
    #[must_use]
    pub fn start(standby: Standby) -> Self {
        let ports = [kept_port(), kept_port()];
        let mut command: Command = as_account(SCRIPT);
        command
            .arg(programs().expect(INSTALL))
            .args(ports.map(|port| port.to_string()))
            .arg(PASSWORD)
            .arg(match standby {
                Standby::Synchronous => "sync",
                Standby::Asynchronous => "async",
            });
        let mut guard = command.spawn().expect("a shell");
        let mut pair = Self {
            input: guard.stdin.take(),
            output: BufReader::new(guard.stdout.take().expect("the guard's output")),
            guard,
            ports,
        };
        pair.expect("ready");
        pair
    }

    /// The database that is made with the servers, at whichever of them takes writes.
    #[must_use]
    pub fn database(&self) -> TestDatabase {
        let [one, other] = self.ports;
        let url = format!(
            "postgres://warifu:{PASSWORD}@127.0.0.1:{one},127.0.0.1:{other}/postgres?sslmode=disable"
        );
        TestDatabase::at(url)
    }

    /// Lets nothing more reach the standby, as on a network that is slow at the wrong moment.
    ///
    /// # Panics
    /// When commits wait for it.
    pub fn hold_standby_back(&mut self) {
        self.tell("hold");
    }

    /// Kills the primary with all its processes.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill_primary(&mut self) {
        self.tell("kill");
    }

    /// Kills the standby with all its processes: commits that wait for it are answered when it is back.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn lose_standby(&mut self) {
        self.tell("lose");
    }

    /// Makes the standby the primary.
    ///
    /// # Panics
    /// When it does not become one.
    pub fn promote_standby(&mut self) {
        self.tell("promote");
    }

    /// Brings the dead server back as the standby.
    ///
    /// # Panics
    /// When it does not come back.
    pub fn rejoin(&mut self) {
        self.tell("rejoin");
    }

    fn tell(&mut self, command: &str) {
        let input = self.input.as_mut().expect("the guard's input");
        writeln!(input, "{command}").expect("the guard");
        self.expect("done");
    }

    fn expect(&mut self, word: &str) {
        let mut told = String::new();
        self.output
            .read_line(&mut told)
            .expect("the guard's answer");
        assert_eq!(told.trim(), word);
    }
}

impl Drop for PostgresPair {
    fn drop(&mut self) {
        drop(self.input.take());
        // A guard that is gone has cleaned up, or cannot any more.
        let _ = self.guard.wait();
    }
}
