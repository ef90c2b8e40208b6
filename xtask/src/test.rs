//! `cargo xtask test`: every test of the project, in stages, the quick ones first.
//!
//! A stage passes or fails; none is left out because something is missing. What a stage needs is installed before
//! the first one starts.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::Usage;
use crate::api;
use crate::machine::{self, Package, cargo, command, dpkg_has, root, which};
use crate::postgres::{self, Cluster};
use crate::wasm;

const HELP: &str = "\
cargo xtask test [--only STAGE].. [--no-install] [--list]

Runs every test, stage by stage, and stops at the first failure. Debian packages that are missing are installed with
apt-get (as root, or through sudo); the browser tests' packages with npm, Schemathesis with pip.

  --only STAGE   run this stage alone; may be given more than once
  --no-install   install nothing: a missing package is a failure
  --list         print the stages and what each needs
  --help         print this

Environment:
  CHROMIUM                    the browser for the stage e2e (default: chromium on PATH)
  WARIFU_TEST_POSTGRES_URL    use this server instead of a cluster made for the run; its user must be allowed to
                              create databases
";

/// Where the tests find PostgreSQL: the store suite, the server's tests and the browser tests read it.
const POSTGRES_URL: &str = "WARIFU_TEST_POSTGRES_URL";

struct Stage {
    name: &'static str,
    what: &'static str,
    packages: &'static [&'static Package],
    run: fn() -> Result<()>,
}

const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        what: "the code is formatted",
        packages: &[],
        run: fmt,
    },
    Stage {
        name: "clippy",
        what: "no warning in any target",
        packages: &[],
        run: clippy,
    },
    Stage {
        name: "architecture",
        what: "the rules of ARCHITECTURE.md that a program can check",
        packages: &[],
        run: architecture,
    },
    Stage {
        name: "test",
        what: "unit, property and integration tests, on SQLite and PostgreSQL",
        packages: &[&POSTGRESQL, &PYTHON, &CURL, &FAKETIME],
        run: workspace,
    },
    Stage {
        name: "api",
        what: "Schemathesis finds nothing in the API of a running demo",
        packages: &[&PYTHON, &PYTHON_VENV],
        run: api::run,
    },
    Stage {
        name: "oathtool",
        what: "100,000 random codes equal those of oathtool",
        packages: &[&OATHTOOL],
        run: oathtool,
    },
    Stage {
        name: "wasm",
        what: "the committed wasm module is what its sources give",
        packages: &[&RUSTC_WEB, &CARGO_WEB, &RUST_WEB_SRC, &LLD, &BINARYEN],
        run: wasm::verify,
    },
    Stage {
        name: "client",
        what: "the wasm module and the core of the phone app, in Node.js",
        packages: &[&NODE],
        run: client,
    },
    Stage {
        name: "types",
        what: "the types of every script that runs in a browser",
        packages: &[&NODE, &NPM],
        run: types,
    },
    Stage {
        name: "e2e",
        what: "the journeys in a real browser, in both languages, with mail over SMTP",
        packages: &[
            &NODE,
            &NPM,
            &CHROMIUM,
            &FONTS,
            &POSTGRESQL,
            &AIOSMTPD,
            &OPENSSL,
            &FAKETIME,
            &OATHTOOL,
        ],
        run: e2e,
    },
];

pub(crate) const POSTGRESQL: Package = everywhere("postgresql", || postgres::programs().is_some());
/// The tests run the client of examples/python with it.
pub(crate) const PYTHON: Package = everywhere("python3", || which("python3").is_some());
pub(crate) const PYTHON_VENV: Package = everywhere("python3-venv", || {
    dpkg_has("python3-venv") || machine::python_makes_environments()
});
/// The tests run the commands of docs/api.md with it.
const CURL: Package = everywhere("curl", || which("curl").is_some());
const OATHTOOL: Package = everywhere("oathtool", || which("oathtool").is_some());
const NODE: Package = everywhere("nodejs", || which("node").is_some());
const NPM: Package = everywhere("npm", || which("npm").is_some());
const CHROMIUM: Package = everywhere("chromium", || {
    std::env::var_os("CHROMIUM").is_some() || which("chromium").is_some()
});
/// Without them the screenshots show boxes, and lines break where no reader sees them break.
const FONTS: Package = everywhere("fonts-noto-cjk", || dpkg_has("fonts-noto-cjk"));
/// For the Python of the distribution, whatever other Python stands first on `PATH`.
const AIOSMTPD: Package = everywhere("python3-aiosmtpd", || dpkg_has("python3-aiosmtpd"));
const OPENSSL: Package = everywhere("openssl", || which("openssl").is_some());
/// Shows a program another time: the wait after a revocation is half a day at most.
const FAKETIME: Package = everywhere("libfaketime", || dpkg_has("libfaketime"));

