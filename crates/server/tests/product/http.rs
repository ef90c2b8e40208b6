//! The HTTP surface with the whole product behind it (R75 to R79, PRODUCT.md §7): cookies, headers, forms, and bytes that no
//! browser and no app of ours would send.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use proptest::prelude::*;
use tower_service::Service as _;
use warifu_activation::messages::MEDIA_TYPE;
use warifu_core::session::Stage;
use warifu_core::throttle::FREE_PER_ADDRESS;
use warifu_server::config::Limits;
use warifu_server::web::caller::TrustedProxies;
use warifu_server::web::front::Front;
use warifu_server::web::{Shell, public};
use warifu_store::testing::TestDatabase;

use crate::bank::{Bank, CONFIRMATION, PASSWORD, SERVICE};
use crate::phone::{DIGITS, issue_hollow, started};

const SESSION: &str = "__Host-warifu";
const FORM: &str = "__Host-warifu-form";

/// Every path that answers to GET.
const PAGES: [&str; 14] = [
    "/",
    "/sign-in",
    "/issue",
    "/waiting",
    "/waiting/state",
    "/verify",
    "/manage",
    "/manage/users",
    "/manage/users/release",
    "/manage/users/revoke",
    "/download",
    "/time",
    "/nowhere",
    "/assets/nothing.css",
];

/// Every path that takes a form, or a script's JSON.
const FORMS: [&str; 7] = [
    "/sign-in",
    "/sign-out",
    "/waiting/send-again",
    "/waiting/start-over",
    "/verify",
    "/manage/users/release",
    "/manage/users/revoke",
];

pub(crate) struct Site {
    pub(crate) bank: Bank,
    router: Front,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The cookies it sets, by name.
    fn cookies(&self) -> BTreeMap<String, String> {
        let lines = self.headers.get_all(header::SET_COOKIE).iter();
        lines
            .map(|line| {
                let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
                (name.to_owned(), rest.to_owned())
            })
            .collect()
    }

    fn cookie(&self, name: &str) -> String {
        let set = self.cookies();
        let value = set.get(name).unwrap_or_else(|| panic!("no cookie {name}"));
        value.split(';').next().unwrap().to_owned()
    }

    /// The token that its forms carry.
    fn csrf(&self) -> String {
        let rest = self.text.split("name=\"csrf\"").nth(1).expect("a form");
        let value = rest.split("value=\"").nth(1).unwrap();
        value.split('"').next().unwrap().to_owned()
    }
}

impl Site {
    pub(crate) async fn open(database: TestDatabase) -> Self {
        let bank = Bank::open(database).await;
        let shell = Shell {
            limits: Limits::default(),
            trusted_proxies: TrustedProxies::default(),
            https: true,
            metrics: Arc::clone(bank.app.metrics()),
        };
        let router = public(Arc::clone(&bank.app), None, shell);
        Self { bank, router }
    }

    async fn send(&self, mut request: Request<Body>) -> Answer {
        let peer: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(peer));
        let response = self.router.clone().call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    async fn get(&self, path: &str, cookies: &str) -> Answer {
        let request = Request::get(path).header(header::COOKIE, cookies);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, cookies: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let request = Request::post(path)
            .header(header::COOKIE, cookies)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.finish())).unwrap())
            .await
    }

    /// Signs in through the form; gives the cookies of the session.
    async fn sign_in(&self, login: &str) -> Answer {
        self.sign_in_with(login, PASSWORD).await
    }

    async fn sign_in_with(&self, login: &str, password: &str) -> Answer {
        let page = self.get("/sign-in", "").await;
        let cookies = format!("{FORM}={}", page.cookie(FORM));
        let csrf = page.csrf();
        let fields = [
            ("csrf", csrf.as_str()),
            ("login_id", login),
            ("password", password),
        ];
        self.post("/sign-in", &cookies, &fields).await
    }

    /// The cookie header of a session that is there already.
    async fn session(&self, login: &str, stage: Stage) -> String {
        let cookie = self.bank.cookie(login, stage).await;
        format!("{SESSION}={}", cookie.expose())
    }

    /// The CSRF token of the session of these cookies.
    pub(crate) async fn csrf(&self, login: &str, stage: Stage) -> (String, String) {
        let cookie = self.bank.cookie(login, stage).await;
        let session = self.bank.session_of(&cookie).await.unwrap();
        (format!("{SESSION}={}", cookie.expose()), session.csrf_token)
    }

    async fn app_message(&self, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
        self.send(request.body(Body::from(body)).unwrap()).await
    }
}

