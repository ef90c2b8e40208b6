//! The rules of ARCHITECTURE.md that a program can check, read from `cargo metadata` and from the files themselves.
//!
//! The rules stand in `rules.rs`; each test here says one of them and names every place that breaks it.

mod rules;
mod source;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Command;

use serde_json::Value;

use source::{File, files, root, split};

#[test]
fn our_packages_depend_on_each_other_in_one_direction_only() {
    let metadata = metadata();
    let mut broken = Vec::new();
    let mut found = BTreeSet::new();
    for package in list(&metadata, "packages") {
        if package["source"].is_string() {
            continue;
        }
        let name = text(package, "name");
        found.insert(name);
        let Some((_, allowed)) = rules::DIRECTION.iter().find(|(of, _)| *of == name) else {
            broken.push(format!(
                "{name} has no place in the direction of dependencies"
            ));
            continue;
        };
        for dependency in list(package, "dependencies") {
            let on = text(dependency, "name");
            if dependency["source"].is_null() && !allowed.contains(&on) {
                broken.push(format!("{name} depends on {on}"));
            }
        }
    }
    for (name, _) in rules::DIRECTION {
        if !found.contains(name) {
            broken.push(format!("{name} is not a package of this workspace"));
        }
    }
    assert_none("the direction of dependencies", &broken);
}

#[test]
fn core_is_built_from_nothing_that_does_input_output_clocks_or_randomness() {
    let metadata = metadata();
    let names: HashMap<&str, &str> = list(&metadata, "packages")
        .iter()
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect();
    let edges: HashMap<&str, &Value> = list(&metadata["resolve"], "nodes")
        .iter()
        .map(|node| (text(node, "id"), node))
        .collect();
    let core = names
        .iter()
        .find(|(_, name)| **name == "warifu-core")
        .map(|(id, _)| *id)
        .expect("core is a package");

    let mut reached = BTreeSet::from([core]);
    let mut queue = vec![core];
    while let Some(id) = queue.pop() {
        for dependency in list(edges[id], "deps") {
            let for_the_product = list(dependency, "dep_kinds")
                .iter()
                .any(|kind| kind["kind"].is_null());
            let id = text(dependency, "pkg");
            if for_the_product && reached.insert(id) {
                queue.push(id);
            }
        }
    }
    let reached: Vec<_> = reached.iter().map(|id| names[id]).collect();
    assert!(
        reached.contains(&"hmac"),
        "the walk over the dependencies found {reached:?}"
    );
    let broken: Vec<_> = reached
        .iter()
        .filter(|name| rules::NOT_IN_CORE.contains(name))
        .collect();
    assert_none("what core is built from", &broken);
}

#[test]
fn core_says_no_word_of_files_networks_threads_or_clocks() {
    let mut broken = Vec::new();
    for file in files()
        .iter()
        .filter(|file| file.is_product() && file.path.starts_with("crates/core/src/"))
    {
        let (_, product) = split(file.product());
        broken.extend(
            rules::NOT_SAID_IN_CORE
                .iter()
                .filter(|word| product.contains(*word))
                .map(|word| format!("{}: {word}", file.path)),
        );
    }
    assert_none("core does no input and output", &broken);
}

#[test]
fn only_the_store_holds_sql() {
    let mut broken = Vec::new();
    for file in files()
        .iter()
        .filter(|file| file.is_product() && !file.path.starts_with(rules::SQL_HOME))
    {
        let (literals, _) = split(file.product());
        broken.extend(
            literals
                .iter()
                .filter(|literal| is_sql(&literal.text))
                .map(|literal| {
                    format!(
                        "{}:{}: {}",
                        file.path,
                        literal.line,
                        one_line(&literal.text)
                    )
                }),
        );
    }
    assert_none("SQL outside the store", &broken);
}

#[test]
fn a_sql_string_stands_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let home = format!("{}src/", rules::SQL_HOME);
    for file in files()
        .iter()
        .filter(|file| file.is_product() && file.path.starts_with(&home))
    {
        let (literals, _) = split(file.product());
        for literal in literals.iter().filter(|literal| is_sql(&literal.text)) {
            places
                .entry(one_line(&literal.text))
                .or_default()
                .push(format!("{}:{}", file.path, literal.line));
        }
    }
    let broken: Vec<_> = places
        .iter()
        .filter(|(_, places)| places.len() > 1)
        .map(|(sql, places)| format!("{} in {}", sql, places.join(", ")))
        .collect();
    assert_none("SQL that stands more than once", &broken);
}

