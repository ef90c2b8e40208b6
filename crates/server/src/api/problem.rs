//! What a program reads when something was not done: problem+json (RFC 9457) with the stable code. The one home of its form and of
//! the status that each refusal has.

use axum::body::Body;
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use warifu_core::refusal::Refusal;
use warifu_core::time::UnixMillis;
use warifu_core::user::Language;

use crate::app::{Failure, moment};
use crate::text::{Text, Value, preferred};

/// The media type.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// Where the table of codes is, for the member `type`.
const TABLE: &str = "/api/v1/docs#";

/// Why a request was not done. As a response it waits for whoever knows the reader's language: [`Problem::render`].
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The stable code (docs/errors.md).
    pub code: &'static str,
    arguments: Vec<(&'static str, Fact)>,
    retry_after_s: Option<u32>,
}

/// What a sentence says of this case.
#[derive(Clone, Debug)]
enum Fact {
    Number(usize),
    Text(String),
}

/// The document, as RFC 9457 names its members, and two of ours.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Where the code is explained.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The stable code; programs may rely on it.
    code: String,
    /// What happened and what to do, in the language that was asked for.
    detail: String,
    /// The name of this request, as in the header `x-request-id`: support finds the request by it.
    instance: String,
    /// The same.
    request_id: String,
}

impl Problem {
    /// A problem of the request itself, by a code that no rule of the product has.
    #[must_use]
    pub const fn new(status: StatusCode, code: &'static str) -> Self {
        Self {
            status,
            code,
            arguments: Vec::new(),
            retry_after_s: None,
        }
    }

    /// With a fact that its sentence says.
    #[must_use]
    pub fn with(mut self, name: &'static str, number: usize) -> Self {
        self.arguments.push((name, Fact::Number(number)));
        self
    }

    /// What a use case answered, at `now`. Faults of ours are written to the log here.
    #[must_use]
    pub fn of(failure: &Failure, now: UnixMillis) -> Self {
        let problem = match failure {
            Failure::Refused(refusal) => Self::of_refusal(refusal, now),
            Failure::Store(_) => {
                tracing::error!(%failure, "the database did not answer");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable")
            }
            Failure::Vault(_) | Failure::Fault(_) => {
                tracing::error!(%failure, "a request failed");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        };
        Self {
            retry_after_s: failure.retry_after_s(now),
            ..problem
        }
    }

    fn of_refusal(refusal: &Refusal, now: UnixMillis) -> Self {
        let problem = Self::new(status_of(refusal), refusal.code());
        match *refusal {
            Refusal::TooManyRequests { open_at } | Refusal::SignInSlowed { open_at } => {
                problem.with("seconds", open_at.wait_s(now) as usize)
            }
            Refusal::ReissueNotYet { open_at } => problem.saying("opens", moment(open_at)),
            Refusal::CodeFormat { digits } => problem.with("digits", usize::from(digits)),
            _ => problem,
        }
    }

    fn saying(mut self, name: &'static str, text: String) -> Self {
        self.arguments.push((name, Fact::Text(text)));
        self
    }

    /// The answer to the reader of `text`, for the request of this name.
    #[must_use]
    pub fn render(mut self, text: Text, request_id: &str) -> Response {
        self.arguments
            .push(("support", Fact::Text(request_id.to_owned())));
        let title = self.status.canonical_reason().unwrap_or_default();
        let document = Document {
            kind: format!("{TABLE}{}", self.code),
            title: title.to_owned(),
            status: self.status.as_u16(),
            code: self.code.to_owned(),
            detail: sentence(text, self.code, &self.arguments),
            instance: request_id.to_owned(),
            request_id: request_id.to_owned(),
        };
        // A document of texts and a number is always JSON.
        let body = serde_json::to_string(&document).unwrap_or_default();
        let mut response = (self.status, Body::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"warifu\""),
            );
        }
        response
    }
}

/// Not the answer yet: it has no words. [`crate::api::v1`] gives it some.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The sentence of a code for programs: where the words of the pages speak of pages, there are others.
fn sentence(text: Text, code: &'static str, facts: &[(&'static str, Fact)]) -> String {
    let arguments: Vec<(&'static str, Value)> = facts
        .iter()
        .map(|(name, fact)| match fact {
            Fact::Number(number) => (*name, Value::from(*number)),
            Fact::Text(text) => (*name, Value::from(text.clone())),
        })
        .collect();
    let said = match code {
        "not_found" => text.t("api-error-not-found"),
        "no_token" => text.t("api-error-no-token"),
        "not_suspended" => text.t("api-error-not-suspended"),
        "release_only_revocation" => text.t("api-error-release-only-revocation"),
        "raced" => text.t("api-error-raced"),
        "form_expired" => text.t("api-error-form-expired"),
        "no_issuance" => text.t("api-error-no-issuance"),
        "code_format" => text.t_args("api-error-code-format", &arguments),
        _ => text.error(code, &arguments),
    };
    said.into_owned()
}

/// Words that stand for what a sentence says of a case, for tables of all sentences.
#[must_use]
pub fn placeholders() -> Vec<(&'static str, Value)> {
    let words = [
        ("seconds", "N"),
        ("opens", "TIME"),
        ("who", "master_or_administrator"),
        ("min", "MIN"),
        ("max", "MAX"),
        ("digits", "N"),
        ("tries_left", "N"),
        ("run", "N"),
        ("support", "NUMBER"),
        ("line", "N"),
        ("column", "N"),
    ];
    words
        .into_iter()
        .map(|(name, word)| (name, Value::from(word)))
        .collect()
}

/// The language of a program's user: the one asked for, or else `otherwise`.
#[must_use]
pub fn text_for(headers: &HeaderMap, otherwise: Language) -> Text {
    let asked = headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    Text::new(asked.map_or(otherwise, preferred))
}

/// The status of a refusal; docs/protocol.md lists those of an activation and of device messages, the OpenAPI document those of the API.
const fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::ActivationMessage | Refusal::DeviceMessage => StatusCode::BAD_REQUEST,
        Refusal::ApiKeyRefused => StatusCode::UNAUTHORIZED,
        Refusal::ActivationRefused
        | Refusal::DeviceRefused
        | Refusal::ScopeMissing
        | Refusal::NetworkNotAllowed
        | Refusal::NotPermitted => StatusCode::FORBIDDEN,
        Refusal::ActivationAttemptOver | Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::ActivationGone => StatusCode::GONE,
        Refusal::CodeFormat { .. }
        | Refusal::MailInvalid
        | Refusal::IdempotencyKeyFormat
        | Refusal::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ if refusal.is_passing() => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sentence_is_left_with_a_gap() {
        let now = UnixMillis(1_790_000_000_000);
        for refusal in [
            Refusal::CodeFormat { digits: 6 },
            Refusal::ReleaseOnlyRevocation,
            Refusal::ReissueNotYet { open_at: now },
            Refusal::TooManyRequests { open_at: now },
            Refusal::NoToken,
            Refusal::Raced,
        ] {
            for language in crate::text::LANGUAGES {
                let problem = Problem::of_refusal(&refusal, now);
                let said = sentence(Text::new(language), problem.code, &problem.arguments);
                assert!(said.len() > 20 && !said.contains(['{', '$']), "{said}");
            }
        }
    }
}
