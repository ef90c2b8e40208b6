//! The top page and the administration of users: 管理, J5 and J6.

use askama::Template;
use warifu_core::user::Role;

use super::{Field, Frame, Input, Named, Problem, UserToken, confirmation_password, path};

/// The page of a person who is fully signed in.
#[derive(Template)]
#[template(path = "top.html")]
pub struct TopPage {
    /// The shell.
    pub frame: Frame,
    /// The person's name.
    pub name: String,
    /// The person's login id.
    pub login_id: String,
    /// The company's name.
    pub company: String,
    /// The person's role.
    pub role: Role,
    /// The state of the person's token.
    pub token: UserToken,
    /// The sign-in before this one, by [`Text::moment`](crate::text::Text::moment).
    pub last_sign_in: Option<String>,
    /// True shows the menu 管理.
    pub may_manage: bool,
    /// True advises a master without administrators to register one (J5).
    pub advise_administrator: bool,
}

/// 管理: choose the business.
#[derive(Template)]
#[template(path = "manage/menu.html")]
pub struct ManagePage {
    /// The shell.
    pub frame: Frame,
}

/// 利用者(ユーザ)管理: choose the task.
#[derive(Template)]
#[template(path = "manage/users.html")]
pub struct ManageUsersPage {
    /// The shell.
    pub frame: Frame,
}

/// What is done to the chosen users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// J5: 停止解除.
    Release,
    /// J6: 失効.
    Revoke,
}

impl Task {
    const fn path(self) -> &'static str {
        match self {
            Self::Release => path::MANAGE_RELEASE,
            Self::Revoke => path::MANAGE_REVOKE,
        }
    }

    fn is_release(self) -> bool {
        self == Self::Release
    }
}

/// A user in the list.
#[derive(Clone, Debug)]
pub struct UserRow {
    /// The value of the check box.
    pub id: String,
    /// The login id.
    pub login_id: String,
    /// The name.
    pub name: String,
    /// The role.
    pub role: Role,
    /// The state of the token.
    pub token: UserToken,
    /// Since when, by [`Text::moment`](crate::text::Text::moment).
    pub since: Option<String>,
    /// Why the reader may not choose this user; the row is shown without a usable box.
    pub refused: Option<Problem>,
    /// Chosen before a refusal of the form, and kept.
    pub chosen: bool,
}

/// The list of users with check boxes, the confirmation password and the button (J5, J6 step 3).
#[derive(Template)]
#[template(path = "manage/list.html")]
pub struct UserListPage {
    /// The shell.
    pub frame: Frame,
    /// What the button does.
    pub task: Task,
    /// The users, those who may be chosen first.
    pub rows: Vec<UserRow>,
}

impl UserListPage {
    fn anyone_to_choose(&self) -> bool {
        self.rows.iter().any(|row| row.refused.is_none())
    }

    fn confirmation_input(&self) -> Input {
        confirmation_password(&self.frame)
    }

    fn nobody_chosen(&self) -> Option<String> {
        self.frame.problem_at(Field::Users)
    }
}

/// What became of one user.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Released or revoked.
    Done,
    /// Refused, and nothing changed.
    Refused(Problem),
}

/// One line of the result.
#[derive(Clone, Debug)]
pub struct UserOutcome {
    /// The login id.
    pub login_id: String,
    /// The name.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// The result for each user (J5, J6 step 4).
#[derive(Template)]
#[template(path = "manage/result.html")]
pub struct ResultPage {
    /// The shell.
    pub frame: Frame,
    /// What was asked for.
    pub task: Task,
    /// One line for each chosen user.
    pub outcomes: Vec<UserOutcome>,
    /// After a revocation: from when the users can issue a token again, by [`Text::moment`](crate::text::Text::moment).
    pub opens: Option<String>,
}

impl ResultPage {
    fn done(&self) -> usize {
        self.outcomes
            .iter()
            .filter(|user| matches!(user.outcome, Outcome::Done))
            .count()
    }

    fn refused(&self) -> usize {
        self.outcomes.len() - self.done()
    }
}
