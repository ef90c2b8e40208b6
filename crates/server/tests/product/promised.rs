//! The OpenAPI document as a promise: every answer of the API that any of these tests gets is held against it. A status, a member or a
//! value that the document does not tell of fails the test that got it.

use std::collections::{HashMap, HashSet};

use axum::http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use warifu_server::web::front::Front;

use crate::api::{Ask, Reply, ask_unchecked};

/// What an operation may answer.
struct Operation {
    method: Method,
    /// The segments of its path; `None` for a parameter.
    path: Vec<Option<String>>,
    /// By status: the media type and the form of the body.
    answers: HashMap<u16, (String, Validator)>,
}

/// The document, read once.
static OPERATIONS: OnceCell<Vec<Operation>> = OnceCell::const_new();

/// Reads the document, if nobody did: before anything keeps the node from telling it.
pub(crate) async fn read_document(node: &Front) {
    OPERATIONS.get_or_init(|| read(node)).await;
}

/// Holds an answer of the API against the document. What the document has no operation for is no part of it.
pub(crate) fn assert_promised(method: &Method, path: &str, reply: &Reply) {
    let operations = OPERATIONS.get().expect("`read_document` comes first");
    let path = path.split('?').next().unwrap_or_default();
    let Some(operation) = operations.iter().find(|it| it.is(method, path)) else {
        return;
    };
    let told = format!("{method} {path}: {} {}", reply.status, reply.text);
    let Some((media_type, form)) = operation.answers.get(&reply.status.as_u16()) else {
        panic!("the document has no such status: {told}");
    };
    assert_eq!(reply.header("content-type"), media_type, "{told}");
    let errors: Vec<_> = form
        .iter_errors(&reply.json)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?} {told}");
}

async fn read(node: &Front) -> Vec<Operation> {
    let mut document = ask_unchecked(node, Ask::get("/openapi.json")).await.json;
    let mut schemas = document["components"]["schemas"].take();
    let schemas_of = schemas.as_object_mut().unwrap();
    let parts: HashSet<String> = schemas_of
        .values()
        .filter_map(|schema| schema["allOf"].as_array())
        .flatten()
        .filter_map(|part| part["$ref"].as_str()?.rsplit('/').next())
        .map(str::to_owned)
        .collect();
    // Nothing is told that the document does not name. A schema that is a part of others leaves that to the whole.
    for (name, schema) in schemas_of {
        if schema["allOf"].is_array() || schema["properties"].is_object() && !parts.contains(name) {
            schema["unevaluatedProperties"] = json!(false);
        }
    }
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path
                    .split('/')
                    .map(|segment| (!segment.starts_with('{')).then(|| segment.to_owned()))
                    .collect(),
                answers: answers(&operation["responses"], &schemas),
            });
        }
    }
    assert!(operations.len() >= 16);
    operations
}

fn answers(responses: &Value, schemas: &Value) -> HashMap<u16, (String, Validator)> {
    let responses = responses.as_object().unwrap();
    responses
        .iter()
        .map(|(status, response)| {
            let content = response["content"].as_object().unwrap();
            let (media_type, body) = content.iter().next().unwrap();
            let mut schema = body["schema"].clone();
            schema["unevaluatedProperties"] = json!(false);
            schema["components"] = json!({ "schemas": schemas });
            let form = jsonschema::validator_for(&schema).unwrap();
            (status.parse().unwrap(), (media_type.clone(), form))
        })
        .collect()
}

impl Operation {
    fn is(&self, method: &Method, path: &str) -> bool {
        let segments: Vec<_> = path.split('/').collect();
        self.method == *method
            && self.path.len() == segments.len()
            && self
                .path
                .iter()
                .zip(segments)
                .all(|(own, asked)| own.as_deref().is_none_or(|own| own == asked))
    }
}
