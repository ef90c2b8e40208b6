//! A PostgreSQL cluster for one run of the tests: made new, reached over loopback only, gone at the end.
//!
//! The shell that made the cluster lives as long as its standard input is open, and takes the cluster down after
//! that. So it goes away with this process however this process ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::machine;

const SCRIPT: &str = include_str!("postgres.sh");
const LIBRARY: &str = "/usr/lib/postgresql";

/// Somebody else may take the port between our look and PostgreSQL's start.
const START_TRIES_MAX: u32 = 3;

/// Nothing of a cluster for tests outlives the run, so it need not reach the disk.
const OF_TESTS: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";
/// As it comes: a commit is answered when the disk has it.
const DURABLE: &str = "";

/// A running cluster; dropping it stops and removes it.
pub(crate) struct Cluster {
    shell: Child,
    password: String,
    port: u16,
    folder: PathBuf,
}

impl Cluster {
    /// Makes and starts a cluster for tests, which keeps nothing that it is told safe.
    ///
    /// # Errors
    /// As [`Cluster::start_durable`].
    pub(crate) fn start() -> Result<Self> {
        Self::start_with(OF_TESTS)
    }

    /// Makes and starts a cluster that is as durable as PostgreSQL is by default, to be measured.
    ///
    /// # Errors
    /// When the server programs are missing or the cluster does not come up; the reason stands on standard error.
    pub(crate) fn start_durable() -> Result<Self> {
        Self::start_with(DURABLE)
    }

    fn start_with(settings: &str) -> Result<Self> {
        let programs = programs().context("no PostgreSQL server in /usr/lib/postgresql")?;
        let mut tries = 1;
        loop {
            match Self::try_to_start(&programs, settings) {
                Err(error) if tries < START_TRIES_MAX => {
                    eprintln!("{error:#}; tried again");
                    tries += 1;
                }
                started => return started,
            }
        }
    }

    /// PostgreSQL refuses to run as root, so root starts it as the user `postgres`.
    fn try_to_start(programs: &Path, settings: &str) -> Result<Self> {
        let password = password()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();

        let mut shell = if machine::is_root() {
            let mut runuser = Command::new("runuser");
            runuser.args(["-u", "postgres", "--", "sh"]);
            runuser
        } else {
            Command::new("sh")
        };
        let mut shell = shell
            .args(["-c", SCRIPT, "postgres.sh"])
            .arg(programs)
            .arg(port.to_string())
            .arg(settings)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the shell of the PostgreSQL cluster")?;
        if let Some(stdin) = shell.stdin.as_mut() {
            writeln!(stdin, "{password}")?;
        }
        let mut answer = String::new();
        if let Some(stdout) = shell.stdout.take() {
            BufReader::new(stdout).read_line(&mut answer)?;
        }
        let folder = answer.trim_end().strip_prefix("ready in ");
        let cluster = Self {
            shell,
            password,
            port,
            folder: folder.unwrap_or_default().into(),
        };
        ensure!(
            cluster.folder.is_absolute(),
            "the PostgreSQL cluster did not start"
        );
        println!(
            "PostgreSQL ({}) listens on 127.0.0.1:{port}",
            programs.display()
        );
        Ok(cluster)
    }

    /// Where to reach it: `postgres://user:password@host:port/database`; the user may create databases.
    pub(crate) fn url(&self) -> String {
        self.address_of("postgres")
    }

    fn address_of(&self, database: &str) -> String {
        let Self { password, port, .. } = self;
        format!("postgres://warifu:{password}@127.0.0.1:{port}/{database}")
    }

    /// Makes an empty database, and says where to reach it.
    ///
    /// # Errors
    /// When there is one of that name.
    pub(crate) fn new_database(&self, name: &str) -> Result<String> {
        let programs = programs().context("no PostgreSQL server in /usr/lib/postgresql")?;
        let status = Command::new(programs.join("createdb"))
            .arg(name)
            .envs(self.variables())
            .status()?;
        ensure!(status.success(), "the database {name} was not made");
        Ok(self.address_of(name) + "?sslmode=disable")
    }

    /// The same as the variables that libpq reads, over the cluster's Unix socket, which is quicker than loopback.
    pub(crate) fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("PGHOST", self.folder.display().to_string()),
            ("PGPORT", self.port.to_string()),
            ("PGUSER", "warifu".to_owned()),
            ("PGPASSWORD", self.password.clone()),
        ]
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of its input tells the shell to take the cluster down.
        drop(self.shell.stdin.take());
        if self.shell.wait().is_err() {
            eprintln!("xtask: the PostgreSQL cluster may still be running");
        }
    }
}

/// The programs of the newest installed server, such as `/usr/lib/postgresql/15/bin`.
pub(crate) fn programs() -> Option<PathBuf> {
    let versions = Path::new(LIBRARY).read_dir().ok()?;
    versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs
                .join("initdb")
                .is_file()
                .then_some((version, programs))
        })
        .max()
        .map(|(_, programs)| programs)
}

/// 128 random bits in hexadecimal: other users of the machine reach the loopback address too.
fn password() -> Result<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
