//! Who asks: language, cookies, session, and the surroundings of every page and refusal. Everything that a handler knows of
//! HTTP beside its own form.

use axum::Json;
use axum::extract::{FromRequestParts, OriginalUri, Query};
use axum::http::header::{ACCEPT_LANGUAGE, COOKIE, RETRY_AFTER, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use warifu_core::audit::Origin;
use warifu_core::refusal::Refusal;
use warifu_core::service::Service;
use warifu_core::session::Stage;
use warifu_core::suspension::Releasers;
use warifu_core::time::UnixMillis;
use warifu_core::user::Language;

use super::Portal;
use super::pages::{Circumstances, ErrorPage, Field, Frame, Problem, path};
use crate::app::outbox::service_name;
use crate::app::session::{Request, Session, SessionCookie};
use crate::app::{App, Failure, time_zone};
use crate::clock::random_bytes;
use crate::text::{Text, preferred};
use crate::web::caller::Caller;
use crate::web::problem;

/// The cookie of the chosen language; nothing depends on it but words.
const LANGUAGE_COOKIE: &str = "warifu_language";

/// Seconds that a chosen language is remembered: a year.
const LANGUAGE_KEPT_S: u32 = 365 * 24 * 60 * 60;

/// The one who asks for a page.
pub(super) struct Visitor {
    /// The portal that was asked.
    pub(super) portal: Portal,
    /// The service whose portal it is.
    pub(super) service: Service,
    /// The catalogue in the visitor's language.
    pub(super) text: Text,
    /// Where the request came from.
    pub(super) origin: Origin,
    /// The session, if one is alive.
    pub(super) session: Option<Session>,
    /// Whether the browser sent the cookie of a session that is over.
    pub(super) session_is_over: bool,
    form_token: String,
    set_cookies: Vec<String>,
    path: String,
}

/// An answer that is not the page that was asked for: a refusal, a fault, or the way to another page.
pub(super) struct Trouble(Box<Response>);

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Response> for Trouble {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

/// Turns failures of use cases into answers.
pub(super) trait OrTrouble<T> {
    /// The value, or the page that says what went wrong.
    fn or_trouble(self, visitor: &Visitor) -> Result<T, Trouble>;
    /// The value, or the same as JSON, for scripts of our pages.
    fn or_json_trouble(self, visitor: &Visitor) -> Result<T, Trouble>;
}

impl<T, F: Into<Failure>> OrTrouble<T> for Result<T, F> {
    fn or_trouble(self, visitor: &Visitor) -> Result<T, Trouble> {
        self.map_err(|failure| visitor.trouble(&failure.into()))
    }

    fn or_json_trouble(self, visitor: &Visitor) -> Result<T, Trouble> {
        self.map_err(|failure| visitor.json_trouble(&failure.into()))
    }
}

#[derive(Deserialize)]
struct LanguageChoice {
    lang: Option<String>,
}

impl FromRequestParts<Portal> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, Response> {
        let names = CookieNames::of(&portal.app);
        let origin = parts
            .extensions
            .get::<Caller>()
            .map(Caller::origin)
            .unwrap_or_default();
        let chosen = Query::<LanguageChoice>::try_from_uri(&parts.uri)
            .ok()
            .and_then(|query| query.0.lang)
            .and_then(|tag| Language::from_tag(&tag));
        let remembered = cookie(parts, LANGUAGE_COOKIE).and_then(Language::from_tag);
        let preferred = || {
            let header = parts
                .headers
                .get(ACCEPT_LANGUAGE)
                .and_then(|value| value.to_str().ok());
            header.map(preferred).unwrap_or_default()
        };
        let language = chosen.or(remembered).unwrap_or_else(preferred);

        let uri = parts
            .extensions
            .get::<OriginalUri>()
            .map_or(&parts.uri, |uri| &uri.0);
        let path = path_without_language(uri);
        let bare = |failure: &Failure| bare_fault(failure, &origin, portal.app.now());
        let service = portal
            .app
            .services()
            .await
            .map_err(|failure| bare(&failure))?
            .into_iter()
            .next();
        let service = service.ok_or_else(|| {
            bare(&Failure::fault(
                "there is no service yet: see warifu provision",
            ))
        })?;

        let session_cookie = cookie(parts, names.session).map(SessionCookie::received);
        let mut session = match &session_cookie {
            Some(cookie) => portal
                .app
                .session(cookie, asked_by(uri.path()))
                .await
                .map_err(|failure| bare(&failure))?,
            None => None,
        };
        if let Some(session) = &mut session {
            session.language = language;
        }
        let mut set_cookies = Vec::new();
        if let Some(language) = chosen {
            set_cookies.push(names.set(LANGUAGE_COOKIE, language.as_str(), Some(LANGUAGE_KEPT_S)));
        }
        let form_token = match (&session, cookie(parts, names.form)) {
            (Some(session), _) => session.csrf_token.clone(),
            (None, Some(token)) if token.len() >= 32 => token.to_owned(),
            (None, _) => {
                let token = BASE64URL_NOPAD.encode(&random_bytes::<32>());
                set_cookies.push(names.set(names.form, &token, None));
                token
            }
        };
        Ok(Self {
            service: session
                .as_ref()
                .map_or(service, |session| session.service.clone()),
            session_is_over: session_cookie.is_some() && session.is_none(),
            portal: portal.clone(),
            text: Text::new(language),
            origin,
            session,
            form_token,
            set_cookies,
            path,
        })
    }
}

impl Visitor {
    /// The use cases.
    pub(super) fn app(&self) -> &App {
        &self.portal.app
    }

    /// The visitor's language.
    pub(super) fn language(&self) -> Language {
        self.text.language()
    }

    /// What surrounds every page.
    pub(super) fn frame(&self) -> Frame {
        Frame {
            text: self.text,
            path: page_of(&self.path).to_owned(),
            service_name: service_name(&self.service, self.language()),
            brand_href: None,
            help_desk: self.service.help_desk.clone(),
            csrf: self.form_token.clone(),
            who: self
                .session
                .as_ref()
                .map(|session| session.user.name.clone()),
            demo: self.portal.demo.is_some(),
            problems: Vec::new(),
        }
    }

    /// The same with one refusal, at its field.
    pub(super) fn frame_with(&self, refusal: &Refusal) -> Result<Frame, Trouble> {
        let problems = vec![self.problem(refusal)?];
        Ok(Frame {
            problems,
            ..self.frame()
        })
    }

    /// The refusal in the visitor's words, at its field.
    pub(super) fn problem(&self, refusal: &Refusal) -> Result<Problem, Trouble> {
        let about = self.circumstances(Releasers::HelpDesk).or_trouble(self)?;
        let problem = Problem::of(refusal, &about);
        Ok(match field_of(refusal) {
            Some(field) => problem.at(field),
            None => problem,
        })
    }

    /// What sentences need to know.
    pub(super) fn circumstances(&self, releasers: Releasers) -> Result<Circumstances, Failure> {
        Ok(Circumstances {
            text: self.text,
            now: self.app().now(),
            zone: time_zone(&self.service)?,
            releasers,
            run_max: self.service.policy.run_max,
        })
    }

    /// A point in time in the visitor's words.
    pub(super) fn moment(&self, at: UnixMillis) -> Result<String, Trouble> {
        crate::app::outbox::moment(self.text, &self.service, at).or_trouble(self)
    }

    /// The page, with the visitor's cookies.
    pub(super) fn page(&self, page: &impl askama::Template) -> Result<Response, Trouble> {
        self.page_with(StatusCode::OK, page)
    }

    /// The page under another status.
    pub(super) fn page_with(
        &self,
        status: StatusCode,
        page: &impl askama::Template,
    ) -> Result<Response, Trouble> {
        let html = page
            .render()
            .map_err(|_| Failure::fault("a page was not rendered"))
            .or_trouble(self)?;
        Ok(self.with_cookies((status, Html(html)).into_response()))
    }

    /// The way to another page, by GET.
    pub(super) fn redirect(&self, to: &str) -> Response {
        self.with_cookies(Redirect::to(to).into_response())
    }

    /// The way to another page with a new session.
    pub(super) fn redirect_with_session(&self, to: &str, session: &SessionCookie) -> Response {
        let names = CookieNames::of(self.app());
        let mut response = self.redirect(to);
        append_cookie(
            &mut response,
            &names.set(names.session, session.expose(), None),
        );
        response
    }

    /// The answer without a session from now on.
    pub(super) fn without_session(&self, mut response: Response) -> Response {
        let names = CookieNames::of(self.app());
        append_cookie(&mut response, &names.set(names.session, "", Some(0)));
        response
    }

    /// The session, or the way to the sign-in.
    pub(super) fn signed_in(&self, stage: Stage) -> Result<&Session, Trouble> {
        match &self.session {
            Some(session) if session.stage == stage => Ok(session),
            Some(_) => Err(self.redirect(path::TOP).into()),
            None => Err(self.to_sign_in(self.session_is_over).into()),
        }
    }

    fn to_sign_in(&self, expired: bool) -> Response {
        let to = if expired {
            format!("{}?expired=1", path::SIGN_IN)
        } else {
            path::SIGN_IN.to_owned()
        };
        self.without_session(self.redirect(&to))
    }

    /// Refuses a write whose form is not of this session (R76).
    pub(super) fn check_form_token(&self, received: &str) -> Result<(), Refusal> {
        let same: bool = self.form_token.as_bytes().ct_eq(received.as_bytes()).into();
        if same {
            Ok(())
        } else {
            Err(Refusal::FormExpired)
        }
    }

    /// The page that says what went wrong. Faults of ours are logged with the id that support can look up (R84, R96).
    pub(super) fn trouble(&self, failure: &Failure) -> Trouble {
        if failure.refusal() == Some(Refusal::SessionExpired) {
            return self.to_sign_in(true).into();
        }
        let status = status_of(failure);
        let page = ErrorPage {
            frame: self.frame(),
            problem: self.told(failure),
            support_id: status
                .is_server_error()
                .then(|| self.origin.request_id.clone()),
        };
        log_fault(failure, &self.origin);
        let response = match self.page_with(status, &page) {
            Ok(response) => response,
            Err(trouble) => return trouble,
        };
        self.retry_after(failure, response).into()
    }

    /// The same for the scripts of our pages: `{"errors": [..]}`.
    pub(super) fn json_trouble(&self, failure: &Failure) -> Trouble {
        log_fault(failure, &self.origin);
        let mut problem = self.told(failure);
        problem.field = failure.refusal().as_ref().and_then(field_of);
        let status = match status_of(failure) {
            StatusCode::OK | StatusCode::BAD_REQUEST => StatusCode::UNPROCESSABLE_ENTITY,
            status => status,
        };
        let response =
            (status, Json(json!({ "errors": [problem.json(self.text)] }))).into_response();
        self.retry_after(failure, response).into()
    }

    fn told(&self, failure: &Failure) -> Problem {
        match (failure, self.circumstances(Releasers::HelpDesk)) {
            (Failure::Refused(refusal), Ok(about)) => Problem::of(refusal, &about),
            (Failure::Store(_), _) => Problem::new("service_unavailable"),
            (_, _) => Problem::new("internal").with("support", self.origin.request_id.clone()),
        }
    }

    /// With the seconds after which it may work, where a failure says when.
    pub(super) fn retry_after(&self, failure: &Failure, response: Response) -> Response {
        with_retry_after(failure, self.app().now(), response)
    }

    fn with_cookies(&self, mut response: Response) -> Response {
        for cookie in &self.set_cookies {
            append_cookie(&mut response, cookie);
        }
        response
    }
}

/// A form as it was sent, every field that was in it. The CSRF token is checked before a handler sees the fields.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form of this visitor.
    pub(super) fn read(visitor: &Visitor, body: &[u8]) -> Result<Self, Trouble> {
        let fields = Self(form_urlencoded::parse(body).into_owned().collect());
        visitor
            .check_form_token(fields.text("csrf"))
            .or_trouble(visitor)?;
        Ok(fields)
    }

    /// The first value of a field; empty when it was not sent.
    pub(super) fn text(&self, field: &str) -> &str {
        self.all(field).next().unwrap_or_default()
    }

    /// All values of a field.
    pub(super) fn all<'a>(&'a self, field: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let field = field.to_owned();
        self.0
            .iter()
            .filter(move |(name, _)| *name == field)
            .map(|(_, value)| value.as_str())
    }
}

