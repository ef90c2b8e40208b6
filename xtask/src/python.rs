//! Environments of Python, each with a pinned list of packages.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::machine::{self, command, root};

/// Makes an environment in `folder`, once for each list of packages; `list` is the list's path in the checkout. The folder of its
/// programs.
///
/// # Errors
/// When Python makes no environments here, or pip cannot install a package.
pub(crate) fn environment(folder: &Path, list: &str) -> Result<PathBuf> {
    let list = root().join(list);
    let programs = folder.join("bin");
    let wanted = std::fs::read_to_string(&list)?;
    let mark = folder.join("installed.txt");
    if std::fs::read_to_string(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(programs);
    }
    machine::run(
        command("python3")
            .args(["-m", "venv", "--clear"])
            .arg(folder),
    )
    .context("Python cannot make an environment: is python3-venv installed?")?;
    machine::fetch(
        command(programs.join("pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(["--only-binary=:all:", "--requirement"])
            .arg(&list),
    )
    .with_context(|| {
        format!(
            "pip could not install {}: is the Python registry reachable, and is this Python 3.10 to 3.14?",
            list.display()
        )
    })?;
    std::fs::write(mark, wanted)?;
    Ok(programs)
}
