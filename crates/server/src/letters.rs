//! The texts of the product's mails (PRODUCT.md J2, §6). Plain text, one template each, words from [`crate::text`].
//!
//! Queueing, addresses, Message-IDs and delivery are elsewhere. No mail holds a password or a code, nor a link to a page
//! that asks for one: the only address in a mail is the download page's.

use std::borrow::Cow;

use askama::Template;

use warifu_core::suspension::Releasers;

use crate::text::Text;

/// A mail's words, ready for the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The subject.
    pub subject: String,
    /// The text part; lines end with `\n`.
    pub body: String,
}

/// J2: the mail that answers an issuance.
///
/// Programs read it too: it has exactly one line `サービスID: …` and one line `ユーザID: …` (English: `Service ID: …`,
/// `User ID: …`).
#[derive(Template)]
#[template(path = "mail/token.txt")]
pub struct TokenLetter {
    /// The catalogue in the user's language.
    pub text: Text,
    /// The user's name.
    pub name: String,
    /// The service's name.
    pub service_name: String,
    /// The service id.
    pub service_id: String,
    /// The token user id.
    pub token_user_id: String,
    /// The address of the download page.
    pub download_url: String,
    /// Until when the app may activate, by [`Text::moment`].
    pub expires_at: String,
    /// The help desk's line.
    pub help_desk: String,
}

impl TokenLetter {
    /// Subject and body.
    ///
    /// # Errors
    /// Only when formatting fails, which needs a failing allocator.
    pub fn letter(&self) -> askama::Result<Letter> {
        let subject = self
            .text
            .t_args(
                "mail-token-subject",
                &[("service", self.service_name.as_str().into())],
            )
            .into_owned();
        Ok(Letter {
            subject,
            body: self.render()?,
        })
    }
}

/// What a notice tells (PRODUCT.md §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// To the user: an app was activated.
    Activated,
    /// To the user: suspended after wrong codes.
    Suspended(Releasers),
    /// To the user: the suspension was lifted.
    Released,
    /// To the user: the token was revoked.
    Revoked {
        /// From when a new one can be issued, by [`Text::moment`]; `None` is at once.
        opens: Option<String>,
    },
    /// To the user: the app renewed the token.
    Renewed {
        /// When its life ends now, by [`Text::moment`]; `None` for no end any more.
        ends: Option<String>,
    },
    /// To the user: a second device tried to activate the same issuance.
    SecondDevice,
    /// To the old and the new address: token mails go to another address from now on.
    AddressChanged,
    /// To master and administrators: a user of the contract was suspended.
    ColleagueSuspended {
        /// Name and login id of that user.
        user: String,
        /// Whether a release helps, or only a revocation.
        releasable: bool,
    },
    /// To master and administrators: a user's token was revoked.
    ColleagueRevoked {
        /// Name and login id of that user.
        user: String,
    },
}

/// A notice to one person.
#[derive(Template)]
#[template(path = "mail/notice.txt")]
pub struct NoticeLetter {
    /// The catalogue in the addressee's language.
    pub text: Text,
    /// The addressee's name.
    pub name: String,
    /// The service's name.
    pub service_name: String,
    /// The help desk's line.
    pub help_desk: String,
    /// When it happened, by [`Text::moment`].
    pub at: String,
    /// What happened.
    pub notice: Notice,
}

impl NoticeLetter {
    /// Subject and body.
    ///
    /// # Errors
    /// Only when formatting fails, which needs a failing allocator.
    pub fn letter(&self) -> askama::Result<Letter> {
        let subject = format!("{} - {}", self.subject(), self.service_name);
        Ok(Letter {
            subject,
            body: self.render()?,
        })
    }

