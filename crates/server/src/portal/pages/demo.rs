//! Pages that exist in `warifu demo` only: its accounts and the mails that it did not send.

use askama::Template;
use warifu_core::user::Role;

use super::{Frame, Named, path};

/// An account of the demo. Its passwords are printed at start and guard nothing.
pub struct DemoAccount {
    /// The login id.
    pub login_id: String,
    /// The role.
    pub role: Role,
    /// The password.
    pub password: String,
    /// The confirmation password.
    pub confirmation_password: String,
}

/// The demo's accounts.
#[derive(Template)]
#[template(path = "demo/accounts.html")]
pub struct DemoAccountsPage {
    /// The shell.
    pub frame: Frame,
    /// The accounts.
    pub accounts: Vec<DemoAccount>,
}

/// A mail of the demo.
#[derive(Clone, Debug)]
pub struct DemoMail {
    /// The last part of its page's path.
    pub id: String,
    /// The recipient.
    pub to: String,
    /// The sender.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// When it went out, by [`Text::moment`](crate::text::Text::moment).
    pub at: String,
}

/// The demo's mails, newest first.
#[derive(Template)]
#[template(path = "demo/mails.html")]
pub struct DemoMailListPage {
    /// The shell.
    pub frame: Frame,
    /// The mails.
    pub mails: Vec<DemoMail>,
}

/// One mail of the demo.
#[derive(Template)]
#[template(path = "demo/mail.html")]
pub struct DemoMailPage {
    /// The shell.
    pub frame: Frame,
    /// Its head.
    pub mail: DemoMail,
    /// Its text part.
    pub body: String,
}

impl DemoMailPage {
    /// The body in pieces: text, and an address to link.
    fn pieces(&self) -> Vec<(&str, bool)> {
        self.body
            .split_inclusive(char::is_whitespace)
            .flat_map(|word| {
                let bare = word.trim_end();
                let linked = bare.starts_with("https://") || bare.starts_with("http://");
                [(bare, linked), (&word[bare.len()..], false)]
            })
            .collect()
    }
}
