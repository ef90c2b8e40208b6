//! The program under test as a process.

use std::ffi::OsStr;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use warifu_store::DatabaseConfig;
use warifu_store::testing::free_address;

use crate::bank::Bank;

/// How to start it.
pub struct Server {
    program: PathBuf,
    config: PathBuf,
    log: PathBuf,
    address: SocketAddr,
}

/// One life of it; dropping it kills it.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Writes its configuration.
    ///
    /// # Errors
    /// When the folder refuses.
    pub fn prepare(program: &Path, bank: &Bank, folder: &Path) -> Result<Self> {
        let database = match &bank.database {
            DatabaseConfig::Sqlite { path } => path.display().to_string(),
            DatabaseConfig::Postgres(postgres) => postgres.url.clone(),
        };
        Self::prepare_on(&database, program, bank, folder)
    }

    /// The same with another address of the bank's database.
    ///
    /// # Errors
    /// As [`Server::prepare`].
    pub fn prepare_on(database: &str, program: &Path, bank: &Bank, folder: &Path) -> Result<Self> {
        let address = free_address();
        let text = format!(
            "listen = \"{address}\"\npublic_url = \"http://{address}\"\nroot_key = \"{}\"\n\
             [database]\nurl = {database:?}\n[mail]\nfrom = \"Bank <otp@bank.example>\"\neml_dir = \"{}\"\n\
             [log]\nlevel = \"error\"\n",
            bank.root_key.display(),
            folder.join("mail").display()
        );
        std::fs::create_dir_all(folder.join("mail"))?;
        let config = folder.join("warifu.toml");
        std::fs::write(&config, text)?;
        Ok(Self {
            program: program.to_owned(),
            config,
            log: folder.join("warifu.log"),
            address,
        })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(&self) -> Result<Running> {
        self.start_with([("", ""); 0])
    }

    /// Starts it with these variables.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start_with<V: AsRef<OsStr>>(
        &self,
        variables: impl IntoIterator<Item = (&'static str, V)>,
    ) -> Result<Running> {
        let log = File::create(&self.log)?;
        let child = Command::new(&self.program)
            .arg("serve")
            .arg("--config")
            .arg(&self.config)
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Running {
            child,
            log: self.log.clone(),
        })
    }
}

impl Running {
    /// The number of the process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and the end.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM: asks it to end what runs, and then itself.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn ask_to_stop(&self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        Ok(())
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn end(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn try_end(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// What it wrote.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It is dead already, but for a soak that ends early.
        let _ = self.kill();
    }
}
