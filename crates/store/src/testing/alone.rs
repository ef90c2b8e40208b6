//! A PostgreSQL server of one test, which may break it: on a [`Disk`] of the test, and started again whenever it ends.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::process::Child;

use super::TestDatabase;
use super::cluster::{INSTALL, PASSWORD, as_account, programs};
use super::disk::Disk;
use super::ports::kept_port;

const SCRIPT: &str = include_str!("alone.sh");

/// The server. Dropped, it is stopped and its data removed.
pub struct PostgresAlone {
    guard: Child,
    port: u16,
}

impl PostgresAlone {
    /// Starts it on this disk.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or cannot be started.
    #[must_use]
    pub fn start(disk: &Disk) -> Self {
        let port = kept_port();
        let mut command = as_account(SCRIPT);
        command
            .arg(programs().expect(INSTALL))
            .args([&port.to_string(), PASSWORD]);
        for (name, value) in disk.variables() {
            let mut variable = OsString::from(name);
            variable.push("=");
            variable.push(value);
            command.arg(variable);
        }
        let mut guard = command.spawn().expect("a shell");
        let mut told = String::new();
        BufReader::new(guard.stdout.take().expect("the guard's output"))
            .read_line(&mut told)
            .expect("the guard's answer");
        let server = Self { guard, port };
        assert_eq!(told.trim(), "ready");
        server
    }

    /// The database that is made with the server. Its user may do everything.
    #[must_use]
    pub fn database(&self) -> TestDatabase {
        let port = self.port;
        let url = format!("postgres://warifu:{PASSWORD}@127.0.0.1:{port}/postgres?sslmode=disable");
        TestDatabase::at(url)
    }
}

impl Drop for PostgresAlone {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // A guard that is gone has cleaned up, or cannot any more.
        let _ = self.guard.wait();
    }
}