const RUSTC_WEB: Package = where_offered("rustc-web", || dpkg_has("rustc-web"));
const CARGO_WEB: Package = where_offered("cargo-web", || dpkg_has("cargo-web"));
const RUST_WEB_SRC: Package = where_offered("rust-web-src", || dpkg_has("rust-web-src"));
const LLD: Package = where_offered("lld-22", || dpkg_has("lld-22"));
const BINARYEN: Package = where_offered("binaryen", || which("wasm-opt").is_some());

const fn everywhere(name: &'static str, present: fn() -> bool) -> Package {
    Package {
        name,
        present,
        everywhere: true,
    }
}

const fn where_offered(name: &'static str, present: fn() -> bool) -> Package {
    Package {
        name,
        present,
        everywhere: false,
    }
}

fn fmt() -> Result<()> {
    machine::run(cargo().args(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    machine::run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

fn architecture() -> Result<()> {
    machine::run(cargo().args(["test", "--package", "xtask", "--locked"]))
}

/// A test target apart: a plain `cargo test` must not need the program. (Here and below the whole workspace is named, so that
/// the dependencies are built with the same features in every stage, once.)
fn oathtool() -> Result<()> {
    machine::run(cargo().args([
        "test",
        "--locked",
        "--workspace",
        "--exclude",
        "xtask",
        "--test",
        "oathtool",
    ]))
}

fn workspace() -> Result<()> {
    with_postgres(|url| {
        machine::run(
            cargo()
                .args(["test", "--workspace", "--exclude", "xtask", "--locked"])
                .env(POSTGRES_URL, url),
        )
    })
}

fn client() -> Result<()> {
    let folder = root().join("authenticator/wasm/test");
    let mut files: Vec<_> = folder
        .read_dir()
        .with_context(|| format!("cannot list {}", folder.display()))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension().is_some_and(|ending| ending == "mjs"))
        .collect();
    files.sort();
    ensure!(!files.is_empty(), "no test in {}", folder.display());
    machine::run(command("node").arg("--test").args(files))
}

/// What npm installs for the stages that need it. The folder of it.
fn npm_packages() -> Result<PathBuf> {
    let folder = root().join("e2e");
    machine::fetch(
        command("npm")
            .arg("ci")
            .current_dir(&folder)
            .env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1"),
    )
    .context(
        "npm could not install the packages of e2e/package-lock.json: is the registry reachable?",
    )?;
    Ok(folder)
}

fn types() -> Result<()> {
    let checker = npm_packages()?.join("node_modules/.bin/tsc");
    for project in ["tsconfig.json", "tsconfig.sw.json"] {
        let project = root().join("authenticator").join(project);
        machine::run(command(&checker).arg("--project").arg(project))?;
    }
    Ok(())
}

fn e2e() -> Result<()> {
    let folder = npm_packages()?;
    machine::run(cargo().args([
        "build",
        "--locked",
        "--workspace",
        "--exclude",
        "xtask",
        "--bin",
        "warifu",
        "--example",
        "seeds",
        "--example",
        "token_seeds",
    ]))?;
    with_postgres(|url| {
        let playwright = folder.join("node_modules/.bin/playwright");
        machine::run(
            command(playwright)
                .arg("test")
                .current_dir(&folder)
                .env(POSTGRES_URL, url),
        )
    })
}

/// Runs something with the address of a PostgreSQL server: the one that was named, or a cluster of its own.
fn with_postgres(run: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    if let Ok(url) = std::env::var(POSTGRES_URL) {
        return run(&url);
    }
    let cluster = Cluster::start()?;
    run(&cluster.url())
}

/// The same for whoever starts what the tests start: gives the variable to set, and the address.
///
/// # Errors
/// When there is no PostgreSQL, or what is run fails.
pub(crate) fn with_postgres_for_tests(run: impl FnOnce(&str, &str) -> Result<()>) -> Result<()> {
    with_postgres(|url| run(POSTGRES_URL, url))
}

struct Options {
    only: Vec<String>,
    may_install: bool,
    list: bool,
    help: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            only: Vec::new(),
            may_install: true,
            list: false,
            help: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--only" => {
                    let name = arguments
                        .next()
                        .ok_or_else(|| Usage("--only needs the name of a stage".into()))?;
                    if !STAGES.iter().any(|stage| stage.name == name) {
                        return Err(Usage(format!(
                            "no stage {name}: see `cargo xtask test --list`"
                        ))
                        .into());
                    }
                    options.only.push(name.clone());
                }
                "--no-install" => options.may_install = false,
                "--list" => options.list = true,
                "--help" | "-h" => options.help = true,
                other => return Err(Usage(format!("unknown argument {other}\n\n{HELP}")).into()),
            }
        }
        Ok(options)
    }

    fn stages(&self) -> impl Iterator<Item = &'static Stage> {
        STAGES
            .iter()
            .filter(|stage| self.only.is_empty() || self.only.iter().any(|name| name == stage.name))
    }
}

