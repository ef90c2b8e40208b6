//! J0: the password, and where it leads. A try is counted before it is judged, so that any number of tries side by side
//! are slowed as one after the other would be (R30, R31, R36).

use std::net::{IpAddr, Ipv6Addr};

use warifu_core::audit::{Action, Origin};
use warifu_core::id::ServiceId;
use warifu_core::refusal::Refusal;
use warifu_core::service::{Policy, Service};
use warifu_core::session::Stage;
use warifu_core::sign_in::{Destination, destination};
use warifu_core::suspension::{Releasers, releasers};
use warifu_core::throttle::{FREE_PER_ADDRESS, FREE_PER_USER, FREE_PER_USER_EVERYWHERE};
use warifu_core::time::UnixMillis;
use warifu_core::user::{Actor, Language, User};
use warifu_store::Tx;

use super::life::end_if_over;
use super::passwords::Password;
use super::session::{Session, SessionCookie, begin};
use super::{App, Failure, Record};

/// The longest login id, in bytes.
pub const LOGIN_ID_MAX: usize = 64;

/// What came of a right password.
pub enum SignedIn {
    /// A session began; it leads here.
    On {
        /// For the browser.
        cookie: SessionCookie,
        /// The page to go to.
        destination: Destination,
    },
    /// No session: the user's one-time password is suspended.
    Suspended {
        /// Who can release.
        releasers: Releasers,
        /// Whose help desk.
        service: Service,
    },
    /// No session: a token was revoked and the wait is not over.
    NotYet {
        /// When it is.
        open_at: UnixMillis,
        /// In whose time zone.
        service: Service,
    },
}

impl App {
    /// Signs in with login id and password.
    ///
    /// # Errors
    /// [`Refusal::SignInRefused`] for a wrong login id or password and for a disabled user, [`Refusal::SignInSlowed`]
    /// after too many; nothing says which login ids exist (R25).
    pub async fn sign_in(
        &self,
        service_id: &ServiceId,
        login_id: &str,
        password: &Password,
        language: Language,
        origin: &Origin,
    ) -> Result<SignedIn, Failure> {
        let now = self.now();
        if login_id.len() > LOGIN_ID_MAX || login_id.chars().any(char::is_control) {
            return Err(Refusal::SignInRefused.into());
        }
        let keys = Keys::of(service_id, login_id, origin);
        let mut tx = self.store.begin().await?;
        if let Err(slowed) = keys.count(&mut tx, now).await? {
            // What it costs its address stays.
            tx.commit().await?;
            return Err(slowed.into());
        }
        let service = tx.service(service_id).await?.ok_or(Refusal::NotFound)?;
        let found = tx.user_by_login(service_id, login_id).await?;
        tx.commit().await?;

        let hash = found.as_ref().map(|(_, hashes)| hashes.password.as_str());
        let right = self.passwords.verify(password, hash, now).await?;
        let user = found
            .map(|(user, _)| user)
            .filter(|user| right && !user.disabled);
        let Some(user) = user else {
            let mut tx = self.store.begin().await?;
            let record = Record {
                now,
                service_id: Some(service_id),
                actor: &Actor::System,
                origin,
            };
            record
                .write(
                    &mut tx,
                    Action::SignIn,
                    ("login", "-"),
                    Refusal::SignInRefused.code(),
                )
                .await?;
            tx.commit().await?;
            return Err(Refusal::SignInRefused.into());
        };
        self.after_right_password(user, service, &keys, language, origin)
            .await
    }

    async fn after_right_password(
        &self,
        user: User,
        service: Service,
        keys: &Keys,
        language: Language,
        origin: &Origin,
    ) -> Result<SignedIn, Failure> {
        let now = self.now();
        let mut tx = self.store.begin().await?;
        keys.was_right(&mut tx, now).await?;
        let ended = end_if_over(&mut tx, &user, origin, &self.clock).await?;
        let destination = where_to(&mut tx, &user, now).await?;
        let actor = Actor::user(&user);
        let record = Record {
            now,
            service_id: Some(&service.id),
            actor: &actor,
            origin,
        };
        let (outcome, signed_in) = match destination {
            Destination::Suspended => {
                let releasers = releasers_of(&mut tx, &user, &service.policy).await?;
                (
                    Refusal::UserSuspended.code(),
                    SignedIn::Suspended {
                        releasers,
                        service: service.clone(),
                    },
                )
            }
            Destination::ReissueNotYet { open_at } => {
                let refusal = Refusal::ReissueNotYet { open_at };
                (
                    refusal.code(),
                    SignedIn::NotYet {
                        open_at,
                        service: service.clone(),
                    },
                )
            }
            Destination::Issue | Destination::FinishInApp(_) | Destination::Verify => {
                let cookie = begin(&mut tx, &user.id, Stage::Password, language, now).await?;
                (
                    "done",
                    SignedIn::On {
                        cookie,
                        destination,
                    },
                )
            }
        };
        record
            .write(&mut tx, Action::SignIn, ("user", user.id.as_str()), outcome)
            .await?;
        tx.commit().await?;
        if ended {
            self.wake_senders();
        }
        Ok(signed_in)
    }

