//! Every page with sample content: the tests render all of them, and `examples/render_pages.rs` writes them to a folder to
//! look at. Nothing here is reachable from a running server.

use askama::Template;

use warifu_core::id::{ServiceId, TokenUserId};
use warifu_core::suspension::Releasers;

use super::{
    AppLink, Clock, DemoAccount, DemoAccountsPage, DemoMail, DemoMailListPage, DemoMailPage,
    Device, DownloadPage, ErrorPage, Field, Frame, IssuancePage, IssuanceState, MailState,
    ManagePage, ManageUsersPage, Outcome, Problem, Refusal, RefusedPage, ResultPage, Role,
    SignInNotice, SignInPage, Task, Text, TopPage, UserListPage, UserOutcome, UserRow, UserToken,
    VerificationPage, WaitingPage, WaitingState, path,
};
use crate::text::Language;

/// A page as it would be sent.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Page and case: `issuance-refused`.
    pub name: &'static str,
    /// The HTML.
    pub html: String,
}

/// Every page in its cases (usual, empty, refused), in the language of `text`.
///
/// # Errors
/// When a template fails to render.
pub fn samples(text: Text) -> askama::Result<Vec<Sample>> {
    let mut samples = Samples {
        text,
        list: Vec::new(),
    };
    samples.sign_in()?;
    samples.issuance()?;
    samples.waiting()?;
    samples.download()?;
    samples.verification()?;
    samples.refused()?;
    samples.manage()?;
    samples.demo()?;
    Ok(samples.list)
}

struct Samples {
    text: Text,
    list: Vec<Sample>,
}

impl Samples {
    fn push(&mut self, name: &'static str, page: &impl Template) -> askama::Result<()> {
        self.list.push(Sample {
            name,
            html: page.render()?,
        });
        Ok(())
    }

    fn frame(&self, path: &str) -> Frame {
        let by_language = |ja: &str, en: &str| match self.text.language() {
            Language::Ja => ja.to_owned(),
            Language::En => en.to_owned(),
        };
        Frame {
            text: self.text,
            path: path.to_owned(),
            service_name: by_language("みなとビジネスWeb", "Minato Business Web"),
            brand_href: None,
            help_desk: by_language(
                "みなと銀行 ビジネスWebサポート 0120-000-000(平日9:00~17:00)",
                "Minato Bank, Business Web support, 0120-000-000 (weekdays 9:00 to 17:00)",
            ),
            csrf: "csrf-of-the-session".to_owned(),
            who: None,
            demo: false,
            problems: Vec::new(),
        }
    }

    fn frame_of_person(&self, path: &str) -> Frame {
        Frame {
            who: Some(self.name(0)),
            ..self.frame(path)
        }
    }

    fn name(&self, index: usize) -> String {
        let names = match self.text.language() {
            Language::Ja => [
                "佐藤 花子",
                "鈴木 一郎",
                "高橋 健",
                "田中 美咲",
                "伊藤 さくら",
            ],
            Language::En => [
                "Hanako Sato",
                "Ichiro Suzuki",
                "Ken Takahashi",
                "Misaki Tanaka",
                "Sakura Ito",
            ],
        };
        names[index % names.len()].to_owned()
    }

    fn moment(&self) -> String {
        self.text.moment(
            &jiff::civil::date(2026, 11, 23)
                .at(8, 10, 0, 0)
                .to_zoned(tokyo())
                .unwrap_or_default(),
        )
    }

    fn sign_in(&mut self) -> askama::Result<()> {
        let sign_in = |frame| SignInPage {
            frame,
            login_id: String::new(),
            notice: None,
        };
        self.push("sign-in", &sign_in(self.frame(path::SIGN_IN)))?;
        let demo = Frame {
            demo: true,
            ..self.frame(path::SIGN_IN)
        };
        self.push(
            "sign-in-demo",
            &SignInPage {
                notice: Some(SignInNotice::SignedOut),
                ..sign_in(demo)
            },
        )?;
        let expired = self.frame(path::SIGN_IN);
        self.push(
            "sign-in-expired",
            &SignInPage {
                notice: Some(SignInNotice::SessionExpired),
                ..sign_in(expired)
            },
        )?;
        let refused = Frame {
            problems: vec![Problem::new("sign_in_refused")],
            ..self.frame(path::SIGN_IN)
        };
        self.push(
            "sign-in-refused",
            &SignInPage {
                login_id: "hanako\"><b>".to_owned(),
                ..sign_in(refused)
            },
        )?;

        Ok(())
    }

