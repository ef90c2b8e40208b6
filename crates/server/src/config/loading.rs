//! From file, environment and flags to [`Config`]: gathers what was given with where it was given. All problems are found in
//! one go. What each setting has to be stands in `reading`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Config;
use super::settings::{self, ENVIRONMENT_PREFIX, Kind, OTHER_VARIABLES, SETTINGS, Setting};

/// The longest configuration file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Where settings come from.
#[derive(Default)]
pub struct Inputs<'a> {
    /// The TOML file, if there is one.
    pub file: Option<&'a Path>,
    /// The environment. Only names that start with `WARIFU_` are looked at.
    pub environment: Vec<(String, String)>,
    /// What flags say, by the setting's name.
    pub flags: Vec<(&'static str, String)>,
}

/// Where a value was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody said otherwise.
    Default,
    /// The file.
    File(PathBuf),
    /// The variable of this name.
    Environment(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment, {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// One thing that is wrong with the settings; says which, where it was given, and what it has to be. Never the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Problem(String);

/// Everything that is wrong with the settings, at least one [`Problem`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The settings, and where each was given.
pub struct Loaded {
    /// The settings.
    pub config: Config,
    given: Given,
}

impl Loaded {
    /// The effective settings as a TOML file, each with where it came from, without secrets.
    #[must_use]
    pub fn printed(&self) -> String {
        use fmt::Write as _;
        let mut out = String::new();
        for setting in &SETTINGS {
            // Writing to a String does not fail.
            let _ = match self.given.values.get(setting.key) {
                Some(value) if setting.secret => {
                    writeln!(
                        out,
                        "# {} is set and not shown ({})",
                        setting.key, value.source
                    )
                }
                Some(value) => writeln!(
                    out,
                    "{} = {} # {}",
                    setting.key,
                    shown(setting, value),
                    value.source
                ),
                None => writeln!(out, "# {} is not set", setting.key),
            };
        }
        out
    }
}

fn shown(setting: &Setting, value: &Value) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    match setting.kind {
        Kind::List => {
            let items: Vec<_> = value.items().map(quoted).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Count(..) => value.text.to_string(),
        Kind::Text | Kind::Path if setting.key == settings::DATABASE_URL.key => {
            quoted(&without_password(&value.text))
        }
        Kind::Text | Kind::Path => quoted(&value.text),
    }
}

/// An address of a database with its password struck out.
pub(super) fn without_password(url: &str) -> String {
    let hidden = "hidden";
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    // libpq also takes the password as a parameter.
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let address = match address.rsplit_once('@') {
        Some((user, hosts)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:{hidden}@{hosts}"),
            None => address.to_owned(),
        },
        None => address.to_owned(),
    };
    let parameters: Vec<_> = parameters
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, _)) if name.contains("pass") => format!("{name}={hidden}"),
            _ => part.to_owned(),
        })
        .collect();
    let question = if parameters.is_empty() { "" } else { "?" };
    format!("{scheme}://{address}{question}{}", parameters.join("&"))
}

/// A value as it was given. Lists keep their items apart by a character that no item holds.
pub(super) struct Value {
    pub(super) text: Zeroizing<String>,
    pub(super) source: Source,
}

const ITEM_END: char = '\u{1f}';

impl Value {
    pub(super) fn items(&self) -> impl Iterator<Item = &str> {
        self.text.split(ITEM_END).filter(|item| !item.is_empty())
    }
}

#[derive(Default)]
pub(super) struct Given {
    pub(super) values: BTreeMap<&'static str, Value>,
    pub(super) problems: Vec<Problem>,
}

/// Reads and checks all settings.
///
/// # Errors
/// [`Problems`], all of them at once.
pub fn load(inputs: &Inputs<'_>) -> Result<Loaded, Problems> {
    let mut given = Given::default();
    for setting in &SETTINGS {
        if let Some(default) = setting.default {
            given.take(setting, default.to_owned(), Source::Default);
        }
    }
    if let Some(path) = inputs.file {
        given.take_file(path);
    }
    given.take_environment(&inputs.environment);
    for (key, text) in &inputs.flags {
        if let Some(setting) = settings::known(key) {
            given.take(setting, text.clone(), Source::Flag);
        }
    }
    let config = given.read();
    match config {
        Some(config) if given.problems.is_empty() => Ok(Loaded { config, given }),
        _ => Err(Problems(given.problems)),
    }
}

