use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use mail_parser::MessageParser;
use warifu_core::time::UnixMillis;

use super::*;

fn mail() -> OutgoingMail {
    OutgoingMail {
        mail_id: "01jd3v0000000000000000mail".to_owned(),
        at: UnixMillis(1_795_500_000_000),
        from: "わりふ銀行 <otp@bank.example>".to_owned(),
        to: "tanaka@minato.example".to_owned(),
        subject: "トークン発行のご案内".to_owned(),
        body: "田中 様\n\nサービスID: demo-bank\nユーザID: 1234-5678-9012-34\n".to_owned(),
    }
}

fn eml(dir: &Path) -> Mailer {
    let route = Route::Eml {
        dir: dir.to_owned(),
    };
    Mailer::open(&MailConfig {
        from: mail().from,
        route,
    })
    .unwrap()
}

#[tokio::test]
async fn a_mail_is_one_private_file_and_a_second_try_writes_the_same() {
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("mail");
    let mailer = eml(&dir);
    mailer.send(&mail()).await.unwrap();
    let file = dir.join("01jd3v0000000000000000mail.eml");
    let first = fs::read(&file).unwrap();
    mailer.send(&mail()).await.unwrap();
    assert_eq!(fs::read(&file).unwrap(), first);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600));
}

#[tokio::test]
async fn other_programs_read_the_mail_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    eml(dir.path()).send(&mail()).await.unwrap();
    let bytes = fs::read(dir.path().join("01jd3v0000000000000000mail.eml")).unwrap();
    assert!(bytes.is_ascii(), "a server without 8BITMIME takes it");
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(
        message.message_id(),
        Some("01jd3v0000000000000000mail@bank.example")
    );
    assert_eq!(message.subject(), Some("トークン発行のご案内"));
    let from = message.from().unwrap().first().unwrap();
    assert_eq!(
        (from.name(), from.address()),
        (Some("わりふ銀行"), Some("otp@bank.example"))
    );
    assert_eq!(
        message.body_text(0).unwrap().replace("\r\n", "\n"),
        mail().body
    );
    assert_eq!(message.date().unwrap().to_timestamp(), 1_795_500_000);
}

#[tokio::test]
async fn a_mail_that_can_never_go_is_refused_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let mailer = eml(dir.path());
    for wrong in [
        OutgoingMail {
            to: "nobody".to_owned(),
            ..mail()
        },
        OutgoingMail {
            to: "a@b.example\r\nBcc: c@d.example".to_owned(),
            ..mail()
        },
        OutgoingMail {
            subject: "one\r\nBcc: c@d.example".to_owned(),
            ..mail()
        },
        OutgoingMail {
            mail_id: "../outside".to_owned(),
            ..mail()
        },
        OutgoingMail {
            mail_id: String::new(),
            ..mail()
        },
    ] {
        let error = mailer.send(&wrong).await.unwrap_err();
        assert_eq!(error.kind, SendErrorKind::Permanent, "{}", error.reason);
        assert!(!error.reason.contains('@'));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let mailer = eml(&file);
    assert_eq!(
        mailer.send(&mail()).await.unwrap_err().kind,
        SendErrorKind::Temporary
    );
    assert!(mailer.check().await.is_err());
}
