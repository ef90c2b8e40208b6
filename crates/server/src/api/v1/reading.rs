//! Services, contracts, users, tokens and events.

use axum::Json;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use warifu_core::audit::Action;
use warifu_core::refusal::Refusal;
use warifu_core::relying::Scope;
use warifu_store::EventPlace;

use super::call::{
    Asked, Call, ContractPath, OfContract, OfService, OfUser, ServicePath, UserPath,
};
use crate::api::problem::Problem;
use crate::app::relying::answers::{
    ContractAnswer, ContractsAnswer, EventsAnswer, ServiceAnswer, ServicesAnswer, TokenAnswer,
    UserAnswer, UsersAnswer,
};
use crate::app::relying::{PAGE_DEFAULT, PAGE_MAX, Page};
use crate::app::sign_in::LOGIN_ID_MAX;

/// Which part of a long list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// Begin after this one: the `next` of the page before.
    #[param(
        pattern = "^[A-Za-z0-9._@-]{1,64}$",
        required = false,
        nullable = false
    )]
    after: Option<String>,
    /// So many at most.
    #[param(
        minimum = 1,
        maximum = 500,
        default = 100,
        required = false,
        nullable = false
    )]
    limit: Option<u32>,
}

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsAsked {
    /// Begin after this: the `next` of the page before; or a little before the event of this `event_id`.
    #[param(
        pattern = "^([0-8][0-9]{18}|([0-8][0-9]{18})?[0-7][0-9a-hjkmnp-tv-z]{25})$",
        required = false,
        nullable = false
    )]
    after: Option<String>,
    /// So many at most.
    #[param(
        minimum = 1,
        maximum = 500,
        default = 100,
        required = false,
        nullable = false
    )]
    limit: Option<u32>,
    /// Only events of this action, such as `verify`, `release` or `revoke`.
    #[param(required = false, nullable = false)]
    action: Option<String>,
}

/// The part of a list that was asked for.
fn page(
    after: Option<&str>,
    limit: Option<u32>,
    fits: fn(u8) -> bool,
) -> Result<Page<'_>, Problem> {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    let named =
        after.is_none_or(|id| (1..=LOGIN_ID_MAX).contains(&id.len()) && id.bytes().all(fits));
    if !named || !(1..=PAGE_MAX).contains(&limit) {
        return Err(unreadable());
    }
    let after = after.unwrap_or_default();
    Ok(Page { after, limit })
}

fn unreadable() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "request_query")
}

const fn of_login_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-')
}

const fn of_event_place(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

/// The services that the client may act on
#[utoipa::path(
    get,
    path = "/services",
    operation_id = "services",
    tag = "Services and people",
    params(Paging),
    responses((status = 200, description = "A page of services", body = ServicesAnswer)),
    security(("key" = ["read"])),
)]
pub(super) async fn services(
    call: Call,
    Asked(asked): Asked<Paging>,
) -> Result<Json<ServicesAnswer>, Problem> {
    call.may(Scope::Read)?;
    let page = page(asked.after.as_deref(), asked.limit, of_login_id)?;
    let answer = call.app.services_for(&call.caller, page).await;
    answer.map(Json).map_err(|failure| call.problem(&failure))
}

/// One service
#[utoipa::path(
    get,
    path = "/services/{service_id}",
    operation_id = "service",
    tag = "Services and people",
    params(ServicePath),
    responses((status = 200, description = "The service", body = ServiceAnswer)),
    security(("key" = ["read"])),
)]
pub(super) async fn service(
    call: Call,
    OfService(service_id): OfService,
) -> Result<Json<ServiceAnswer>, Problem> {
    call.may(Scope::Read)?;
    let answer = call.app.service_for(&call.caller, &service_id).await;
    answer.map(Json).map_err(|failure| call.problem(&failure))
}

/// The contracts of a service
#[utoipa::path(
    get,
    path = "/services/{service_id}/contracts",
    operation_id = "contracts",
    tag = "Services and people",
    params(ServicePath, Paging),
    responses((status = 200, description = "A page of contracts", body = ContractsAnswer)),
    security(("key" = ["read"])),
)]
pub(super) async fn contracts(
    call: Call,
    OfService(service_id): OfService,
    Asked(asked): Asked<Paging>,
) -> Result<Json<ContractsAnswer>, Problem> {
    call.may(Scope::Read)?;
    let page = page(asked.after.as_deref(), asked.limit, of_login_id)?;
    let answer = call
        .app
        .contracts_for(&call.caller, &service_id, page)
        .await;
    answer.map(Json).map_err(|failure| call.problem(&failure))
}

/// One contract
#[utoipa::path(
    get,
    path = "/services/{service_id}/contracts/{contract_id}",
    operation_id = "contract",
    tag = "Services and people",
    params(ContractPath),
    responses((status = 200, description = "The contract", body = ContractAnswer)),
    security(("key" = ["read"])),
)]
pub(super) async fn contract(
    call: Call,
    asked: OfContract,
) -> Result<Json<ContractAnswer>, Problem> {
    call.may(Scope::Read)?;
    let (service_id, contract_id) = (&asked.service_id, &asked.contract_id);
    let answer = call
        .app
        .contract_for(&call.caller, service_id, contract_id)
        .await;
    answer.map(Json).map_err(|failure| call.problem(&failure))
}

