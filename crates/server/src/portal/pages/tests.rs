//! Every page in every language and case, held to what all pages promise.

use super::samples::{Sample, samples};
use super::*;
use crate::text::Language;

fn all() -> Vec<(Language, Sample)> {
    LANGUAGES
        .into_iter()
        .flat_map(|language| {
            let list = samples(Text::new(language)).expect("every page renders");
            list.into_iter().map(move |sample| (language, sample))
        })
        .collect()
}

/// The start tags of one element, with their attributes.
fn tags<'a>(html: &'a str, element: &str) -> Vec<&'a str> {
    let open = format!("<{element}");
    html.match_indices(&open)
        .map(|(at, _)| &html[at + open.len()..])
        .filter(|rest| rest.starts_with([' ', '>', '\n']))
        .map(|rest| rest.split('>').next().unwrap_or_default())
        .collect()
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

/// The attribute `name` of every element.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let open = format!(" {name}=\"");
    html.match_indices(&open)
        .filter_map(|(at, _)| html[at + open.len()..].split('"').next())
        .collect()
}

#[test]
fn every_page_has_one_main_heading_a_language_and_a_title() {
    for (language, Sample { name, html }) in all() {
        assert_eq!(tags(&html, "h1").len(), 1, "{name}");
        assert_eq!(tags(&html, "main").len(), 1, "{name}");
        assert_eq!(
            attribute(tags(&html, "html")[0], "lang"),
            Some(language.as_str()),
            "{name}"
        );
        let title = html
            .split_once("<title>")
            .and_then(|(_, rest)| rest.split_once('|'))
            .expect("a title")
            .0;
        assert!(!title.trim().is_empty(), "{name}");
    }
}

#[test]
fn every_page_says_what_was_refused_in_its_title_and_at_the_field() {
    for (language, Sample { name, html }) in all() {
        let refused = html.contains("id=\"problems\"");
        let prefix = format!("<title>{}", Text::new(language).t("title-problem"));
        assert_eq!(html.contains(&prefix), refused, "{name}");
        for target in attributes(&html, "href")
            .into_iter()
            .filter_map(|href| href.strip_prefix('#'))
        {
            assert!(
                attributes(&html, "id").contains(&target),
                "{name}: #{target}"
            );
        }
    }
}

#[test]
fn every_input_has_a_label_and_what_describes_it_exists() {
    for (_, Sample { name, html }) in all() {
        let ids = attributes(&html, "id");
        let labels = attributes(&html, "for");
        for input in tags(&html, "input") {
            if attribute(input, "type") == Some("hidden") {
                continue;
            }
            let named = attribute(input, "aria-label").is_some()
                || attribute(input, "id").is_some_and(|id| labels.contains(&id));
            assert!(named, "{name}: {input}");
        }
        for described in ["aria-describedby", "aria-labelledby"] {
            for id in attributes(&html, described)
                .into_iter()
                .flat_map(str::split_whitespace)
            {
                assert!(ids.contains(&id), "{name}: {described} {id}");
            }
        }
        let mut once = ids.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), ids.len(), "{name}: an id stands twice");
    }
}

#[test]
fn every_form_that_changes_something_carries_the_csrf_token() {
    for (_, Sample { name, html }) in all() {
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap_or_default();
            assert!(form.contains("method=\"post\""), "{name}");
            assert!(
                form.contains("name=\"csrf\" value=\"csrf-of-the-session\""),
                "{name}"
            );
        }
    }
}

#[test]
fn no_page_has_inline_script_or_style_or_asks_another_origin() {
    for (_, Sample { name, html }) in all() {
        assert!(
            !html.contains("<style") && !html.contains(" style=\""),
            "{name}"
        );
        for script in tags(&html, "script") {
            assert!(
                attribute(script, "src").is_some_and(|src| src.starts_with("/assets/")),
                "{name}"
            );
        }
        for link in tags(&html, "link") {
            assert!(
                attribute(link, "href").is_some_and(|href| href.starts_with('/')),
                "{name}"
            );
        }
        for handler in [
            " onclick=",
            " onload=",
            " onsubmit=",
            " onchange=",
            "javascript:",
        ] {
            assert!(!html.contains(handler), "{name}: {handler}");
        }
    }
}