    fn issuance(&mut self) -> askama::Result<()> {
        let issuance = |frame, mail_address: &str| IssuancePage {
            frame,
            login_id: "hanako".to_owned(),
            mail_address: mail_address.to_owned(),
            sending_domain: "otp.example.jp".to_owned(),
            length_min: 4,
            length_max: 8,
            clock: clock(),
        };
        let usual = issuance(self.frame_of_person(path::ISSUE), "");
        let refused = issuance(
            Frame {
                problems: vec![
                    Problem::new("mail_mismatch").at(Field::MailAddressAgain),
                    Problem::new("activation_password_length")
                        .with("min", 4)
                        .with("max", 8)
                        .at(Field::ActivationPassword),
                ],
                ..self.frame_of_person(path::ISSUE)
            },
            "hanako@example.co.jp",
        );
        self.push("issuance", &usual)?;
        self.push("issuance-refused", &refused)
    }

    fn waiting(&mut self) -> askama::Result<()> {
        use IssuanceState::{Activated, Expired, Issued, Locked};
        use MailState::{Failed, Queued, Sent};
        for (name, state, mail, starts_left, sent_again) in [
            ("waiting", Issued, Queued, 5, false),
            ("waiting-sent-again", Issued, Sent, 5, true),
            ("waiting-mail-failed", Issued, Failed, 5, false),
            ("waiting-day-used-up", Issued, Sent, 0, false),
            ("waiting-activated", Activated, Sent, 5, false),
            ("waiting-expired", Expired, Sent, 5, false),
            ("waiting-locked", Locked, Sent, 0, false),
        ] {
            let service_id = ServiceId::parse("minato-7").expect("a service id");
            let token_user_id = TokenUserId::parse("0000-0000-0000-00").expect("a token user id");
            let page = WaitingPage {
                frame: self.frame_of_person(path::WAITING),
                service_id: service_id.to_string(),
                app_link: AppLink::new("https://otp.example.jp", &service_id, &token_user_id),
                mail_masked: "h***@example.co.jp".to_owned(),
                now: WaitingState {
                    state,
                    mail,
                    starts_left,
                },
                expires_at: self.moment(),
                sent_again,
            };
            self.push(name, &page)?;
        }
        Ok(())
    }

    fn download(&mut self) -> askama::Result<()> {
        for (name, device, store) in [
            ("download", Device::Other, None),
            (
                "download-apple",
                Device::Apple,
                Some("https://apps.apple.com/jp/app/id0000000000"),
            ),
            (
                "download-android",
                Device::Android,
                Some("https://play.google.com/store/apps/details?id=a&hl=ja"),
            ),
        ] {
            let page = DownloadPage {
                frame: self.frame(path::DOWNLOAD),
                device,
                app_store_url: store.map(str::to_owned),
                google_play_url: store.map(str::to_owned),
                web_app_url: Some("https://otp.example.jp/app/".to_owned()),
                server_url: "https://otp.example.jp".to_owned(),
            };
            self.push(name, &page)?;
        }
        Ok(())
    }

    fn verification(&mut self) -> askama::Result<()> {
        let verification = |frame, first| VerificationPage {
            frame,
            digits: 6,
            first,
            clock: clock(),
        };
        let usual = verification(self.frame_of_person(path::VERIFY), false);
        let first = verification(self.frame_of_person(path::VERIFY), true);
        let wrong = verification(
            Frame {
                problems: vec![
                    Problem::new("code_wrong")
                        .with("tries_left", 1)
                        .at(Field::Code),
                ],
                ..self.frame_of_person(path::VERIFY)
            },
            false,
        );
        self.push("verification", &usual)?;
        self.push("verification-first", &first)?;
        self.push("verification-wrong", &wrong)
    }

