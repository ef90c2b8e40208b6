//! The peers, and the ways in which each is set up. What is in the Python world stands in `xtask/peers`.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::tethered::Tethered;
use crate::machine::{self, command, root, target};
use crate::postgres::Cluster;
use crate::python;

/// How long a server may take to listen: 30 s.
const LOOKS_MAX: u32 = 300;
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A server of one-time passwords that is not ours.
pub(crate) struct Peer {
    /// As in `--only`, and as the clients know it.
    pub(crate) name: &'static str,
    /// Where its scripts are, below `xtask/peers`.
    folder: &'static str,
    /// The file of its packages, in the checkout.
    requirements: &'static str,
    /// The database that its tokens are made in.
    database: &'static str,
    /// What makes databases and tokens: programs of its environment with their arguments. `COUNT` is replaced, and `@NAME` by the
    /// file of the tokens in that database.
    fills: &'static [&'static [&'static str]],
    /// How long it is driven before each measurement of a new process: until it is not faster any more.
    pub(crate) warm_up_s: u32,
    /// How it can be set up.
    pub(crate) setups: &'static [Setup],
}

/// One way to set a peer up.
pub(crate) struct Setup {
    /// What is told of it.
    pub(crate) name: &'static str,
    /// It is what an installation has that nobody tuned: measured in the rounds whether it is the quickest or not.
    pub(crate) as_it_comes: bool,
    database: &'static str,
    server: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
}

const GUNICORN_SYNC_2: &[&str] = &["gunicorn", "--worker-class=sync", "--workers=2"];
const GUNICORN_SYNC_3: &[&str] = &["gunicorn", "--worker-class=sync", "--workers=3"];
const GUNICORN_SYNC_4: &[&str] = &["gunicorn", "--worker-class=sync", "--workers=4"];
const GUNICORN_THREADS: &[&str] = &[
    "gunicorn",
    "--worker-class=gthread",
    "--workers=2",
    "--threads=4",
];
const GRANIAN_2: &[&str] = &["granian", "--workers=2", "--blocking-threads=1"];
const GRANIAN_3: &[&str] = &["granian", "--workers=3", "--blocking-threads=1"];

const PREPARED: &[(&str, &str)] = &[("PEERS_PREPARED", "1")];
const TUNED_AUDIT: &[(&str, &str)] = &[("PEERS_TUNED", "audit")];
const TUNED_LOG: &[(&str, &str)] = &[("PEERS_TUNED", "log")];

const fn django(
    name: &'static str,
    server: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
) -> Setup {
    Setup {
        name,
        as_it_comes: false,
        database: "django_otp",
        server,
        variables,
    }
}

const fn privacyidea(
    name: &'static str,
    server: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
) -> Setup {
    Setup {
        name,
        as_it_comes: false,
        database: "privacyidea_tuned",
        server,
        variables,
    }
}

/// All of them.
pub(crate) const PEERS: &[Peer] = &[
    Peer {
        name: "django-otp",
        folder: "django_otp_site",
        requirements: "xtask/peers/requirements-django-otp.txt",
        database: "django_otp",
        fills: &[&["python", "fill.py", "COUNT", "@django_otp"]],
        warm_up_s: 3,
        setups: &[
            django("gunicorn, 2 processes", GUNICORN_SYNC_2, &[]),
            django(
                "gunicorn, 2 processes, prepared statements",
                GUNICORN_SYNC_2,
                PREPARED,
            ),
            django("gunicorn, 3 processes", GUNICORN_SYNC_3, &[]),
            django("gunicorn, 4 processes", GUNICORN_SYNC_4, &[]),
            django(
                "gunicorn, 2 processes of 4 threads, connections kept",
                GUNICORN_THREADS,
                &[],
            ),
            django("granian, 2 processes, connections kept", GRANIAN_2, &[]),
            django("granian, 3 processes, connections kept", GRANIAN_3, &[]),
            django(
                "granian, 2 processes, connections kept, prepared statements",
                GRANIAN_2,
                PREPARED,
            ),
            django(
                "gunicorn, 2 processes, match_token",
                GUNICORN_SYNC_2,
                &[("PEERS_MATCH", "1")],
            ),
        ],
    },
    Peer {
        name: "privacyidea",
        folder: "privacyidea",
        requirements: "xtask/peers/requirements-privacyidea.txt",
        database: "privacyidea",
        fills: &[
            &["python", "fill.py", "create"],
            &["pi-manage", "setup", "create_enckey"],
            &["pi-manage", "setup", "create_audit_keys"],
            &["pi-manage", "setup", "create_tables"],
            &["python", "fill.py", "COUNT", "@privacyidea"],
            &["python", "fill.py", "copy", "privacyidea_tuned"],
        ],
        warm_up_s: 8,
        setups: &[
            Setup {
                name: "as it comes, gunicorn, 2 processes",
                as_it_comes: true,
                database: "privacyidea",
                server: GUNICORN_SYNC_2,
                variables: &[],
            },
            privacyidea("tuned, gunicorn, 2 processes", GUNICORN_SYNC_2, TUNED_AUDIT),
            privacyidea("tuned, gunicorn, 3 processes", GUNICORN_SYNC_3, TUNED_AUDIT),
            privacyidea(
                "tuned, audit to a logger, gunicorn, 2 processes",
                GUNICORN_SYNC_2,
                TUNED_LOG,
            ),
            privacyidea(
                "tuned, audit to a logger, gunicorn, 3 processes",
                GUNICORN_SYNC_3,
                TUNED_LOG,
            ),
            privacyidea(
                "tuned, audit to a logger, gunicorn, 4 processes",
                GUNICORN_SYNC_4,
                TUNED_LOG,
            ),
            privacyidea(
                "tuned, audit to a logger, gunicorn, 2 processes of 4 threads",
                GUNICORN_THREADS,
                TUNED_LOG,
            ),
            privacyidea(
                "tuned, audit to a logger, granian, 2 processes",
                GRANIAN_2,
                TUNED_LOG,
            ),
        ],
    },
];

/// A peer whose tokens are made.
pub(crate) struct Filled {
    pub(crate) peer: &'static Peer,
    programs: PathBuf,
    work: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Drop for Filled {
    fn drop(&mut self) {
        // Keys and tokens of a cluster that is gone too; what stays is in a folder that is not under version control.
        let _ = std::fs::remove_dir_all(&self.work);
    }
}

/// A running peer.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    log: PathBuf,
    running: Tethered,
}

impl Peer {
    /// Installs it, and makes its tokens in the cluster.
    ///
    /// # Errors
    /// When pip cannot install it, or its own programs fail.
    pub(crate) fn prepare(&'static self, cluster: &Cluster, tokens: u32) -> Result<Filled> {
        let home = target().join("peers").join(self.name);
        let programs = python::environment(&home.join("environment"), self.requirements)?;
        // Two runs at once do not take each other's tokens.
        let work = home.join(format!("work-{}", std::process::id()));
        std::fs::create_dir_all(&work)?;
        let mut variables = cluster.variables().to_vec();
        variables.push(("PEERS_FOLDER", work.display().to_string()));
        variables.push((
            "PRIVACYIDEA_CONFIGFILE",
            scripts().join("privacyidea/pi.cfg").display().to_string(),
        ));
        let filled = Filled {
            peer: self,
            programs,
            work,
            variables,
        };
        filled.fill(tokens)?;
        Ok(filled)
    }
}

impl Filled {
    fn fill(&self, tokens: u32) -> Result<()> {
        let count = tokens.to_string();
        for words in self.peer.fills {
            let (program, arguments) = words.split_first().context("a program")?;
            let mut filling = self.program(program, self.peer.database);
            for argument in arguments {
                match argument.strip_prefix('@') {
                    Some(database) => filling.arg(self.tokens_in(database)),
                    None if *argument == "COUNT" => filling.arg(&count),
                    None => filling.arg(argument),
                };
            }
            // Nobody measures how tokens are made.
            filling.env("PGOPTIONS", "-c synchronous_commit=off");
            filling
                .stdout(Stdio::null())
                .stderr(File::create(self.work.join("fill.log"))?);
            machine::run(&mut filling).with_context(|| {
                std::fs::read_to_string(self.work.join("fill.log")).unwrap_or_default()
            })?;
        }
        // A copy of a database has the same tokens.
        for setup in self.peer.setups {
            let other = self.tokens(setup);
            if !other.exists() {
                std::fs::copy(self.tokens_in(self.peer.database), other)?;
            }
        }
        Ok(())
    }

