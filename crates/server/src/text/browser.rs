//! The words of the authenticator app, as JSON that a browser can speak without a parser of Fluent.
//!
//! A text is a string, or a list of parts: a string, `{"arg": name}`, or `{"select": name, "of": {key: text}, "else": key}`, whose keys
//! are numbers, plural categories or words, looked at in that order. Nothing else of Fluent is used in the catalogue, and a
//! test holds it to that.

use fluent_bundle::FluentResource;
use fluent_syntax::ast::{
    Entry, Expression, InlineExpression, Pattern, PatternElement, VariantKey,
};
use serde_json::{Map, Value, json};

use super::{Language, source};

/// What the ids of the app's own texts begin with.
const OWN: &str = "phone-";

/// Texts that the app shares with the pages. The codes of refusals that it may meet among them.
const SHARED: &[&str] = &[
    "service-id",
    "token-user-id",
    "one-time-password",
    "activation-password",
    "help-desk",
    "language-switch",
    "skip-to-main",
    "error-code",
    "problems-title",
    "title-problem",
    "error-activation-refused",
    "error-activation-message",
    "error-activation-attempt-over",
    "error-activation-gone",
    "error-already-activated",
    "error-app-full",
    "error-clock-unsure",
    "error-device-refused",
    "error-issuance-cancelled",
    "error-issuance-expired",
    "error-issuance-locked",
    "error-raced",
    "error-renewal-not-open",
    "error-busy",
    "error-service-unavailable",
    "error-too-many-requests",
];

/// Whether the app is given this text.
#[must_use]
pub fn is_of_the_app(id: &str) -> bool {
    id.starts_with(OWN) || SHARED.contains(&id)
}

/// The app's words in one language: one JSON object, from id to text.
///
/// # Panics
/// When the catalogue is no Fluent, or uses more of it than the app can speak: a broken build, which the tests find.
#[must_use]
pub fn catalogue(language: Language) -> String {
    let resource = FluentResource::try_new(source(language).to_owned())
        .unwrap_or_else(|(_, faults)| panic!("catalogue {}: {faults:?}", language.as_str()));
    let mut words = Map::new();
    for entry in resource.entries() {
        if let Entry::Message(message) = entry
            && is_of_the_app(message.id.name)
            && let Some(pattern) = &message.value
        {
            words.insert(message.id.name.to_owned(), text(pattern));
        }
    }
    Value::Object(words).to_string()
}

fn text(pattern: &Pattern<&str>) -> Value {
    let mut parts: Vec<Value> = Vec::new();
    for element in &pattern.elements {
        let part = match element {
            PatternElement::TextElement { value } => json!(value),
            PatternElement::Placeable { expression } => placeable(expression),
        };
        match (parts.last_mut(), part) {
            (Some(Value::String(before)), Value::String(after)) => before.push_str(&after),
            (_, part) => parts.push(part),
        }
    }
    match parts.as_slice() {
        [] => json!(""),
        [Value::String(whole)] => json!(whole),
        _ => Value::Array(parts),
    }
}

fn placeable(expression: &Expression<&str>) -> Value {
    match expression {
        Expression::Inline(inline) => match inline {
            InlineExpression::StringLiteral { value } => json!(value),
            InlineExpression::VariableReference { id } => json!({ "arg": id.name }),
            _ => panic!("more of Fluent than the app can speak"),
        },
        Expression::Select { selector, variants } => {
            let InlineExpression::VariableReference { id } = selector else {
                panic!("a choice by something that is no argument");
            };
            let key = |key: &VariantKey<&str>| match key {
                VariantKey::Identifier { name } => (*name).to_owned(),
                VariantKey::NumberLiteral { value } => (*value).to_owned(),
            };
            let of: Map<String, Value> = variants
                .iter()
                .map(|variant| (key(&variant.key), text(&variant.value)))
                .collect();
            let otherwise = variants.iter().find(|variant| variant.default);
            json!({ "select": id.name, "of": of, "else": otherwise.map(|variant| key(&variant.key)) })
        }
    }
}
