//! `warifu authenticator`: the token app in a terminal (J3). It parses, asks, prints and talks to the network; what an
//! activation is, and how tokens are kept, is in the crate `warifu-authenticator`.
//!
//! For scripts: the answer stands on standard output, everything else on standard error. With `--json` the answer is one
//! JSON value, and a refusal too: `{"error": {"code", "message"}}`. Exit status 0 done, 1 refused, 2 usage, 3 the server could not
//! be reached; after 3, nothing is lost and the same command is right. The codes are those of `docs/errors.md`, and of this
//! app: `usage`, `unreachable`, `bad_answer` (no Warifu server answered), `not_active` (the activation is not finished),
//! `not_computed` (no 64 MiB of memory), `storage` (the tokens on this device cannot be read or kept).

mod failure;
mod screen;
mod server;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use etcetera::BaseStrategy as _;
use serde_json::{Value as Json, json};
use warifu_authenticator::activation::{Next, Order, Progress};
use warifu_authenticator::file::TokenFolder;
use warifu_authenticator::tokens::CLOCK_OFF_WARN_MS;
use warifu_authenticator::{
    LocalId, Name, ServerAddress, ServerAddressError, State, Token, Tokens,
};
use warifu_core::activation_password::ActivationPassword;
use warifu_core::id::{IdError, ServiceId, TokenUserId};
use warifu_core::refusal::Refusal;

use crate::clock::{Clock, system_rng};
use crate::text::Text;
use failure::Failure;
use screen::{Screen, is_interactive, language};
use server::{BRIEF, PATIENT, Reply};

/// The token app: add a token with what the mail says, and show its codes.
#[derive(Debug, Args)]
pub struct AuthenticatorArgs {
    /// Folder of the tokens [default: warifu-authenticator in the user's data folder]
    #[arg(long, env = "WARIFU_AUTHENTICATOR_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a token; given again, it finishes what was interrupted
    Add(Add),
    /// Show the code of a token
    Code {
        /// Which token, as `list` names it; needed when there are several
        #[arg(long)]
        id: Option<String>,
        /// Answer with JSON
        #[arg(long)]
        json: bool,
    },
    /// List the tokens
    List {
        /// Answer with JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a token another name
    Rename {
        /// Which token, as `list` names it
        id: String,
        /// 1 to 40 characters
        name: String,
    },
    /// Remove a token from this device for good
    Remove {
        /// Which token, as `list` names it
        id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// The server's address, such as <https://bank.example>; asked for when missing
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The service id of the mail (サービスID); asked for when missing
    #[arg(long, value_name = "ID")]
    service_id: Option<String>,
    /// The user id of the mail (ユーザID); asked for when missing
    #[arg(long, value_name = "ID")]
    user_id: Option<String>,
    /// Read the activation password (利用開始パスワード) from standard input instead of asking for it
    #[arg(long)]
    activation_password_stdin: bool,
    /// Answer with JSON: the token's first code
    #[arg(long)]
    json: bool,
}

/// Runs the app once, at the process's own terminal.
#[must_use]
pub fn run(args: AuthenticatorArgs) -> ExitCode {
    use io::IsTerminal as _;
    let mut screen = Screen {
        text: Text::new(language(|name| std::env::var(name).ok())),
        input: &mut io::stdin().lock(),
        out: &mut io::stdout(),
        err: &mut io::stderr(),
        interactive: is_interactive(),
        progress: io::stderr().is_terminal(),
    };
    run_at(args, &Clock::system(), &mut screen)
}

fn run_at(args: AuthenticatorArgs, clock: &Clock, screen: &mut Screen<'_>) -> ExitCode {
    let json = match &args.command {
        Command::Add(Add { json, .. }) | Command::Code { json, .. } | Command::List { json } => {
            *json
        }
        Command::Rename { .. } | Command::Remove { .. } => false,
    };
    match obey(args, clock, screen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if json {
                let error = json!({"error": {"code": failure.code, "message": failure.message}});
                screen.answer(&error.to_string());
            }
            screen.note(&format!("{} [{}]", failure.message, failure.code));
            failure.exit.into()
        }
    }
}

fn obey(args: AuthenticatorArgs, clock: &Clock, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let home = match args.home {
        Some(home) => home,
        None => default_home().ok_or_else(|| Failure::usage(screen.text.t("app-home-missing")))?,
    };
    let app = App { home, clock };
    match args.command {
        Command::Add(add) => app.add(&add, screen),
        Command::Code { id, json } => app.code(id.as_deref(), json, screen),
        Command::List { json } => app.list(json, screen),
        Command::Rename { id, name } => app.rename(&id, &name, screen),
        Command::Remove { id, yes } => app.remove(&id, yes, screen),
    }
}

fn default_home() -> Option<PathBuf> {
    let folders = etcetera::choose_base_strategy().ok()?;
    Some(folders.data_dir().join("warifu-authenticator"))
}

struct App<'a> {
    home: PathBuf,
    clock: &'a Clock,
}