    /// The file of the tokens in the database of this set-up.
    pub(crate) fn tokens(&self, setup: &Setup) -> PathBuf {
        self.tokens_in(setup.database)
    }

    fn tokens_in(&self, database: &str) -> PathBuf {
        self.work.join(format!("{database}.json"))
    }

    fn program(&self, name: &str, database: &str) -> std::process::Command {
        let mut program = command(self.programs.join(name));
        program
            .current_dir(scripts().join(self.peer.folder))
            .env("PGDATABASE", database)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            // The checkout stays as it is.
            .env("PYTHONDONTWRITEBYTECODE", "1");
        program
    }

    /// Starts it in one of its ways, and waits until it listens.
    ///
    /// # Errors
    /// When it ends instead.
    pub(crate) fn serve(&self, setup: &Setup) -> Result<Server> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let (name, arguments) = setup.server.split_first().context("a program")?;
        let mut program = self.program(name, setup.database);
        program
            .args(arguments)
            .envs(setup.variables.iter().copied());
        match *name {
            "gunicorn" => program
                .arg(format!("--bind={address}"))
                .args(["--log-level=warning", "--graceful-timeout=1"]),
            _ => program
                .args([
                    "--interface=wsgi",
                    "--no-ws",
                    "--log-level=warning",
                    "--host=127.0.0.1",
                ])
                .arg(format!("--port={}", address.port())),
        };
        program.arg("wsgi:application");
        let log = self.work.join("server.log");
        let output = File::create(&log)?;
        let running = Tethered::start(&program, output.try_clone()?.into(), output.into())?;
        let mut server = Server {
            address,
            log,
            running,
        };
        for _ in 0..LOOKS_MAX {
            if TcpStream::connect(address).is_ok() {
                return Ok(server);
            }
            if server.running.has_ended()? {
                break;
            }
            // It is another process, and tells nobody when it listens.
            std::thread::sleep(LOOK_AGAIN_AFTER);
        }
        bail!(
            "{} ({}) does not listen:\n{}",
            self.peer.name,
            setup.name,
            server.said()
        )
    }
}

impl Server {
    /// What it wrote.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// What the peers need of ours.
fn scripts() -> PathBuf {
    root().join("xtask/peers")
}
