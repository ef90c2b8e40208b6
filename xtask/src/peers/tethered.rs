//! Programs that do not outlive this one: a shell holds each, and ends it when this program's end of a pipe is closed.

use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

const SCRIPT: &str = include_str!("../../peers/until_end.sh");

/// A running program; dropping it ends it, and so does the end of this process.
pub(crate) struct Tethered(Child);

impl Tethered {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no shell.
    pub(crate) fn start(command: &Command, output: Stdio, errors: Stdio) -> Result<Self> {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", SCRIPT, "until_end.sh"])
            .arg(command.get_program())
            .args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        let child = shell
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn();
        Ok(Self(child.context("there is no shell")?))
    }

    /// The JSON that it prints.
    ///
    /// # Errors
    /// When it fails, or prints none.
    pub(crate) fn output(command: &Command) -> Result<Value> {
        let name = command.get_program().display().to_string();
        let mut running = Self::start(command, Stdio::piped(), Stdio::inherit())?;
        let output = running.0.stdout.take().context("a pipe")?;
        let said = std::io::read_to_string(output)?;
        let status = running.0.wait()?;
        ensure!(status.success(), "{name} failed ({status})");
        serde_json::from_str(&said).with_context(|| format!("{name} prints no JSON: {said}"))
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_some())
    }
}

impl Drop for Tethered {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        if self.0.wait().is_err() {
            eprintln!("xtask: a program may still be running");
        }
    }
}
