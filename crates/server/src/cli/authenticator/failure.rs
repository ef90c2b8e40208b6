//! How a command ends when it is not done: exit status, stable code, sentence.

use std::borrow::Cow;
use std::process::ExitCode;

use warifu_authenticator::activation::ActivationError;
use warifu_authenticator::file::FileError;
use warifu_core::refusal::Refusal;

use crate::text::Text;

/// The exit status of a command; scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Refused, by this app or by the server: the same again will be refused again.
    Refused = 1,
    /// The command was not given as it has to be. Also what clap answers.
    Usage = 2,
    /// No server was reached, or it could not answer: the same again is right.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command is not done.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// A code of [`Refusal::CODES`], or one of this command's own: `usage`, `unreachable`, `bad_answer`, `not_active`,
    /// `not_computed`, `storage`.
    pub(super) code: Cow<'static, str>,
    /// The sentence, in the person's language.
    pub(super) message: String,
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            code: "usage".into(),
            message: message.into(),
        }
    }

    pub(super) fn refused(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Refused,
            code: code.into(),
            message: message.into(),
        }
    }

    pub(super) fn unreachable(text: Text, detail: &str) -> Self {
        Self {
            exit: Exit::Unreachable,
            code: "unreachable".into(),
            message: text
                .t_args("app-unreachable", &[("detail", detail.into())])
                .into_owned(),
        }
    }

    pub(super) fn bad_answer(text: Text) -> Self {
        Self::refused("bad_answer", text.t("app-bad-answer"))
    }

    /// A refusal whose sentence takes no arguments.
    pub(super) fn of(text: Text, refusal: Refusal) -> Self {
        Self::refused(refusal.code(), text.error(refusal.code(), &[]))
    }

    pub(super) fn of_activation(text: Text, error: ActivationError) -> Self {
        match error {
            ActivationError::AppFull => Self::of(text, Refusal::AppFull),
            ActivationError::NotComputed => {
                Self::refused("not_computed", text.t("app-not-computed"))
            }
            ActivationError::BadAnswer
            | ActivationError::NotExpected
            | ActivationError::PasswordNeeded => Self::bad_answer(text),
        }
    }

    pub(super) fn of_file(text: Text, error: &FileError) -> Self {
        let detail = error.to_string();
        Self::refused(
            "storage",
            text.t_args("app-storage", &[("detail", detail.as_str().into())]),
        )
    }
}
