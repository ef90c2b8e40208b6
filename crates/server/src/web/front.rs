//! The front of the public address: shows most requests into the router, and plain verifications the short way past it, under the same
//! guard and with the same headers. Never here: what a verification is.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use tower_service::Service;

use super::caller::{Caller, RequestId};
use super::guard::{Guard, Seen, tell_name};
use super::problem::Asked;
use super::security::{SecurityHeaders, add_to};
use crate::api::v1::direct::{Direct, Plain, ROUTE};

/// Everything on the public address; clones share it.
#[derive(Clone)]
pub struct Front(Arc<Inner>);

struct Inner {
    router: Router,
    direct: Direct,
    guard: Arc<Guard>,
    of_data: HeaderMap,
}

impl Front {
    pub(super) fn new(
        router: Router,
        direct: Direct,
        guard: Arc<Guard>,
        security: SecurityHeaders,
    ) -> Self {
        Self(Arc::new(Inner {
            router,
            direct,
            guard,
            of_data: security.of_data(),
        }))
    }
}

impl Inner {
    async fn answer(&self, request: Request) -> Response {
        let address = self.guard.address(request.extensions(), request.headers());
        match self.direct.read(request, address) {
            Ok(plain) => {
                let caller = Caller {
                    address,
                    request_id: RequestId::new(),
                };
                self.verification(&plain, &caller).await
            }
            Err(request) => {
                let Ok(response) = self.router.clone().call(*request).await;
                response
            }
        }
    }

    async fn verification(&self, plain: &Plain, caller: &Caller) -> Response {
        let seen = Seen {
            id: &caller.request_id,
            method: &Method::POST,
            route: Some(ROUTE),
            asked: &Asked::by_program(plain.headers()),
        };
        let mut response = self.guard.watch(&seen, pin!(plain.answer(caller))).await;
        add_to(response.headers_mut(), &self.of_data);
        tell_name(&mut response, &caller.request_id);
        response
    }
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { Ok(inner.answer(request).await) })
    }
}