/// The users of a contract, each with the latest token
#[utoipa::path(
    get,
    path = "/services/{service_id}/contracts/{contract_id}/users",
    operation_id = "users_of_contract",
    tag = "Services and people",
    params(ContractPath, Paging),
    responses((status = 200, description = "A page of users", body = UsersAnswer)),
    security(("key" = ["read"])),
)]
pub(super) async fn users_of_contract(
    call: Call,
    of: OfContract,
    Asked(asked): Asked<Paging>,
) -> Result<Json<UsersAnswer>, Problem> {
    call.may(Scope::Read)?;
    let page = page(asked.after.as_deref(), asked.limit, of_login_id)?;
    let answer = call
        .app
        .users_for(&call.caller, &of.service_id, Some(&of.contract_id), page)
        .await;
    answer.map(Json).map_err(|failure| call.problem(&failure))
}

/// The users of a service, each with the latest token
#[utoipa::path(
    get,
    path = "/services/{service_id}/users",
    operation_id = "users",
    tag = "Services and people",
    params(ServicePath, Paging),
    responses((status = 200, description = "A page of users", body = UsersAnswer)),
    security(("key" = ["read"])),
)]
pub(super) async fn users(
    call: Call,
    OfService(service_id): OfService,
    Asked(asked): Asked<Paging>,
) -> Result<Json<UsersAnswer>, Problem> {
    call.may(Scope::Read)?;
    let page = page(asked.after.as_deref(), asked.limit, of_login_id)?;
    let answer = call
        .app
        .users_for(&call.caller, &service_id, None, page)
        .await;
    answer.map(Json).map_err(|failure| call.problem(&failure))
}

/// One user with the latest token
#[utoipa::path(
    get,
    path = "/services/{service_id}/users/{login_id}",
    operation_id = "user",
    tag = "Services and people",
    params(UserPath),
    responses((status = 200, description = "The user", body = UserAnswer)),
    security(("key" = ["read"])),
)]
pub(super) async fn user(call: Call, of: OfUser) -> Result<Json<UserAnswer>, Problem> {
    call.may(Scope::Read)?;
    let answer = call
        .app
        .user_for(&call.caller, &of.service_id, &of.login_id)
        .await;
    answer.map(Json).map_err(|failure| call.problem(&failure))
}

/// The token of a user: the one that lives, or else the one that was activated last
///
/// A user who never had one is answered with 409 `no_token`.
#[utoipa::path(
    get,
    path = "/services/{service_id}/users/{login_id}/token",
    operation_id = "token",
    tag = "Tokens",
    params(UserPath),
    responses((status = 200, description = "The token", body = TokenAnswer)),
    security(("key" = ["read"])),
)]
pub(super) async fn token(call: Call, of: OfUser) -> Result<Json<TokenAnswer>, Problem> {
    call.may(Scope::Read)?;
    let answer = call
        .app
        .token_for(&call.caller, &of.service_id, &of.login_id)
        .await;
    answer.map(Json).map_err(|failure| call.problem(&failure))
}

/// The audit events of a service, the oldest first
///
/// An event is told once it is 2 seconds old. To follow what happens, ask again with the `next` of the last page as `after`. While `more` is true
/// there may be more already, also after a page that is empty.
#[utoipa::path(
    get,
    path = "/services/{service_id}/events",
    operation_id = "events",
    tag = "Events",
    params(ServicePath, EventsAsked),
    responses((status = 200, description = "A page of events", body = EventsAnswer)),
    security(("key" = ["events"])),
)]
pub(super) async fn events(
    call: Call,
    OfService(service_id): OfService,
    Asked(asked): Asked<EventsAsked>,
) -> Result<Json<EventsAnswer>, Problem> {
    call.may(Scope::Events)?;
    let page = page(asked.after.as_deref(), asked.limit, of_event_place)?;
    let after = match page.after {
        "" => Some(EventPlace::default()),
        after => EventPlace::parse(after),
    };
    let after = after.ok_or_else(unreadable)?;
    let action = match asked.action.as_deref() {
        None => None,
        Some(word) => {
            let mut all = Action::ALL.iter().copied();
            let found = all.find(|action| action.as_str() == word);
            Some(found.ok_or_else(unreadable)?)
        }
    };
    if call.caller.contract_id.is_some() {
        // Events are of the whole service; a client of one contract is never made with this scope.
        return Err(call.problem(&Refusal::ScopeMissing.into()));
    }
    let answer = call
        .app
        .events_for(&call.caller, &service_id, action, &after, page.limit)
        .await;
    answer.map(Json).map_err(|failure| call.problem(&failure))
}
