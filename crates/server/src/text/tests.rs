//! The catalogues agree with each other and with the templates and sources that use them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use fluent_bundle::FluentResource;
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};

use super::{Language, Text, browser, preferred, source};
use crate::portal::pages::error_codes;

/// Every message of a catalogue with the names of the arguments it takes.
fn messages(language: Language) -> BTreeMap<String, BTreeSet<String>> {
    let resource =
        FluentResource::try_new(source(language).to_owned()).expect("the catalogue parses");
    let mut messages = BTreeMap::new();
    for entry in resource.entries() {
        match entry {
            Entry::Message(message) => {
                let mut args = BTreeSet::new();
                pattern_args(
                    message.value.as_ref().expect("every message has a value"),
                    &mut args,
                );
                let doubled = messages.insert(message.id.name.to_owned(), args);
                assert_eq!(doubled, None, "{} stands twice", message.id.name);
            }
            Entry::Junk { content } => panic!("not Fluent: {content}"),
            _ => {}
        }
    }
    messages
}

fn pattern_args(pattern: &Pattern<&str>, args: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        if let PatternElement::Placeable { expression } = element {
            match expression {
                Expression::Inline(inline) => inline_args(inline, args),
                Expression::Select { selector, variants } => {
                    inline_args(selector, args);
                    for variant in variants {
                        pattern_args(&variant.value, args);
                    }
                }
            }
        }
    }
}

fn inline_args(inline: &InlineExpression<&str>, args: &mut BTreeSet<String>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            args.insert(id.name.to_owned());
        }
        InlineExpression::Placeable { expression } => {
            if let Expression::Inline(inline) = expression.as_ref() {
                inline_args(inline, args);
            }
        }
        _ => {}
    }
}

/// Every id that a template or a source file asks for.
fn used() -> BTreeSet<String> {
    let mut used: BTreeSet<String> = error_codes()
        .map(|code| format!("error-{}", code.replace('_', "-")))
        .collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    collect_used(&root.join("templates"), &mut used);
    collect_used(&root.join("src"), &mut used);
    used.extend(used_by_the_app());
    used
}

/// Every id that the app for phones asks for: its screens write them whole, between single quotes after `t(`.
fn used_by_the_app() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../authenticator/www/js");
    let mut used = BTreeSet::new();
    collect_used_by_scripts(&folder, &mut used);
    assert!(used.len() > 50, "the scripts of the app are there");
    used
}

fn collect_used_by_scripts(folder: &Path, used: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the app") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            if !path.ends_with("vendor") {
                collect_used_by_scripts(&path, used);
            }
            continue;
        }
        let content = fs::read_to_string(&path).expect("a text file");
        for (at, _) in content.match_indices("t('") {
            let before = content[..at].chars().next_back();
            let quoted = content[at + 3..].split_once('\'');
            if let (Some(before), Some((id, _))) = (before, quoted)
                && !before.is_alphanumeric()
                && before != '.'
            {
                used.insert(id.to_owned());
            }
        }
    }
}

#[test]
fn the_app_is_given_every_text_that_it_asks_for_and_no_other() {
    let used = used_by_the_app();
    let given: BTreeSet<String> = messages(Language::Ja)
        .into_keys()
        .filter(|id| browser::is_of_the_app(id))
        .collect();
    assert_eq!(
        used.symmetric_difference(&given).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    for language in [Language::Ja, Language::En] {
        let words: serde_json::Value =
            serde_json::from_str(&browser::catalogue(language)).expect("JSON");
        assert_eq!(
            words.as_object().map(serde_json::Map::len),
            Some(given.len())
        );
    }
}

fn collect_used(folder: &Path, used: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the crate") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            collect_used(&path, used);
            continue;
        }
        // This file's own words about calls are none.
        if path.ends_with("src/text/tests.rs") {
            continue;
        }
        let content = fs::read_to_string(&path).expect("a text file");
        for call in [".t(", ".t_args("] {
            for (at, _) in content.match_indices(call) {
                let rest = content[at + call.len()..].trim_start();
                if let Some((id, _)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"'))
                {
                    used.insert(id.to_owned());
                }
            }
        }
    }
}

#[test]
fn both_languages_hold_the_same_texts_with_the_same_arguments() {
    let (ja, en) = (messages(Language::Ja), messages(Language::En));
    let ids = |messages: &BTreeMap<String, _>| messages.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(
        ids(&ja).symmetric_difference(&ids(&en)).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    for (id, args) in &ja {
        assert_eq!(args, &en[id], "arguments of {id}");
    }
}

#[test]
fn every_text_that_is_asked_for_exists_and_none_is_unused() {
    let known: BTreeSet<String> = messages(Language::Ja).into_keys().collect();
    let used = used();
    assert_eq!(
        used.difference(&known).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "missing"
    );
    assert_eq!(
        known.difference(&used).collect::<Vec<_>>(),
        Vec::<&String>::new(),
        "unused"
    );
}

#[test]
fn a_language_is_chosen_from_what_the_browser_prefers() {
    assert_eq!(preferred("en-GB,en;q=0.9,ja;q=0.8"), Language::En);
    assert_eq!(preferred("fr-FR, ja;q=0.5"), Language::Ja);
    assert_eq!(preferred(""), Language::Ja);
}

#[test]
fn a_moment_names_weekday_and_time_zone_in_both_languages() {
    let at: jiff::Zoned = "2026-11-23T08:10:00+09:00[Asia/Tokyo]"
        .parse()
        .expect("a moment");
    assert_eq!(
        Text::new(Language::Ja).moment(&at),
        "11月23日(月)8:10(日本時間)"
    );
    assert_eq!(
        Text::new(Language::En).moment(&at),
        "Monday 23 November, 8:10 (Japan time)"
    );
}
