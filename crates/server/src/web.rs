//! What stands around every page: limits, the visitor's address, security headers, the files of the pages.
//!
//! Never here: a page, a use case, or a rule of the product.

pub mod app;
pub mod assets;
pub mod caller;
pub mod empty;
mod files;
pub mod front;
pub mod guard;
pub mod health;
pub mod metrics;
pub mod problem;
pub mod security;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response_with_state};

use crate::api;
use crate::api::v1::direct::Direct;
use crate::app::App;
use crate::config::Limits;
use crate::demo::DemoSite;
use crate::metrics::Metrics;
use crate::portal::Portal;
use caller::TrustedProxies;
use front::Front;
use guard::Guard;
use security::SecurityHeaders;

/// How the shell around the pages is set up.
pub struct Shell {
    /// How much of everything (R79).
    pub limits: Limits,
    /// Whose word about the visitor's address is taken (R78).
    pub trusted_proxies: TrustedProxies,
    /// Whether browsers come over TLS (R71).
    pub https: bool,
    /// Where requests are measured.
    pub metrics: Arc<Metrics>,
}

/// Puts the shell around a router. From the outside in: security headers, request id and log, limit on requests at once,
/// the visitor's address, time limit, panics (R90), limit on the body.
pub fn protected(router: Router, shell: Shell) -> Router {
    let security = SecurityHeaders { https: shell.https };
    guarded(router, &Arc::new(Guard::new(shell)), security)
}

fn guarded(router: Router, guard: &Arc<Guard>, security: SecurityHeaders) -> Router {
    let body_bytes_max = guard.limits().body_bytes_max;
    let guard = Arc::clone(guard);
    router
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .layer(from_fn_with_state(guard, guard::guard))
        .layer(map_response_with_state(
            security,
            security::security_headers,
        ))
}

/// Everything on the public address: pages and interfaces in their shell, and beside it the health of the node, which is asked
/// when the shell lets nobody in. Plain verifications take a short way, within the same shell.
pub fn public(app: Arc<App>, demo: Option<Arc<DemoSite>>, shell: Shell) -> Front {
    let security = SecurityHeaders { https: shell.https };
    let health = health::routes(Arc::clone(&app)).layer(map_response_with_state(
        security,
        security::security_headers,
    ));
    let guard = Arc::new(Guard::new(shell));
    let direct = Direct::new(Arc::clone(&app));
    let router = guarded(router(app, demo), &guard, security).merge(health);
    Front::new(router, direct, guard, security)
}

/// Everything that is served in the shell: the pages, the interfaces for programs, the files of the pages.
pub fn router(app: Arc<App>, demo: Option<Arc<DemoSite>>) -> Router {
    let api = api::activation::routes(Arc::clone(&app))
        .merge(api::device::routes(Arc::clone(&app)))
        .merge(api::v1::routes(&app));
    assets::routes()
        .merge(self::app::routes())
        .merge(api)
        .merge(Portal::new(app, demo).router())
}
