use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use tokio::sync::Notify;
use tower_service::Service as _;

use super::caller::{Caller, TrustedProxies};
use super::guard::REQUEST_ID;
use super::{Shell, assets, protected};
use crate::config::Limits;

fn shell(limits: Limits, https: bool) -> Shell {
    Shell {
        limits,
        trusted_proxies: TrustedProxies::default(),
        https,
        metrics: Arc::default(),
    }
}

fn routes() -> Router {
    Router::new()
        .route("/", get(|| async { "page" }))
        .route("/data", get(|| async { Json(1) }))
        .route("/panic", get(panics))
        .route("/api/v1/panic", get(panics))
        .route("/activation/1/panic", get(panics))
        .route(
            "/form",
            post(|body: Bytes| async move { body.len().to_string() }),
        )
        .merge(assets::routes())
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

async fn ask(router: &Router, path: &str) -> Response {
    send(router, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn send(router: &Router, request: Request<Body>) -> Response {
    router.clone().call(request).await.unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(
        to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap()
            .to_vec(),
    )
    .unwrap()
}

fn header_of(response: &Response, name: header::HeaderName) -> &str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn r77_every_answer_carries_the_security_headers() {
    let router = protected(routes(), shell(Limits::default(), true));
    for path in ["/", "/nowhere", "/panic", "/assets/css/style.css", "/data"] {
        let response = ask(&router, path).await;
        let policy = header_of(&response, header::CONTENT_SECURITY_POLICY);
        for part in ["default-src 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        // Data loads nothing at all.
        let loads = policy.contains("script-src 'self' 'wasm-unsafe-eval'");
        assert_eq!(loads, path != "/data", "{path}: {policy}");
        assert_eq!(
            header_of(&response, header::X_CONTENT_TYPE_OPTIONS),
            "nosniff",
            "{path}"
        );
        assert_eq!(
            header_of(&response, header::REFERRER_POLICY),
            "no-referrer",
            "{path}"
        );
        assert_eq!(
            header_of(&response, header::STRICT_TRANSPORT_SECURITY),
            "max-age=31536000",
            "{path}"
        );
        assert_eq!(
            response.headers().get(REQUEST_ID).unwrap().len(),
            16,
            "{path}"
        );
        let cache = if path.starts_with("/assets/") {
            "no-cache"
        } else {
            "no-store"
        };
        assert_eq!(header_of(&response, header::CACHE_CONTROL), cache, "{path}");
    }
}

#[tokio::test]
async fn r71_strict_transport_security_is_for_https_only() {
    let router = protected(routes(), shell(Limits::default(), false));
    assert!(
        ask(&router, "/")
            .await
            .headers()
            .get(header::STRICT_TRANSPORT_SECURITY)
            .is_none()
    );
}

#[tokio::test]
async fn r90_a_panic_ends_one_request_and_nothing_else() {
    let router = protected(routes(), shell(Limits::default(), false));
    let response = ask(&router, "/panic").await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let id = response
        .headers()
        .get(REQUEST_ID)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let page = text(response).await;
    assert!(page.contains(&id) && !page.contains("on purpose"), "{page}");
    assert_eq!(text(ask(&router, "/").await).await, "page");
}

#[tokio::test]
async fn r96_what_is_cut_short_is_told_to_people_in_both_languages_and_to_programs_as_a_problem() {
    let router = protected(routes(), shell(Limits::default(), false));
    let response = ask(&router, "/panic").await;
    assert_eq!(
        header_of(&response, header::CONTENT_TYPE),
        "text/html; charset=utf-8"
    );
    let page = text(response).await;
    for part in [
        "lang=\"ja\"",
        "lang=\"en\"",
        "お問合せ",
        "support number",
        ">internal<",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for path in ["/api/v1/panic", "/activation/1/panic"] {
        let response = ask(&router, path).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            header_of(&response, header::CONTENT_TYPE),
            "application/problem+json"
        );
        let id = response.headers().get(REQUEST_ID).unwrap().clone();
        let problem: serde_json::Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(problem["code"], "internal");
        assert_eq!(problem["request_id"], id.to_str().unwrap());
    }
}

#[tokio::test]
async fn r79_one_request_too_many_is_told_to_come_again() {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = {
        let (entered, go_on) = (Arc::clone(&entered), Arc::clone(&go_on));
        get(move || async move {
            entered.notify_one();
            go_on.notified().await;
            "held"
        })
    };
    let limits = Limits {
        requests_max: 1,
        ..Limits::default()
    };
    let router = protected(routes().route("/held", held), shell(limits, false));
    let first = tokio::spawn({
        let router = router.clone();
        async move { ask(&router, "/held").await.status() }
    });
    entered.notified().await;
    let second = ask(&router, "/").await;
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header_of(&second, header::RETRY_AFTER), "5");
    go_on.notify_one();
    assert_eq!(first.await.unwrap(), StatusCode::OK);
    assert_eq!(ask(&router, "/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn r79_a_request_that_takes_too_long_is_cut() {
    let limits = Limits {
        request_timeout: Duration::from_millis(20),
        ..Limits::default()
    };
    let with_endless = routes().route("/never", get(std::future::pending::<&'static str>));
    let router = protected(with_endless, shell(limits, false));
    assert_eq!(
        ask(&router, "/never").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(ask(&router, "/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn r79_a_body_that_is_too_long_is_refused() {
    let router = protected(
        routes(),
        shell(
            Limits {
                body_bytes_max: 1000,
                ..Limits::default()
            },
            false,
        ),
    );
    let form = |length: usize| {
        Request::post("/form")
            .body(Body::from(vec![b'x'; length]))
            .unwrap()
    };
    assert_eq!(text(send(&router, form(1000)).await).await, "1000");
    assert_eq!(
        send(&router, form(1001)).await.status(),
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn the_name_of_a_request_is_ours_and_new_each_time() {
    let names =
        get(|Extension(caller): Extension<Caller>| async move { caller.request_id.to_string() });
    let router = protected(
        Router::new().route("/", names),
        shell(Limits::default(), false),
    );
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let request = Request::get("/")
            .header(REQUEST_ID, "mine")
            .body(Body::empty())
            .unwrap();
        let response = send(&router, request).await;
        let header = response
            .headers()
            .get(REQUEST_ID)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        assert_eq!(text(response).await, header);
        seen.insert(header);
    }
    assert_eq!(seen.len(), 100);
}

#[tokio::test]
async fn r78_the_caller_is_who_connected_unless_a_trusted_proxy_says_otherwise() {
    let tell = get(|Extension(caller): Extension<Caller>| async move {
        caller.origin().address.unwrap_or_default()
    });
    let mut shell = shell(Limits::default(), false);
    shell.trusted_proxies = TrustedProxies::parse(&["10.0.0.0/8"]).unwrap();
    let router = protected(Router::new().route("/", tell), shell);
    for (peer, told) in [
        ("10.1.1.1:5000", "203.0.113.9"),
        ("192.0.2.1:5000", "192.0.2.1"),
    ] {
        let mut request = Request::get("/")
            .header("x-forwarded-for", "203.0.113.9")
            .body(Body::empty())
            .unwrap();
        request
            .extensions_mut()
            .insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        assert_eq!(text(send(&router, request).await).await, told);
    }
}

#[test]
fn r78_only_what_trusted_proxies_wrote_is_believed() {
    let proxies = TrustedProxies::parse(&["10.0.0.0/8", "fd00::/8", "192.0.2.7"]).unwrap();
    let visitor = |peer: &str, forwarded: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            let line = HeaderValue::from_bytes(line.as_bytes()).unwrap();
            headers.append("x-forwarded-for", line);
        }
        proxies
            .visitor(peer.parse::<IpAddr>().unwrap(), &headers)
            .to_string()
    };
    assert_eq!(
        visitor("203.0.113.1", &["198.51.100.1"]),
        "203.0.113.1",
        "the peer is no proxy of ours"
    );
    assert_eq!(visitor("10.0.0.1", &[]), "10.0.0.1");
    assert_eq!(visitor("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
    assert_eq!(
        visitor("10.0.0.1", &["1.2.3.4, 198.51.100.1"]),
        "198.51.100.1",
        "what stands to the left is made up"
    );
    assert_eq!(
        visitor("10.0.0.1", &["1.2.3.4", "198.51.100.1, 192.0.2.7"]),
        "198.51.100.1",
        "two proxies, two lines"
    );
    assert_eq!(visitor("10.0.0.1", &["198.51.100.1, nonsense"]), "10.0.0.1");
    assert_eq!(
        visitor("10.0.0.1", &["\u{ff}, 198.51.100.1"]),
        "198.51.100.1",
        "bytes of a stranger hide nothing that our proxy wrote"
    );
    assert_eq!(
        visitor("::ffff:10.0.0.1", &["[2001:db8::1]:4711"]),
        "2001:db8::1"
    );
    assert_eq!(visitor("fd00::1", &["198.51.100.1:80"]), "198.51.100.1");
}

#[tokio::test]
async fn a_file_is_sent_once_and_then_only_asked_for() {
    let router: Router = assets::routes();
    let response = ask(&router, "/assets/css/style.css").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(
        header_of(&response, header::CONTENT_TYPE),
        "text/css; charset=utf-8"
    );
    let tag = header_of(&response, header::ETAG).to_owned();
    assert!(!text(response).await.is_empty());
    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let request = Request::get("/assets/css/style.css")
            .header(header::IF_NONE_MATCH, known)
            .body(Body::empty());
        let response = send(&router, request.unwrap()).await;
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(header_of(&response, header::ETAG), tag);
        assert!(text(response).await.is_empty());
    }
    let request = Request::get("/assets/css/style.css")
        .header(header::IF_NONE_MATCH, "\"other\"")
        .body(Body::empty());
    assert_eq!(
        send(&router, request.unwrap()).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_is_no_file_of_the_pages_is_not_served() {
    let router: Router = assets::routes();
    for path in [
        "/assets/nothing.css",
        "/assets/../Cargo.toml",
        "/assets/%2e%2e/Cargo.toml",
        "/assets/css",
        "/assets/",
    ] {
        assert_eq!(
            ask(&router, path).await.status(),
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn every_file_that_pages_name_is_served() {
    let router: Router = assets::routes();
    let templates = concat!(env!("CARGO_MANIFEST_DIR"), "/templates");
    let mut named = 0;
    for entry in std::fs::read_dir(templates).unwrap() {
        let path = entry.unwrap().path();
        let Ok(page) = std::fs::read_to_string(&path) else {
            continue;
        };
        for rest in page.split("\"/assets/").skip(1) {
            let file = format!("/assets/{}", rest.split('"').next().unwrap());
            assert_eq!(
                ask(&router, &file).await.status(),
                StatusCode::OK,
                "{}: {file}",
                path.display()
            );
            named += 1;
        }
    }
    assert!(named > 3, "the pages name {named} files");
}
