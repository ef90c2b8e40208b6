//! Mails to a real mail server on loopback: encryption, sign-in, refusals (J2, R95).

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use warifu_core::time::UnixMillis;
use warifu_server::mail::{
    Credentials, MailConfig, Mailer, OutgoingMail, Route, Secret, Security, SendError,
    SendErrorKind, SmtpConfig,
};

use crate::pair::Pair;

struct Server {
    process: Child,
    port: u16,
    dir: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mails = dir.path().join("mails");
        fs::create_dir(&mails).unwrap();
        let Pair { certificate, key } = Pair::make(dir.path(), "localhost");
        let mut command = Command::new("/usr/bin/python3");
        command
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/support/smtp_server.py"
            ))
            .arg(&mails);
        for option in options {
            command.arg(option);
            if matches!(*option, "starttls" | "tls") {
                command.arg(&certificate).arg(&key);
            }
        }
        let mut process = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 with aiosmtpd is needed");
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line
            .trim()
            .parse()
            .expect("the mail server says its port: is python3-aiosmtpd installed?");
        Self { process, port, dir }
    }

    fn certificate(&self) -> PathBuf {
        self.dir.path().join("certificate.pem")
    }

    fn config(&self, security: Security) -> SmtpConfig {
        SmtpConfig {
            host: "localhost".to_owned(),
            port: self.port,
            security,
            credentials: None,
            ca_file: Some(self.certificate()),
            hello_name: "otp.bank.example".to_owned(),
        }
    }

    fn mails(&self) -> Vec<String> {
        let mut files: Vec<_> = fs::read_dir(self.dir.path().join("mails"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        files
            .iter()
            .map(|path| fs::read_to_string(path).unwrap())
            .collect()
    }
}

fn mail() -> OutgoingMail {
    OutgoingMail {
        mail_id: "01jd3v0000000000000000mail".to_owned(),
        at: UnixMillis(1_795_500_000_000),
        from: "Bank <otp@bank.example>".to_owned(),
        to: "tanaka@minato.example".to_owned(),
        subject: "トークン発行のご案内".to_owned(),
        body: "サービスID: demo-bank\nユーザID: 1234-5678-9012-34\n.\nFrom here\n".to_owned(),
    }
}

async fn send(config: SmtpConfig, mail: &OutgoingMail) -> Result<(), SendError> {
    let mailer = Mailer::open(&MailConfig {
        from: mail.from.clone(),
        route: Route::Smtp(config),
    })
    .unwrap();
    mailer.send(mail).await
}

/// The error of a mail that did not go; whatever it is, it tells nobody's address.
async fn refused(config: SmtpConfig) -> SendError {
    let error = send(config, &mail()).await.unwrap_err();
    assert!(
        !error.reason.contains('@') && !error.reason.contains("canary"),
        "{}",
        error.reason
    );
    error
}

#[tokio::test]
async fn mails_go_by_starttls_after_a_sign_in() {
    let server = Server::start(&["starttls", "login", "otp", "hush"]);
    let credentials = |password: &str| {
        Some(Credentials {
            username: "otp".to_owned(),
            password: Secret::new(password.to_owned()),
        })
    };
    let config = SmtpConfig {
        credentials: credentials("hush"),
        ..server.config(Security::StartTls)
    };
    send(config.clone(), &mail()).await.unwrap();
    send(config, &mail()).await.unwrap();
    let mails = server.mails();
    assert!(
        mails[0].starts_with("otp@bank.example tanaka@minato.example\n"),
        "{}",
        mails[0]
    );
    for header in [
        "Message-ID: <01jd3v0000000000000000mail@bank.example>",
        "Date: ",
        "Auto-Submitted: auto-generated",
        "Content-Type: text/plain; charset=utf-8",
        "MIME-Version: 1.0",
    ] {
        assert!(mails[0].contains(header), "{header}: {}", mails[0]);
    }
    let without_peer = |mail: &str| {
        mail.lines()
            .filter(|line| !line.starts_with("X-Peer"))
            .collect::<String>()
    };
    assert_eq!(
        without_peer(&mails[0]),
        without_peer(&mails[1]),
        "a second try sends the same mail"
    );

    let wrong = SmtpConfig {
        credentials: credentials("wrong"),
        ..server.config(Security::StartTls)
    };
    let error = refused(wrong).await;
    assert_eq!(
        error.kind,
        SendErrorKind::Temporary,
        "our sign-in says nothing about the mail"
    );
    assert!(error.reason.contains("535"), "{}", error.reason);
}

#[tokio::test]
async fn mails_go_by_tls_from_the_first_byte() {
    let server = Server::start(&["tls"]);
    send(server.config(Security::Tls), &mail()).await.unwrap();
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing() {
    let server = Server::start(&[]);
    let error = refused(server.config(Security::StartTls)).await;
    assert_eq!(error.kind, SendErrorKind::Temporary);
    assert!(
        error.reason.contains("does not offer STARTTLS"),
        "{}",
        error.reason
    );
    assert!(server.mails().is_empty());
    send(server.config(Security::None), &mail()).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    for (option, security) in [("starttls", Security::StartTls), ("tls", Security::Tls)] {
        let server = Server::start(&[option]);
        let error = refused(SmtpConfig {
            ca_file: None,
            ..server.config(security)
        })
        .await;
        assert_eq!(error.kind, SendErrorKind::Temporary);
        assert!(
            error.reason.to_lowercase().contains("certificate"),
            "{}",
            error.reason
        );
        let elsewhere = SmtpConfig {
            host: "127.0.0.1".to_owned(),
            ..server.config(security)
        };
        let error = refused(elsewhere).await;
        assert!(
            error.reason.to_lowercase().contains("certificate"),
            "another name: {}",
            error.reason
        );
        assert!(server.mails().is_empty());
    }
}

#[tokio::test]
async fn a_5xx_answer_to_the_mail_is_final_and_a_4xx_is_not() {
    for (code, kind) in [
        ("550", SendErrorKind::Permanent),
        ("451", SendErrorKind::Temporary),
    ] {
        let server = Server::start(&["refuse", code]);
        let error = refused(server.config(Security::None)).await;
        assert_eq!(error.kind, kind);
        assert!(
            error
                .reason
                .contains(&format!("it answered {code} {}.1.1", &code[..1])),
            "{}",
            error.reason
        );
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_tried_again() {
    let config = SmtpConfig {
        host: "127.0.0.1".to_owned(),
        // Nobody listens there.
        port: 1,
        security: Security::None,
        credentials: None,
        ca_file: None,
        hello_name: "localhost".to_owned(),
    };
    let error = refused(config).await;
    assert_eq!(error.kind, SendErrorKind::Temporary);
    assert!(error.reason.contains("refused"), "{}", error.reason);
}

#[tokio::test]
async fn a_check_connects_and_sends_nothing() {
    let server = Server::start(&["starttls"]);
    let config = MailConfig {
        from: "otp@bank.example".to_owned(),
        route: Route::Smtp(server.config(Security::StartTls)),
    };
    Mailer::open(&config).unwrap().check().await.unwrap();
    assert!(server.mails().is_empty());
}

#[test]
fn a_file_without_certificates_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("roots.pem");
    fs::write(&path, "nothing").unwrap();
    let route = Route::Smtp(SmtpConfig {
        host: "localhost".to_owned(),
        port: 25,
        security: Security::Tls,
        credentials: None,
        ca_file: Some(path),
        hello_name: "localhost".to_owned(),
    });
    let error = Mailer::open(&MailConfig {
        from: "otp@bank.example".to_owned(),
        route,
    })
    .unwrap_err();
    assert!(error.to_string().contains("there is none in it"), "{error}");
}