impl Given {
    fn take(&mut self, setting: &'static Setting, text: String, source: Source) {
        self.values.insert(
            setting.key,
            Value {
                text: Zeroizing::new(text),
                source,
            },
        );
    }

    pub(super) fn problem(&mut self, text: String) {
        self.problems.push(Problem(text));
    }

    fn take_file(&mut self, path: &Path) {
        let shown = path.display();
        let read = std::fs::metadata(path).and_then(|metadata| {
            if metadata.len() > FILE_BYTES_MAX {
                return Err(std::io::Error::other("it is too long for a configuration"));
            }
            std::fs::read_to_string(path).map(Zeroizing::new)
        });
        let text = match read {
            Ok(text) => text,
            Err(error) => return self.problem(format!("{shown}: cannot be read: {error}")),
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.take_table("", table, path),
            Err(error) => {
                // Only the message: the parser's full text quotes the line, which may hold a secret.
                let line = error.span().map_or(1, |span| {
                    text.as_bytes()
                        .iter()
                        .take(span.start)
                        .filter(|&&byte| byte == b'\n')
                        .count()
                        + 1
                });
                self.problem(format!("{shown}, line {line}: {}", error.message()));
            }
        }
    }

    fn take_table(&mut self, prefix: &str, table: toml::Table, path: &Path) {
        for (name, value) in table {
            let key = if prefix.is_empty() {
                name
            } else {
                format!("{prefix}.{name}")
            };
            let Some(setting) = settings::known(&key) else {
                let starts_known = SETTINGS.iter().any(|setting| {
                    setting
                        .key
                        .strip_prefix(&key)
                        .is_some_and(|rest| rest.starts_with('.'))
                });
                match value {
                    toml::Value::Table(inner) if starts_known => self.take_table(&key, inner, path),
                    _ if starts_known => {
                        self.problem(format!(
                            "{}: `{key}` is a table: write `[{key}]`",
                            path.display()
                        ));
                    }
                    _ => self.unknown(&format!("{}: `{key}`", path.display()), &key, |near| {
                        near.to_owned()
                    }),
                }
                continue;
            };
            let source = Source::File(path.to_owned());
            match (setting.kind, value) {
                (Kind::Text, toml::Value::String(text)) => self.take(setting, text, source),
                (Kind::Path, toml::Value::String(text)) => {
                    let from = path.parent().unwrap_or(Path::new(""));
                    self.take(
                        setting,
                        from.join(text).to_string_lossy().into_owned(),
                        source,
                    );
                }
                (Kind::Count(..), toml::Value::Integer(number)) => {
                    self.take(setting, number.to_string(), source);
                }
                (Kind::List, toml::Value::Array(items))
                    if items.iter().all(toml::Value::is_str) =>
                {
                    let items: Vec<_> = items.iter().filter_map(toml::Value::as_str).collect();
                    self.take(setting, items.join(&ITEM_END.to_string()), source);
                }
                (kind, _) => {
                    let expected = match kind {
                        Kind::Text | Kind::Path => "a text in quotes",
                        Kind::Count(..) => "a whole number without quotes",
                        Kind::List => "a list of texts: [\"…\", \"…\"]",
                    };
                    self.problem(format!("{}: `{key}` must be {expected}", path.display()));
                }
            }
        }
    }

    fn take_environment(&mut self, environment: &[(String, String)]) {
        for (name, text) in environment {
            let ours = name.starts_with(ENVIRONMENT_PREFIX)
                && !OTHER_VARIABLES.iter().any(|other| name.starts_with(other));
            if !ours {
                continue;
            }
            let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == *name) else {
                let key = name[ENVIRONMENT_PREFIX.len()..].to_ascii_lowercase();
                self.unknown(&format!("environment: `{name}`"), &key, |near| {
                    settings::known(near).map_or_else(String::new, Setting::variable)
                });
                continue;
            };
            let text = if setting.kind == Kind::List {
                let items: Vec<_> = text.split(',').map(str::trim).collect();
                items.join(&ITEM_END.to_string())
            } else {
                text.clone()
            };
            self.take(setting, text, Source::Environment(name.clone()));
        }
    }

    fn unknown(&mut self, place: &str, key: &str, spelt: impl Fn(&str) -> String) {
        let hint = settings::nearest(key).map_or_else(String::new, |near| {
            format!("; did you mean `{}`?", spelt(near))
        });
        self.problem(format!("{place} is no setting of this program{hint}"));
    }
}
