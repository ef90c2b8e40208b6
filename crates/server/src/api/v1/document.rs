//! The OpenAPI document: made of the handlers, and of what all of them have in common.

use utoipa::OpenApi as _;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Required};

use warifu_core::audit::Action;

use crate::api::problem::{Document, MEDIA_TYPE};

/// What stands above the operations.
const DESCRIPTION: &str = "\
Is this code right, once? And what a relying system needs around that question.

Every request carries `Authorization: Bearer KEY`; `warifu api-client create` makes a key. Bodies are JSON. What was not done is \
answered as `application/problem+json` (RFC 9457), whose member `code` is stable. Every answer names its request in `x-request-id`. \
A client with a limit reads in `RateLimit` how much of it is left.

A write may carry `Idempotency-Key`: the same request under the same key gets the same answer for 24 hours, also when it comes \
twice at once. So after a lost answer, send the same request again.

Points in time are RFC 3339 in UTC.";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "Warifu", license(name = "MIT OR Apache-2.0")),
    servers((url = "/api/v1")),
    components(schemas(Document)),
    tags(
        (name = "Verification", description = "Whether a code is right."),
        (name = "Tokens", description = "The state of tokens; release and revocation."),
        (name = "Issuance", description = "Asking for a token in the name of a user."),
        (name = "Services and people", description = "What the client may act on."),
        (name = "Events", description = "What happened."),
    ),
)]
struct Frame;

/// The document without its operations.
pub(super) fn frame() -> OpenApi {
    let mut document = Frame::openapi();
    document.info.description = Some(DESCRIPTION.to_owned());
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("wfk_…")
        .description(Some("A key that `warifu api-client create` printed."))
        .build();
    if let Some(components) = &mut document.components {
        components.add_security_scheme("key", SecurityScheme::Http(key));
    }
    document
}

/// What an operation may answer instead, and when.
const ALWAYS: [(&str, &str); 6] = [
    (
        "401",
        "`api_key_refused`: the key is missing, unknown or over.",
    ),
    (
        "403",
        "`scope_missing` or `network_not_allowed`: the client may not do this, or not from there.",
    ),
    (
        "404",
        "`not_found`: there is no such service, contract or user for this client.",
    ),
    (
        "429",
        "`too_many_requests`: more than the client is allowed; `Retry-After` says when to come again.",
    ),
    (
        "500",
        "`internal`: a fault of ours; support finds it by the request's name.",
    ),
    (
        "503",
        "`busy`, `clock_unsure` or `raced`: nothing was done. `service_unavailable`: of a write it is not known whether it was done; \
         send it again under the same `Idempotency-Key`, which does it once. `Retry-After` says when to come again.",
    ),
];
const OF_QUERIES: [(&str, &str); 1] = [("422", "`request_query`: the query cannot be read.")];
const OF_WRITES: [(&str, &str); 3] = [
    (
        "409",
        "What is asked does not fit the state of the user's token; the code says why.",
    ),
    ("413", "`body_too_large`."),
    (
        "422",
        "`request_fields`, `code_format`, `mail_invalid`, `idempotency_key_format` or `idempotency_key_reused`: nothing was done.",
    ),
];
const OF_BODIES: [(&str, &str); 2] = [
    (
        "400",
        "`request_body`: no JSON. `activation_message`: the registration message cannot be read.",
    ),
    ("415", "`media_type`: the body must be `application/json`."),
];
const OF_SINGLE: [(&str, &str); 1] = [(
    "409",
    "`no_token` or `no_issuance`: the user never had one.",
)];