    /// Where a session that passed the password belongs now; the pages of the way ask it again at each step.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn destination(&self, session: &Session) -> Result<Destination, Failure> {
        let mut tx = self.store.read().await?;
        where_to(&mut tx, &session.user, self.now()).await
    }

    /// Who can release the session's user, by the policy of the service.
    ///
    /// # Errors
    /// [`Refusal::NoToken`], [`Failure::Store`].
    pub async fn releasers(
        &self,
        session: &Session,
        policy: &Policy,
    ) -> Result<Releasers, Failure> {
        let mut tx = self.store.read().await?;
        releasers_of(&mut tx, &session.user, policy).await
    }
}

async fn releasers_of(tx: &mut Tx, user: &User, policy: &Policy) -> Result<Releasers, Failure> {
    let token = tx.latest_token(&user.id).await?.ok_or(Refusal::NoToken)?;
    let contract = tx.users_of_contract(&user.contract_id).await?;
    Ok(releasers(user, &contract, &token.counter, policy))
}

async fn where_to(tx: &mut Tx, user: &User, now: UnixMillis) -> Result<Destination, Failure> {
    let token = tx.latest_token(&user.id).await?;
    let issuance = tx.latest_issuance(&user.id).await?;
    Ok(destination(
        user,
        token.as_ref().map(|stored| &stored.token),
        issuance.as_ref().map(|(issuance, _)| issuance),
        now,
    ))
}

/// The keys that a try is counted under; see [`warifu_core::throttle`] for what each is for. Every transaction takes them in
/// the same order, so that none waits for another that waits for it.
struct Keys {
    /// The network address, where one is known.
    address: Option<String>,
    /// The user from this address.
    user: String,
    /// The user from everywhere.
    everywhere: String,
}

impl Keys {
    fn of(service_id: &ServiceId, login_id: &str, origin: &Origin) -> Self {
        let network = network_of(origin).map(|network| network.to_string());
        let from = network.as_deref().unwrap_or("-");
        // The login id is whatever was typed, so it comes last: nobody can type another key.
        Self {
            user: format!("sign_in/{service_id}/{from}/{login_id}"),
            everywhere: format!("sign_in_everywhere/{service_id}/{login_id}"),
            address: network.map(|network| format!("sign_in_from/{network}")),
        }
    }

    /// Counts a try before it is judged. A refusal on the user's account leaves the user's counts as they are, or whoever
    /// asks again and again would make the wait endless; the address is counted all the same.
    async fn count(&self, tx: &mut Tx, now: UnixMillis) -> Result<Result<(), Refusal>, Failure> {
        if let Some(key) = &self.address {
            let tries = tx.tries_to_change(key, now).await?;
            if let Err(slowed) = tries.check(FREE_PER_ADDRESS, now) {
                return Ok(Err(slowed));
            }
            tx.put_tries(key, &tries.after_failure(now)).await?;
        }
        let user = tx.tries_to_change(&self.user, now).await?;
        let everywhere = tx.tries_to_change(&self.everywhere, now).await?.eased(now);
        let checked = user
            .check(FREE_PER_USER, now)
            .and_then(|()| everywhere.check(FREE_PER_USER_EVERYWHERE, now));
        if checked.is_ok() {
            tx.put_tries(&self.user, &user.after_failure(now)).await?;
            tx.put_tries(&self.everywhere, &everywhere.after_failure(now))
                .await?;
        }
        Ok(checked)
    }

    /// A right password clears the user's count from here, and costs the others nothing.
    async fn was_right(&self, tx: &mut Tx, now: UnixMillis) -> Result<(), Failure> {
        if let Some(key) = &self.address {
            refund(tx, key, now).await?;
        }
        tx.clear_tries(&self.user).await?;
        refund(tx, &self.everywhere, now).await
    }
}

async fn refund(tx: &mut Tx, key: &str, now: UnixMillis) -> Result<(), Failure> {
    let tries = tx.tries_to_change(key, now).await?;
    Ok(tx.put_tries(key, &tries.refunded()).await?)
}

/// The network that a request came from, as far as one subscriber usually has it: an IPv4 address, or the first 64 bits of
/// an IPv6 address.
pub(super) fn network_of(origin: &Origin) -> Option<IpAddr> {
    let address: IpAddr = origin.address.as_deref()?.parse().ok()?;
    Some(match address.to_canonical() {
        IpAddr::V6(address) => {
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
        }
        v4 @ IpAddr::V4(_) => v4,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_one_subscriber_count_as_one() {
        let network = |address: &str| {
            let origin = Origin {
                address: Some(address.to_owned()),
                ..Origin::default()
            };
            network_of(&origin).map(|network| network.to_string())
        };
        assert_eq!(
            network("2001:db8:1:2:3:4:5:6"),
            Some("2001:db8:1:2::".to_owned())
        );
        assert_eq!(network("192.0.2.7"), Some("192.0.2.7".to_owned()));
        assert_eq!(network("::ffff:192.0.2.7"), Some("192.0.2.7".to_owned()));
        assert_eq!(network("nonsense"), None);
    }
}
