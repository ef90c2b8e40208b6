use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use warifu_store::DatabaseConfig;

use super::*;
use crate::clock::ClockTrust;
use crate::mail::Route;
use crate::processors::Processors;

/// A configuration that is enough.
const ENOUGH: &str = r#"
public_url = "https://otp.bank.example"
root_key = "root.key"

[database]
url = "warifu.db"

[mail]
from = "Bank <otp@bank.example>"

[mail.smtp]
host = "smtp.bank.example"
"#;

struct Case {
    dir: TempDir,
    environment: Vec<(String, String)>,
    flags: Vec<(&'static str, String)>,
}

impl Case {
    fn new(file: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("warifu.toml"), file).unwrap();
        Self {
            dir,
            environment: Vec::new(),
            flags: Vec::new(),
        }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn flag(mut self, key: &'static str, value: &str) -> Self {
        self.flags.push((key, value.to_owned()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn load(&self) -> Result<Loaded, Problems> {
        let file = self.path("warifu.toml");
        load(&Inputs {
            file: Some(&file),
            environment: self.environment.clone(),
            flags: self.flags.clone(),
        })
    }

    fn config(&self) -> Config {
        self.load()
            .unwrap_or_else(|problems| panic!("{problems}"))
            .config
    }

    fn problems(&self) -> Vec<String> {
        let Err(Problems(problems)) = self.load() else {
            panic!("the configuration was taken")
        };
        problems.iter().map(ToString::to_string).collect()
    }

    /// The only problem.
    fn problem(&self) -> String {
        let problems = self.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.into_iter().next().unwrap()
    }
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file_and_that_over_the_default() {
    let listen = |case: &Case| case.config().listen.port();
    let case = Case::new(ENOUGH);
    assert_eq!(listen(&case), 8080);
    let case = Case::new(&format!("listen = \"127.0.0.1:1001\"\n{ENOUGH}"));
    assert_eq!(listen(&case), 1001);
    let case = case.variable("WARIFU_LISTEN", "127.0.0.1:1002");
    assert_eq!(listen(&case), 1002);
    let case = case.flag("listen", "127.0.0.1:1003");
    assert_eq!(listen(&case), 1003);
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_one() {
    for (line, near) in [
        ("lisen = \"127.0.0.1:1\"", "`listen`"),
        ("port = 1", "`mail.smtp.port`"),
        ("publik_url = \"https://x.example\"", "`public_url`"),
    ] {
        let problem = Case::new(&format!("{line}\n{ENOUGH}")).problem();
        assert!(
            problem.contains("is no setting") && problem.contains(near),
            "{problem}"
        );
    }
    let problem = Case::new(&format!("{ENOUGH}\nuser = \"x\"")).problem();
    assert!(
        problem.contains("`mail.smtp.user`") && problem.contains("`mail.smtp.username`"),
        "{problem}"
    );
    let problem = Case::new(ENOUGH)
        .variable("WARIFU_MAIL_SMTP_HOSTT", "x")
        .problem();
    assert!(problem.contains("`WARIFU_MAIL_SMTP_HOST`"), "{problem}");
    let problem = Case::new(&format!("zzz = 1\n{ENOUGH}")).problem();
    assert!(!problem.contains("did you mean"), "{problem}");
}

#[test]
fn variables_of_others_are_left_alone() {
    Case::new(ENOUGH)
        .variable("WARIFU_CONFIG", "warifu.toml")
        .variable("WARIFU_AUTHENTICATOR_HOME", "/tmp")
        .variable("WARIFU_TEST_POSTGRES_URL", "postgres://localhost/x")
        .variable("HOME", "/root")
        .config();
}

#[test]
fn all_problems_are_said_at_once() {
    let problems = Case::new("listen = 8080\n[log]\nlevel = \"loud\"\n[mail]\nfrom = \"nobody\"")
        .problems()
        .join("\n");
    for expected in [
        "`listen` must be a text",
        "`log.level`",
        "`mail.from`",
        "`root_key` is not set",
        "`database.url` is not set",
        "`mail.smtp.host` is not set",
    ] {
        assert!(problems.contains(expected), "{expected}: {problems}");
    }
}

#[test]
fn paths_in_the_file_are_meant_from_its_own_folder() {
    let case = Case::new(ENOUGH);
    let config = case.config();
    assert_eq!(config.root_key, case.path("root.key"));
    let DatabaseConfig::Sqlite { path } = config.database else {
        panic!("not SQLite")
    };
    assert_eq!(path, case.path("warifu.db"));
    let config = Case::new(ENOUGH)
        .variable("WARIFU_ROOT_KEY", "root.key")
        .config();
    assert_eq!(config.root_key, PathBuf::from("root.key"));
}

#[test]
fn r24_no_secret_is_printed_or_repeated_in_a_problem() {
    let secret = "canary-7f3a";
    let with_secrets = ENOUGH
        .replace(
            "warifu.db",
            &format!("postgres://warifu:{secret}@db.example/warifu?sslpassword={secret}"),
        )
        .replace(
            "[mail.smtp]",
            &format!("[mail.smtp]\nusername = \"otp\"\npassword = \"{secret}\""),
        );
    let loaded = Case::new(&with_secrets).load();
    let printed = loaded
        .unwrap_or_else(|problems| panic!("{problems}"))
        .printed();
    assert!(!printed.contains(secret), "{printed}");
    assert!(
        printed.contains("# mail.smtp.password is set and not shown")
            && printed.contains("warifu:hidden@db.example")
    );

    let unreadable = with_secrets.replace(&format!("\"{secret}\""), &format!("\"{secret}"));
    let wrong_type = with_secrets.replace(
        &format!("password = \"{secret}\""),
        &format!("password = [\"{secret}\"]"),
    );
    for text in [unreadable, wrong_type] {
        let problems = Case::new(&text).problems().join("\n");
        assert!(!problems.contains(secret), "{problems}");
    }
}

#[test]
fn the_printed_configuration_is_a_configuration() {
    let case = Case::new(&format!(
        "trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\n{ENOUGH}"
    ));
    let printed = case
        .load()
        .unwrap_or_else(|problems| panic!("{problems}"))
        .printed();
    let again = Case::new(&printed);
    let without_sources = |text: &str| {
        text.lines()
            .map(|line| line.split(" # ").next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let printed_again = again
        .load()
        .unwrap_or_else(|problems| panic!("{problems}"))
        .printed();
    assert_eq!(without_sources(&printed), without_sources(&printed_again));
}

#[test]
fn a_password_in_a_flag_is_refused() {
    let case = Case::new(ENOUGH).flag("database.url", "postgres://warifu:hush@db.example/warifu");
    let problem = case.problem();
    assert!(
        problem.contains("`database.url` (flag) holds a password") && !problem.contains("hush"),
        "{problem}"
    );
    Case::new(ENOUGH)
        .flag("database.url", "postgres://warifu@db.example/warifu")
        .config();
    Case::new(ENOUGH)
        .variable(
            "WARIFU_DATABASE_URL",
            "postgres://warifu:hush@db.example/warifu",
        )
        .config();
}

#[test]
fn the_public_address_is_https_or_this_machine() {
    for (text, kept) in [
        ("https://otp.bank.example", "https://otp.bank.example"),
        ("https://OTP.bank.example/", "https://otp.bank.example"),
        (
            "https://otp.bank.example:8443",
            "https://otp.bank.example:8443",
        ),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:80", "http://[::1]:80"),
    ] {
        assert_eq!(PublicUrl::parse(text).unwrap().as_str(), kept);
    }
    for wrong in [
        "otp.bank.example",
        "http://otp.bank.example",
        "https://otp.bank.example/path",
        "https://otp.bank.example?x",
        "https://user@otp.bank.example",
        "ftp://127.0.0.1",
        "https://",
        "",
    ] {
        assert!(PublicUrl::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn mails_go_in_clear_to_this_machine_only() {
    let smtp = |host: &str, security: &str| {
        ENOUGH.replace(
            "host = \"smtp.bank.example\"",
            &format!("host = \"{host}\"\nsecurity = \"{security}\""),
        )
    };
    assert!(
        Case::new(&smtp("smtp.bank.example", "none"))
            .problem()
            .contains("on this machine")
    );
    assert!(
        Case::new(&smtp("smtp.bank.example", "ssl"))
            .problem()
            .contains("`starttls`, `tls` or `none`")
    );
    for (host, security, port) in [
        ("localhost", "none", 25),
        ("smtp.bank.example", "tls", 465),
        ("smtp.bank.example", "starttls", 587),
    ] {
        let Route::Smtp(smtp) = Case::new(&smtp(host, security)).config().mail.route else {
            panic!("not SMTP")
        };
        assert_eq!(
            (smtp.host.as_str(), smtp.port, smtp.hello_name.as_str()),
            (host, port, "otp.bank.example")
        );
    }
}

#[test]
fn the_mail_servers_password_may_be_in_a_file_of_its_own() {
    let case = Case::new(&format!(
        "{ENOUGH}username = \"otp\"\npassword_file = \"smtp-password\"\n"
    ));
    assert!(
        case.problems()
            .iter()
            .any(|problem| problem.contains("password_file"))
    );
    fs::write(case.path("smtp-password"), "hush\n").unwrap();
    let Route::Smtp(smtp) = case.config().mail.route else {
        panic!("not SMTP")
    };
    assert_eq!(smtp.credentials.unwrap().password.expose(), "hush");
    let both = case.variable("WARIFU_MAIL_SMTP_PASSWORD", "hush too");
    assert!(both.problem().contains("are both set"));
    let alone = Case::new(&format!("{ENOUGH}username = \"otp\"\n"));
    assert!(alone.problem().contains("has no password"));
}

#[test]
fn numbers_and_networks_out_of_range_are_refused() {
    let problem = Case::new(&format!("{ENOUGH}\n[limits]\nrequest_timeout_s = 0")).problem();
    assert!(problem.contains("from 1 to 300"), "{problem}");
    let problem = Case::new(ENOUGH)
        .variable("WARIFU_TRUSTED_PROXIES", "10.0.0.0/8, proxy.example")
        .problem();
    assert!(problem.contains("`proxy.example` is neither"), "{problem}");
    let config = Case::new(ENOUGH)
        .variable("WARIFU_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1")
        .config();
    assert!(!config.trusted_proxies.is_empty());
}

#[test]
fn every_limit_of_the_defaults_is_the_one_in_the_list_of_settings() {
    assert_eq!(Case::new(ENOUGH).config().limits, Limits::default());
}

#[tokio::test]
async fn a_check_says_what_is_broken_and_makes_nothing() {
    let case = Case::new(ENOUGH);
    let lines = check(&case.config(), MailCheck::Leave).await;
    assert!(
        lines.iter().all(|line| line.sound),
        "nothing is there yet, and a start would make it: {lines:?}"
    );
    assert_eq!(
        fs::read_dir(case.dir.path()).unwrap().count(),
        1,
        "only the configuration"
    );

    fs::write(case.path("root.key"), [7; 32]).unwrap();
    let lines = check(&case.config(), MailCheck::Leave).await;
    let broken: Vec<_> = lines.iter().filter(|line| !line.sound).collect();
    assert!(
        broken.len() == 1 && broken[0].found.contains("chmod 0400"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn r66_a_check_finds_the_wrong_root_key() {
    let case = Case::new(ENOUGH);
    let config = case.config();
    let app = crate::startup::open_app(&config).await;
    drop(app.unwrap_or_else(|error| panic!("{error}")));
    let lines = check(&config, MailCheck::Leave).await;
    assert!(
        lines
            .iter()
            .any(|line| line.found.ends_with("opens the data")),
        "{lines:?}"
    );

    fs::remove_file(case.path("root.key")).unwrap();
    let lines = check(&config, MailCheck::Leave).await;
    assert!(
        lines
            .iter()
            .any(|line| !line.sound && line.found.contains("there is no root key")),
        "{lines:?}"
    );

    warifu_vault::Root::create(&case.path("root.key"), &mut crate::clock::system_rng())
        .unwrap_or_else(|error| panic!("{error}"));
    let lines = check(&config, MailCheck::Leave).await;
    assert!(
        lines
            .iter()
            .any(|line| !line.sound && line.found.contains("not the one this database")),
        "{lines:?}"
    );
}

#[test]
fn a_certificate_and_its_key_are_given_together_or_not_at_all() {
    assert!(Case::new(ENOUGH).config().tls.is_none());
    let both = format!("{ENOUGH}\n[tls]\ncertificate_file = \"c.pem\"\nkey_file = \"k.pem\"");
    let case = Case::new(&both);
    let files = case.config().tls.unwrap();
    assert_eq!(files.key, case.path("k.pem"), "from the file's own folder");
    for (given, missing) in [
        ("certificate_file", "`tls.key_file`"),
        ("key_file", "`tls.certificate_file`"),
    ] {
        let problem = Case::new(&format!("{ENOUGH}\n[tls]\n{given} = \"x.pem\"")).problem();
        assert!(
            problem.contains(missing) && problem.contains("is not set"),
            "{problem}"
        );
    }
}

#[test]
fn r94_measurements_are_for_the_own_networks_unless_said_otherwise() {
    assert!(Case::new(ENOUGH).config().metrics_listen.is_none());
    let case = |listen: &str, more: &str| {
        Case::new(&format!(
            "{ENOUGH}\n[metrics]\nlisten = \"{listen}\"\n{more}"
        ))
    };
    for private in ["127.0.0.1:1", "10.1.2.3:1", "[::1]:1", "[fd00::1]:1"] {
        assert!(case(private, "").config().metrics_listen.is_some());
    }
    for public in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1"] {
        let problem = case(public, "").problem();
        assert!(problem.contains("metrics.reach"), "{problem}");
        let anywhere = case(public, "reach = \"anywhere\"");
        assert!(anywhere.config().metrics_listen.is_some());
    }
    assert!(case("nowhere", "").problem().contains("ADDRESS:PORT"));
}

#[test]
fn processors_are_shared_unless_said_otherwise() {
    let case = |value: &str| Case::new(&format!("processors = \"{value}\"\n{ENOUGH}"));
    assert_eq!(Case::new(ENOUGH).config().processors, Processors::Shared);
    assert_eq!(case("divided").config().processors, Processors::Divided);
    let problem = case("mine").problem();
    assert!(problem.contains("`shared` or `divided`"), "{problem}");
}

#[test]
fn the_clock_is_compared_unless_said_otherwise() {
    let case = |value: &str| Case::new(&format!("clock = \"{value}\"\n{ENOUGH}"));
    assert_eq!(Case::new(ENOUGH).config().clock, ClockTrust::Compared);
    assert_eq!(case("trusted").config().clock, ClockTrust::Trusted);
    let problem = case("right").problem();
    assert!(problem.contains("`compared` or `trusted`"), "{problem}");
}
