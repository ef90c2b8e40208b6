//! J5 and J6: release and revocation, for a list of users. Each user is a transaction of its own, done wholly or not at
//! all, with a result for each (R40).

use warifu_core::audit::{Action, Origin};
use warifu_core::contract::USERS_MAX;
use warifu_core::id::UserId;
use warifu_core::notice::Notice;
use warifu_core::refusal::Refusal;
use warifu_core::revocation::{reopens_at, revoke};
use warifu_core::service::Service;
use warifu_core::suspension::release;
use warifu_core::throttle::FREE_PER_USER;
use warifu_core::time::UnixMillis;
use warifu_core::token::{Standing, Token};
use warifu_core::user::{Actor, User};
use warifu_store::Tx;

use super::notices::{Facts, enqueue_to_all};
use super::passwords::Password;
use super::session::Session;
use super::{App, Failure, Record, time_zone};

/// How often one user is tried again when another write came between.
const RACES_MAX: u32 = 5;

/// What a manager asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// 停止解除 (J5).
    Release,
    /// 失効 (J6).
    Revoke,
}

impl Task {
    /// Whether a user whose token stands so is in the task's list.
    const fn concerns(self, standing: Standing) -> bool {
        match self {
            Self::Release => matches!(standing, Standing::Suspended),
            Self::Revoke => !matches!(standing, Standing::Revoked),
        }
    }

    const fn action(self) -> Action {
        match self {
            Self::Release => Action::Release,
            Self::Revoke => Action::Revoke,
        }
    }
}

/// A user in a list, with the latest token and whether the task may be done.
pub struct Listed {
    /// Who.
    pub user: User,
    /// The latest token, if there ever was one.
    pub token: Option<Token>,
    /// Why the task cannot be done for this user; `None` when it can.
    pub hindrance: Option<Refusal>,
}

/// What came of the task for one user.
pub struct Outcome {
    /// The user; `None` for an id that is none of the contract's (R41).
    pub user: Option<User>,
    /// Done, with the time from when the user may sign in again; or why not.
    pub result: Result<Option<UnixMillis>, Refusal>,
}

/// A task that was done for one user.
pub(super) struct Done {
    /// The token as it is now.
    pub(super) token: Token,
    /// After a revocation: from when the user may sign in and ask for a token again.
    pub(super) reopens_at: Option<UnixMillis>,
}

impl App {
    /// The users of the session's contract whom `task` is about, each with whether this manager may do it: for a release the
    /// suspended ones, for a revocation those with a token that lives.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`] for general users.
    pub async fn list_for(&self, session: &Session, task: Task) -> Result<Vec<Listed>, Failure> {
        let actor = manager(session)?;
        let now = self.now();
        let users = self
            .store
            .read()
            .await?
            .users_with_tokens(&session.user.contract_id)
            .await?;
        let policy = &session.service.policy;
        let concerned = users.into_iter().filter(|(_, found)| match found {
            Some((token, _)) => task.concerns(token.state.standing()),
            None => false,
        });
        let listed = concerned.map(|(user, found)| {
            let token = found.as_ref().map(|(token, _)| token.clone());
            let hindrance = match task {
                Task::Release => release(&actor, &user, found, policy).err(),
                Task::Revoke => revoke(&actor, &user, found, now).err(),
            };
            Listed {
                user,
                token,
                hindrance,
            }
        });
        Ok(listed.collect())
    }

    /// Does `task` for each of the ticked users, after the confirmation password.
    ///
    /// # Errors
    /// [`Refusal::NotPermitted`], [`Refusal::NobodySelected`], [`Refusal::ConfirmationPasswordWrong`],
    /// [`Refusal::SignInSlowed`] after too many wrong ones. What concerns one user is in its [`Outcome`].
    pub async fn perform(
        &self,
        session: &Session,
        task: Task,
        targets: &[UserId],
        confirmation_password: &Password,
        origin: &Origin,
    ) -> Result<Vec<Outcome>, Failure> {
        let actor = manager(session)?;
        if targets.is_empty() {
            return Err(Refusal::NobodySelected.into());
        }
        self.confirm(session, &actor, confirmation_password, origin)
            .await?;
        // Ids in order: on PostgreSQL two lists with the same users never wait for each other in a circle.
        let mut targets = targets.to_vec();
        targets.sort_unstable();
        targets.dedup();
        if targets.len() > USERS_MAX {
            return Err(Refusal::NotFound.into());
        }
        let mut outcomes = Vec::with_capacity(targets.len());
        for target in &targets {
            outcomes.push(self.perform_one(session, task, target, origin).await?);
        }
        self.wake_senders();
        Ok(outcomes)
    }