#[tokio::test]
async fn r77_every_route_answers_with_the_security_headers() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let nobody = String::new();
    let halfway = site.session("hanako", Stage::Password).await;
    let master = site.session("master", Stage::Full).await;
    let mut answers = Vec::new();
    for cookies in [&nobody, &halfway, &master] {
        for path in PAGES {
            answers.push((path, site.get(path, cookies).await));
        }
        for path in FORMS.into_iter().chain(["/issue/start", "/issue/finish"]) {
            answers.push((path, site.post(path, cookies, &[]).await));
        }
    }
    for path in [
        "/activation/v1/start",
        "/activation/v1/finish",
        "/device/v1/status",
        "/device/v1/renew",
    ] {
        answers.push((path, site.app_message(path, MEDIA_TYPE, Vec::new()).await));
        answers.push((path, site.get(path, "").await));
    }
    for (path, answer) in answers {
        assert!(
            !answer.status.is_server_error(),
            "{path}: {}",
            answer.status
        );
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(
            !policy.contains("unsafe-inline") && !policy.contains("http"),
            "{path}"
        );
        assert_eq!(
            answer.header(header::X_CONTENT_TYPE_OPTIONS),
            "nosniff",
            "{path}"
        );
        assert_eq!(
            answer.header(header::REFERRER_POLICY),
            "no-referrer",
            "{path}"
        );
        assert_eq!(answer.header(header::X_FRAME_OPTIONS), "DENY", "{path}");
        let strict = answer.header(header::STRICT_TRANSPORT_SECURITY);
        assert_eq!(strict, "max-age=31536000", "{path}");
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store", "{path}");
        assert!(
            !answer.text.contains("<script>"),
            "{path}: a script in the page"
        );
    }
}

#[tokio::test]
async fn r75_cookies_are_bound_to_the_host_and_kept_from_scripts_and_other_sites() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let page = site.get("/sign-in?lang=en", "").await;
    let signed_in = site.sign_in("hanako").await;
    assert_eq!(signed_in.status, StatusCode::SEE_OTHER);
    assert_eq!(signed_in.header(header::LOCATION), "/issue");
    let mut seen = Vec::new();
    for (name, rest) in page.cookies().into_iter().chain(signed_in.cookies()) {
        for word in ["; Path=/", "; HttpOnly", "; SameSite=Strict", "; Secure"] {
            assert!(rest.contains(word), "{name}: {rest}");
        }
        assert!(!rest.contains("Domain"), "{name}");
        seen.push(name);
    }
    assert!(seen.contains(&SESSION.to_owned()) && seen.contains(&FORM.to_owned()));
    let session = format!("{SESSION}={}", signed_in.cookie(SESSION));
    let page = site.get("/issue", &session).await;
    assert_eq!(page.status, StatusCode::OK);
    let csrf = page.csrf();
    let out = site.post("/sign-out", &session, &[("csrf", &csrf)]).await;
    assert!(out.cookies()[SESSION].contains("Max-Age=0"));
    assert_eq!(
        site.get("/issue", &session).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn r36_a_refused_sign_in_shows_its_code_and_a_slowed_one_when_to_come_again() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let refused = site.sign_in_with("hanako", "wrong").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text.contains("sign_in_refused"));
    assert!(!refused.headers.contains_key(header::RETRY_AFTER));
    let mut slowed = refused;
    while slowed.status == StatusCode::UNPROCESSABLE_ENTITY {
        slowed = site.sign_in_with("hanako", "wrong").await;
    }
    assert_eq!(slowed.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(slowed.text.contains("sign_in_slowed"));
    let seconds: i64 = slowed.header(header::RETRY_AFTER).parse().unwrap();
    assert!(seconds >= 1);
}

#[tokio::test]
async fn r76_a_form_without_its_own_sessions_token_changes_nothing() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let suspended = site.bank.suspended();
    site.bank.hollow_token("jiro", suspended).await;
    let jiro = site.bank.user("jiro").await.id;
    let hanako = site.bank.session("hanako").await;
    issue_hollow(&site.bank.app, &hanako).await;
    let (cookies, own) = site.csrf("master", Stage::Full).await;
    let (_, of_another) = site.csrf("master", Stage::Full).await;
    let (waiting, _) = site.csrf("hanako", Stage::Password).await;
    let before = site.bank.events().await;
    for token in ["", "x", &own[1..], of_another.as_str()] {
        for path in FORMS {
            let cookies = if path.starts_with("/manage") {
                &cookies
            } else {
                &waiting
            };
            let fields = [
                ("csrf", token),
                ("user", jiro.as_str()),
                ("confirmation_password", CONFIRMATION),
                ("login_id", "hanako"),
                ("password", PASSWORD),
                ("code", "123456"),
            ];
            let answer = site.post(path, cookies, &fields).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {token:?}");
            assert!(answer.text.contains("form_expired"), "{path}: no code");
        }
        for path in ["/issue/start", "/issue/finish"] {
            let request = Request::post(path)
                .header(header::COOKIE, &waiting)
                .header("x-csrf-token", token)
                .body(Body::from("{}"))
                .unwrap();
            let answer = site.send(request).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} {token:?}");
        }
    }
    assert_eq!(site.bank.events().await, before);
    let fields = [
        ("csrf", own.as_str()),
        ("user", jiro.as_str()),
        ("confirmation_password", CONFIRMATION),
    ];
    let done = site.post("/manage/users/release", &cookies, &fields).await;
    assert_eq!(done.status, StatusCode::OK, "the same form with its token");
    let standing = site.bank.token("jiro").await.unwrap().counter.standing;
    assert_eq!(standing.as_str(), "in_use");
}

