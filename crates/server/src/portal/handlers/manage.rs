//! J5 and J6: 管理, 利用者(ユーザ)管理, release and revocation.

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use warifu_core::id::UserId;
use warifu_core::refusal::Refusal;
use warifu_core::session::Stage;
use warifu_core::suspension::Releasers;
use warifu_core::token::TokenState;

use crate::app::Failure;
use crate::app::manage::{Listed, Task};
use crate::app::passwords::Password;
use crate::app::session::Session;
use crate::portal::pages::{
    Frame, ManagePage, ManageUsersPage, Outcome, Problem, ResultPage, Task as PageTask,
    UserListPage, UserOutcome, UserRow, UserToken,
};
use crate::portal::visitor::{Fields, OrTrouble as _, Trouble, Visitor};

/// `GET /manage`: 業務選択.
pub(in crate::portal) async fn menu(visitor: Visitor) -> Result<Response, Trouble> {
    manager(&visitor)?;
    visitor.page(&ManagePage {
        frame: visitor.frame(),
    })
}

/// `GET /manage/users`: 作業内容選択.
pub(in crate::portal) async fn users(visitor: Visitor) -> Result<Response, Trouble> {
    manager(&visitor)?;
    visitor.page(&ManageUsersPage {
        frame: visitor.frame(),
    })
}

/// `GET /manage/users/release`.
pub(in crate::portal) async fn release_list(visitor: Visitor) -> Result<Response, Trouble> {
    list(
        &visitor,
        Task::Release,
        visitor.frame(),
        &[],
        StatusCode::OK,
    )
    .await
}

/// `GET /manage/users/revoke`.
pub(in crate::portal) async fn revoke_list(visitor: Visitor) -> Result<Response, Trouble> {
    list(&visitor, Task::Revoke, visitor.frame(), &[], StatusCode::OK).await
}

/// `POST /manage/users/release`: 停止解除.
pub(in crate::portal) async fn release(visitor: Visitor, body: Bytes) -> Result<Response, Trouble> {
    perform(&visitor, Task::Release, &body).await
}

/// `POST /manage/users/revoke`: 失効.
pub(in crate::portal) async fn revoke(visitor: Visitor, body: Bytes) -> Result<Response, Trouble> {
    perform(&visitor, Task::Revoke, &body).await
}

fn manager(visitor: &Visitor) -> Result<&Session, Trouble> {
    let session = visitor.signed_in(Stage::Full)?;
    if session.user.role.manages_users() {
        Ok(session)
    } else {
        Err(Refusal::NotPermitted).or_trouble(visitor)
    }
}

const fn page_task(task: Task) -> PageTask {
    match task {
        Task::Release => PageTask::Release,
        Task::Revoke => PageTask::Revoke,
    }
}

async fn list(
    visitor: &Visitor,
    task: Task,
    frame: Frame,
    chosen: &[UserId],
    status: StatusCode,
) -> Result<Response, Trouble> {
    let session = manager(visitor)?;
    let listed = visitor
        .app()
        .list_for(session, task)
        .await
        .or_trouble(visitor)?;
    let rows = listed
        .iter()
        .map(|listed| row(visitor, listed, chosen))
        .collect::<Result<_, _>>()?;
    visitor.page_with(
        status,
        &UserListPage {
            frame,
            task: page_task(task),
            rows,
        },
    )
}

fn row(visitor: &Visitor, listed: &Listed, chosen: &[UserId]) -> Result<UserRow, Trouble> {
    let since = match listed.token.as_ref().map(|token| token.state) {
        Some(TokenState::Suspended { suspended_at, .. }) => Some(visitor.moment(suspended_at)?),
        _ => None,
    };
    let refused = match &listed.hindrance {
        Some(refusal) => Some(problem(visitor, refusal)?),
        None => None,
    };
    Ok(UserRow {
        id: listed.user.id.to_string(),
        login_id: listed.user.login_id.clone(),
        name: listed.user.name.clone(),
        role: listed.user.role,
        token: UserToken::of(listed.token.as_ref().map(|token| token.state.standing())),
        since,
        refused,
        chosen: chosen.contains(&listed.user.id),
    })
}

fn problem(visitor: &Visitor, refusal: &Refusal) -> Result<Problem, Trouble> {
    Ok(Problem::of(
        refusal,
        &visitor
            .circumstances(Releasers::HelpDesk)
            .or_trouble(visitor)?,
    ))
}

async fn perform(visitor: &Visitor, task: Task, body: &[u8]) -> Result<Response, Trouble> {
    let fields = Fields::read(visitor, body)?;
    let session = manager(visitor)?;
    // What no page of ours has sent names nobody.
    let plain = |id: &&str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let targets: Vec<_> = fields
        .all("user")
        .filter(plain)
        .map(UserId::from_stored)
        .collect();
    let password = Password::new(fields.text("confirmation_password").to_owned());
    let outcomes = match visitor
        .app()
        .perform(session, task, &targets, &password, &visitor.origin)
        .await
    {
        Ok(outcomes) => outcomes,
        Err(failure) => return refused(visitor, task, &targets, &failure).await,
    };
    let opens = match outcomes
        .iter()
        .find_map(|outcome| outcome.result.as_ref().ok().copied().flatten())
    {
        Some(at) if at > visitor.app().now() => Some(visitor.moment(at)?),
        Some(_) | None => None,
    };
    let rows = outcomes
        .into_iter()
        .map(|outcome| {
            let (login_id, name) = outcome
                .user
                .map(|user| (user.login_id, user.name))
                .unwrap_or_default();
            let outcome = match outcome.result {
                Ok(_) => Outcome::Done,
                Err(refusal) => Outcome::Refused(problem(visitor, &refusal)?),
            };
            Ok(UserOutcome {
                login_id,
                name,
                outcome,
            })
        })
        .collect::<Result<_, Trouble>>()?;
    visitor.page(&ResultPage {
        frame: visitor.frame(),
        task: page_task(task),
        outcomes: rows,
        opens,
    })
}

/// The list again, with what was wrong; the ticks stay, the password does not.
async fn refused(
    visitor: &Visitor,
    task: Task,
    targets: &[UserId],
    failure: &Failure,
) -> Result<Response, Trouble> {
    let refusal = failure.refusal();
    let Some(
        refusal @ (Refusal::NobodySelected
        | Refusal::ConfirmationPasswordWrong
        | Refusal::SignInSlowed { .. }),
    ) = refusal
    else {
        return Err(visitor.trouble(failure));
    };
    let status = match refusal {
        Refusal::SignInSlowed { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    list(
        visitor,
        task,
        visitor.frame_with(&refusal)?,
        targets,
        status,
    )
    .await
}
