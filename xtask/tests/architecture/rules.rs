//! The rules as data: who may depend on whom, and what may stand where. Change them together with ARCHITECTURE.md.

/// Each of our packages and those of ours that it may depend on.
pub(crate) const DIRECTION: &[(&str, &[&str])] = &[
    ("warifu-core", &[]),
    ("warifu-activation", &["warifu-core"]),
    ("warifu-vault", &["warifu-core"]),
    (
        "warifu-authenticator",
        &["warifu-activation", "warifu-core"],
    ),
    ("warifu-store", &["warifu-core", "warifu-vault"]),
    (
        "warifu",
        &[
            "warifu-activation",
            "warifu-authenticator",
            "warifu-core",
            "warifu-store",
            "warifu-vault",
        ],
    ),
    (
        "warifu-proof",
        &["warifu", "warifu-core", "warifu-store", "warifu-vault"],
    ),
    ("xtask", &[]),
];

/// Packages that bring input, output, clocks or randomness: none is among what `warifu-core` is built from.
pub(crate) const NOT_IN_CORE: &[&str] = &[
    "async-std",
    "axum",
    "chrono",
    "deadpool",
    "getrandom",
    "hyper",
    "lettre",
    "mio",
    "rand",
    "reqwest",
    "rusqlite",
    "rustls",
    "smol",
    "socket2",
    "time",
    "tokio",
    "tokio-postgres",
    "tracing-subscriber",
    "ureq",
    "uuid",
];

/// Words of the standard library that `warifu-core` never says, outside its tests.
pub(crate) const NOT_SAID_IN_CORE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "println!",
    "eprintln!",
    "async fn",
    ".await",
];

/// The only folder whose files hold SQL. Tests elsewhere may look into the database, and damage it.
pub(crate) const SQL_HOME: &str = "crates/store/";

/// Where HTTP is known: paths under `crates/server/src/`, folders or single files.
pub(crate) const HTTP_HOMES: &[&str] = &[
    "crates/server/src/api",
    "crates/server/src/portal",
    "crates/server/src/console",
    "crates/server/src/web",
    "crates/server/src/serve",
];

/// What only the homes of HTTP say.
pub(crate) const HTTP_WORDS: &[&str] = &["axum", "axum_extra", "tower_http"];

/// The crate that only tries the product: like a test, it may look into the database. The direction above keeps it out of what
/// ships.
pub(crate) const PROOF: &str = "crates/proof/";

/// The longest source file, in lines.
pub(crate) const LINES_MAX: usize = 600;

/// The endings of the files that `LINES_MAX` is about.
pub(crate) const SOURCE_ENDINGS: &[&str] = &[".rs", ".js", ".mjs", ".ts", ".css", ".html"];

/// A part of the path of files that others wrote and we ship unchanged.
pub(crate) const VENDORED: &str = "/vendor/";

/// Beginnings of paths that exist on one machine only. In two parts, so that this file does not break its own rule.
pub(crate) const MACHINE_PATHS: &[(&str, &str)] = &[
    ("/ho", "me/"),
    ("/ro", "ot/"),
    ("/Us", "ers/"),
    ("/wo", "rk/"),
    ("/work", "space/"),
    ("/bui", "lds/"),
];

/// Words of unfinished work, in two parts for the same reason.
pub(crate) const UNFINISHED: &[(&str, &str)] = &[
    ("TO", "DO"),
    ("FIX", "ME"),
    ("to", "do!("),
    ("unimple", "mented!("),
    ("#[ign", "ore"),
    ("test.ski", "p("),
    ("test.fix", "me("),
];
