//! What a person sees and types in the terminal. Nothing is decided here.

use std::io::{self, BufRead, IsTerminal as _, Write};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::{cursor, execute, queue, style, terminal};
use warifu_authenticator::{State, Token};
use warifu_core::time::SECOND_MS;
use zeroize::Zeroizing;

use super::failure::Failure;
use crate::clock::Clock;
use crate::text::{Language, Text};

/// Cells of the bar beside the code.
const BAR_CELLS: usize = 20;
/// More bytes than anything that is asked for has.
const TYPED_BYTES_MAX: usize = 256;

/// Where a command reads and writes: the process's own, or a test's.
pub(super) struct Screen<'a> {
    pub(super) text: Text,
    pub(super) input: &'a mut dyn BufRead,
    /// Answers: what a script reads.
    pub(super) out: &'a mut dyn Write,
    /// Progress, warnings and refusals.
    pub(super) err: &'a mut dyn Write,
    /// A person sits at input and output.
    pub(super) interactive: bool,
    /// Progress is worth showing: errors go to a terminal.
    pub(super) progress: bool,
}

/// The language of the surroundings: Japanese when the locale says so, else English.
pub(super) fn language(variable: impl Fn(&str) -> Option<String>) -> Language {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| variable(name).filter(|value| !value.is_empty()))
        .unwrap_or_default();
    if locale.starts_with("ja") {
        Language::Ja
    } else {
        Language::En
    }
}

/// Whether a person sits at input and output.
pub(super) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

impl Screen<'_> {
    /// A line of the answer. Who closed the pipe does not want it.
    pub(super) fn answer(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}");
    }

    /// A line beside the answer.
    pub(super) fn note(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    /// What is being done now.
    pub(super) fn step(&mut self, line: &str) {
        if self.progress {
            self.note(line);
        }
    }

    /// What the flag says; without it, what the person types.
    pub(super) fn asked(
        &mut self,
        given: Option<&String>,
        flag: &str,
        label: &str,
    ) -> Result<String, Failure> {
        if let Some(given) = given {
            return Ok(given.clone());
        }
        let text = self.text;
        let missing = || Failure::usage(text.t_args("app-missing", &[("flag", flag.into())]));
        if !self.interactive {
            return Err(missing());
        }
        let _ = write!(self.err, "{label}: ");
        let _ = self.err.flush();
        match self.line() {
            Ok(line) if !line.is_empty() => Ok(line.trim().to_owned()),
            _ => Err(missing()),
        }
    }

    /// The activation password: from the pipe if that was asked for, else typed without showing it.
    pub(super) fn activation_password(
        &mut self,
        from_input: bool,
    ) -> Result<Zeroizing<String>, Failure> {
        if from_input {
            return self
                .line()
                .map_err(|_| Failure::usage(self.text.t("app-password-missing")));
        }
        if !self.interactive {
            return Err(Failure::usage(self.text.t("app-password-missing")));
        }
        let prompt = self.text.t("app-password-prompt");
        rpassword::prompt_password(format!("{prompt}: "))
            .map(Zeroizing::new)
            .map_err(|_| Failure::usage(self.text.t("app-password-missing")))
    }

    /// Asks a question that only `y` answers with yes.
    pub(super) fn agrees(&mut self, question: &str) -> bool {
        let _ = write!(self.err, "{question} [y/N] ");
        let _ = self.err.flush();
        self.line()
            .is_ok_and(|line| matches!(line.trim(), "y" | "Y" | "ｙ" | "Ｙ"))
    }

    /// One line of the input; what is longer than anything that is asked for is cut. Wiped, for it may be a password.
    fn line(&mut self) -> io::Result<Zeroizing<String>> {
        let mut line = Zeroizing::new(String::with_capacity(TYPED_BYTES_MAX));
        io::Read::take(&mut self.input, TYPED_BYTES_MAX as u64).read_line(&mut line)?;
        Ok(line)
    }

    /// Shows the code with the seconds it has left, until the person leaves (q, Esc, Ctrl-C). The code does not stay on the
    /// screen.
    pub(super) fn countdown(&mut self, token: &Token, clock: &Clock) -> io::Result<()> {
        let State::Active(active) = token.state() else {
            return Ok(());
        };
        let step_s = i64::from(active.parameters().step_s);
        self.note(
            &self
                .text
                .t_args("app-countdown", &[("name", token.name().as_str().into())]),
        );
        let _raw = Raw::enter()?;
        loop {
            let now = clock.now();
            if let Some(shown) = token.code(now) {
                self.draw(&picture(shown.code.expose(), shown.expires_in_s, step_s))?;
            }
            let into_second_ms = now.plus_ms(token.offset_ms()).0.rem_euclid(SECOND_MS);
            let until_next = Duration::from_millis(
                u64::try_from(SECOND_MS - into_second_ms).unwrap_or_default(),
            );
            if event::poll(until_next)? && leaves(&event::read()?) {
                break;
            }
        }
        self.draw("")
    }

    /// Puts a picture in place of the line where the cursor is.
    fn draw(&mut self, picture: &str) -> io::Result<()> {
        let mut frame = Vec::new();
        queue!(
            frame,
            style::Print("\r"),
            terminal::Clear(terminal::ClearType::CurrentLine),
            style::Print(picture)
        )?;
        self.out.write_all(&frame)?;
        self.out.flush()
    }
}

