//! Is this code right, once? And: where is this token's clock?

use axum::Json;
use serde::Deserialize;
use utoipa::ToSchema;
use warifu_core::relying::Scope;
use zeroize::Zeroizing;

use super::call::{Call, OfUser, UserPath, Write};
use crate::api::problem::Problem;
use crate::app::verification::{ApiVerification, AskedCodes, Verification};

/// A code to judge.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyRequest {
    /// The code as the user typed it: exactly so many ASCII digits as the user's token shows.
    #[schema(value_type = String, pattern = "^[0-9]{6,8}$", example = "123456")]
    pub(super) code: Zeroizing<String>,
}

/// Judge a code
///
/// A code is accepted at most once. A wrong one is counted; after the last allowed one in a row the one-time password is
/// suspended. A repeated request under the same `Idempotency-Key` gets the same answer and is not judged again; the same code under
/// another key is `already_used`. What was judged is answered with 200, whatever the verdict: only `accepted` lets somebody in.
#[utoipa::path(
    post,
    path = "/services/{service_id}/users/{login_id}/verify",
    operation_id = "verify",
    tag = "Verification",
    params(UserPath),
    request_body = VerifyRequest,
    responses((status = 200, description = "What came of the code", body = Verification)),
    security(("key" = ["verify"])),
)]
pub(super) async fn verify(
    call: Call,
    user: OfUser,
    asked: Write<VerifyRequest>,
) -> Result<Json<Verification>, Problem> {
    call.may(Scope::Verify)?;
    let verification = ApiVerification {
        service_id: &user.service_id,
        login_id: &user.login_id,
        codes: AskedCodes::One(&asked.body.code),
        caller: &call.caller,
        idempotency: asked.idempotency.as_ref(),
        origin: &call.origin,
    };
    call.app
        .verify_for_client(verification)
        .await
        .map(Json)
        .map_err(|failure| call.problem(&failure))
}

/// Two codes that the token showed one after the other.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResynchroniseRequest {
    /// The two codes as the user typed them, the older one first.
    #[schema(value_type = Vec<String>, min_items = 2, max_items = 2, example = json!(["123456", "654321"]))]
    codes: [Zeroizing<String>; 2],
}

/// Find the clock of a token that went astray
///
/// For a user whose codes are wrong because the token's clock is off: two codes that the token showed one after the other are looked
/// for in a wider window. Right, they are used up, and from then on codes are accepted where the clock was found. Wrong, they count as
/// one wrong code.
#[utoipa::path(
    post,
    path = "/services/{service_id}/users/{login_id}/resynchronise",
    operation_id = "resynchronise",
    tag = "Verification",
    params(UserPath),
    request_body = ResynchroniseRequest,
    responses((status = 200, description = "What came of the two codes", body = Verification)),
    security(("key" = ["verify"])),
)]
pub(super) async fn resynchronise(
    call: Call,
    user: OfUser,
    asked: Write<ResynchroniseRequest>,
) -> Result<Json<Verification>, Problem> {
    call.may(Scope::Verify)?;
    let [first, second] = &asked.body.codes;
    let verification = ApiVerification {
        service_id: &user.service_id,
        login_id: &user.login_id,
        codes: AskedCodes::Consecutive([first, second]),
        caller: &call.caller,
        idempotency: asked.idempotency.as_ref(),
        origin: &call.origin,
    };
    call.app
        .verify_for_client(verification)
        .await
        .map(Json)
        .map_err(|failure| call.problem(&failure))
}
