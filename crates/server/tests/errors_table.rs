//! `docs/errors.md` says of every stable code what people read (PRODUCT rules on errors). It is made of the catalogue:
//! `WARIFU_BLESS=1 cargo test -p warifu --test errors_table` writes it anew.

#![expect(
    clippy::unwrap_used,
    reason = "in a test, an unwrap that fails is the test failing"
)]

use std::fmt::Write as _;
use std::path::Path;

use warifu_core::user::Language;
use warifu_server::api::problem::placeholders;
use warifu_server::portal::pages::error_codes;
use warifu_server::text::Text;

const HEAD: &str = "\
# Refusals and faults

Every refusal has a stable code: pages show its sentence, the authenticator prints it, the endpoints send it as `code` in a
problem+json body. Scripts may rely on the codes; the sentences may change. What stands in capitals is filled in. This file is made of
the catalogue (`crates/server/locales`), and a test holds it to that.

| code | Japanese | English |
|---|---|---|
";

fn table() -> String {
    let mut table = HEAD.to_owned();
    let arguments = placeholders();
    for code in error_codes() {
        let sentence = |language| {
            Text::new(language)
                .error(code, &arguments)
                .replace('\n', " ")
                .replace('|', "\\|")
        };
        writeln!(
            table,
            "| `{code}` | {} | {} |",
            sentence(Language::Ja),
            sentence(Language::En)
        )
        .unwrap();
    }
    table
}

#[test]
fn the_public_table_of_errors_is_what_people_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let table = table();
    if std::env::var_os("WARIFU_BLESS").is_some() {
        std::fs::write(&file, &table).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == table,
        "docs/errors.md is old: run WARIFU_BLESS=1 cargo test -p warifu --test errors_table"
    );
    assert!(
        !table.contains('{'),
        "a sentence has an argument that the table does not fill in"
    );
}