#[tokio::test]
async fn r76_reading_changes_nothing() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let hanako = site.bank.session("hanako").await;
    issue_hollow(&site.bank.app, &hanako).await;
    let before = (site.bank.events().await, site.bank.notices().await.len());
    let stages = [("master", Stage::Full), ("hanako", Stage::Password)];
    for (login, stage) in stages {
        let (cookies, csrf) = site.csrf(login, stage).await;
        for path in PAGES
            .into_iter()
            .chain(FORMS)
            .chain(["/issue/start", "/issue/finish"])
        {
            let query = format!("{path}?csrf={csrf}&user=x&confirmation_password=x");
            for method in [Method::GET, Method::HEAD] {
                let request = Request::builder()
                    .method(method)
                    .uri(&query)
                    .header(header::COOKIE, &cookies)
                    .header("x-csrf-token", &csrf);
                let answer = site.send(request.body(Body::empty()).unwrap()).await;
                assert!(
                    !answer.status.is_server_error(),
                    "{path}: {}",
                    answer.status
                );
            }
        }
    }
    let after = (site.bank.events().await, site.bank.notices().await.len());
    assert_eq!(after, before);
    assert_eq!(site.bank.issuance("hanako").await.state.as_str(), "issued");
}

#[tokio::test]
async fn r41_pages_of_managers_are_closed_to_everybody_else() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let general = site.session("hanako", Stage::Full).await;
    let halfway = site.session("master", Stage::Password).await;
    for path in PAGES.into_iter().filter(|path| path.starts_with("/manage")) {
        let answer = site.get(path, &general).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(answer.text.contains("not_permitted"), "{path}: no code");
        for cookies in ["", &halfway, "__Host-warifu=made-up"] {
            let answer = site.get(path, cookies).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path} {cookies}");
        }
    }
    let (cookies, csrf) = site.csrf("hanako", Stage::Full).await;
    let fields = [
        ("csrf", csrf.as_str()),
        ("user", "x"),
        ("confirmation_password", CONFIRMATION),
    ];
    let answer = site.post("/manage/users/revoke", &cookies, &fields).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_is_not_there_is_told_so_in_the_readers_language() {
    let site = Site::open(TestDatabase::sqlite()).await;
    for path in [
        "/nowhere",
        "/demo",
        "/demo/mail",
        "/manage/users/nothing",
        "/activation/v1/x",
    ] {
        let answer = site.get(path, "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(
            answer.text.contains("not_found") && answer.text.contains("lang=\"ja\""),
            "{path}"
        );
        let answer = site.get(&format!("{path}?lang=en"), "").await;
        assert!(answer.text.contains("lang=\"en\""), "{path}");
    }
}

#[tokio::test]
async fn r27_the_page_says_that_a_token_has_expired_and_leads_to_a_new_one() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let phone = site.bank.phone("hanako").await;
    let now = site.bank.app.now();
    for ends in [
        "UPDATE token SET expires_at_ms = $1",
        "UPDATE bearer SET expires_at_ms = $1",
    ] {
        site.bank.sql(ends, warifu_store::params![now]).await;
    }
    let (cookies, csrf) = site.csrf("hanako", Stage::Password).await;
    let code = phone.code(now);
    let fields = [("csrf", csrf.as_str()), ("code", code.as_str())];
    let told = site.post("/verify", &cookies, &fields).await;
    assert_eq!(told.status, 422);
    assert!(told.text.contains("有効期限が切れた"), "{}", told.text);
    assert_eq!(site.get("/verify", &cookies).await.header("location"), "/");
    assert_eq!(site.get("/", &cookies).await.header("location"), "/issue");
}

