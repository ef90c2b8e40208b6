//! Every operation of the OpenAPI document, with every scope and every limit (R41, R59): a client sees and does what it was made
//! for, and of the rest not even that it is there.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};
use warifu_core::id::ServiceId;
use warifu_core::relying::Scope;
use warifu_core::service::Service;
use warifu_server::app::api_clients::ClientPlan;
use warifu_server::web::front::Front;
use warifu_store::on_both_databases;
use warifu_store::testing::TestDatabase;

use crate::api::{Api, Ask, Reply, ask, client, node, plan};
use crate::bank::{Bank, SERVICE};

on_both_databases! {
    r41_an_operation_needs_its_scope_and_no_other_one_helps,
    services_come_in_pages,
    r41_what_is_of_another_service_or_contract_is_not_there,
    r59_no_operation_takes_an_activation_password,
    the_documents_are_a_page_without_scripts_that_explains_every_operation_and_code,
}

struct Operation {
    method: Method,
    path: String,
    scope: String,
    has_body: bool,
}

/// The operations, as the document tells of them.
async fn operations(api: &Api) -> (Value, Vec<Operation>) {
    let document = api.ask_plain(Ask::get("/openapi.json")).await;
    assert_eq!(document.status, 200);
    let paths = document.json["paths"].as_object().unwrap().clone();
    let mut found = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            found.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                scope: operation["security"][0]["key"][0]
                    .as_str()
                    .unwrap()
                    .to_owned(),
                has_body: !operation["requestBody"].is_null(),
            });
        }
    }
    assert!(found.len() >= 16, "{}", found.len());
    (document.json, found)
}

impl Operation {
    fn at(&self, service: &str, contract: &str, login: &str) -> String {
        self.path
            .replace("{service_id}", service)
            .replace("{contract_id}", contract)
            .replace("{login_id}", login)
            .replace("{issuance_id}", &"0".repeat(26))
    }

    async fn call(&self, node: &Front, path: &str, key: &str) -> Reply {
        let body = match () {
            () if !self.has_body => Value::Null,
            () if self.path.ends_with("/verify") => json!({ "code": "123456" }),
            () if self.path.ends_with("/resynchronise") => json!({ "codes": ["123456", "654321"] }),
            () if self.path.ends_with("/record") => json!({ "record": "AAAA" }),
            () => json!({ "mail_address": "a@company.example", "registration_request": "AAAA" }),
        };
        let asked = if self.has_body {
            Ask::post(path, &body)
        } else {
            Ask::get(path)
        };
        ask(
            node,
            Ask {
                method: self.method.clone(),
                ..asked.key(key)
            },
        )
        .await
    }
}

async fn r41_an_operation_needs_its_scope_and_no_other_one_helps(database: TestDatabase) {
    let api = Api::open(database).await;
    let here = node(&api.bank.app);
    let contract = api.bank.user("hanako").await.contract_id.to_string();
    let (_, operations) = operations(&api).await;
    let mut keys = Vec::new();
    for scope in Scope::ALL {
        let plan = plan(&format!("only {}", scope.as_str()), scope.as_str());
        keys.push((scope, client(&api.bank.app, &plan).await));
    }
    let events = api.bank.events().await;
    let mut reached = BTreeSet::new();
    for operation in &operations {
        let path = operation.at(SERVICE, &contract, "hanako");
        for (scope, key) in &keys {
            if scope.as_str() == operation.scope {
                continue;
            }
            let reply = operation.call(&here, &path, key).await;
            assert_eq!(
                reply.refusal(),
                (403, "scope_missing"),
                "{} {path}",
                operation.method
            );
        }
        reached.insert(operation.scope.clone());
    }
    // Who may not is not told what is there, and leaves nothing.
    assert_eq!(api.bank.events().await, events);
    for operation in &operations {
        let path = operation.at(SERVICE, &contract, "hanako");
        let (_, key) = keys
            .iter()
            .find(|(scope, _)| scope.as_str() == operation.scope)
            .unwrap();
        let reply = operation.call(&here, &path, key).await;
        assert!(
            !matches!(reply.status.as_u16(), 401 | 403 | 404 | 405 | 500..),
            "{} {path}: {reply:?}",
            operation.method
        );
    }
    let expected = ["events", "issue", "read", "release", "revoke", "verify"];
    assert_eq!(reached, expected.map(str::to_owned).into());
}