/// The names of our cookies. Over https they are bound to the host and never sent in clear (R75); plain http is allowed for
/// loopback addresses only, where browsers disagree about such cookies.
struct CookieNames {
    secure: bool,
    session: &'static str,
    form: &'static str,
}

impl CookieNames {
    fn of(app: &App) -> Self {
        if app.settings().public_url.starts_with("https://") {
            Self {
                secure: true,
                session: "__Host-warifu",
                form: "__Host-warifu-form",
            }
        } else {
            Self {
                secure: false,
                session: "warifu",
                form: "warifu-form",
            }
        }
    }

    fn set(&self, name: &str, value: &str, lives_s: Option<u32>) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let lives = lives_s
            .map(|seconds| format!("; Max-Age={seconds}"))
            .unwrap_or_default();
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict{secure}{lives}")
    }
}

/// The only address that a page of ours asks again and again by itself.
fn asked_by(asked: &str) -> Request {
    if asked == path::WAITING_STATE {
        Request::Script
    } else {
        Request::Person
    }
}

fn append_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

fn cookie<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts
        .headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

fn path_without_language(uri: &axum::http::Uri) -> String {
    let kept: Vec<_> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("lang="))
        .collect();
    if kept.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), kept.join("&"))
    }
}

/// The field that a refusal is about.
const fn field_of(refusal: &Refusal) -> Option<Field> {
    match refusal {
        Refusal::MailInvalid => Some(Field::MailAddress),
        Refusal::MailMismatch => Some(Field::MailAddressAgain),
        Refusal::SignInRefused => Some(Field::LoginId),
        Refusal::CodeFormat { .. } | Refusal::CodeWrong { .. } | Refusal::CodeAlreadyUsed => {
            Some(Field::Code)
        }
        Refusal::ConfirmationPasswordWrong => Some(Field::ConfirmationPassword),
        Refusal::NobodySelected => Some(Field::Users),
        _ => None,
    }
}

