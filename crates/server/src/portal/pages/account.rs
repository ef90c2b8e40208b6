//! The pages of one person on the way to being signed in: J0 to J4, J7.

use std::borrow::Cow;

use askama::Template;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::Serialize;

use warifu_core::id::{ServiceId, TokenUserId};
use warifu_core::suspension::Releasers;

use super::{Field, Frame, Input, Problem, path};

/// What the sign-in page says before anything was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInNotice {
    /// The person signed out.
    SignedOut,
    /// The session ended by itself (R74).
    SessionExpired,
}

/// J0: login id and password.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// The shell.
    pub frame: Frame,
    /// What was typed, kept after a refusal.
    pub login_id: String,
    /// Why the person is here again.
    pub notice: Option<SignInNotice>,
}

impl SignInPage {
    fn login_id_input(&self) -> Input {
        let mut input = self.frame.input(Field::LoginId, self.frame.t("login-id"));
        input.autocomplete = "username";
        input.value.clone_from(&self.login_id);
        input
    }

    fn password_input(&self) -> Input {
        let mut input = self.frame.input(Field::Password, self.frame.t("password"));
        input.kind = "password";
        input.autocomplete = "current-password";
        input
    }
}

/// J1: mail address and activation password, each twice. The script `issuance.js` runs it.
#[derive(Template)]
#[template(path = "issuance.html")]
pub struct IssuancePage {
    /// The shell.
    pub frame: Frame,
    /// Who asks: an activation password that is part of it is trivial.
    pub login_id: String,
    /// A mail address typed before, kept.
    pub mail_address: String,
    /// The domain that sends the mail, to allow in a spam filter.
    pub sending_domain: String,
    /// Fewest digits of an activation password, by policy.
    pub length_min: u8,
    /// Most digits of an activation password, by policy.
    pub length_max: u8,
    /// The server's clock, for the clock check (J7).
    pub clock: Clock,
}

impl IssuancePage {
    fn mail_input(&self, field: Field) -> Input {
        let label = match field {
            Field::MailAddressAgain => self.frame.t("mail-address-again"),
            _ => self.frame.t("mail-address"),
        };
        let mut input = self.frame.input(field, label);
        if field == Field::MailAddress {
            input = input.hint(self.frame.t("mail-address-hint"));
        }
        input.kind = "email";
        input.autocomplete = "email";
        input.inputmode = Some("email");
        input.length_max = 254;
        input.value.clone_from(&self.mail_address);
        input
    }

    fn password_input(&self, field: Field) -> Input {
        let length = [
            ("min", self.length_min.into()),
            ("max", self.length_max.into()),
        ];
        let again = field == Field::ActivationPasswordAgain;
        let label = if again {
            self.frame.t("activation-password-again")
        } else {
            self.frame.t("activation-password")
        };
        let mut input = self.frame.input(field, label);
        if !again {
            input = input.hint(self.frame.t_args("activation-password-hint", &length));
        }
        input.kind = "password";
        input.sent = false;
        input.inputmode = Some("numeric");
        // Longer than any valid value, so that a slip of the finger is named instead of cut off.
        input.length_max = 16;
        input.look = "short";
        input
    }

    fn message(&self, code: &'static str) -> String {
        Problem::new(code)
            .with("min", self.length_min)
            .with("max", self.length_max)
            .sentence(self.frame.text)
            .into_owned()
    }
}

/// The server's clock at the moment the page was made (J7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Unix milliseconds.
    pub now_ms: i64,
    /// The same for people, by [`Text::time_of_day`](crate::text::Text::time_of_day), in the service's time zone.
    pub time_of_day: String,
}

/// How far the mail of an issuance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MailState {
    /// In the outbox.
    Queued,
    /// Taken by the mail server.
    Sent,
    /// Given up; sending again is a fresh try.
    Failed,
}

