//! What relying systems read and do (J10), beside the verification: services, contracts, users, tokens, events; releases,
//! revocations. Every answer is within the caller's limits: what is not, is not found (R41).

mod acting;
pub mod answers;
mod reading;

use jiff::Timestamp;
use warifu_core::id::ServiceId;
use warifu_core::refusal::Refusal;
use warifu_core::service::Service;
use warifu_core::time::UnixMillis;
use warifu_core::user::User;
use warifu_store::Tx;

pub use acting::ApiWrite;
pub use reading::{EVENTS_SETTLE_MS, PAGE_DEFAULT, PAGE_MAX, Page};

use super::Failure;
use super::api_clients::ApiCaller;

/// The service of this id, if the caller may know of it.
///
/// # Errors
/// [`Refusal::NotFound`] (R41).
pub(super) async fn visible_service(
    tx: &mut Tx,
    caller: &ApiCaller,
    id: &ServiceId,
) -> Result<Service, Failure> {
    if caller.service_id.as_ref().is_some_and(|only| only != id) {
        return Err(Refusal::NotFound.into());
    }
    Ok(tx.service(id).await?.ok_or(Refusal::NotFound)?)
}

/// The user of this login id with the service, if the caller may know of both.
///
/// # Errors
/// [`Refusal::NotFound`] (R41).
pub(super) async fn subject(
    tx: &mut Tx,
    caller: &ApiCaller,
    service_id: &ServiceId,
    login_id: &str,
) -> Result<(Service, User), Failure> {
    let service = visible_service(tx, caller, service_id).await?;
    let (user, _) = tx
        .user_by_login(&service.id, login_id)
        .await?
        .ok_or(Refusal::NotFound)?;
    caller.sees(&user)?;
    Ok((service, user))
}

/// A point in time as programs read it: RFC 3339, in UTC.
#[must_use]
pub fn moment(at: UnixMillis) -> String {
    Timestamp::from_millisecond(at.0)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}
