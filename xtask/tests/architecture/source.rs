//! Reading the checkout: its files, and the string literals of Rust source.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file under version control.
pub(crate) struct File {
    /// Its path from the root of the checkout, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Whether its name ends in a dot and this.
    pub(crate) fn ends_in(&self, ending: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|own| own == ending)
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.ends_in("rs")
    }

    /// True for Rust source that ships: no test, no help for tests.
    pub(crate) fn is_product(&self) -> bool {
        const TESTS: [&str; 4] = ["tests", "tests.rs", "testing", "testing.rs"];
        self.is_rust()
            && !self.path.starts_with(crate::rules::PROOF)
            && !self.path.split('/').any(|part| TESTS.contains(&part))
    }

    /// The text up to the tests inside the file.
    pub(crate) fn product(&self) -> &str {
        self.text
            .split("#[cfg(test)]\nmod tests {")
            .next()
            .unwrap_or_default()
    }
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the checkout")
        .to_owned()
}

/// Every file under version control that is UTF-8 text.
pub(crate) fn files() -> Vec<File> {
    let listing = Command::new("git")
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .current_dir(root())
        .output()
        .expect("git runs");
    assert!(
        listing.status.success(),
        "git ls-files failed: {}",
        String::from_utf8_lossy(&listing.stderr)
    );
    let listing = String::from_utf8(listing.stdout).expect("file names are UTF-8");
    listing
        .split_terminator('\0')
        .filter_map(|path| {
            // A file removed from the work tree but not yet from the index is nothing to judge.
            let bytes = std::fs::read(root().join(path)).ok()?;
            Some(File {
                path: path.to_owned(),
                text: String::from_utf8(bytes).ok()?,
            })
        })
        .collect()
}

/// A string literal of Rust source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Literal {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// What stands between the quotes, escapes as written.
    pub(crate) text: String,
}

/// Rust source split into its string literals and its code; comments belong to neither.
pub(crate) fn split(source: &str) -> (Vec<Literal>, String) {
    let mut literals = Vec::new();
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    let mut line = 1;
    // Whether the last character of code belongs to a name: `br"..."` begins a literal, `attr"` does not.
    let mut in_name = false;
    while let Some(first) = rest.chars().next() {
        let (taken, literal) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("/*") {
            (block_comment(rest), None)
        } else if let Some((open, hashes)) = raw_opening(rest).filter(|_| !in_name) {
            let closing = format!("\"{}", "#".repeat(hashes));
            let length = rest[open..].find(&closing).unwrap_or(rest.len() - open);
            (
                (open + length + closing.len()).min(rest.len()),
                Some(&rest[open..open + length]),
            )
        } else if first == '"' {
            let length = quoted(&rest[1..], '"');
            ((length + 2).min(rest.len()), Some(&rest[1..=length]))
        } else if let Some(length) = character(rest) {
            (length, None)
        } else {
            code.push(first);
            in_name = first.is_alphanumeric() || first == '_';
            line += usize::from(first == '\n');
            rest = &rest[first.len_utf8()..];
            continue;
        };
        if let Some(text) = literal {
            literals.push(Literal {
                line,
                text: text.to_owned(),
            });
        }
        line += rest[..taken].matches('\n').count();
        rest = &rest[taken..];
        code.push(' ');
        in_name = false;
    }
    (literals, code)
}

/// The length of the block comment at the start, with the comments inside it.
fn block_comment(source: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < source.len() {
        if source[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if source[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += source[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// For `r#"`, `br"` and their like at the start: the length up to the text, and the number of hashes.
fn raw_opening(source: &str) -> Option<(usize, usize)> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        source
            .strip_prefix(prefix)
            .is_some_and(|after| after.starts_with(['#', '"']))
    })?;
    let after = &source[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..]
        .starts_with('"')
        .then_some((prefix.len() + hashes + 1, hashes))
}

/// The length of the text up to the closing quote, escapes skipped.
fn quoted(source: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in source.char_indices() {
        if escaped {
            escaped = false;
        } else if character == '\\' {
            escaped = true;
        } else if character == quote {
            return at;
        }
    }
    source.len()
}

/// The length of a character literal at the start; `None` for a lifetime.
fn character(source: &str) -> Option<usize> {
    let inside = source.strip_prefix('\'')?;
    let mut characters = inside.chars();
    match characters.next()? {
        '\\' => Some(quoted(inside, '\'') + 2),
        first => (characters.next()? == '\'').then_some(first.len_utf8() + 2),
    }
}

#[test]
fn literals_are_told_from_comments_characters_and_lifetimes() {
    let source = r###"
        // "no"
        /* "no" /* "no" */ "no" */
        fn f<'a>(x: &'a str) -> char { let q = '"'; let e = '\''; "one\"1" }
        const S: &str = r##"two "# 2"##; const B: &[u8] = br"three";
        const L: &str = "four
            lines";
    "###;
    let (literals, code) = split(source);
    let texts: Vec<_> = literals
        .iter()
        .map(|literal| literal.text.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            r#"one\"1"#,
            r##"two "# 2"##,
            "three",
            "four\n            lines"
        ]
    );
    assert_eq!(literals.last().map(|literal| literal.line), Some(6));
    assert!(code.contains("fn f<'a>(x: &'a str) -> char"));
    assert!(!code.contains("no"));
}