/// How far an issuance has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuanceState {
    /// Waits for the app.
    Issued,
    /// Activated in the app: the first code comes next.
    Activated,
    /// Its time is over.
    Expired,
    /// Too many wrong starts in the app.
    Locked,
}

/// The answer of [`path::WAITING_STATE`]; the page loads itself again when it differs from what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WaitingState {
    /// The issuance.
    pub state: IssuanceState,
    /// Its mail.
    pub mail: MailState,
    /// Starts left in the app before the issuance locks.
    pub starts_left: u32,
}

impl WaitingState {
    fn key(self) -> String {
        format!(
            "{}/{}/{}",
            self.state.word(),
            self.mail.word(),
            self.starts_left
        )
    }
}

impl MailState {
    const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }
}

impl IssuanceState {
    const fn word(self) -> &'static str {
        match self {
            Self::Issued => "issued",
            Self::Activated => "activated",
            Self::Expired => "expired",
            Self::Locked => "locked",
        }
    }
}

/// Between issuance and activation: "finish in the app" (J0, J2, J3).
#[derive(Template)]
#[template(path = "waiting.html")]
pub struct WaitingPage {
    /// The shell.
    pub frame: Frame,
    /// The service id that the app asks for.
    pub service_id: String,
    /// The web app with both ids filled in, for this device; as a code, for the phone's camera.
    pub app_link: AppLink,
    /// Where the mail went, masked: `s***@example.co.jp`.
    pub mail_masked: String,
    /// How far it has come.
    pub now: WaitingState,
    /// Until when the app may activate, by [`Text::moment`](crate::text::Text::moment).
    pub expires_at: String,
    /// True just after 送信 of a further mail was asked for.
    pub sent_again: bool,
}

impl WaitingPage {
    fn heading(&self) -> Cow<'static, str> {
        match self.now.state {
            IssuanceState::Issued => self.frame.t("waiting-title"),
            IssuanceState::Activated => self.frame.t("waiting-activated-title"),
            IssuanceState::Expired => self.frame.t("waiting-expired-title"),
            IssuanceState::Locked => self.frame.t("waiting-locked-title"),
        }
    }

    fn is(&self, state: IssuanceState) -> bool {
        self.now.state == state
    }

    fn mail_is(&self, mail: MailState) -> bool {
        self.now.mail == mail
    }
}

/// The address of the web app's form with both ids filled in (J3). The ids stand behind the `#`, which no server is sent.
pub struct AppLink {
    href: String,
}

impl AppLink {
    /// The link for an issuance. `public_url` has no slash at its end.
    #[must_use]
    pub fn new(public_url: &str, service_id: &ServiceId, token_user_id: &TokenUserId) -> Self {
        let ids = form_urlencoded::Serializer::new(String::new())
            .append_pair("service", service_id.as_str())
            .append_pair("user", token_user_id.as_str())
            .finish();
        Self {
            href: format!("{public_url}{}#/add?{ids}", crate::web::app::PREFIX),
        }
    }

    /// The address.
    #[must_use]
    pub fn href(&self) -> &str {
        &self.href
    }

    /// The address as a QR code: an SVG drawing, always dark on light, as cameras want it.
    #[must_use]
    pub fn code(&self) -> String {
        let drawn = QrCode::with_error_correction_level(&self.href, EcLevel::M).map(|code| {
            code.render::<svg::Color<'_>>()
                .min_dimensions(220, 220)
                .build()
        });
        // Without the declaration that begins a file: the drawing stands in a page.
        drawn
            .ok()
            .and_then(|file| Some(file[file.find("<svg")?..].to_owned()))
            .unwrap_or_default()
    }
}

/// The device that asks for the download page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// iPhone or iPad.
    Apple,
    /// Android.
    Android,
    /// A PC or something unknown.
    Other,
}