#[test]
fn only_the_api_the_portal_and_the_console_know_http() {
    let mut broken = Vec::new();
    for file in files()
        .iter()
        .filter(|file| file.is_rust() && file.path.starts_with("crates/"))
    {
        if rules::HTTP_HOMES
            .iter()
            .any(|home| is_under(&file.path, home))
            || file.path.contains("/tests/")
        {
            continue;
        }
        let (_, code) = split(&file.text);
        for word in rules::HTTP_WORDS {
            if code
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|name| name == *word)
            {
                broken.push(format!("{}: {word}", file.path));
            }
        }
    }
    assert_none("HTTP outside its homes", &broken);
}

#[test]
fn no_source_file_is_too_long_to_read() {
    let broken: Vec<_> = files()
        .iter()
        .filter(|file| {
            rules::SOURCE_ENDINGS
                .iter()
                .any(|ending| file.path.ends_with(ending))
        })
        .filter(|file| !file.path.contains(rules::VENDORED))
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > rules::LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines", file.path))
        .collect();
    assert_none("files longer than the limit", &broken);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let paths = joined(rules::MACHINE_PATHS);
    let broken = lines_where(|line| {
        paths.iter().any(|path| {
            // A path begins there: what stands before is not the rest of a longer one, or of a URL.
            line.match_indices(path.as_str()).any(|(at, _)| {
                !line[..at].ends_with(|c: char| {
                    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '}' | ')' | '/' | '~')
                })
            })
        })
    });
    assert_none("paths of one machine", &broken);
}

#[test]
fn nothing_is_left_unfinished() {
    let words = joined(rules::UNFINISHED);
    let broken = lines_where(|line| words.iter().any(|word| line.contains(word.as_str())));
    assert_none("unfinished work", &broken);
}

#[test]
fn lock_files_of_npm_name_no_registry() {
    let broken: Vec<_> = files()
        .iter()
        .filter(|file| {
            file.path.ends_with("package-lock.json") && file.text.contains("\"resolved\"")
        })
        .map(|file| {
            format!(
                "{}: make it with `npm install --omit-lockfile-registry-resolved`",
                file.path
            )
        })
        .collect();
    assert_none("lock files that name a registry", &broken);
}

#[test]
fn links_between_our_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for file in files().iter().filter(|file| file.ends_in("md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let targets = file
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for target in targets {
            let path = target.split('#').next().unwrap_or_default();
            let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !elsewhere && !root().join(folder).join(path).exists() {
                broken.push(format!("{}: {target}", file.path));
            }
        }
    }
    assert_none("links that lead nowhere", &broken);
}

/// The answer of `cargo metadata`, with the dependencies resolved.
fn metadata() -> Value {
    let answer = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        answer.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&answer.stderr)
    );
    serde_json::from_slice(&answer.stdout).expect("cargo metadata answers in JSON")
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("cargo metadata: no text in {field}"))
}

/// True for a string that begins like a statement of SQL.
fn is_sql(literal: &str) -> bool {
    let literal = one_line(literal);
    let mut words = literal.split(' ');
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    match first {
        "SELECT" | "WITH" | "PRAGMA" | "VACUUM" => !second.is_empty(),
        "INSERT" => matches!(second, "INTO" | "OR"),
        "DELETE" => second == "FROM",
        "UPDATE" => literal.contains(" SET "),
        "CREATE" | "DROP" | "ALTER" => matches!(
            second,
            "TABLE" | "INDEX" | "UNIQUE" | "VIEW" | "SCHEMA" | "DATABASE"
        ),
        "BEGIN" => second == "IMMEDIATE",
        _ => false,
    }
}

/// The text with every run of white space as one blank.
fn one_line(text: &str) -> String {
    text.replace("\\n", " ")
        .replace('\\', " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// True when `path` is the folder or file `home` names: `a/http` has `a/http.rs` and `a/http/x.rs`.
fn is_under(path: &str, home: &str) -> bool {
    path.strip_prefix(home)
        .is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

fn joined(parts: &[(&str, &str)]) -> Vec<String> {
    parts
        .iter()
        .map(|(head, tail)| format!("{head}{tail}"))
        .collect()
}

/// Every line of our files that breaks a rule, with its place.
fn lines_where(broken: impl Fn(&str) -> bool) -> Vec<String> {
    let ours = |file: &&File| {
        !file.path.ends_with("package-lock.json") && !file.path.contains(rules::VENDORED)
    };
    files()
        .iter()
        .filter(ours)
        .flat_map(|file| {
            let lines = file
                .text
                .lines()
                .enumerate()
                .filter(|(_, line)| broken(line));
            lines
                .map(|(at, line)| format!("{}:{}: {}", file.path, at + 1, line.trim()))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[track_caller]
fn assert_none(what: &str, broken: &[impl std::fmt::Display]) {
    let list: Vec<_> = broken.iter().map(|line| format!("  {line}")).collect();
    assert!(broken.is_empty(), "{what}:\n{}", list.join("\n"));
}
