//! Pages and answers for everybody: the download page (J2, J3), the server's time (J7), and what is not there.

use axum::Json;
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::json;
use warifu_core::refusal::Refusal;

use crate::app::{Failure, time_zone};
use crate::portal::pages::{Clock, Device, DownloadPage};
use crate::portal::visitor::{OrTrouble as _, Trouble, Visitor};
use crate::web::app;

/// `GET /download`: public, without any session.
pub(in crate::portal) async fn download(
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let agent = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let settings = visitor.app().settings();
    visitor.page(&DownloadPage {
        frame: visitor.frame(),
        device: Device::from_user_agent(agent),
        app_store_url: settings.app_store_url.clone(),
        google_play_url: settings.google_play_url.clone(),
        web_app_url: Some(format!("{}{}", settings.public_url, app::PREFIX)),
        server_url: settings.public_url.clone(),
    })
}

/// `GET /time`.
pub(in crate::portal) async fn time(visitor: Visitor) -> Response {
    Json(json!({ "now_ms": visitor.app().now().0 })).into_response()
}

/// Any address that is none.
pub(in crate::portal) async fn not_found(visitor: Visitor) -> Trouble {
    visitor.trouble(&Refusal::NotFound.into())
}

/// The server's clock for the pages that compare it with the device's (J7).
pub(in crate::portal) fn clock(visitor: &Visitor) -> Result<Clock, Trouble> {
    let now = visitor.app().now();
    let zone = time_zone(&visitor.service).or_trouble(visitor)?;
    let at = Timestamp::from_millisecond(now.0)
        .map_err(|_| Failure::fault("the clock is out of range"))
        .or_trouble(visitor)?;
    Ok(Clock {
        now_ms: now.0,
        time_of_day: visitor.text.time_of_day(&at.to_zoned(zone)),
    })
}