    fn refused(&mut self) -> askama::Result<()> {
        for (name, refusal) in [
            (
                "refused-suspended",
                Refusal::Suspended(Releasers::MasterOrAdministrator),
            ),
            (
                "refused-suspended-master",
                Refusal::SuspendedNow(Releasers::Administrator),
            ),
            (
                "refused-suspended-help-desk",
                Refusal::Suspended(Releasers::HelpDesk),
            ),
            (
                "refused-suspended-for-good",
                Refusal::SuspendedNow(Releasers::Nobody),
            ),
            (
                "refused-revoked",
                Refusal::Waiting {
                    opens: self.moment(),
                },
            ),
        ] {
            let page = RefusedPage {
                frame: self.frame_of_person(path::VERIFY),
                refusal,
            };
            self.push(name, &page)?;
        }
        let not_found = ErrorPage {
            frame: self.frame("/nowhere?a=b"),
            problem: Problem::new("not_found"),
            support_id: None,
        };
        self.push("error-not-found", &not_found)?;
        let internal = ErrorPage {
            frame: self.frame_of_person(path::TOP),
            problem: Problem::new("internal").with("support", "7F3K-2M9Q"),
            support_id: Some("7F3K-2M9Q".to_owned()),
        };
        self.push("error-internal", &internal)
    }

    fn manage(&mut self) -> askama::Result<()> {
        for (name, role, manages) in [
            ("top", Role::General, false),
            ("top-master", Role::Master, true),
        ] {
            let page = TopPage {
                frame: self.frame_of_person(path::TOP),
                name: self.name(0),
                login_id: "hanako".to_owned(),
                company: "株式会社さくら商事".to_owned(),
                role,
                token: UserToken::InUse,
                last_sign_in: manages.then(|| self.moment()),
                may_manage: manages,
                advise_administrator: manages,
            };
            self.push(name, &page)?;
        }
        self.push(
            "manage",
            &ManagePage {
                frame: self.frame_of_person(path::MANAGE),
            },
        )?;
        self.push(
            "manage-users",
            &ManageUsersPage {
                frame: self.frame_of_person(path::MANAGE_USERS),
            },
        )?;

        let release = |frame, rows| UserListPage {
            frame,
            task: Task::Release,
            rows,
        };
        self.push(
            "release",
            &release(
                self.frame_of_person(path::MANAGE_RELEASE),
                self.rows(Task::Release),
            ),
        )?;
        self.push(
            "release-empty",
            &release(self.frame_of_person(path::MANAGE_RELEASE), Vec::new()),
        )?;
        let mut only_refused = self.rows(Task::Release);
        only_refused.retain(|row| row.refused.is_some());
        self.push(
            "release-nobody",
            &release(self.frame_of_person(path::MANAGE_RELEASE), only_refused),
        )?;
        let problems = vec![
            Problem::new("nobody_selected").at(Field::Users),
            Problem::new("confirmation_password_wrong").at(Field::ConfirmationPassword),
        ];
        let refused = Frame {
            problems,
            ..self.frame_of_person(path::MANAGE_RELEASE)
        };
        let mut unchosen = self.rows(Task::Release);
        for row in &mut unchosen {
            row.chosen = false;
        }
        self.push("release-refused", &release(refused, unchosen))?;
        let revoke = UserListPage {
            frame: self.frame_of_person(path::MANAGE_REVOKE),
            task: Task::Revoke,
            rows: self.rows(Task::Revoke),
        };
        self.push("revoke", &revoke)?;

        let mixed = |task| ResultPage {
            frame: self.frame_of_person(path::MANAGE_USERS),
            task,
            outcomes: self.outcomes(),
            opens: Some(self.moment()),
        };
        let (released, revoked) = (mixed(Task::Release), mixed(Task::Revoke));
        let mut all_done = mixed(Task::Revoke);
        all_done
            .outcomes
            .retain(|user| matches!(user.outcome, Outcome::Done));
        all_done.opens = None;
        self.push("release-result", &released)?;
        self.push("revoke-result", &revoked)?;
        self.push("revoke-result-done", &all_done)
    }