    fn subject(&self) -> Cow<'static, str> {
        let text = self.text;
        match self.notice {
            Notice::Activated => text.t("mail-activated-subject"),
            Notice::Suspended(_) => text.t("mail-suspended-subject"),
            Notice::Released => text.t("mail-released-subject"),
            Notice::Revoked { .. } => text.t("mail-revoked-subject"),
            Notice::Renewed { .. } => text.t("mail-renewed-subject"),
            Notice::SecondDevice => text.t("mail-second-device-subject"),
            Notice::AddressChanged => text.t("mail-address-changed-subject"),
            Notice::ColleagueSuspended { .. } => text.t("mail-colleague-suspended-subject"),
            Notice::ColleagueRevoked { .. } => text.t("mail-colleague-revoked-subject"),
        }
    }

    fn sentence(&self) -> Cow<'static, str> {
        let text = self.text;
        match &self.notice {
            Notice::Activated => text.t("mail-activated"),
            Notice::Suspended(_) => text.t("mail-suspended"),
            Notice::Released => text.t("mail-released"),
            Notice::Revoked { .. } => text.t("mail-revoked"),
            Notice::Renewed { ends: Some(ends) } => {
                text.t_args("mail-renewed", &[("ends", ends.as_str().into())])
            }
            Notice::Renewed { ends: None } => text.t("mail-renewed-endless"),
            Notice::SecondDevice => text.t("mail-second-device"),
            Notice::AddressChanged => text.t("mail-address-changed"),
            Notice::ColleagueSuspended { user, .. } => text.t_args(
                "mail-colleague-suspended",
                &[("user", user.as_str().into())],
            ),
            Notice::ColleagueRevoked { user } => {
                text.t_args("mail-colleague-revoked", &[("user", user.as_str().into())])
            }
        }
    }

    fn next_step(&self) -> Cow<'static, str> {
        let text = self.text;
        match &self.notice {
            Notice::Activated => text.t("mail-activated-next"),
            Notice::Suspended(who) => {
                text.t_args("mail-suspended-next", &[("who", who.as_str().into())])
            }
            Notice::Released => text.t("mail-released-next"),
            Notice::Revoked { opens: Some(opens) } => {
                text.t_args("mail-revoked-next", &[("opens", opens.as_str().into())])
            }
            Notice::Revoked { opens: None } => text.t("mail-revoked-next-now"),
            Notice::Renewed { .. } => text.t("mail-renewed-next"),
            Notice::SecondDevice => text.t("mail-second-device-next"),
            Notice::AddressChanged => text.t("mail-address-changed-next"),
            Notice::ColleagueSuspended {
                releasable: true, ..
            } => text.t("mail-colleague-suspended-next"),
            Notice::ColleagueSuspended {
                releasable: false, ..
            } => text.t("mail-colleague-suspended-next-revoke"),
            Notice::ColleagueRevoked { .. } => text.t("mail-colleague-revoked-next"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{LANGUAGES, Language};

    fn token_letter(language: Language) -> Letter {
        TokenLetter {
            text: Text::new(language),
            name: "佐藤 花子".into(),
            service_name: "みなとビジネスWeb".into(),
            service_id: "minato-7".into(),
            token_user_id: "ABCD-EFGH-J".into(),
            download_url: "https://otp.example.jp/download".into(),
            expires_at: "11月23日(月)8:10(日本時間)".into(),
            help_desk: "0120-000-000".into(),
        }
        .letter()
        .expect("a letter")
    }

    #[test]
    fn the_token_mail_has_one_line_for_each_id() {
        for (language, service, user) in [
            (
                Language::Ja,
                "サービスID: minato-7",
                "ユーザID: ABCD-EFGH-J",
            ),
            (Language::En, "Service ID: minato-7", "User ID: ABCD-EFGH-J"),
        ] {
            let body = token_letter(language).body;
            for line in [service, user] {
                let (label, _) = line.split_once(": ").expect("label and value");
                assert_eq!(
                    body.lines().filter(|other| *other == line).count(),
                    1,
                    "{body}"
                );
                assert_eq!(
                    body.lines()
                        .filter(|other| other.starts_with(&format!("{label}: ")))
                        .count(),
                    1
                );
            }
        }
    }

    #[test]
    fn the_token_mail_links_to_the_download_page_only() {
        for language in LANGUAGES {
            let body = token_letter(language).body;
            assert_eq!(body.matches("http").count(), 1, "{body}");
        }
    }

    #[test]
    fn every_notice_has_a_subject_of_one_line_and_a_next_step() {
        let notices = [
            Notice::Activated,
            Notice::Suspended(Releasers::MasterOrAdministrator),
            Notice::Suspended(Releasers::Administrator),
            Notice::Suspended(Releasers::HelpDesk),
            Notice::Suspended(Releasers::Nobody),
            Notice::Released,
            Notice::Revoked {
                opens: Some("11月23日(月)8:10(日本時間)".into()),
            },
            Notice::Revoked { opens: None },
            Notice::Renewed {
                ends: Some("11月23日(月)8:10(日本時間)".into()),
            },
            Notice::Renewed { ends: None },
            Notice::SecondDevice,
            Notice::AddressChanged,
            Notice::ColleagueSuspended {
                user: "佐藤 花子(hanako)".into(),
                releasable: true,
            },
            Notice::ColleagueSuspended {
                user: "佐藤 花子(hanako)".into(),
                releasable: false,
            },
            Notice::ColleagueRevoked {
                user: "佐藤 花子(hanako)".into(),
            },
        ];
        for language in LANGUAGES {
            for notice in &notices {
                let letter = NoticeLetter {
                    text: Text::new(language),
                    name: "鈴木 一郎".into(),
                    service_name: "みなとビジネスWeb".into(),
                    help_desk: "0120-000-000".into(),
                    at: "11月23日(月)8:10(日本時間)".into(),
                    notice: notice.clone(),
                }
                .letter()
                .expect("a letter");
                assert!(!letter.subject.contains('\n'), "{}", letter.subject);
                assert!(letter.body.contains("鈴木 一郎"), "{}", letter.body);
                assert!(!letter.body.contains("http"), "{}", letter.body);
            }
        }
    }
}
