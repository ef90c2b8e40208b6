//! What a task needs from the machine: the checkout, programs to run, Debian packages to install.
//!
//! No knowledge of single stages lives here.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// The waits before a registry is asked again.
const TRIED_AGAIN_AFTER: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(1)];

/// The checkout this program was built from.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// `cargo` of the toolchain that runs this task.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program to run at the root of the checkout, without standard input.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs a command with its output on ours.
///
/// # Errors
/// When it cannot be started or ends with anything but status 0.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", line(command));
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    ensure!(status.success(), "`{}` failed ({status})", line(command));
    Ok(())
}

/// Runs a command that fetches something from a registry: one that fails is tried twice more, after a while.
///
/// # Errors
/// As [`run`], the last time.
pub(crate) fn fetch(command: &mut Command) -> Result<()> {
    for wait in TRIED_AGAIN_AFTER {
        let Err(error) = run(command) else {
            return Ok(());
        };
        eprintln!("{error:#}; tried again in {} seconds", wait.as_secs());
        std::thread::sleep(wait);
    }
    run(command)
}

/// A command as a person would type it.
fn line(command: &Command) -> String {
    let mut words = vec![
        Path::new(command.get_program())
            .file_name()
            .unwrap_or_default()
            .to_string_lossy(),
    ];
    words.extend(command.get_args().map(OsStr::to_string_lossy));
    words.join(" ")
}

/// The first file of that name on `PATH`.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// True when this process may do everything (the effective user is root).
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A Debian package, and how to see that what it brings is already here (perhaps from elsewhere).
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) present: fn() -> bool,
    /// Every Debian and Ubuntu has it. What only some releases offer, a stage must do without, and say so.
    pub(crate) everywhere: bool,
}

/// True when `dpkg` lists the package as installed.
pub(crate) fn dpkg_has(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f=${Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|answer| answer.stdout.ends_with(b"install ok installed"))
}

/// True when the Python on `PATH` makes environments by itself, as all but Debian's does.
pub(crate) fn python_makes_environments() -> bool {
    Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Installs those of the packages that are not here.
///
/// # Errors
/// When something is missing and `may_install` is false, there is no `apt-get`, or the installation fails.
pub(crate) fn provide(packages: &[&Package], may_install: bool) -> Result<()> {
    let missing: Vec<_> = packages
        .iter()
        .filter(|package| !(package.present)())
        .collect();
    if missing.is_empty() {
        println!("everything needed is here");
        return Ok(());
    }
    let list = names(&missing);
    ensure!(
        may_install,
        "missing on this machine (--no-install was given): {list}"
    );
    ensure!(
        which("apt-get").is_some(),
        "missing on this machine: {list}. There is no apt-get here to install them (these are the names of Debian's \
         packages): install them by hand, then run this again"
    );
    println!("missing: {list}");
    fetch(apt_get()?.arg("update"))
        .context("apt-get cannot read its package lists: is the package mirror reachable?")?;

    let (wanted, absent): (Vec<_>, Vec<_>) = missing
        .into_iter()
        .partition(|package| package.everywhere || offered(package.name));
    if !absent.is_empty() {
        println!(
            "this release does not offer: {}; the stage that wants them says what it leaves out",
            names(&absent)
        );
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let list = names(&wanted);
    fetch(
        apt_get()?
            .args(["install", "-y", "--no-install-recommends"])
            .args(list.split(' ')),
    )
    .with_context(|| format!("apt-get could not install: {list}"))?;
    let still: Vec<_> = wanted
        .into_iter()
        .filter(|package| !(package.present)())
        .collect();
    ensure!(
        still.is_empty(),
        "installed, yet not found: {}",
        names(&still)
    );
    Ok(())
}

fn names(packages: &[&&Package]) -> String {
    packages
        .iter()
        .map(|package| package.name)
        .collect::<Vec<_>>()
        .join(" ")
}

/// True when the release of this machine has the package.
fn offered(package: &str) -> bool {
    command("apt-cache")
        .args(["show", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|answer| answer.status.success() && !answer.stdout.is_empty())
}

fn apt_get() -> Result<Command> {
    let mut apt = if is_root() {
        command("apt-get")
    } else if which("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        sudo.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        sudo
    } else {
        bail!("installing packages needs root or sudo")
    };
    // Another installation, as one that the system began by itself, is waited for.
    apt.env("DEBIAN_FRONTEND", "noninteractive").args([
        "-q",
        "-o",
        "Acquire::Retries=5",
        "-o",
        "DPkg::Lock::Timeout=300",
    ]);
    Ok(apt)
}
