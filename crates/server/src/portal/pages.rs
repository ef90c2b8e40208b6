//! The pages of the portal: what each one shows, and its rendering in both languages.
//!
//! A page is a plain struct that a handler fills and [`askama::Template::render`] turns into HTML. Rules, sessions, routes and
//! the database never appear here. The shell around every page (header, footer, language switch, error summary) is
//! [`Frame`]; the words come from [`crate::text`].

use std::borrow::Cow;

use askama::Template;
use serde::Serialize;

use warifu_core::token::Standing;
use warifu_core::user::Role;

use crate::text::{LANGUAGES, Text, Value, own_name};

mod account;
mod demo;
mod manage;
mod refusal;
pub mod samples;
#[cfg(test)]
mod tests;

pub use account::{
    AppLink, Clock, Device, DownloadPage, IssuancePage, IssuanceState, MailState, Refusal,
    RefusedPage, SignInNotice, SignInPage, VerificationPage, WaitingPage, WaitingState,
};
pub use demo::{DemoAccount, DemoAccountsPage, DemoMail, DemoMailListPage, DemoMailPage};
pub use manage::{
    ManagePage, ManageUsersPage, Outcome, ResultPage, Task, TopPage, UserListPage, UserOutcome,
    UserRow,
};
pub use refusal::{Circumstances, error_codes};

/// Where the pages are: the handlers' routes and the templates' links have this one home.
pub mod path {
    /// The page of a signed-in user.
    pub const TOP: &str = "/";
    /// J0, first step: `GET` the form, `POST` login id and password.
    pub const SIGN_IN: &str = "/sign-in";
    /// `POST` ends the session.
    pub const SIGN_OUT: &str = "/sign-out";
    /// J1: the issuance page.
    pub const ISSUE: &str = "/issue";
    /// J1: `POST` JSON, the registration request.
    pub const ISSUE_START: &str = "/issue/start";
    /// J1: `POST` JSON, the registration record.
    pub const ISSUE_FINISH: &str = "/issue/finish";
    /// Between issuance and activation: "finish in the app".
    pub const WAITING: &str = "/waiting";
    /// `GET` JSON [`super::WaitingState`], asked every few seconds.
    pub const WAITING_STATE: &str = "/waiting/state";
    /// `POST` queues the mail once more.
    pub const WAITING_SEND_AGAIN: &str = "/waiting/send-again";
    /// `POST` cancels the issuance and goes back to [`ISSUE`].
    pub const WAITING_START_OVER: &str = "/waiting/start-over";
    /// J3: the public download page.
    pub const DOWNLOAD: &str = "/download";
    /// J4: `GET` the form, `POST` the code.
    pub const VERIFY: &str = "/verify";
    /// J5, J6: 管理.
    pub const MANAGE: &str = "/manage";
    /// J5, J6: 利用者(ユーザ)管理.
    pub const MANAGE_USERS: &str = "/manage/users";
    /// J5: `GET` the list, `POST` the choice.
    pub const MANAGE_RELEASE: &str = "/manage/users/release";
    /// J6: `GET` the list, `POST` the choice.
    pub const MANAGE_REVOKE: &str = "/manage/users/revoke";
    /// J7: `GET` JSON `{"now_ms": unix milliseconds}`.
    pub const TIME: &str = "/time";
    /// The demo's accounts.
    pub const DEMO: &str = "/demo";
    /// The demo's mails; one mail is at `/demo/mail/{id}`.
    pub const DEMO_MAIL: &str = "/demo/mail";
}

/// A form field that a refusal can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// ログインID.
    LoginId,
    /// パスワード.
    Password,
    /// メールアドレス.
    MailAddress,
    /// メールアドレス, the second time.
    MailAddressAgain,
    /// 利用開始パスワード. Its value never leaves the page.
    ActivationPassword,
    /// 利用開始パスワード, the second time. Its value never leaves the page.
    ActivationPasswordAgain,
    /// ワンタイムパスワード.
    Code,
    /// 確認用パスワード.
    ConfirmationPassword,
    /// The check boxes of a user list; each one's value is [`UserRow::id`].
    Users,
}

