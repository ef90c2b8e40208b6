//! The tokens of one app: what each is, where its activation stands, and its codes. Nothing here is saved or sent.

use std::fmt;

use rand_core::CryptoRng;
use warifu_activation::client::{Activated, Pending, Started};
use warifu_core::id::{ServiceId, TokenId, TokenUserId, normalised};
use warifu_core::oath::{self, Code, totp};
use warifu_core::time::{SECOND_MS, UnixMillis};
use zeroize::Zeroizing;

use crate::ServerAddress;
use crate::bytes::{Damaged, Reader, Writer};

pub use warifu_core::token::TOKENS_PER_APP_MAX;

/// A clock that is off by more than this is told to its owner (J7, R61), in milliseconds.
pub const CLOCK_OFF_WARN_MS: i64 = 20 * SECOND_MS;

const FORMAT_VERSION: u8 = 1;
const STARTED: u8 = 1;
const PENDING: u8 = 2;
const ACTIVE: u8 = 3;

/// More than any token takes as bytes: room that [`Tokens::to_bytes`] reserves for each.
const TOKEN_BYTES_MAX: usize = 2048;

/// Names a token inside this app: 6 lower-case hexadecimal digits. The server has another name for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalId(String);

impl LocalId {
    fn draw(rng: &mut impl CryptoRng) -> Self {
        Self(format!("{:06x}", rng.next_u32() >> 8))
    }

    /// Reads an id as it was shown. `None` for a text that is no id.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 6 && text.bytes().all(hexadecimal)).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LocalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the owner calls a token: 1 to 40 characters, none of which steers a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

/// The text is empty, too long, or holds a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name has 1 to {} characters and no control characters",
    Name::LENGTH_MAX
)]
pub struct NameError;

impl Name {
    /// The longest name, in characters.
    pub const LENGTH_MAX: usize = 40;

    /// Reads a name. White space around it does not count.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn parse(typed: &str) -> Result<Self, NameError> {
        let name = typed.trim();
        // The marks that turn the direction of writing could make a list say something else than it holds.
        let steers = |c: char| {
            c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if name.is_empty() || name.chars().count() > Self::LENGTH_MAX || name.chars().any(steers) {
            return Err(NameError);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the activation of a token stands. Kept before the message that follows from it is sent.
pub enum State {
    /// The server may know of a try; whether the password is right is not known. The password has to be typed again.
    Started(Started),
    /// The seed is there; whether the server activated the token is not known. Nothing has to be typed any more.
    Pending(Pending),
    /// Both sides know the token.
    Active(Active),
}

impl State {
    /// The name for scripts: `started`, `pending` or `active`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::Pending(_) => "pending",
            Self::Active(_) => "active",
        }
    }
}

/// A token that both sides know. No `Debug`: it holds secrets (ARCHITECTURE.md, invariant 6).
pub struct Active {
    token_id: TokenId,
    parameters: oath::Parameters,
    seed: oath::Seed,
    device_key: Zeroizing<[u8; 32]>,
}

impl Active {
    pub(crate) fn of(activated: &Activated) -> Self {
        Self {
            token_id: TokenId::from_stored(activated.token_id.as_str()),
            parameters: activated.parameters,
            seed: activated.seed.clone(),
            device_key: Zeroizing::new(*activated.device_key.expose()),
        }
    }

    /// The server's name of the token.
    #[must_use]
    pub fn token_id(&self) -> &TokenId {
        &self.token_id
    }

    /// What its codes look like.
    #[must_use]
    pub fn parameters(&self) -> oath::Parameters {
        self.parameters
    }

