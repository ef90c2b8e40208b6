//! The API for relying systems over the real router, as a program calls it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower_service::Service as _;
use warifu_core::relying::Scopes;
use warifu_server::app::App;
use warifu_server::app::api_clients::{ApiKey, ClientPlan};
use warifu_server::config::Limits;
use warifu_server::web::caller::TrustedProxies;
use warifu_server::web::front::Front;
use warifu_server::web::{Shell, public};
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, SERVICE};
use crate::promised::{assert_promised, read_document};

/// A bank whose API has one client that may do everything at the service.
pub(crate) struct Api {
    pub(crate) bank: Bank,
    pub(crate) key: String,
    node: Front,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The stable code of a problem, after a look at the document's form.
    pub(crate) fn code(&self) -> &str {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        assert_eq!(self.json["status"], self.status.as_u16());
        assert_eq!(self.json["instance"], self.header("x-request-id"));
        for member in ["type", "title", "detail"] {
            assert!(
                self.json[member].as_str().is_some_and(|it| it.len() > 2),
                "{member}"
            );
        }
        self.json["code"].as_str().unwrap()
    }

    /// Status and code, for a comparison in one line.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.code())
    }
}

/// The router of one node.
pub(crate) fn node(app: &Arc<App>) -> Front {
    node_within(app, Limits::default())
}

/// The router of one node with these limits.
pub(crate) fn node_within(app: &Arc<App>, limits: Limits) -> Front {
    let shell = Shell {
        limits,
        trusted_proxies: TrustedProxies::default(),
        https: true,
        metrics: Arc::default(),
    };
    public(Arc::clone(app), None, shell)
}

/// The path of something of a user of the bank.
pub(crate) fn of(login: &str, what: &str) -> String {
    format!("/services/{SERVICE}/users/{login}/{what}")
}

/// A client of the bank that may do these things.
pub(crate) fn plan(name: &str, scopes: &str) -> ClientPlan {
    ClientPlan {
        name: name.to_owned(),
        scopes: Scopes::parse(scopes).unwrap(),
        ..ClientPlan::default()
    }
}

/// One request.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) body: Option<String>,
    pub(crate) headers: Vec<(&'a str, &'a str)>,
    pub(crate) address: IpAddr,
}

impl<'a> Ask<'a> {
    pub(crate) fn get(path: &'a str) -> Self {
        Self {
            method: Method::GET,
            path,
            key: None,
            body: None,
            headers: Vec::new(),
            address: IpAddr::from([192, 0, 2, 1]),
        }
    }

    pub(crate) fn post(path: &'a str, body: &Value) -> Self {
        Self {
            method: Method::POST,
            body: Some(body.to_string()),
            headers: vec![("content-type", "application/json")],
            ..Self::get(path)
        }
    }

    pub(crate) fn with(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn key(mut self, key: &'a str) -> Self {
        self.key = Some(key);
        self
    }
}

/// Sends a request to a node; the answer is one that the document tells of.
pub(crate) async fn ask(node: &Front, asked: Ask<'_>) -> Reply {
    let (method, path) = (asked.method.clone(), asked.path);
    read_document(node).await;
    let reply = ask_unchecked(node, asked).await;
    assert_promised(&method, path, &reply);
    reply
}

/// The same, whatever the answer is.
pub(crate) async fn ask_unchecked(node: &Front, asked: Ask<'_>) -> Reply {
    let mut request = Request::builder()
        .method(asked.method)
        .uri(format!("/api/v1{}", asked.path));
    for (name, value) in &asked.headers {
        request = request.header(*name, *value);
    }
    if let Some(key) = asked.key {
        request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
    }
    let mut request = request
        .body(asked.body.map_or_else(Body::empty, Body::from))
        .unwrap();
    let peer = SocketAddr::from((asked.address, 5000));
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = node.clone().call(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 4 << 20).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert_eq!(parts.headers["cache-control"], "no-store");
    assert_eq!(parts.headers["x-request-id"].len(), 16);
    Reply {
        status: parts.status,
        headers: parts.headers,
        json: serde_json::from_str(&text).unwrap_or_default(),
        text,
    }
}

impl Api {
    pub(crate) async fn open(database: TestDatabase) -> Self {
        Self::of(Bank::open(database).await).await
    }

    pub(crate) async fn of(bank: Bank) -> Self {
        Self::within(bank, Limits::default()).await
    }

    pub(crate) async fn within(bank: Bank, limits: Limits) -> Self {
        let everything = Scopes::all().to_string();
        let node = node_within(&bank.app, limits);
        read_document(&node).await;
        let key = client(&bank.app, &plan("everything", &everything)).await;
        Self { bank, key, node }
    }

    /// Sends a request with the key that may do everything, unless it has another one.
    pub(crate) async fn ask(&self, asked: Ask<'_>) -> Reply {
        let key = asked.key.unwrap_or(&self.key).to_owned();
        ask(&self.node, asked.key(&key)).await
    }

    /// Sends a request as it is.
    pub(crate) async fn ask_plain(&self, asked: Ask<'_>) -> Reply {
        ask(&self.node, asked).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(Ask::get(path)).await
    }

    pub(crate) async fn verify(&self, login: &str, code: &str) -> Reply {
        let path = of(login, "verify");
        self.ask(Ask::post(&path, &json!({ "code": code }))).await
    }

    /// A write without a body.
    pub(crate) async fn post(&self, path: &str) -> Reply {
        let asked = Ask {
            method: Method::POST,
            ..Ask::get(path)
        };
        self.ask(asked).await
    }
}

/// Makes a client and gives its key.
pub(crate) async fn client(app: &App, plan: &ClientPlan) -> String {
    let key = ApiKey::generate();
    app.create_api_client(plan, &key).await.unwrap();
    key.expose().to_owned()
}