impl Field {
    /// The field's name in forms and in the JSON answers; also the element's id on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LoginId => "login_id",
            Self::Password => "password",
            Self::MailAddress => "mail_address",
            Self::MailAddressAgain => "mail_address_again",
            Self::ActivationPassword => "activation_password",
            Self::ActivationPasswordAgain => "activation_password_again",
            Self::Code => "code",
            Self::ConfirmationPassword => "confirmation_password",
            Self::Users => "user",
        }
    }
}

/// Why something was refused, as a page or a JSON answer says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The stable code, one of [`error_codes`].
    pub code: &'static str,
    /// The arguments of its sentence.
    pub args: Vec<(&'static str, Value)>,
    /// The field to mend, if there is one.
    pub field: Option<Field>,
}

/// One entry of `{"errors": [..]}`, the answer 422 to the issuance page's calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemJson {
    /// [`Field::name`], absent when the refusal belongs to no field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'static str>,
    /// The stable code.
    pub code: &'static str,
    /// The sentence in the page's language.
    pub message: String,
}

impl Problem {
    /// A refusal whose sentence takes no arguments and belongs to no field.
    #[must_use]
    pub const fn new(code: &'static str) -> Self {
        Self {
            code,
            args: Vec::new(),
            field: None,
        }
    }

    /// The same refusal with one more argument for its sentence.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.args.push((name, value.into()));
        self
    }

    /// The same refusal at `field`.
    #[must_use]
    pub fn at(mut self, field: Field) -> Self {
        self.field = Some(field);
        self
    }

    /// The sentence: cause, next step, who can help.
    #[must_use]
    pub fn sentence(&self, text: Text) -> Cow<'static, str> {
        text.error(self.code, &self.args)
    }

    /// The refusal for the issuance page's script.
    #[must_use]
    pub fn json(&self, text: Text) -> ProblemJson {
        ProblemJson {
            field: self.field.map(Field::name),
            code: self.code,
            message: self.sentence(text).into_owned(),
        }
    }

    /// The link target of the error summary.
    fn target(&self) -> Option<&'static str> {
        self.field.map(Field::name)
    }
}

/// A word of the domain with a name in each language.
trait Named {
    fn name(&self, text: Text) -> Cow<'static, str>;
}

impl Named for Role {
    fn name(&self, text: Text) -> Cow<'static, str> {
        text.t_args("role", &[("role", self.as_str().into())])
    }
}

/// The state of a user's token (PRODUCT.md §3), as pages name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserToken {
    /// No token.
    None,
    /// Issued, not yet activated in the app.
    Issued,
    /// Activated, first code not yet confirmed.
    Activated,
    /// In use.
    InUse,
    /// Suspended after wrong codes.
    Suspended,
    /// Revoked, for good.
    Revoked,
}

impl Named for UserToken {
    fn name(&self, text: Text) -> Cow<'static, str> {
        text.t_args("token-state", &[("state", self.word().into())])
    }
}

impl UserToken {
    /// The state of a user's latest token; `None` when there never was one.
    #[must_use]
    pub const fn of(standing: Option<Standing>) -> Self {
        match standing {
            None => Self::None,
            Some(Standing::Activated) => Self::Activated,
            Some(Standing::InUse) => Self::InUse,
            Some(Standing::Suspended) => Self::Suspended,
            Some(Standing::Revoked) => Self::Revoked,
        }
    }

    /// The state's CSS class and word for the catalogue.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Issued => "issued",
            Self::Activated => "activated",
            Self::InUse => "in-use",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        }
    }
}