    /// What its codes are computed from.
    #[must_use]
    pub fn seed(&self) -> &oath::Seed {
        &self.seed
    }
}

/// The code of this moment.
pub struct CodeNow {
    /// The code.
    pub code: Code,
    /// Whole seconds until the next one, 1 to the token's step.
    pub expires_in_s: i64,
}

/// One token of the app, in whatever state.
pub struct Token {
    pub(crate) id: LocalId,
    pub(crate) server: ServerAddress,
    pub(crate) service_id: ServiceId,
    pub(crate) user_id: TokenUserId,
    pub(crate) name: Name,
    pub(crate) offset_ms: i64,
    pub(crate) state: State,
    /// Made in an earlier run, and read back since: the server may have forgotten the try. Not kept.
    pub(crate) of_an_earlier_run: bool,
}

impl Token {
    /// Its name inside this app.
    #[must_use]
    pub fn id(&self) -> &LocalId {
        &self.id
    }

    /// The server it is of.
    #[must_use]
    pub fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// The site it is for.
    #[must_use]
    pub fn service_id(&self) -> &ServiceId {
        &self.service_id
    }

    /// The user id that the mail named.
    #[must_use]
    pub fn token_user_id(&self) -> &TokenUserId {
        &self.user_id
    }

    /// What its owner calls it.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Where its activation stands.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// What has to be added to this device's clock to get the server's, as it was last measured, in milliseconds: positive
    /// when this device is slow (J7). 0 while it was not measured.
    #[must_use]
    pub fn offset_ms(&self) -> i64 {
        self.offset_ms
    }

    /// The activation was begun in an earlier run of the app. It may not have measured the clock: what a server repeats, it
    /// may repeat with its old time. Ask the server for its time when such a token becomes active.
    #[must_use]
    pub fn is_of_an_earlier_run(&self) -> bool {
        self.of_an_earlier_run
    }

    /// The code at `now` by this device's clock, corrected by the measured offset (J7). `None` while the token is not
    /// active.
    #[must_use]
    pub fn code(&self, now: UnixMillis) -> Option<CodeNow> {
        let State::Active(active) = &self.state else {
            return None;
        };
        let seconds = now.plus_ms(self.offset_ms).seconds();
        let parameters = &active.parameters;
        Some(CodeNow {
            code: totp::code(&active.seed, parameters.time_step(seconds), parameters),
            expires_in_s: parameters.seconds_left(seconds),
        })
    }
}

/// All tokens of one app, in the order in which they were added.
#[derive(Default)]
pub struct Tokens(pub(crate) Vec<Token>);

impl Tokens {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The token of that id.
    #[must_use]
    pub fn find(&self, id: &LocalId) -> Option<&Token> {
        self.0.iter().find(|token| token.id == *id)
    }

    pub(crate) fn find_mut(&mut self, id: &LocalId) -> Option<&mut Token> {
        self.0.iter_mut().find(|token| token.id == *id)
    }

    /// Gives a token another name; whether there is such a token.
    pub fn rename(&mut self, id: &LocalId, name: Name) -> bool {
        let found = self.find_mut(id);
        found.map(|token| token.name = name).is_some()
    }

    /// Takes a token out for good; whether there was such a token. What the server knows is not changed by it.
    pub fn remove(&mut self, id: &LocalId) -> bool {
        let before = self.0.len();
        self.0.retain(|token| token.id != *id);
        self.0.len() < before
    }

    /// Sets how far this device's clock is off from the server's, for every token of that server (J7).
    pub fn set_offset(&mut self, server: &ServerAddress, offset_ms: i64) {
        for token in self.0.iter_mut().filter(|token| token.server == *server) {
            token.offset_ms = offset_ms;
        }
    }

    /// An id that no token here has.
    pub(crate) fn unused_id(&self, rng: &mut impl CryptoRng) -> LocalId {
        loop {
            let id = LocalId::draw(rng);
            if self.find(&id).is_none() {
                return id;
            }
        }
    }

    /// The tokens as bytes, secrets included: seal them ([`crate::sealed`]) before they touch a disk.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut writer = Writer::with_capacity(TOKEN_BYTES_MAX * (self.0.len() + 1));
        writer.put(&[FORMAT_VERSION]);
        for token in &self.0 {
            writer.put(token.id.as_str().as_bytes());
            writer.put(token.server.as_str().as_bytes());
            writer.put(token.service_id.as_str().as_bytes());
            writer.put(token.user_id.as_str().as_bytes());
            writer.put(token.name.as_str().as_bytes());
            writer.put(&token.offset_ms.to_be_bytes());
            put_state(&mut writer, &token.state);
        }
        writer.finish()
    }

