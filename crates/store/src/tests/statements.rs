//! The statements themselves, read from the source: each stands once, says nothing that one of the two databases does not
//! know or that needs a clock of its own, and numbers its parameters in the order of first use.

use std::collections::BTreeMap;
use std::path::Path;

/// Words that no statement says (DESIGN: one text for both): a list of columns that grows by itself, the database's clock
/// and randomness, locks that SQLite does not know, types beyond the four.
const FORBIDDEN: &[&str] = &[
    "*",
    "NOW()",
    "CURRENT_TIMESTAMP",
    "RANDOM()",
    "FOR UPDATE",
    "FOR SHARE",
    "ARRAY",
    "ANY(",
    "JSONB",
    "SERIAL",
    "::",
    "OR REPLACE",
    "ROWID",
    "ILIKE",
];

/// How a statement, or the shared head of several, begins.
const BEGINNINGS: &[&str] = &["SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM "];

/// Every statement of the queries with its place, white space made even. Where a head is shared, head and rest are two.
fn statements() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "rs") {
            continue;
        }
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let source = std::fs::read_to_string(&path).unwrap();
        let code: String = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        // No statement holds a quotation mark: what stands between two of them is a literal.
        for literal in code.split('"').skip(1).step_by(2) {
            let text = literal.split_whitespace().collect::<Vec<_>>().join(" ");
            let begins = BEGINNINGS.iter().any(|word| text.starts_with(word));
            if begins || text.contains("$1") {
                found.push((file.clone(), text));
            }
        }
    }
    assert!(found.len() > 60, "only {} statements found", found.len());
    found
}

#[test]
fn a_statement_stands_once() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in statements() {
        // The rest of a shared head is no statement: two tables may be asked in the same words.
        if BEGINNINGS.iter().any(|word| text.starts_with(word)) {
            places.entry(text).or_default().push(file);
        }
    }
    places.retain(|_, files| files.len() > 1);
    assert!(places.is_empty(), "{places:#?}");
}

#[test]
fn a_statement_says_nothing_that_only_one_database_knows() {
    for (file, text) in statements() {
        for word in FORBIDDEN {
            assert!(
                !text.to_uppercase().contains(word),
                "{file} says {word}: {text}"
            );
        }
    }
}

#[test]
fn parameters_are_numbered_in_the_order_of_first_use() {
    for (file, text) in statements() {
        let mut highest = 0;
        for rest in text.split('$').skip(1) {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let number: usize = digits.parse().expect("a number after the dollar sign");
            assert!(number <= highest + 1, "{file}: ${number} in {text}");
            highest = highest.max(number);
        }
    }
}

#[test]
fn the_audit_log_is_only_added_to() {
    for (file, text) in statements() {
        for word in ["UPDATE audit", "DELETE FROM audit"] {
            assert!(!text.starts_with(word), "{file}: {text}");
        }
    }
}