#[tokio::test]
async fn r78_a_made_up_forwarded_address_does_not_help_who_guesses() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let page = site.get("/sign-in", "").await;
    let (cookie, csrf) = (page.cookie(FORM), page.csrf());
    let mut last = StatusCode::OK;
    for number in 0..FREE_PER_ADDRESS + 2 {
        let body = format!("csrf={csrf}&login_id=guess{number}&password=x");
        let request = Request::post("/sign-in")
            .header(header::COOKIE, format!("{FORM}={cookie}"))
            .header("x-forwarded-for", format!("198.51.100.{number}"))
            .body(Body::from(body))
            .unwrap();
        let answer = site.send(request).await;
        last = answer.status;
        if number <= FREE_PER_ADDRESS {
            assert_eq!(last, StatusCode::UNPROCESSABLE_ENTITY, "{number}");
        } else {
            assert!(!answer.cookies().contains_key(SESSION));
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn r79_a_body_over_the_limit_is_refused_everywhere() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let over = vec![b'a'; Limits::default().body_bytes_max + 1];
    let paths = [
        "/sign-in",
        "/verify",
        "/issue/start",
        "/activation/v1/start",
        "/activation/v1/finish",
    ];
    for path in paths {
        let answer = site.app_message(path, MEDIA_TYPE, over.clone()).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

#[tokio::test]
async fn an_activation_message_of_another_type_is_a_problem_with_its_code() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let session = site.bank.session("hanako").await;
    let mailed = issue_hollow(&site.bank.app, &session).await;
    let good = started(&mailed, DIGITS).request().encode();
    let path = "/activation/v1/start";
    for content_type in [
        "",
        "text/plain",
        "application/json",
        "application/x-www-form-urlencoded",
    ] {
        let answer = site.app_message(path, content_type, good.clone()).await;
        assert_problem(&answer, StatusCode::BAD_REQUEST, "activation_message");
    }
    assert_eq!(site.bank.issuance("hanako").await.starts, 0);
    let answer = site.app_message(path, MEDIA_TYPE, good).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(header::CONTENT_TYPE), MEDIA_TYPE);
    assert_eq!(site.bank.issuance("hanako").await.starts, 1);
}

fn assert_problem(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(answer.status, status);
    assert_eq!(
        answer.header(header::CONTENT_TYPE),
        "application/problem+json"
    );
    let problem: serde_json::Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(problem["code"], code);
    assert_eq!(problem["status"], status.as_u16());
    let detail = problem["detail"].as_str().unwrap();
    assert!(!detail.is_empty() && detail != code, "a sentence: {detail}");
}

#[test]
fn whatever_bytes_come_the_answer_is_a_refusal_and_never_a_fault() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (site, good) = runtime.block_on(async {
        let site = Site::open(TestDatabase::sqlite()).await;
        let session = site.bank.session("hanako").await;
        let mailed = issue_hollow(&site.bank.app, &session).await;
        (site, started(&mailed, DIGITS).request().encode())
    });
    let before = runtime.block_on(site.bank.events());
    let length = good.len();
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..600),
        (0..length).prop_map({
            let good = good.clone();
            move |end| good[..end].to_vec()
        }),
        proptest::collection::vec(any::<u8>(), 1..64).prop_map({
            let good = good.clone();
            move |tail| [good.as_slice(), &tail].concat()
        }),
        // One byte of the frame around the ids and numbers: its type, its version, its lengths.
        (0..8_usize, 1..=255_u8).prop_map(move |(at, by)| {
            let mut changed = good.clone();
            changed[at] ^= by;
            changed
        }),
    ];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&bytes, |bytes| {
        for path in ["/activation/v1/start", "/activation/v1/finish"] {
            let sent = site.app_message(path, MEDIA_TYPE, bytes.clone());
            let answer = runtime.block_on(sent);
            assert_problem(&answer, StatusCode::BAD_REQUEST, "activation_message");
        }
        for path in ["/sign-in", "/verify", "/issue/start", "/issue/finish"] {
            let sent = site.app_message(path, "application/x-www-form-urlencoded", bytes.clone());
            let answer = runtime.block_on(sent);
            prop_assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
        }
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(runtime.block_on(site.bank.events()), before);
    assert_eq!(runtime.block_on(site.bank.issuance("hanako")).starts, 0);
}

#[tokio::test]
async fn what_people_type_comes_back_as_text_and_passwords_never() {
    let site = Site::open(TestDatabase::sqlite()).await;
    let page = site.get("/sign-in", "").await;
    let cookies = format!("{FORM}={}", page.cookie(FORM));
    let csrf = page.csrf();
    let typed = "\"><script>alert(1)</script>";
    let canary = "canary-password-4711";
    let fields = [
        ("csrf", csrf.as_str()),
        ("login_id", typed),
        ("password", canary),
    ];
    let answer = site.post("/sign-in", &cookies, &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        !answer.text.contains(typed) && answer.text.contains("alert(1)"),
        "kept, as text"
    );
    assert!(!answer.text.contains(canary));
    let (cookies, csrf) = site.csrf("master", Stage::Full).await;
    let fields = [
        ("csrf", csrf.as_str()),
        ("user", typed),
        ("confirmation_password", canary),
    ];
    let answer = site.post("/manage/users/release", &cookies, &fields).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!answer.text.contains(canary) && !answer.text.contains(typed));
    assert!(!answer.text.contains(SERVICE) || !answer.text.contains(PASSWORD));
}