/// What surrounds every page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The catalogue in the reader's language.
    pub text: Text,
    /// Path and query of this page's `GET`, without `lang`: the language switch leads back to it.
    pub path: String,
    /// The service's name, shown in the header and in the title.
    pub service_name: String,
    /// The address of a style sheet made by [`brand_css`], for a service with its own colour.
    pub brand_href: Option<String>,
    /// The help desk's line: name, telephone, hours, in the reader's language.
    pub help_desk: String,
    /// The session's CSRF token, put into every form (R76).
    pub csrf: String,
    /// The name of the person, once the first factor has passed; shows the button ログアウト.
    pub who: Option<String>,
    /// True in `warifu demo`: a bar above every page says so.
    pub demo: bool,
    /// What was refused: listed in a summary that takes the focus, and said again beside each field.
    pub problems: Vec<Problem>,
}

impl Frame {
    fn t(&self, id: &'static str) -> Cow<'static, str> {
        self.text.t(id)
    }

    fn t_args(
        &self,
        id: &'static str,
        args: &[(&'static str, fluent_bundle::FluentValue<'_>)],
    ) -> Cow<'static, str> {
        self.text.t_args(id, args)
    }

    fn tag(&self) -> &'static str {
        self.text.language().as_str()
    }

    fn text(&self) -> Text {
        self.text
    }

    /// The language switch: this very page in each language.
    fn language_links(&self) -> Vec<LanguageLink> {
        let joint = if self.path.contains('?') { '&' } else { '?' };
        LANGUAGES
            .into_iter()
            .map(|language| LanguageLink {
                href: format!("{}{joint}lang={}", self.path, language.as_str()),
                tag: language.as_str(),
                own_name: own_name(language),
                current: language == self.text.language(),
            })
            .collect()
    }

    fn problem_at(&self, field: Field) -> Option<String> {
        self.problems
            .iter()
            .find(|problem| problem.field == Some(field))
            .map(|problem| problem.sentence(self.text).into_owned())
    }

    fn input(&self, field: Field, label: Cow<'static, str>) -> Input {
        Input {
            id: field.name(),
            sent: true,
            label,
            hint: None,
            kind: "text",
            autocomplete: "off",
            inputmode: None,
            length_max: 200,
            value: String::new(),
            problem: self.problem_at(field),
            look: "",
        }
    }
}

struct LanguageLink {
    href: String,
    tag: &'static str,
    own_name: &'static str,
    current: bool,
}

/// A labelled input with its hint and its refusal.
#[derive(Template)]
#[template(path = "part/input.html")]
struct Input {
    id: &'static str,
    /// False for a value that never leaves the page: the input gets no name.
    sent: bool,
    label: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    kind: &'static str,
    autocomplete: &'static str,
    inputmode: Option<&'static str>,
    length_max: u32,
    value: String,
    problem: Option<String>,
    /// Extra class of the input: `short` or `code`.
    look: &'static str,
}

impl Input {
    fn hint(mut self, hint: Cow<'static, str>) -> Self {
        self.hint = Some(hint);
        self
    }
}

/// The input 確認用パスワード of the administration pages.
fn confirmation_password(frame: &Frame) -> Input {
    let mut input = frame
        .input(
            Field::ConfirmationPassword,
            frame.t("confirmation-password"),
        )
        .hint(frame.t("confirmation-password-hint"));
    input.kind = "password";
    input
}

/// A page for a refusal that has no form of its own, and for faults: 403, 404, 429, 500, 503.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// The shell.
    pub frame: Frame,
    /// What happened.
    pub problem: Problem,
    /// The code that support can look up, on internal faults.
    pub support_id: Option<String>,
}

impl ErrorPage {
    fn title(&self) -> Cow<'static, str> {
        match self.problem.code {
            "not_found" => self.frame.t("not-found-title"),
            _ => self.frame.t("error-title"),
        }
    }
}

/// The style sheet that gives a service its own colour, or `None` when `colour` is not `#rrggbb`.
///
/// It sets one custom property; the style sheet derives the shades for the dark mode from it.
#[must_use]
pub fn brand_css(colour: &str) -> Option<String> {
    let digits = colour.strip_prefix('#')?;
    (digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| format!(":root {{ --service-colour: #{digits}; }}\n"))
}