/// The tokens, and the folder that keeps them.
struct Opened {
    folder: TokenFolder,
    tokens: Tokens,
    text: Text,
}

impl Opened {
    fn save(&self) -> Result<(), Failure> {
        let saved = self.folder.save(&self.tokens, &mut system_rng());
        saved.map_err(|error| Failure::of_file(self.text, &error))
    }

    fn find(&self, id: &str) -> Result<&Token, Failure> {
        let found = LocalId::parse(id).and_then(|id| self.tokens.find(&id));
        found
            .ok_or_else(|| Failure::refused(Refusal::NotFound.code(), self.text.t("app-not-found")))
    }
}

impl App<'_> {
    fn open(&self, screen: &mut Screen<'_>) -> Result<Opened, Failure> {
        let text = screen.text;
        let waiting = || screen.note(&text.t("app-waiting"));
        let (folder, tokens) = TokenFolder::open(&self.home, &mut system_rng(), waiting)
            .map_err(|error| Failure::of_file(text, &error))?;
        Ok(Opened {
            folder,
            tokens,
            text,
        })
    }

    fn add(&self, add: &Add, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let order = order(add, screen)?;
        let password = read_password(add, screen)?;
        let mut opened = self.open(screen)?;
        let id = self.activate(&mut opened, &order, &password, screen)?;
        let token = opened.find(id.as_str())?;
        if token.is_of_an_earlier_run()
            && let Some(offset_ms) = server::clock_offset_ms(token.server(), self.clock)
        {
            opened.tokens.set_offset(&order.server, offset_ms);
            opened.save()?;
        }
        let Opened { folder, tokens, .. } = opened;
        drop(folder);
        let token = tokens
            .find(&id)
            .ok_or_else(|| Failure::bad_answer(screen.text))?;
        let done = screen
            .text
            .t_args("app-added", &[("name", token.name().as_str().into())]);
        screen.note(&done);
        self.show(token, add.json, screen)
    }

    /// Runs the activation to its end. Everything is saved before it is sent.
    fn activate(
        &self,
        opened: &mut Opened,
        order: &Order,
        password: &ActivationPassword,
        screen: &mut Screen<'_>,
    ) -> Result<LocalId, Failure> {
        let text = screen.text;
        let begin = |tokens: &mut Tokens| {
            let begun = tokens.begin(order, password, &mut system_rng());
            begun.map_err(|error| Failure::of_activation(text, error))
        };
        let mut id = begin(&mut opened.tokens)?;
        loop {
            opened.save()?;
            let Next::Send(request) = opened.tokens.next(&id) else {
                return Ok(id);
            };
            let finishing = matches!(opened.find(id.as_str())?.state(), State::Pending(_));
            screen.step(&if finishing {
                text.t("app-finishing")
            } else {
                text.t("app-starting")
            });
            let (answer, sentence, trip) =
                match server::post(&order.server, &request, PATIENT, self.clock, text) {
                    Reply::Answer(answer, sentence, trip) => (answer, sentence, trip),
                    Reply::None(detail) => return Err(Failure::unreachable(text, &detail)),
                    Reply::Strange => return Err(Failure::bad_answer(text)),
                };
            if !finishing {
                screen.step(&text.t("app-checking"));
            }
            let progress = opened
                .tokens
                .answered(&id, &answer, trip, Some(password))
                .map_err(|error| Failure::of_activation(text, error))?;
            match progress {
                Progress::Forward => {}
                Progress::BeginAgain => id = begin(&mut opened.tokens)?,
                Progress::Ended(refusal) => {
                    opened.save()?;
                    let failure = Failure::of(text, refusal);
                    return Err(Failure {
                        message: sentence.unwrap_or(failure.message),
                        ..failure
                    });
                }
                Progress::Refused(code) => {
                    let ours = || {
                        text.t_args("app-refused", &[("code", code.as_str().into())])
                            .into_owned()
                    };
                    let message = sentence.unwrap_or_else(ours);
                    return Err(Failure::refused(code, message));
                }
            }
        }
    }

    /// Finishes what only the server's last word is missing of, if that goes quickly. Nobody asked for it, so a network that
    /// fails is no failure here.
    fn settle(&self, opened: &mut Opened, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let is_pending = |token: &&Token| matches!(token.state(), State::Pending(_));
        let waiting: Vec<(LocalId, ServerAddress)> = opened
            .tokens
            .iter()
            .filter(is_pending)
            .map(|token| (token.id().clone(), token.server().clone()))
            .collect();
        let mut silent: Vec<ServerAddress> = Vec::new();
        for (id, server) in waiting {
            let Next::Send(request) = opened.tokens.next(&id) else {
                continue;
            };
            if silent.contains(&server) {
                continue;
            }
            let name = opened.find(id.as_str())?.name().clone();
            let Reply::Answer(answer, sentence, trip) =
                server::post(&server, &request, BRIEF, self.clock, screen.text)
            else {
                silent.push(server);
                continue;
            };
            match opened.tokens.answered(&id, &answer, trip, None) {
                Ok(Progress::Forward) => {
                    opened.save()?;
                    screen.note(
                        &screen
                            .text
                            .t_args("app-added", &[("name", name.as_str().into())]),
                    );
                }
                Ok(Progress::Ended(refusal)) => {
                    opened.save()?;
                    let reason =
                        sentence.unwrap_or_else(|| Failure::of(screen.text, refusal).message);
                    let args = [("name", name.as_str().into()), ("reason", reason.into())];
                    screen.note(&screen.text.t_args("app-dropped", &args));
                }
                Ok(Progress::Refused(_) | Progress::BeginAgain) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn code(&self, id: Option<&str>, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let mut opened = self.open(screen)?;
        self.settle(&mut opened, screen)?;
        let id = chosen(&opened, id)?.id().clone();
        self.measure_again(&mut opened, &id)?;
        let Opened { folder, tokens, .. } = opened;
        // Others may use the folder while the countdown runs.
        drop(folder);
        let token = tokens
            .find(&id)
            .ok_or_else(|| Failure::bad_answer(screen.text))?;
        self.show(token, json, screen)
    }

    /// A clock that was far off may have been mended since: then the old correction would make every code wrong (J7).
    fn measure_again(&self, opened: &mut Opened, id: &LocalId) -> Result<(), Failure> {
        let token = opened.find(id.as_str())?;
        if token.offset_ms().abs() <= CLOCK_OFF_WARN_MS {
            return Ok(());
        }
        let server = token.server().clone();
        match server::clock_offset_ms(&server, self.clock) {
            Some(offset_ms) => {
                opened.tokens.set_offset(&server, offset_ms);
                opened.save()
            }
            None => Ok(()),
        }
    }

    /// The code: as a countdown to a person, as a line or as JSON to a script.
    fn show(&self, token: &Token, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        warn_of_the_clock(token, screen);
        if !json && screen.interactive {
            let shown = screen.countdown(token, self.clock);
            return shown.map_err(|error| Failure::refused("storage", error.to_string()));
        }
        let now = token
            .code(self.clock.now())
            .ok_or_else(|| not_active(screen.text))?;
        let (code, expires_in_s) = (now.code.expose(), now.expires_in_s);
        if json {
            let answer = json!({
                "code": code,
                "expires_in_s": expires_in_s,
                "id": token.id().as_str(),
                "service_id": token.service_id().as_str(),
                "name": token.name().as_str(),
                "time_offset_s": seconds(token.offset_ms()),
            });
            screen.answer(&answer.to_string());
        } else {
            screen.answer(&format!("{code}  ({expires_in_s} s)"));
        }
        Ok(())
    }

    fn list(&self, json: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let mut opened = self.open(screen)?;
        self.settle(&mut opened, screen)?;
        if json {
            let rows: Vec<Json> = opened.tokens.iter().map(row).collect();
            screen.answer(&Json::from(rows).to_string());
        } else if opened.tokens.is_empty() {
            screen.note(&screen.text.t("app-list-empty"));
        } else {
            let lines: Vec<String> = opened
                .tokens
                .iter()
                .map(|token| line(token, screen.text))
                .collect();
            screen.answer(&lines.join("\n"));
        }
        Ok(())
    }

    fn rename(&self, id: &str, name: &str, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let args = [("max", Name::LENGTH_MAX.into())];
        let name = Name::parse(name)
            .map_err(|_| Failure::usage(screen.text.t_args("app-name-form", &args)))?;
        let mut opened = self.open(screen)?;
        let id = opened.find(id)?.id().clone();
        opened.tokens.rename(&id, name);
        opened.save()
    }

    fn remove(&self, id: &str, yes: bool, screen: &mut Screen<'_>) -> Result<(), Failure> {
        let mut opened = self.open(screen)?;
        let token = opened.find(id)?;
        let (id, args) = (token.id().clone(), [("name", token.name().as_str().into())]);
        screen.note(&screen.text.t_args("app-remove-warning", &args));
        if !yes && !screen.interactive {
            return Err(Failure::usage(screen.text.t("app-remove-yes-needed")));
        }
        if yes || screen.agrees(&screen.text.t("app-remove-question")) {
            opened.tokens.remove(&id);
            opened.save()?;
            screen.note(&screen.text.t("app-removed"));
        }
        Ok(())
    }
}

/// Reads what was typed. A typing mistake is found here, before anything is sent or counted (R48).
fn order(add: &Add, screen: &mut Screen<'_>) -> Result<Order, Failure> {
    let text = screen.text;
    let typed = screen.asked(add.server.as_ref(), "--server", &text.t("app-server"))?;
    let server = ServerAddress::parse(&typed).map_err(|error| {
        Failure::usage(match error {
            ServerAddressError::Form => text.t("app-server-form"),
            ServerAddressError::Clear => text.t("app-server-clear"),
        })
    })?;
    let typed = screen.asked(
        add.service_id.as_ref(),
        "--service-id",
        &text.t("service-id"),
    )?;
    let service_id =
        ServiceId::parse(&typed).map_err(|_| Failure::usage(text.t("app-service-id-form")))?;
    let typed = screen.asked(add.user_id.as_ref(), "--user-id", &text.t("token-user-id"))?;
    let token_user_id = TokenUserId::parse(&typed).map_err(|error| {
        Failure::usage(match error {
            IdError::CheckDigit => text.t("app-user-id-mistyped"),
            IdError::Length | IdError::Alphabet => text.t_args(
                "app-user-id-form",
                &[("digits", TokenUserId::LENGTH.into())],
            ),
        })
    })?;
    Ok(Order {
        server,
        service_id,
        token_user_id,
    })
}

fn read_password(add: &Add, screen: &mut Screen<'_>) -> Result<ActivationPassword, Failure> {
    let text = screen.text;
    let typed = screen.activation_password(add.activation_password_stdin)?;
    ActivationPassword::typed(&typed).map_err(|refusal| match refusal {
        Refusal::ActivationPasswordLength { min, max } => {
            let sentence = text.error(refusal.code(), &[("min", min.into()), ("max", max.into())]);
            Failure::refused(refusal.code(), sentence)
        }
        other => Failure::of(text, other),
    })
}

/// The token that `code` is about: the named one, or the only active one.
fn chosen<'a>(opened: &'a Opened, id: Option<&str>) -> Result<&'a Token, Failure> {
    let text = opened.text;
    let is_active = |token: &&Token| matches!(token.state(), State::Active(_));
    if let Some(id) = id {
        let token = opened.find(id)?;
        return Some(token)
            .filter(is_active)
            .ok_or_else(|| not_active(text));
    }
    let active: Vec<&Token> = opened.tokens.iter().filter(is_active).collect();
    match active.as_slice() {
        [only] => Ok(only),
        [] if opened.tokens.is_empty() => Err(Failure::refused(
            Refusal::NoToken.code(),
            text.t("app-list-empty"),
        )),
        [] => Err(not_active(text)),
        several => {
            let lines: Vec<String> = several.iter().map(|token| line(token, text)).collect();
            Err(Failure::usage(format!(
                "{}\n{}",
                text.t("app-name-one"),
                lines.join("\n")
            )))
        }
    }
}

