//! Sessions: a random cookie, stored hashed, new at every step up (R73); idle and absolute life by policy (R74).

use data_encoding::BASE64URL_NOPAD;
use sha2::{Digest as _, Sha256};
use warifu_core::audit::{Action, Origin};
use warifu_core::contract::lacks_administrator;
use warifu_core::id::UserId;
use warifu_core::refusal::Refusal;
use warifu_core::service::Service;
use warifu_core::session::{Stage, is_fresh, lives};
use warifu_core::time::{SECOND_MS, UnixMillis};
use warifu_core::token::Standing;
use warifu_core::user::{Actor, Language, Role, User};
use warifu_store::{StoredSession, Tx};
use zeroize::Zeroizing;

use super::{App, Failure, Record};
use crate::clock::random_bytes;

/// A use is written down only when the last one written is so old, in milliseconds: a page view is then a read.
const TOUCH_AFTER_MS: i64 = 30 * SECOND_MS;

/// What the browser holds: 256 random bits. No `Debug`.
pub struct SessionCookie(Zeroizing<String>);

impl SessionCookie {
    fn new() -> Self {
        Self(Zeroizing::new(
            BASE64URL_NOPAD.encode(&random_bytes::<32>()),
        ))
    }

    /// As the browser sent it; anything may be in it.
    #[must_use]
    pub fn received(value: &str) -> Self {
        Self(Zeroizing::new(value.to_owned()))
    }

    /// The value, for the `Set-Cookie` header only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

/// Whether a person asked, or a script of a page that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A page or a form: the session is in use.
    Person,
    /// A page that looks for news by itself: an unattended session still ends by its idle time (R74).
    Script,
}

/// A sign-in that is alive, with its user as the database has it at this moment (R42).
#[derive(Clone)]
pub struct Session {
    hash: [u8; 32],
    began_at: UnixMillis,
    /// Who.
    pub user: User,
    /// Where.
    pub service: Service,
    /// How far.
    pub stage: Stage,
    /// What every form of this session carries (R76).
    pub csrf_token: String,
    /// The language the pages are shown in.
    pub language: Language,
}

impl Session {
    /// The user as an actor, once fully signed in.
    ///
    /// # Errors
    /// [`Refusal::SessionExpired`] before.
    pub fn actor(&self) -> Result<Actor, Refusal> {
        match self.stage {
            Stage::Full => Ok(Actor::user(&self.user)),
            Stage::Password => Err(Refusal::SessionExpired),
        }
    }

    /// Whether the sign-in is recent enough to ask for a token (R46).
    ///
    /// # Errors
    /// [`Refusal::SessionExpired`] when it is not.
    pub fn fresh(&self, now: UnixMillis) -> Result<(), Refusal> {
        if is_fresh(self.began_at, now, &self.service.policy.session) {
            Ok(())
        } else {
            Err(Refusal::SessionExpired)
        }
    }
}

/// Begins a session in the caller's transaction and gives its cookie.
pub(super) async fn begin(
    tx: &mut Tx,
    user_id: &UserId,
    stage: Stage,
    language: Language,
    now: UnixMillis,
) -> Result<SessionCookie, Failure> {
    let cookie = SessionCookie::new();
    let session = StoredSession {
        hash: cookie.hash(),
        user_id: user_id.clone(),
        stage,
        csrf_token: BASE64URL_NOPAD.encode(&random_bytes::<32>()),
        language,
        began_at: now,
        used_at: now,
    };
    tx.insert_session(&session).await?;
    Ok(cookie)
}

/// Ends the session and begins one of the next stage in its place: nobody who knew the old cookie knows the new one (R73).
pub(super) async fn step_up(
    tx: &mut Tx,
    session: &Session,
    now: UnixMillis,
) -> Result<SessionCookie, Failure> {
    tx.remove_session(&session.hash).await?;
    begin(tx, &session.user.id, Stage::Full, session.language, now).await
}

impl App {
    /// The session of a cookie, if it is alive.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn session(
        &self,
        cookie: &SessionCookie,
        from: Request,
    ) -> Result<Option<Session>, Failure> {
        let now = self.now();
        let hash = cookie.hash();
        let Some((stored, user, service)) = self.store.read().await?.session(&hash).await? else {
            return Ok(None);
        };
        if user.disabled
            || !lives(
                stored.began_at,
                stored.used_at,
                now,
                &service.policy.session,
            )
        {
            return Ok(None);
        }
        if from == Request::Person && now.since_ms(stored.used_at) >= TOUCH_AFTER_MS {
            let mut tx = self.store.begin().await?;
            tx.touch_session(&hash, now).await?;
            tx.commit().await?;
        }
        Ok(Some(Session {
            hash,
            began_at: stored.began_at,
            user,
            service,
            stage: stored.stage,
            csrf_token: stored.csrf_token,
            language: stored.language,
        }))
    }

    /// Signs out (ログアウト).
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn sign_out(&self, session: &Session, origin: &Origin) -> Result<(), Failure> {
        let actor = Actor::user(&session.user);
        let record = Record::of(session, &actor, self.now(), origin);
        let mut tx = self.store.begin().await?;
        tx.remove_session(&session.hash).await?;
        record
            .write(
                &mut tx,
                Action::SignOut,
                ("user", session.user.id.as_str()),
                "done",
            )
            .await?;
        Ok(tx.commit().await?)
    }

    /// What the page of a signed-in user shows.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn overview(&self, session: &Session) -> Result<Overview, Failure> {
        let user = &session.user;
        let mut tx = self.store.read().await?;
        let company = tx
            .contract(&user.contract_id)
            .await?
            .map(|contract| contract.name)
            .unwrap_or_default();
        let standing = tx
            .latest_token(&user.id)
            .await?
            .map(|stored| stored.token.state.standing());
        let advise_administrator = user.role == Role::Master
            && lacks_administrator(&tx.users_of_contract(&user.contract_id).await?);
        let signed_in_before_at = tx
            .last_but_one_event_at(Action::SignIn, "user", user.id.as_str(), "done")
            .await?;
        Ok(Overview {
            company,
            standing,
            signed_in_before_at,
            advise_administrator,
        })
    }
}

/// See [`App::overview`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// The company's name.
    pub company: String,
    /// The state of the user's token.
    pub standing: Option<Standing>,
    /// When the user signed in before this time, so that a stranger's sign-in is noticed.
    pub signed_in_before_at: Option<UnixMillis>,
    /// Whether to advise the master to register an administrator (J5 **[M]**).
    pub advise_administrator: bool,
}