    /// Reads the tokens back.
    ///
    /// # Errors
    /// [`Damaged`] for anything but the bytes of [`Tokens::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader::new(bytes);
        if reader.array("version")? != [FORMAT_VERSION] {
            return Err(Damaged { field: "version" });
        }
        let mut tokens = Self::default();
        while !reader.is_empty() {
            let token = take_token(&mut reader)?;
            if tokens.len() == TOKENS_PER_APP_MAX || tokens.find(&token.id).is_some() {
                return Err(Damaged {
                    field: "number of tokens",
                });
            }
            tokens.0.push(token);
        }
        Ok(tokens)
    }
}

fn put_state(writer: &mut Writer, state: &State) {
    match state {
        State::Started(started) => {
            writer.put(&[STARTED]);
            writer.put(&started.to_bytes());
        }
        State::Pending(pending) => {
            writer.put(&[PENDING]);
            writer.put(&pending.to_bytes());
        }
        State::Active(active) => {
            writer.put(&[ACTIVE]);
            writer.put(active.token_id.as_str().as_bytes());
            writer.put(active.parameters.algorithm.as_str().as_bytes());
            writer.put(&[active.parameters.digits]);
            writer.put(&active.parameters.step_s.to_be_bytes());
            writer.put(active.seed.expose());
            writer.put(active.device_key.as_slice());
        }
    }
}

fn take_token(reader: &mut Reader<'_>) -> Result<Token, Damaged> {
    fn held<T>(field: &'static str, value: Option<T>) -> Result<T, Damaged> {
        value.ok_or(Damaged { field })
    }
    Ok(Token {
        id: held("id", LocalId::parse(reader.text("id")?))?,
        server: held("server", ServerAddress::parse(reader.text("server")?).ok())?,
        service_id: held(
            "service id",
            ServiceId::parse(reader.text("service id")?).ok(),
        )?,
        user_id: held("user id", TokenUserId::parse(reader.text("user id")?).ok())?,
        name: held("name", Name::parse(reader.text("name")?).ok())?,
        offset_ms: i64::from_be_bytes(reader.array("clock offset")?),
        state: take_state(reader)?,
        of_an_earlier_run: true,
    })
}

fn take_state(reader: &mut Reader<'_>) -> Result<State, Damaged> {
    const FIELD: Damaged = Damaged { field: "state" };
    match reader.array("state")? {
        [STARTED] => Started::from_bytes(reader.take("state")?)
            .map(State::Started)
            .map_err(|_| FIELD),
        [PENDING] => Pending::from_bytes(reader.take("state")?)
            .map(State::Pending)
            .map_err(|_| FIELD),
        [ACTIVE] => {
            let token_id = TokenId::from_stored(reader.text("token id")?);
            let algorithm = oath::Algorithm::from_name(reader.text("hash")?);
            let algorithm = algorithm.ok_or(Damaged { field: "hash" })?;
            let [digits] = reader.array("digits")?;
            let step_s = u32::from_be_bytes(reader.array("step")?);
            let parameters = oath::Parameters::new(algorithm, digits, step_s).ok_or(Damaged {
                field: "digits and step",
            })?;
            let seed = oath::Seed::new(reader.take("seed")?.to_vec(), algorithm);
            Ok(State::Active(Active {
                token_id,
                parameters,
                seed: seed.ok_or(Damaged { field: "seed" })?,
                device_key: Zeroizing::new(reader.array("device key")?),
            }))
        }
        _ => Err(FIELD),
    }
}

/// The name that a new token gets: the service id, until its owner says otherwise.
pub(crate) fn first_name(service_id: &ServiceId) -> Name {
    Name(normalised(service_id.as_str()))
}