/// The terminal without echo and line editing; as it was before when dropped, whatever happens.
struct Raw;

impl Raw {
    fn enter() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let raw = Self;
        execute!(io::stdout(), cursor::Hide)?;
        Ok(raw)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = execute!(io::stdout(), cursor::Show);
        let _ = terminal::disable_raw_mode();
    }
}

fn leaves(event: &Event) -> bool {
    let Event::Key(key) = event else {
        return false;
    };
    let interrupts = key.modifiers.contains(KeyModifiers::CONTROL)
        && matches!(key.code, KeyCode::Char('c' | 'd'));
    key.kind != KeyEventKind::Release
        && (interrupts || matches!(key.code, KeyCode::Char('q' | 'Q') | KeyCode::Esc))
}

/// The code in two groups, the seconds, and a bar that empties.
fn picture(code: &str, expires_in_s: i64, step_s: i64) -> String {
    let (left, right) = code.split_at(code.len() / 2);
    let share = usize::try_from(expires_in_s).unwrap_or_default() * BAR_CELLS;
    let filled = share
        .div_ceil(usize::try_from(step_s).unwrap_or(1).max(1))
        .min(BAR_CELLS);
    let bar: String = std::iter::repeat_n('█', filled)
        .chain(std::iter::repeat_n('░', BAR_CELLS - filled))
        .collect();
    format!("  {left} {right}   {expires_in_s:>2} s  {bar}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_full_at_first_and_never_empty() {
        assert_eq!(
            picture("012345", 60, 60),
            format!("  012 345   60 s  {}", "█".repeat(20))
        );
        assert_eq!(
            picture("01234567", 30, 60),
            format!("  0123 4567   30 s  {}{}", "█".repeat(10), "░".repeat(10))
        );
        assert_eq!(
            picture("012345", 1, 60),
            format!("  012 345    1 s  █{}", "░".repeat(19))
        );
    }

    #[test]
    fn the_locale_decides_the_language() {
        let of = |set: &[(&str, &str)]| {
            language(|name| {
                set.iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("LANG", "ja_JP.UTF-8")]), Language::Ja);
        assert_eq!(
            of(&[("LANG", "ja_JP.UTF-8"), ("LC_ALL", "C")]),
            Language::En
        );
        assert_eq!(of(&[("LC_ALL", ""), ("LC_MESSAGES", "ja")]), Language::Ja);
        assert_eq!(of(&[]), Language::En);
    }

    #[test]
    fn q_escape_and_control_c_leave() {
        let key = |code, modifiers| Event::Key(event::KeyEvent::new(code, modifiers));
        assert!(leaves(&key(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(leaves(&key(KeyCode::Esc, KeyModifiers::NONE)));
        assert!(leaves(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!leaves(&key(KeyCode::Char('c'), KeyModifiers::NONE)));
        assert!(!leaves(&Event::Resize(80, 24)));
    }
}
