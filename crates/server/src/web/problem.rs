//! What is answered when no handler could: as problem+json (RFC 9457) to programs, and to people as a page in both languages,
//! because nobody could find out which one they read.

use askama::Template;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{Html, IntoResponse as _, Response};
use warifu_core::user::Language;

use super::caller::RequestId;
use super::guard::Problem;
use crate::api::problem::{Problem as ApiProblem, text_for};
use crate::text::Text;

/// Where programs ask: below these, no page is ever answered.
const OF_PROGRAMS: [&str; 3] = ["/api/", "/activation/", "/device/"];

/// What is kept of a request, for an answer that no handler makes.
pub(super) struct Asked {
    /// The words for a program; `None` for people.
    program: Option<Text>,
}

impl Asked {
    /// Of a program, which sent these headers.
    pub(super) fn by_program(headers: &HeaderMap) -> Self {
        Self {
            program: Some(text_for(headers, Language::En)),
        }
    }

    pub(super) fn of(request: &Request) -> Self {
        let path = request.uri().path();
        let by_program = OF_PROGRAMS.iter().any(|start| path.starts_with(start));
        Self {
            program: by_program.then(|| text_for(request.headers(), Language::En)),
        }
    }
}

/// One language's half of the page.
struct Half {
    tag: &'static str,
    title: String,
    sentence: String,
    code: String,
    support_id: String,
    back: String,
}

/// The page. It stands alone: what surrounds other pages comes from the database, which may be what is missing.
#[derive(Template)]
#[template(path = "cut.html")]
struct CutPage<'a> {
    halves: [Half; 2],
    code: &'a str,
    support_id: &'a str,
}

/// The answer to a request that was cut short.
pub(super) fn answer(problem: Problem, id: &RequestId, asked: &Asked) -> Response {
    match asked.program {
        Some(text) => ApiProblem::new(problem.status(), problem.code()).render(text, id.as_str()),
        None => (problem.status(), page(problem.code(), id.as_str())).into_response(),
    }
}

/// The page in both languages, with the sentence of a stable code; `support_id` is the name of the request. The status is the
/// caller's to set.
#[must_use]
pub fn page(code: &'static str, support_id: &str) -> Response {
    let half = |language: Language| {
        let text = Text::new(language);
        Half {
            tag: language.as_str(),
            title: text.t("error-title").into_owned(),
            sentence: sentence(text, code, support_id),
            code: text.t("error-code").into_owned(),
            support_id: text.t("support-id").into_owned(),
            back: text.t("back-to-top").into_owned(),
        }
    };
    let page = CutPage {
        halves: [half(Language::Ja), half(Language::En)],
        code,
        support_id,
    };
    // Writing into memory does not fail; without a page the code says enough.
    let html = page.render().unwrap_or_else(|_| code.to_owned());
    Html(html).into_response()
}

fn sentence(text: Text, code: &str, support_id: &str) -> String {
    text.error(code, &[("support", support_id.to_owned().into())])
        .to_string()
}
