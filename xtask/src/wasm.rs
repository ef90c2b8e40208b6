//! The committed `client.wasm`: building it anew, and checking that the committed bytes are what the sources give.
//!
//! The product never builds it: `cargo run` needs no wasm target. It is built by the compiler of Debian's packages
//! (`rustc-web cargo-web rust-web-src lld-22 binaryen`), whose versions stand in `client.wasm.json` beside it: other versions
//! make other bytes, and then nothing but the checksum can be checked.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::machine::{command, root, run};

const CARGO: &str = "/usr/bin/cargo";
const RUSTC: &str = "/usr/bin/rustc";
const LINKER: &str = "/usr/bin/wasm-ld-22";
const OPTIMISER: &str = "/usr/bin/wasm-opt";

/// Where the checkout stands while the module is built: cargo mixes the path of `crates/activation` into the names of its
/// symbols, and their order into the bytes, so the path has to be the same everywhere. A link, there only during the build;
/// two builds at the same time on one machine are in each other's way.
const FIXED_ROOT: &str = "/tmp/warifu-wasm-src";

/// The most memory the module can ever take, in bytes: Argon2id's 64 MiB and room for the rest.
const MEMORY_BYTES_MAX: usize = 96 << 20;

/// Builds the module and writes it, with its checksum and the versions of the tools, over the committed one.
///
/// # Errors
/// When a tool is missing or fails.
pub(crate) fn rebuild() -> Result<()> {
    let tools = installed()?;
    let wasm = build()?;
    let record = json!({
        "sha256": checksum(&wasm),
        "bytes": wasm.len(),
        "tools": tools,
    });
    std::fs::write(artefact(), &wasm).context("cannot write client.wasm")?;
    let text = serde_json::to_string_pretty(&record)? + "\n";
    std::fs::write(record_file(), text).context("cannot write client.wasm.json")?;
    println!("client.wasm: {} bytes, {}", wasm.len(), checksum(&wasm));
    Ok(())
}

/// Checks the committed module: against its checksum always, and against a new build when the tools are the recorded ones.
///
/// # Errors
/// When the committed bytes are not the recorded ones, or not what the sources give.
pub(crate) fn verify() -> Result<()> {
    let committed = std::fs::read(artefact()).context("cannot read client.wasm")?;
    let record: Value = serde_json::from_slice(
        &std::fs::read(record_file()).context("cannot read client.wasm.json")?,
    )
    .context("client.wasm.json is not JSON")?;
    ensure!(
        record["sha256"] == checksum(&committed) && record["bytes"] == committed.len(),
        "client.wasm is not the file that client.wasm.json records: run `cargo xtask wasm`"
    );
    match installed() {
        Ok(tools) if tools == record["tools"] => {
            ensure!(
                build()? == committed,
                "client.wasm is not what its sources give: run `cargo xtask wasm` and commit the result"
            );
            println!("client.wasm: the same bytes as a new build");
        }
        Ok(tools) => println!(
            "client.wasm: its checksum is right; NOT compared with a new build, because it was made with {} and here \
             are {tools}",
            record["tools"]
        ),
        Err(error) => println!(
            "client.wasm: its checksum is right; NOT compared with a new build ({error:#})"
        ),
    }
    Ok(())
}

fn artefact() -> PathBuf {
    root().join("crates/server/assets/wasm/client.wasm")
}

fn record_file() -> PathBuf {
    artefact().with_extension("wasm.json")
}

fn checksum(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The versions of everything that has a say in the bytes, as the tools call themselves.
fn installed() -> Result<Value> {
    let version = |program: &str| -> Result<String> {
        let output = command(program)
            .arg("--version")
            .stderr(Stdio::null())
            .output()
            .with_context(|| {
                format!("{program} is missing: apt-get install rustc-web cargo-web rust-web-src lld-22 binaryen")
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    };
    Ok(json!({
        "rustc": version(RUSTC)?,
        "cargo": version(CARGO)?,
        "linker": version(LINKER)?,
        "optimiser": version(OPTIMISER)?,
    }))
}

fn build() -> Result<Vec<u8>> {
    let target = root().join("authenticator/wasm/target");
    let home = cargo_home()?;
    let fixed_root = FixedRoot::link()?;
    // No path of this machine, and no text that only a panic would show, goes into the module.
    let flags = format!(
        "--remap-path-prefix={FIXED_ROOT}=/src --remap-path-prefix={}=/src --remap-path-prefix={}=/cargo -Zunstable-options -Cpanic=immediate-abort \
         -Zlocation-detail=none -Zfmt-debug=none -Clink-arg=--max-memory={MEMORY_BYTES_MAX}",
        root().display(),
        home.display(),
    );
    // The toolchain of /usr/bin by its full name, or the proxy of rustup would answer.
    let mut cargo = plain(CARGO);
    cargo
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_HOME", &home)
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", LINKER)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags)
        .args(["build", "--locked", "--package", "warifu-client-wasm"])
        .arg("--manifest-path")
        .arg(Path::new(FIXED_ROOT).join("authenticator/wasm/Cargo.toml"))
        .args(["--profile", "wasm", "--target", "wasm32-unknown-unknown"])
        .args(["-Zbuild-std=std,panic_abort"])
        .args(["-Zbuild-std-features=optimize_for_size"]);
    run(&mut cargo)?;
    drop(fixed_root);

    let linked = target.join("wasm32-unknown-unknown/wasm/warifu_client_wasm.wasm");
    let optimised = target.join("client.wasm");
    run(command(OPTIMISER)
        .args([
            "-Oz",
            "--enable-bulk-memory",
            "--enable-sign-ext",
            "--enable-mutable-globals",
            "--enable-nontrapping-float-to-int",
            "--enable-reference-types",
            "--enable-multivalue",
        ])
        .arg(&linked)
        .arg("-o")
        .arg(&optimised))?;
    std::fs::read(&optimised).with_context(|| format!("cannot read {}", optimised.display()))
}

/// The checkout under [`FIXED_ROOT`], as long as this lives.
struct FixedRoot;

impl FixedRoot {
    fn link() -> Result<Self> {
        // Left behind by a build that was killed; anything else than a link is not ours to remove.
        if std::fs::symlink_metadata(FIXED_ROOT).is_ok_and(|found| found.is_symlink()) {
            std::fs::remove_file(FIXED_ROOT)
                .with_context(|| format!("cannot remove {FIXED_ROOT}"))?;
        }
        std::os::unix::fs::symlink(root(), FIXED_ROOT)
            .with_context(|| format!("cannot link {FIXED_ROOT}"))?;
        Ok(Self)
    }
}

impl Drop for FixedRoot {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(FIXED_ROOT) {
            eprintln!("xtask: cannot remove {FIXED_ROOT}: {error}");
        }
    }
}

/// A command without what the `cargo` that runs this task has set for its own children.
fn plain(program: &str) -> Command {
    let mut plain = command(program);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO") || name_text.starts_with("RUST") {
            plain.env_remove(&name);
        }
    }
    plain
}

/// Where cargo keeps the sources of the dependencies: their paths are part of what is compiled.
fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cargo"))
}