/// Makes a second service, which has everything that the first one has, by other ids.
async fn second_service(bank: &Bank) -> ServiceId {
    let mut tx = bank.app.store().begin().await.unwrap();
    let first = tx.service(&bank.service_id).await.unwrap().unwrap();
    let id = ServiceId::parse("second-bank").unwrap();
    let second = Service {
        id: id.clone(),
        ..first
    };
    tx.insert_service(&second, bank.app.now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn services_come_in_pages(database: TestDatabase) {
    let api = Api::open(database).await;
    second_service(&api.bank).await;
    for (path, service, next) in [
        ("/services?limit=1", "second-bank", json!("second-bank")),
        ("/services?after=second-bank", SERVICE, Value::Null),
    ] {
        let page = api.get(path).await;
        assert_eq!(page.json["services"].as_array().unwrap().len(), 1);
        assert_eq!(page.json["services"][0]["service_id"], service);
        assert_eq!(page.json["next"], next);
    }
    let rest = api.get(&format!("/services?after={SERVICE}")).await;
    assert_eq!(rest.json, json!({ "services": [], "next": null }));
}

async fn r41_what_is_of_another_service_or_contract_is_not_there(database: TestDatabase) {
    let api = Api::open(database).await;
    let here = node(&api.bank.app);
    let bank = &api.bank;
    let (own, other) = (
        bank.user("hanako").await.contract_id,
        bank.user("stranger").await.contract_id,
    );
    for login in ["hanako", "stranger"] {
        bank.phone(login).await;
    }
    let second = second_service(bank).await;
    let (_, operations) = operations(&api).await;
    let everything = "verify read issue release revoke";
    let of_contract = ClientPlan {
        contract: Some(own.to_string()),
        ..plan("of a contract", everything)
    };
    let of_second = ClientPlan {
        service_id: Some(second),
        ..plan("of the second", &format!("{everything} events"))
    };
    let (of_contract, of_second) = (
        client(&bank.app, &of_contract).await,
        client(&bank.app, &of_second).await,
    );
    let before = bank.events().await;
    for operation in &operations {
        if operation.path == "/services" {
            for (key, service) in [(&of_contract, SERVICE), (&of_second, "second-bank")] {
                let reply = operation.call(&here, "/services", key).await;
                let listed = reply.json["services"].as_array().unwrap();
                assert_eq!(listed.len(), 1);
                assert_eq!(listed[0]["service_id"], service);
            }
            continue;
        }
        // A client of another service: nothing of this one is there.
        let path = operation.at(SERVICE, own.as_str(), "hanako");
        let reply = operation.call(&here, &path, &of_second).await;
        assert_eq!(
            reply.refusal(),
            (404, "not_found"),
            "{} {path}",
            operation.method
        );
        // At its own service, nothing by the ids of this one.
        if operation.path.contains("{contract_id}") || operation.path.contains("{login_id}") {
            let path = operation.at("second-bank", own.as_str(), "hanako");
            let reply = operation.call(&here, &path, &of_second).await;
            assert_eq!(
                reply.refusal(),
                (404, "not_found"),
                "{} {path}",
                operation.method
            );
            // A client of one contract: nothing of the other one.
            let path = operation.at(SERVICE, other.as_str(), "stranger");
            let reply = operation.call(&here, &path, &of_contract).await;
            assert_eq!(
                reply.refusal(),
                (404, "not_found"),
                "{} {path}",
                operation.method
            );
        }
        // And nothing that nobody has.
        let path = operation.at("third-bank", own.as_str(), "hanako");
        assert_eq!(
            operation.call(&here, &path, &api.key).await.refusal(),
            (404, "not_found")
        );
    }
    assert_eq!(bank.events().await, before);
    // Lists are cut to what is the client's.
    let path = format!("/services/{SERVICE}/users");
    let users = ask(&here, Ask::get(&path).key(&of_contract)).await;
    let logins: Vec<_> = users.json["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| user["login_id"].as_str().unwrap())
        .collect();
    assert_eq!(
        logins,
        ["admin", "admin2", "hanako", "jiro", "master", "saburo"]
    );
    let path = format!("/services/{SERVICE}/contracts");
    let contracts = ask(&here, Ask::get(&path).key(&of_contract)).await;
    assert_eq!(contracts.json["contracts"].as_array().unwrap().len(), 1);
    assert_eq!(contracts.json["contracts"][0]["contract_id"], own.as_str());
}

async fn r59_no_operation_takes_an_activation_password(database: TestDatabase) {
    let api = Api::open(database).await;
    let (document, _) = operations(&api).await;
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        for (property, _) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                !property.contains("password") && !property.contains("seed"),
                "{name}.{property}"
            );
        }
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                operation["summary"]
                    .as_str()
                    .is_some_and(|it| !it.is_empty()),
                "{method} {path}"
            );
            for status in ["200", "401", "403", "404", "429", "503"] {
                assert!(
                    !operation["responses"][status].is_null(),
                    "{method} {path} {status}"
                );
            }
        }
    }
}

async fn the_documents_are_a_page_without_scripts_that_explains_every_operation_and_code(
    database: TestDatabase,
) {
    let api = Api::open(database).await;
    let (document, _) = operations(&api).await;
    let page = api.ask_plain(Ask::get("/docs")).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for foreign in ["<script", "style=", "http://", "https://"] {
        assert!(!page.text.contains(foreign), "{foreign}");
    }
    let is_explained = |id: &str| page.text.contains(&format!("id=\"{id}\""));
    for item in document["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            assert!(is_explained(operation["operationId"].as_str().unwrap()));
        }
    }
    for shape in document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
    {
        assert!(is_explained(&format!("shape-{shape}")), "{shape}");
    }
    // The `type` of a problem leads to its code there.
    let problem = api.get("/nowhere").await;
    let kind = problem.json["type"].as_str().unwrap();
    let code = kind.strip_prefix("/api/v1/docs#").unwrap();
    assert!(is_explained(code) && code == "not_found");
    for code in warifu_server::portal::pages::error_codes() {
        assert!(is_explained(code), "{code}");
    }
}
