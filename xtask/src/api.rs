//! The stage `api`: Schemathesis asks a running demo everything that the OpenAPI document allows, and much that it forbids.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::machine::{self, cargo, command, root};
use crate::python;

/// What is installed for it.
const REQUIREMENTS: &str = "xtask/requirements-schemathesis.txt";
/// Requests made up for each operation and phase: the stage stays under two minutes.
const EXAMPLES_MAX: &str = "150";
/// The same requests in every run.
const SEED: &str = "1";

/// Runs it.
///
/// # Errors
/// When Schemathesis cannot be installed, the demo does not start, or something is found.
pub(crate) fn run() -> Result<()> {
    let program = built()?;
    let target = program
        .parent()
        .and_then(Path::parent)
        .context("the program has no folder")?;
    let programs = python::environment(&target.join("schemathesis"), REQUIREMENTS)?;
    let folder = target.join("schemathesis-demo");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let demo = Demo::start(&program, &folder)?;
    let (url, key) = demo.api()?;
    let outcome = machine::run(
        command(programs.join("schemathesis"))
            // What it keeps for itself belongs beside the program, not into the checkout.
            .current_dir(target)
            .arg("--config-file")
            .arg(root().join("xtask/schemathesis.toml"))
            .arg("run")
            .arg(format!("{url}/openapi.json"))
            .args(["--checks", "all", "--workers", "2", "--no-color"])
            .args(["--max-examples", EXAMPLES_MAX, "--seed", SEED])
            .args(["--generation-database", "none"])
            .env("WARIFU_KEY", key),
    );
    drop(demo);
    std::fs::remove_dir_all(&folder)?;
    outcome.context("Schemathesis found something, or could not run")
}

/// Builds the server and says where it is.
fn built() -> Result<PathBuf> {
    let output = cargo()
        .args(["build", "--locked", "--workspace", "--exclude", "xtask"])
        .args([
            "--bin",
            "warifu",
            "--message-format",
            "json-render-diagnostics",
        ])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the server was not built");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .next_back()
        .context("cargo names no program")
}

/// A demo that runs until this is dropped.
struct Demo {
    process: Child,
    folder: PathBuf,
}

impl Demo {
    /// Starts it on any free port, and waits until it says where it is.
    fn start(program: &Path, folder: &Path) -> Result<Self> {
        let mut process = command(program)
            .args(["demo", "--port", "0", "--data"])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take();
        let demo = Self {
            process,
            folder: folder.to_owned(),
        };
        let mut line = String::new();
        let output = output.context("the demo has no output")?;
        BufReader::new(output).read_line(&mut line)?;
        ensure!(line.starts_with("Warifu demo"), "the demo did not start");
        Ok(demo)
    }

    /// Address and key of its API.
    fn api(&self) -> Result<(String, String)> {
        let path = self.folder.join("demo.json");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let description: Value = serde_json::from_str(&text)?;
        let of = |name: &str| {
            let value = description["api"][name].as_str();
            value.map(str::to_owned).context("demo.json names no API")
        };
        Ok((of("url")?, of("key")?))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It guards nothing, so it may end at once.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