/// Adds to every operation what all of them have.
pub(super) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        if let Some(operation) = &mut item.get {
            add(operation, &ALWAYS);
            for parameter in operation.parameters.iter_mut().flatten() {
                if let RefOr::T(parameter) = parameter
                    && parameter.name == "action"
                {
                    parameter.schema = Some(actions().into());
                }
            }
            if operation.parameters.iter().flatten().any(in_query) {
                add(operation, &OF_QUERIES);
            }
            if path.ends_with("/token") || path.ends_with("/issuance") {
                add(operation, &OF_SINGLE);
            }
        }
        for operation in [&mut item.post, &mut item.put, &mut item.delete]
            .into_iter()
            .flatten()
        {
            add(operation, &ALWAYS);
            add(operation, &OF_WRITES);
            if operation.request_body.is_some() {
                add(operation, &OF_BODIES);
            }
            operation
                .parameters
                .get_or_insert_default()
                .push(RefOr::T(idempotency_key()));
        }
    }
}

/// The words of all actions.
fn actions() -> ObjectBuilder {
    let words = Action::ALL.iter().map(|action| action.as_str());
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(words))
}

fn in_query(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query)
}

fn add(operation: &mut Operation, problems: &[(&str, &str)]) {
    for (status, description) in problems {
        operation
            .responses
            .responses
            .insert((*status).to_owned(), RefOr::T(problem(description)));
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            let headers = HEADERS.iter().filter(|header| header.is_of(status));
            for header in headers {
                let described = RefOr::T(header.described());
                response.headers.insert(header.name.to_owned(), described);
            }
        }
    }
}

/// A header of answers.
struct Told {
    name: &'static str,
    schema_type: Type,
    description: &'static str,
    /// The statuses that it comes with; all, where there is none.
    statuses: &'static [&'static str],
}

const HEADERS: [Told; 4] = [
    Told {
        name: "x-request-id",
        schema_type: Type::String,
        description: "The name of this request.",
        statuses: &[],
    },
    Told {
        name: "RateLimit-Policy",
        schema_type: Type::String,
        description: "The client's limit, where it has one: `\"default\";q=N;w=1` is N requests a second (draft-ietf-httpapi-ratelimit-headers).",
        statuses: &[],
    },
    Told {
        name: "RateLimit",
        schema_type: Type::String,
        description: "What is left of the client's limit, where it has one: `\"default\";r=LEFT;t=SECONDS`.",
        statuses: &[],
    },
    Told {
        name: "Retry-After",
        schema_type: Type::Integer,
        description: "Seconds after which to come again.",
        statuses: &["429", "503"],
    },
];

impl Told {
    fn is_of(&self, status: &str) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }

    fn described(&self) -> Header {
        HeaderBuilder::new()
            .schema(Some(
                ObjectBuilder::new().schema_type(self.schema_type.clone()),
            ))
            .description(Some(self.description))
            .build()
    }
}

fn problem(description: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new()
        .description(description)
        .content(MEDIA_TYPE, content.build())
        .build()
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[!-~]{1,255}$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "A name for this write, new for each: the same request under it gets the same answer.",
        ))
        .schema(Some(text))
        .build()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use axum::http::StatusCode;
    use warifu_core::refusal::Refusal;
    use warifu_core::time::UnixMillis;

    use super::*;
    use crate::api::problem;
    use crate::app::Failure;

    /// What a caller does after a 503 depends on the code: the documents name each of them.
    #[test]
    fn every_code_of_a_503_is_in_the_documents() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
        let page = std::fs::read_to_string(file).unwrap();
        let of_page: Vec<_> = page
            .lines()
            .filter(|line| line.starts_with("| 503 |"))
            .collect();
        let (_, of_document) = ALWAYS.iter().find(|(status, _)| *status == "503").unwrap();
        let refused = [Refusal::Busy, Refusal::ClockUnsure, Refusal::Raced]
            .map(|refusal| problem::Problem::of(&Failure::Refused(refusal), UnixMillis(0)));
        let mut codes = vec!["service_unavailable"];
        for problem in refused {
            assert_eq!(problem.status, StatusCode::SERVICE_UNAVAILABLE);
            codes.push(problem.code);
        }
        for code in codes {
            let code = format!("`{code}`");
            assert!(of_document.contains(&code), "{code}");
            assert!(of_page.iter().any(|line| line.contains(&code)), "{code}");
        }
    }
}
