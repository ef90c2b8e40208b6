//! What stands around every page: limits, the visitor's address, security headers, the files of the pages.
//!
//! Never here: a page, a use case, or a rule of the product.

pub mod assets;
pub mod caller;
pub mod guard;
pub mod security;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response_with_state};

use crate::api;
use crate::app::App;
use crate::config::Limits;
use crate::demo::DemoSite;
use crate::portal::Portal;
use caller::TrustedProxies;
use guard::{Guard, ProblemPage};
use security::SecurityHeaders;

/// How the shell around the pages is set up.
pub struct Shell {
    /// How much of everything (R79).
    pub limits: Limits,
    /// Whose word about the visitor's address is taken (R78).
    pub trusted_proxies: TrustedProxies,
    /// Whether browsers come over TLS (R71).
    pub https: bool,
    /// What a visitor reads when a request was cut short.
    pub problem_page: ProblemPage,
}

/// Puts the shell around a router. From the outside in: security headers, request id and log, limit on requests at once,
/// the visitor's address, time limit, panics (R90), limit on the body.
pub fn protected(router: Router, shell: Shell) -> Router {
    let security = SecurityHeaders { https: shell.https };
    let body_bytes_max = shell.limits.body_bytes_max;
    let guard = Arc::new(Guard::new(
        shell.limits,
        shell.trusted_proxies,
        shell.problem_page,
    ));
    router
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(from_fn_with_state(guard, guard::guard))
        .layer(map_response_with_state(
            security,
            security::security_headers,
        ))
}

/// Everything that is served: the pages, the interfaces for programs, the files of the pages.
pub fn router(app: Arc<App>, demo: Option<Arc<DemoSite>>) -> Router {
    let api = api::activation::routes(Arc::clone(&app)).merge(api::v1::routes(&app));
    assets::routes()
        .merge(api)
        .merge(Portal::new(app, demo).router())
}