/// Runs the chosen stages.
///
/// # Errors
/// When the command line is not understood, something needed cannot be had, or a stage fails.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    if options.help {
        print!("{HELP}");
        return Ok(());
    }
    if options.list {
        for stage in options.stages() {
            let packages: Vec<_> = stage.packages.iter().map(|package| package.name).collect();
            let needs = if packages.is_empty() {
                String::new()
            } else {
                format!("  (needs {})", packages.join(", "))
            };
            println!("{:<13} {}{needs}", stage.name, stage.what);
        }
        return Ok(());
    }

    let mut report = Report::default();
    let mut packages: Vec<_> = options
        .stages()
        .flat_map(|stage| stage.packages.iter().copied())
        .collect();
    packages.sort_by_key(|package| package.name);
    packages.dedup_by_key(|package| package.name);
    let mut outcome = report.time("packages", || {
        machine::provide(&packages, options.may_install)
    });
    for stage in options.stages() {
        if outcome.is_err() {
            report.not_run(stage.name);
        } else {
            outcome = report
                .time(stage.name, stage.run)
                .with_context(|| format!("stage {} failed", stage.name));
        }
    }
    report.print();
    outcome
}

/// What ran, how it ended and how long it took.
#[derive(Default)]
struct Report(Vec<(&'static str, &'static str, Option<Duration>)>);

impl Report {
    #[expect(
        clippy::disallowed_methods,
        reason = "a stage's duration is shown to a person; nothing is decided by it"
    )]
    fn time(&mut self, name: &'static str, run: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = run();
        let took = start.elapsed();
        let word = if outcome.is_ok() { "passed" } else { "FAILED" };
        println!("=== {name}: {word} in {:.1} s", took.as_secs_f64());
        self.0.push((name, word, Some(took)));
        outcome
    }

    fn not_run(&mut self, name: &'static str) {
        self.0.push((name, "not run", None));
    }

    fn print(&self) {
        println!("\n{:<13} {:<8} {:>8}", "stage", "outcome", "seconds");
        for (name, word, took) in &self.0 {
            let seconds =
                took.map_or_else(String::new, |took| format!("{:.1}", took.as_secs_f64()));
            println!("{name:<13} {word:<8} {seconds:>8}");
        }
        let total: Duration = self.0.iter().filter_map(|(_, _, took)| *took).sum();
        println!("{:<13} {:<8} {:>8.1}", "in all", "", total.as_secs_f64());
    }
}
