//! The words of the product: one Fluent catalogue per language, for pages and mails alike.
//!
//! Every sentence a person reads stands in `locales/*.ftl` and is looked up here by its id. No sentence lives in a template
//! or in Rust code, and nothing here decides anything: callers say which text, this module says it in a language.

use std::borrow::Cow;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::{LanguageIdentifier, langid};
pub use warifu_core::user::Language;

pub mod browser;
mod moment;
#[cfg(test)]
mod tests;

/// Both languages, in the order in which the language switch lists them.
pub const LANGUAGES: [Language; 2] = [Language::Ja, Language::En];

/// The language's own name, which a reader of it recognises.
#[must_use]
pub const fn own_name(language: Language) -> &'static str {
    match language {
        Language::Ja => "日本語",
        Language::En => "English",
    }
}

/// The best language for an `Accept-Language` header: the first one listed that we have (browsers list by preference),
/// else the default.
#[must_use]
pub fn preferred(accept_language: &str) -> Language {
    accept_language
        .split(',')
        .filter_map(|range| range.split([';', '-']).next())
        .find_map(|primary| Language::from_tag(&primary.trim().to_ascii_lowercase()))
        .unwrap_or_default()
}

const fn language_id(language: Language) -> LanguageIdentifier {
    match language {
        Language::Ja => langid!("ja"),
        Language::En => langid!("en"),
    }
}

const fn source(language: Language) -> &'static str {
    match language {
        Language::Ja => include_str!("../locales/ja.ftl"),
        Language::En => include_str!("../locales/en.ftl"),
    }
}

/// A value put into a text: a number or a word. Built with `.into()`.
pub type Value = FluentValue<'static>;

/// The catalogue opened at one language. Copy it freely; it is only the choice of the language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    language: Language,
}

impl Text {
    /// The catalogue in `language`.
    #[must_use]
    pub const fn new(language: Language) -> Self {
        Self { language }
    }

    /// The language of these texts.
    #[must_use]
    pub const fn language(self) -> Language {
        self.language
    }

    /// The text `id`. An id that does not exist fails the catalogue's tests; in production the id itself is shown.
    #[must_use]
    pub fn t(self, id: &'static str) -> Cow<'static, str> {
        self.say(id, None).unwrap_or(Cow::Borrowed(id))
    }

    /// The text `id` with its arguments.
    #[must_use]
    pub fn t_args(
        self,
        id: &'static str,
        args: &[(&'static str, FluentValue<'_>)],
    ) -> Cow<'static, str> {
        self.say(id, Some(args)).unwrap_or(Cow::Borrowed(id))
    }

    /// The sentence for a refusal: cause, next step, who can help (PRODUCT.md §7). `code` is the stable code with
    /// underscores, as in `sign_in_refused`. A code without a text gets the sentence for an unknown fault.
    #[must_use]
    pub fn error(self, code: &str, args: &[(&'static str, Value)]) -> Cow<'static, str> {
        let id = format!("error-{}", code.replace('_', "-"));
        self.say(&id, Some(args))
            .unwrap_or_else(|| self.t("error-service-unavailable"))
    }

    /// True when the catalogue has a sentence for the refusal `code`.
    #[must_use]
    pub fn knows_error(self, code: &str) -> bool {
        bundle(self.language).has_message(&format!("error-{}", code.replace('_', "-")))
    }

    fn say(
        self,
        id: &str,
        args: Option<&[(&'static str, FluentValue<'_>)]>,
    ) -> Option<Cow<'static, str>> {
        let bundle = bundle(self.language);
        let pattern = bundle.get_message(id)?.value()?;
        let args: Option<FluentArgs<'_>> = args.map(|args| {
            args.iter()
                .map(|(name, value)| (*name, value.clone()))
                .collect()
        });
        let mut faults = Vec::new();
        let said = bundle.format_pattern(pattern, args.as_ref(), &mut faults);
        debug_assert!(
            faults.is_empty(),
            "text {id} in {}: {faults:?}",
            self.language.as_str()
        );
        Some(said.into_owned().into())
    }
}

fn bundle(language: Language) -> &'static FluentBundle<FluentResource> {
    static JA: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| open(Language::Ja));
    static EN: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| open(Language::En));
    match language {
        Language::Ja => &JA,
        Language::En => &EN,
    }
}

/// The catalogues are part of the program, so a broken one is a broken build: the tests open both.
fn open(language: Language) -> FluentBundle<FluentResource> {
    let resource = FluentResource::try_new(source(language).to_owned())
        .unwrap_or_else(|(_, faults)| panic!("catalogue {}: {faults:?}", language.as_str()));
    let mut bundle = FluentBundle::new_concurrent(vec![language_id(language)]);
    // Isolation marks would sit inside ids and addresses that people copy; neither language is written right to left.
    bundle.set_use_isolating(false);
    bundle
        .add_resource(resource)
        .unwrap_or_else(|faults| panic!("catalogue {}: {faults:?}", language.as_str()));
    bundle
}