fn not_active(text: Text) -> Failure {
    Failure::refused("not_active", text.t("app-not-active"))
}

/// Says by how much and in which direction the clock is off, and that the codes are right all the same (J7).
fn warn_of_the_clock(token: &Token, screen: &mut Screen<'_>) {
    let off_ms = token.offset_ms();
    if off_ms.abs() <= CLOCK_OFF_WARN_MS {
        return;
    }
    let amount = amount(Duration::from_millis(off_ms.unsigned_abs()));
    let args = [("amount", amount.into())];
    screen.note(&if off_ms > 0 {
        screen.text.t_args("app-clock-slow", &args)
    } else {
        screen.text.t_args("app-clock-fast", &args)
    });
}

/// A length of time in a form that both languages read: `4:05`, `2:03:04`, `0:21`; minutes and seconds, or with hours.
fn amount(length: Duration) -> String {
    let seconds = length.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours == 0 {
        format!("{minutes}:{seconds:02}")
    } else {
        format!("{hours}:{minutes:02}:{seconds:02}")
    }
}

/// Whole seconds, to the nearest.
fn seconds(ms: i64) -> i64 {
    ms.saturating_add(500).div_euclid(1000)
}

fn row(token: &Token) -> Json {
    json!({
        "id": token.id().as_str(),
        "service_id": token.service_id().as_str(),
        "user_id": token.token_user_id().as_str(),
        "name": token.name().as_str(),
        "state": token.state().as_str(),
        "server": token.server().as_str(),
    })
}

fn line(token: &Token, text: Text) -> String {
    let state = text.t_args("app-state", &[("state", token.state().as_str().into())]);
    let user_id = token.token_user_id().grouped();
    format!(
        "{}  {}  {state}\n        {}  {user_id}  {}",
        token.id(),
        token.name(),
        token.service_id(),
        token.server()
    )
}
