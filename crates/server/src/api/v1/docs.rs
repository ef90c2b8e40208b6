//! The OpenAPI document as a page for people, made once at the start. Plain HTML: no script, nothing from elsewhere.

use askama::Template;
use serde_json::Value;
use utoipa::openapi::OpenApi;
use warifu_core::user::Language;

use crate::api::problem::placeholders;
use crate::portal::pages::error_codes;
use crate::text::Text;

#[derive(Template)]
#[template(path = "api/docs.html")]
struct Page {
    version: String,
    introduction: Vec<String>,
    groups: Vec<Group>,
    shapes: Vec<Shape>,
    codes: Vec<(&'static str, String)>,
}

/// The operations of one tag.
struct Group {
    name: String,
    description: String,
    operations: Vec<Operation>,
}

struct Operation {
    id: String,
    method: String,
    path: String,
    summary: String,
    description: String,
    scope: String,
    parameters: Vec<Field>,
    body: Option<Kind>,
    answers: Vec<(String, String, Option<Kind>)>,
}

/// A parameter or a member of an object.
struct Field {
    name: String,
    place: String,
    kind: Kind,
    is_needed: bool,
    description: String,
}

/// What a value is: a word, and the shape that it names.
struct Kind {
    word: String,
    shape: Option<String>,
}

/// An object or a list of words, by its name.
struct Shape {
    name: String,
    description: String,
    fields: Vec<Field>,
    words: Vec<String>,
}

/// The page; empty if the document cannot be read, which the tests rule out.
pub(super) fn page(document: &OpenApi) -> String {
    let Ok(document) = serde_json::to_value(document) else {
        return String::new();
    };
    let arguments = placeholders();
    let text = Text::new(Language::En);
    let page = Page {
        version: words(&document["info"]["version"]),
        introduction: words(&document["info"]["description"])
            .split("\n\n")
            .map(|paragraph| paragraph.replace('`', ""))
            .collect(),
        groups: list(&document["tags"])
            .map(|tag| group(tag, &document["paths"]))
            .collect(),
        shapes: members(&document["components"]["schemas"])
            .map(|(name, schema)| shape(name, schema))
            .collect(),
        codes: error_codes()
            .map(|code| (code, text.error(code, &arguments).replace('\n', " ")))
            .collect(),
    };
    page.render().unwrap_or_default()
}

fn group(tag: &Value, paths: &Value) -> Group {
    let mut operations = Vec::new();
    for (path, item) in members(paths) {
        for (method, operation) in members(item) {
            if list(&operation["tags"]).any(|name| *name == tag["name"]) {
                operations.push(operation_of(method, path, operation));
            }
        }
    }
    Group {
        name: words(&tag["name"]),
        description: words(&tag["description"]),
        operations,
    }
}

fn operation_of(method: &str, path: &str, operation: &Value) -> Operation {
    let parameters = list(&operation["parameters"]).map(|parameter| Field {
        name: words(&parameter["name"]),
        place: words(&parameter["in"]),
        kind: kind(&parameter["schema"]),
        is_needed: parameter["required"] == true,
        description: words(&parameter["description"]),
    });
    let answers = members(&operation["responses"]).map(|(status, response)| {
        let schema = members(&response["content"]).next();
        (
            status.to_owned(),
            words(&response["description"]).replace('`', ""),
            schema.map(|(_, content)| kind(&content["schema"])),
        )
    });
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    Operation {
        id: words(&operation["operationId"]),
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: words(&operation["summary"]),
        description: words(&operation["description"]).replace('`', ""),
        scope: words(&operation["security"][0]["key"][0]),
        parameters: parameters.collect(),
        body: (!body.is_null()).then(|| kind(body)),
        answers: answers.collect(),
    }
}

fn shape(name: &str, schema: &Value) -> Shape {
    // What is made of several parts shows the members of all of them.
    let parts: Vec<&Value> = match schema["allOf"].as_array() {
        Some(parts) => parts.iter().collect(),
        None => vec![schema],
    };
    let mut fields = Vec::new();
    for part in &parts {
        let needed: Vec<_> = list(&part["required"]).map(words).collect();
        fields.extend(members(&part["properties"]).map(|(name, member)| Field {
            name: name.to_owned(),
            place: String::new(),
            kind: kind(member),
            is_needed: needed.iter().any(|it| it == name),
            description: words(&member["description"]).replace('`', ""),
        }));
        if part["$ref"].is_string() {
            fields.push(Field {
                name: "…".to_owned(),
                place: String::new(),
                kind: kind(part),
                is_needed: true,
                description: "and the members of this shape".to_owned(),
            });
        }
    }
    Shape {
        name: name.to_owned(),
        description: words(&schema["description"]),
        fields,
        words: list(&schema["enum"]).map(words).collect(),
    }
}

fn kind(schema: &Value) -> Kind {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return Kind {
            word: name.to_owned(),
            shape: Some(name.to_owned()),
        };
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        let known = choices.iter().find(|choice| choice["type"] != "null");
        let inner = known.map(kind);
        return inner.map_or_else(
            || plain("anything"),
            |inner| Kind {
                word: format!("{} or null", inner.word),
                ..inner
            },
        );
    }
    let types: Vec<String> = match &schema["type"] {
        Value::Array(types) => types.iter().map(words).collect(),
        one => vec![words(one)],
    };
    if types.iter().any(|it| it == "array") {
        let inner = kind(&schema["items"]);
        return Kind {
            word: format!("list of {}", inner.word),
            ..inner
        };
    }
    let mut word = types.join(" or ");
    for detail in ["format", "pattern"] {
        if let Some(text) = schema[detail].as_str() {
            word = format!("{word}, {text}");
        }
    }
    plain(&word)
}

fn plain(word: &str) -> Kind {
    Kind {
        word: word.to_owned(),
        shape: None,
    }
}

fn words(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let members = value.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), value))
}