impl Device {
    /// Reads a `User-Agent` header. Only the order of the choices depends on it, so a wrong guess hides nothing.
    #[must_use]
    pub fn from_user_agent(header: &str) -> Self {
        if ["iPhone", "iPad", "iPod"]
            .iter()
            .any(|name| header.contains(name))
        {
            Self::Apple
        } else if header.contains("Android") {
            Self::Android
        } else {
            Self::Other
        }
    }
}

/// J3: where to get the app. Public, so it knows no user.
#[derive(Template)]
#[template(path = "download.html")]
pub struct DownloadPage {
    /// The shell.
    pub frame: Frame,
    /// Whose store comes first.
    pub device: Device,
    /// The App Store page, when the service has one.
    pub app_store_url: Option<String>,
    /// The Google Play page, when the service has one.
    pub google_play_url: Option<String>,
    /// Our web app, when the server offers it.
    pub web_app_url: Option<String>,
    /// The server's address, for the app in a terminal.
    pub server_url: String,
}

impl DownloadPage {
    /// The stores, the reader's own first.
    fn stores(&self) -> [(Store, Option<&str>); 3] {
        let apple = (Store::Apple, self.app_store_url.as_deref());
        let google = (Store::Google, self.google_play_url.as_deref());
        let web = (Store::Web, self.web_app_url.as_deref());
        match self.device {
            Device::Apple => [apple, google, web],
            Device::Android => [google, apple, web],
            Device::Other => [web, apple, google],
        }
    }

    fn is_own(&self, store: Store) -> bool {
        matches!(
            (self.device, store),
            (Device::Apple, Store::Apple) | (Device::Android, Store::Google)
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    Apple,
    Google,
    Web,
}

/// J4: ワンタイムパスワード認証確認.
#[derive(Template)]
#[template(path = "verification.html")]
pub struct VerificationPage {
    /// The shell.
    pub frame: Frame,
    /// Digits of a code, by policy.
    pub digits: u8,
    /// True for the confirmation: the token was activated and never used.
    pub first: bool,
    /// The server's clock, for the clock check (J7).
    pub clock: Clock,
}

impl VerificationPage {
    fn code_input(&self) -> Input {
        let mut input = self
            .frame
            .input(Field::Code, self.frame.t("one-time-password"))
            .hint(
                self.frame
                    .t_args("one-time-password-hint", &[("digits", self.digits.into())]),
            );
        input.autocomplete = "one-time-code";
        input.inputmode = Some("numeric");
        // Room for spaces and for what people paste.
        input.length_max = 32;
        input.look = "code";
        input
    }
}

/// Why the password was right and the way still ends here (J0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The one-time password is suspended.
    Suspended(Releasers),
    /// It was suspended by the code just typed (J4).
    SuspendedNow(Releasers),
    /// The token was revoked and the wait is not over.
    Waiting {
        /// From when, by [`Text::moment`](crate::text::Text::moment).
        opens: String,
    },
}

/// A refusal after the first factor, with what to do next.
#[derive(Template)]
#[template(path = "refused.html")]
pub struct RefusedPage {
    /// The shell.
    pub frame: Frame,
    /// Why.
    pub refusal: Refusal,
}

impl RefusedPage {
    fn is_suspended(&self) -> bool {
        !matches!(self.refusal, Refusal::Waiting { .. })
    }

    /// Whether this is who can release.
    fn is_for(&self, releasers: Releasers) -> bool {
        let (Refusal::Suspended(who) | Refusal::SuspendedNow(who)) = &self.refusal else {
            return false;
        };
        *who == releasers
    }

    fn sentence(&self) -> String {
        let problem = match &self.refusal {
            Refusal::Suspended(who) => Problem::new("user_suspended").with("who", who.as_str()),
            Refusal::SuspendedNow(who) => {
                Problem::new("code_suspended_now").with("who", who.as_str())
            }
            Refusal::Waiting { opens } => {
                Problem::new("reissue_not_yet").with("opens", opens.clone())
            }
        };
        problem.sentence(self.frame.text).into_owned()
    }
}
