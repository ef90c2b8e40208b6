//! The handler that does nothing: what `warifu bench` measures the product beside. It is not part of what is served.

use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// What it reads.
#[derive(Deserialize)]
struct Asked {
    code: String,
}

/// `POST /empty`, with nothing around it.
pub fn routes() -> Router {
    Router::new().route("/empty", post(answer))
}

/// Parses the same request as a verification and answers the same JSON.
async fn answer(Json(asked): Json<Asked>) -> Json<Value> {
    Json(json!({
        "verdict": "accepted",
        "tries_left": 5,
        "just_suspended": false,
        "token_id": asked.code,
        "activated_at": "2026-11-23T00:00:00Z",
        "token_age": 0,
        "cool_off_until": null,
        "releasers": null,
        "reopens_at": null,
    }))
}