#[test]
fn no_page_shows_a_text_id_or_an_unfilled_place() {
    for (language, Sample { name, html }) in all() {
        assert!(
            !html.contains('{') && !html.contains('}'),
            "{name} in {}",
            language.as_str()
        );
        assert!(
            !html.contains("error-"),
            "{name}: an id instead of a sentence"
        );
    }
}

#[test]
fn every_element_that_is_opened_is_closed() {
    const VOID: [&str; 6] = ["meta", "link", "input", "img", "br", "!DOCTYPE"];
    for (_, Sample { name, html }) in all() {
        let mut open: Vec<&str> = Vec::new();
        for tag in html
            .split('<')
            .skip(1)
            .filter_map(|rest| rest.split('>').next())
        {
            let element = tag.split_whitespace().next().unwrap_or_default();
            if let Some(closed) = element.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "{name}");
            } else if !VOID.contains(&element) && !tag.ends_with('/') {
                open.push(element);
            }
        }
        assert_eq!(open, Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn what_a_person_typed_is_escaped() {
    let (_, sample) = all()
        .into_iter()
        .find(|(_, sample)| sample.name == "sign-in-refused")
        .expect("the sample");
    assert!(!sample.html.contains("\"><b>"), "{}", sample.html);
}

#[test]
fn the_activation_password_has_no_name_so_that_no_form_can_send_it() {
    for (_, Sample { name, html }) in all() {
        for input in tags(&html, "input") {
            if attribute(input, "id").is_some_and(|id| id.starts_with("activation_password")) {
                assert_eq!(attribute(input, "name"), None, "{name}");
            }
        }
    }
}

#[test]
fn the_labels_of_the_manual_stand_as_people_know_them() {
    let html = |name: &str| {
        let list = samples(Text::new(Language::Ja)).expect("every page renders");
        list.into_iter()
            .find(|sample| sample.name == name)
            .expect("the sample")
            .html
    };
    let shown = |name: &str, labels: &[&str]| {
        let html = html(name);
        for label in labels {
            assert!(html.contains(&format!(">{label}<")), "{name}: {label}");
        }
    };
    shown("sign-in", &["ログインID", "パスワード", "ログイン"]);
    shown(
        "issuance",
        &["メールアドレス", "利用開始パスワード", "トークン発行"],
    );
    shown("verification", &["ワンタイムパスワード", "認証確認"]);
    shown("top-master", &["管理"]);
    shown("manage", &["利用者(ユーザ)管理"]);
    shown(
        "manage-users",
        &["ワンタイムパスワードの利用停止解除", "トークンの失効"],
    );
    shown("release", &["確認用パスワード", "停止解除"]);
    shown("revoke", &["確認用パスワード", "失効"]);
}

#[test]
fn every_refusal_has_a_sentence_in_both_languages() {
    for language in LANGUAGES {
        for code in error_codes() {
            assert!(
                Text::new(language).knows_error(code),
                "{code} in {}",
                language.as_str()
            );
        }
    }
}

#[test]
fn the_language_switch_keeps_the_page_and_its_query() {
    let list = samples(Text::new(Language::Ja)).expect("every page renders");
    let page = list
        .into_iter()
        .find(|sample| sample.name == "error-not-found")
        .expect("the sample")
        .html;
    assert!(
        attributes(&page, "href")
            .iter()
            .any(|href| href.ends_with("/nowhere?a=b&#38;lang=en")),
        "{page}"
    );
}

#[test]
fn a_brand_colour_is_a_colour_and_nothing_else() {
    assert_eq!(
        brand_css("#0055ad").as_deref(),
        Some(":root { --service-colour: #0055ad; }\n")
    );
    for wrong in ["", "0055ad", "#05a", "#0055ad;}", "red"] {
        assert_eq!(brand_css(wrong), None, "{wrong}");
    }
}