    /// The confirmation password (確認用パスワード): counted before it is judged, slowed like a sign-in.
    async fn confirm(
        &self,
        session: &Session,
        actor: &Actor,
        password: &Password,
        origin: &Origin,
    ) -> Result<(), Failure> {
        let now = self.now();
        let key = format!("confirmation/{}", session.user.id);
        let mut tx = self.store.begin().await?;
        let tries = tx.tries_to_change(&key, now).await?;
        tries.check(FREE_PER_USER, now)?;
        tx.put_tries(&key, &tries.after_failure(now)).await?;
        let hashes = tx
            .password_hashes(&session.user.id)
            .await?
            .ok_or(Refusal::SessionExpired)?;
        tx.commit().await?;
        let right = self
            .passwords
            .verify(password, Some(&hashes.confirmation_password), now)
            .await?;
        let record = Record::of(session, actor, now, origin);
        let mut tx = self.store.begin().await?;
        if right {
            tx.clear_tries(&key).await?;
        }
        let outcome = if right {
            "done"
        } else {
            Refusal::ConfirmationPasswordWrong.code()
        };
        record
            .write(
                &mut tx,
                Action::ConfirmationPassword,
                ("user", session.user.id.as_str()),
                outcome,
            )
            .await?;
        tx.commit().await?;
        if right {
            Ok(())
        } else {
            Err(Refusal::ConfirmationPasswordWrong.into())
        }
    }

    async fn perform_one(
        &self,
        session: &Session,
        task: Task,
        target: &UserId,
        origin: &Origin,
    ) -> Result<Outcome, Failure> {
        for _ in 0..RACES_MAX {
            let now = self.now();
            let mut tx = self.store.begin().await?;
            // The role is the one of this moment, not of the moment the page was sent (R42).
            let manager = tx
                .user(&session.user.id)
                .await?
                .filter(|user| !user.disabled);
            let actor = &Actor::user(&manager.ok_or(Refusal::SessionExpired)?);
            let record = Record::of(session, actor, now, origin);
            // A colleague of another company is not found, and neither is a made-up id (R41).
            let Some(user) = tx
                .user(target)
                .await?
                .filter(|user| user.contract_id == session.user.contract_id)
            else {
                return Ok(Outcome {
                    user: None,
                    result: Err(Refusal::NotFound),
                });
            };
            tx.lock_user(&user.id).await?;
            let Some(done) = self
                .act(&mut tx, &record, &session.service, task, &user)
                .await?
            else {
                continue;
            };
            tx.commit().await?;
            return Ok(Outcome {
                user: Some(user),
                result: done.map(|done| done.reopens_at),
            });
        }
        Ok(Outcome {
            user: None,
            result: Err(Refusal::Raced),
        })
    }

    /// Does `task` for one user in the caller's transaction, with all that follows from it, in the name of the record's actor;
    /// a refusal is recorded too. The caller has locked the user. `None` when another write came between: then nothing of the transaction may be committed.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub(super) async fn act(
        &self,
        tx: &mut Tx,
        record: &Record<'_>,
        service: &Service,
        task: Task,
        user: &User,
    ) -> Result<Option<Result<Done, Refusal>>, Failure> {
        let now = record.now;
        let found = tx
            .live_token(&user.id)
            .await?
            .map(|stored| (stored.token, stored.counter));
        let before = found.as_ref().map(|(_, counter)| counter.version);
        let decided = match task {
            Task::Release => release(record.actor, user, found, &service.policy),
            Task::Revoke => revoke(record.actor, user, found, now),
        };
        let (token, counter) = match decided {
            Ok(changed) => changed,
            Err(refusal) => {
                let target = ("user", user.id.as_str());
                record
                    .write(tx, task.action(), target, refusal.code())
                    .await?;
                return Ok(Some(Err(refusal)));
            }
        };
        let before = before.ok_or(Failure::fault("a token was changed that is not there"))?;
        if !tx.swap_counter(&token.id, before, &counter).await? {
            return Ok(None);
        }
        tx.set_token_state(&token.id, &token.state).await?;
        let reopens_at = self.afterwards(tx, service, task, user, now).await?;
        record
            .write(tx, task.action(), ("token", token.id.as_str()), "done")
            .await?;
        Ok(Some(Ok(Done { token, reopens_at })))
    }

    /// What follows from a release or revocation, in its transaction.
    async fn afterwards(
        &self,
        tx: &mut Tx,
        service: &Service,
        task: Task,
        user: &User,
        now: UnixMillis,
    ) -> Result<Option<UnixMillis>, Failure> {
        let contract = tx.users_of_contract(&user.contract_id).await?;
        let mut facts = Facts {
            at_ms: now.0,
            ..Facts::default()
        };
        match task {
            Task::Release => {
                enqueue_to_all(tx, Notice::Released, user, &contract, &facts, now).await?;
                Ok(None)
            }
            Task::Revoke => {
                let open_at = reopens_at(now, &service.policy.reissue, &time_zone(service)?);
                facts.reopens_at_ms = Some(open_at.0);
                tx.set_reopens_at(&user.id, Some(open_at)).await?;
                tx.remove_sessions_of(&user.id).await?;
                enqueue_to_all(tx, Notice::Revoked, user, &contract, &facts, now).await?;
                Ok(Some(open_at))
            }
        }
    }
}

/// The session's user as an actor, if the menu 管理 is for the role.
fn manager(session: &Session) -> Result<Actor, Refusal> {
    let actor = session.actor()?;
    if session.user.role.manages_users() {
        Ok(actor)
    } else {
        Err(Refusal::NotPermitted)
    }
}