    fn rows(&self, task: Task) -> Vec<UserRow> {
        let refused = match task {
            Task::Release => Problem::new("self_release"),
            Task::Revoke => Problem::new("no_token"),
        };
        [
            ("general-1", Role::General, UserToken::Suspended, None),
            ("general-2", Role::General, UserToken::Issued, None),
            ("admin-2", Role::Administrator, UserToken::InUse, None),
            (
                "admin-1",
                Role::Administrator,
                UserToken::Suspended,
                Some(refused),
            ),
        ]
        .into_iter()
        .enumerate()
        .map(|(index, (login_id, role, token, refused))| UserRow {
            id: format!("u{index}"),
            login_id: login_id.to_owned(),
            name: self.name(index),
            role,
            token: if task == Task::Release {
                UserToken::Suspended
            } else {
                token
            },
            since: (index != 1).then(|| self.moment()),
            refused,
            chosen: index == 0,
        })
        .collect()
    }

    fn outcomes(&self) -> Vec<UserOutcome> {
        let outcome = |index, login_id: &str, outcome| UserOutcome {
            login_id: login_id.to_owned(),
            name: self.name(index),
            outcome,
        };
        vec![
            outcome(1, "general-1", Outcome::Done),
            outcome(
                2,
                "general-2",
                Outcome::Refused(Problem::new("release_only_revocation").with("run", 30)),
            ),
        ]
    }

    fn demo(&mut self) -> askama::Result<()> {
        let frame = |path| Frame {
            demo: true,
            ..self.frame(path)
        };
        let mail = DemoMail {
            id: "17/0 1".to_owned(),
            to: "hanako@example.co.jp".to_owned(),
            from: "no-reply@otp.example.jp".to_owned(),
            subject: self
                .text
                .t_args(
                    "mail-token-subject",
                    &[("service", "みなとビジネスWeb".into())],
                )
                .into_owned(),
            at: self.moment(),
        };
        let account = |login_id: &str, role| DemoAccount {
            login_id: login_id.to_owned(),
            role,
            password: "demo-password-1".to_owned(),
            confirmation_password: "demo-confirm-1".to_owned(),
        };
        let accounts = DemoAccountsPage {
            frame: frame(path::DEMO),
            accounts: vec![
                account("master", Role::Master),
                account("admin-1", Role::Administrator),
                account("user-1", Role::General),
            ],
        };
        let empty = DemoMailListPage {
            frame: frame(path::DEMO_MAIL),
            mails: Vec::new(),
        };
        let mails = DemoMailListPage {
            frame: frame(path::DEMO_MAIL),
            mails: vec![mail.clone()],
        };
        let letter = crate::letters::TokenLetter {
            text: self.text,
            name: self.name(0),
            service_name: "みなとビジネスWeb".to_owned(),
            service_id: "minato-7".to_owned(),
            token_user_id: "ABCD-EFGH-J".to_owned(),
            download_url: "https://otp.example.jp/download".to_owned(),
            expires_at: self.moment(),
            help_desk: self.frame("/").help_desk,
        }
        .letter()?;
        let one = DemoMailPage {
            frame: frame("/demo/mail/1"),
            mail,
            body: letter.body,
        };
        self.push("demo-accounts", &accounts)?;
        self.push("demo-mails-empty", &empty)?;
        self.push("demo-mails", &mails)?;
        self.push("demo-mail", &one)
    }
}

/// A fixed offset with the zone's name would do, but the page shows the name, so the real zone is asked for.
fn tokyo() -> jiff::tz::TimeZone {
    jiff::tz::TimeZone::get("Asia/Tokyo").unwrap_or(jiff::tz::TimeZone::UTC)
}

fn clock() -> Clock {
    Clock {
        now_ms: 1_795_000_000_000,
        time_of_day: "8:10:05".to_owned(),
    }
}
