//! The portal: the web pages of PRODUCT.md J0 to J7. Only this module, the API and the console know HTTP.
//!
//! A handler reads the request, calls one use case of [`crate::app`], and renders one page of [`pages`]. Rules are in the core,
//! transactions in the use cases, words in the catalogue.

mod demo;
mod handlers;
pub mod pages;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::demo::DemoSite;
use handlers::{account, manage, public};
use pages::path;

/// What the portal's handlers share.
#[derive(Clone)]
pub struct Portal {
    app: Arc<App>,
    demo: Option<Arc<DemoSite>>,
}

impl Portal {
    /// The portal of an installation; with `demo`, the pages of the demo too.
    #[must_use]
    pub fn new(app: Arc<App>, demo: Option<Arc<DemoSite>>) -> Self {
        Self { app, demo }
    }

    /// The portal's pages.
    pub fn router(self) -> Router {
        let demo = self.demo.is_some();
        let pages = Router::new()
            .route(path::TOP, get(account::top))
            .route(
                path::SIGN_IN,
                get(account::sign_in_page).post(account::sign_in),
            )
            .route(path::SIGN_OUT, post(account::sign_out))
            .route(path::ISSUE, get(handlers::issuance::page))
            .route(path::ISSUE_START, post(handlers::issuance::start))
            .route(path::ISSUE_FINISH, post(handlers::issuance::finish))
            .route(path::WAITING, get(handlers::waiting::page))
            .route(path::WAITING_STATE, get(handlers::waiting::state))
            .route(
                path::WAITING_SEND_AGAIN,
                post(handlers::waiting::send_again),
            )
            .route(
                path::WAITING_START_OVER,
                post(handlers::waiting::start_over),
            )
            .route(
                path::VERIFY,
                get(handlers::verification::page).post(handlers::verification::verify),
            )
            .route(path::MANAGE, get(manage::menu))
            .route(path::MANAGE_USERS, get(manage::users))
            .route(
                path::MANAGE_RELEASE,
                get(manage::release_list).post(manage::release),
            )
            .route(
                path::MANAGE_REVOKE,
                get(manage::revoke_list).post(manage::revoke),
            )
            .route(path::DOWNLOAD, get(public::download))
            .route(path::TIME, get(public::time))
            .fallback(public::not_found);
        let pages = if demo {
            pages.merge(demo::routes())
        } else {
            pages
        };
        pages.with_state(self)
    }
}