/// The status of a page that says a failure.
fn status_of(failure: &Failure) -> StatusCode {
    match failure {
        Failure::Refused(refusal) => match refusal {
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::NotPermitted
            | Refusal::FormExpired
            | Refusal::SelfRelease
            | Refusal::TwoOperatorsNeeded => StatusCode::FORBIDDEN,
            Refusal::SessionExpired => StatusCode::UNAUTHORIZED,
            Refusal::TooManyRequests { .. } | Refusal::SignInSlowed { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Refusal::TokenAlreadyInUse | Refusal::NoIssuance | Refusal::Raced => {
                StatusCode::CONFLICT
            }
            Refusal::Busy | Refusal::ClockUnsure => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        },
        Failure::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        Failure::Vault(_) | Failure::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

pub(super) fn log_fault(failure: &Failure, origin: &Origin) {
    if failure.refusal().is_none() {
        tracing::error!(request_id = %origin.request_id, %failure, "a request failed");
    }
}

/// The answer when not even the surroundings of a page are to be had.
fn bare_fault(failure: &Failure, origin: &Origin, now: UnixMillis) -> Response {
    log_fault(failure, origin);
    let code = match failure {
        Failure::Store(_) => "service_unavailable",
        _ => "internal",
    };
    let mut response = problem::page(code, &origin.request_id);
    *response.status_mut() = status_of(failure);
    with_retry_after(failure, now, response)
}

/// With the seconds after which it may work, where a failure says when.
fn with_retry_after(failure: &Failure, now: UnixMillis, mut response: Response) -> Response {
    if let Some(seconds) = failure.retry_after_s(now) {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The address to read a page again at, where the page may answer a form that only takes writes.
fn page_of(address: &str) -> &str {
    match address {
        path::WAITING_SEND_AGAIN | path::WAITING_START_OVER => path::WAITING,
        path::SIGN_OUT => path::TOP,
        other => other,
    }
}
