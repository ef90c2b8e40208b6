//! Who calls the API: from a key and an address to a client and what it may do.
//!
//! Ordinary calls read the database, so a key that was withdrawn on one node is refused on every node by the next request. The hot
//! path remembers keys: whoever uses a remembered one looks at its standing again in the transaction that it writes in, and forgets
//! what is not as it was.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use warifu_core::id::{ClientId, ContractId, ServiceId};
use warifu_core::refusal::Refusal;
use warifu_core::relying::{Allowance, Bucket, Client, Scope, Scopes, key_is_good, may};
use warifu_core::time::UnixMillis;
use warifu_core::user::{Actor, User, within_limits};
use warifu_store::{KeyStanding, StoredKey};

use super::key::ApiKey;
use crate::app::{App, Failure};
use crate::networks::Networks;

/// Keys that one node remembers. Only good keys are, so a stranger fills nothing.
const REMEMBERED_MAX: usize = 4_096;
/// Clients whose requests one node counts.
const COUNTED_MAX: usize = 4_096;

/// A client that was recognised by its key.
#[derive(Clone, Debug)]
pub struct ApiCaller {
    /// Which client.
    pub client_id: ClientId,
    /// The public part of the key it came with.
    pub key_id: String,
    /// The one service it may act on; `None` for all.
    pub service_id: Option<ServiceId>,
    /// The one contract it may act on; `None` for all.
    pub contract_id: Option<ContractId>,
    /// What it may do.
    pub scopes: Scopes,
    /// The version of the client as it was read.
    pub version: i64,
    /// When the key ends; `None` for never.
    pub expires_at: Option<UnixMillis>,
    key_hash: [u8; 32],
    networks: Networks,
    limit: Option<RateLimit>,
}

/// How often a client may call; shared by all its requests at this node.
#[derive(Clone, Debug)]
struct RateLimit {
    per_s: u32,
    bucket: Arc<Mutex<Bucket>>,
}

/// What the rate limit says of one request.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// Requests a second.
    pub per_s: u32,
    /// What it says.
    pub allowance: Allowance,
}

impl ApiCaller {
    /// The client as an actor.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::RelyingSystem {
            id: self.client_id.clone(),
            service_id: self.service_id.clone(),
            contract_id: self.contract_id.clone(),
        }
    }

    /// Refuses what the client's scopes do not hold.
    ///
    /// # Errors
    /// [`Refusal::ScopeMissing`].
    pub fn may(&self, scope: Scope) -> Result<(), Refusal> {
        may(self.scopes, scope)
    }

    /// Refuses a user that this client must not know of (R41).
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn sees(&self, user: &User) -> Result<(), Refusal> {
        within_limits(self.service_id.as_ref(), self.contract_id.as_ref(), user)
    }

    /// Counts one request; `None` for a client without a limit.
    #[must_use]
    pub fn count(&self, now: UnixMillis) -> Option<Counted> {
        let limit = self.limit.as_ref()?;
        let mut bucket = limit.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Counted {
            per_s: limit.per_s,
            allowance: bucket.take(limit.per_s, now),
        })
    }

    /// Whether key and client still are what they were when this caller was remembered, by what the database says now. Whoever gets
    /// `false` calls [`App::renewed_api_caller`].
    #[must_use]
    pub fn stands(&self, standing: &KeyStanding, now: UnixMillis) -> bool {
        standing.key_id == self.key_id
            && standing.client_version == self.version
            && !standing.disabled
            && standing.expires_at == self.expires_at
            && key_is_good(standing.expires_at, now)
    }
}

/// The keys that this node has seen.
#[derive(Default)]
pub(in crate::app) struct SeenKeys {
    remembered: RwLock<HashMap<String, Arc<Seen>>>,
    counted: Mutex<HashMap<ClientId, Arc<Mutex<Bucket>>>>,
}

struct Seen {
    caller: Arc<ApiCaller>,
    /// When it was last used, Unix milliseconds.
    used_at: AtomicI64,
    /// The use that was written down last.
    written_at: AtomicI64,
}

impl SeenKeys {
    fn remember(&self, caller: &Arc<ApiCaller>, written_at: Option<UnixMillis>, now: UnixMillis) {
        let mut remembered = self
            .remembered
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let written_at = remembered.get(&caller.key_id).map_or_else(
            || written_at.map_or(0, |at| at.0),
            |seen| seen.written_at.load(Ordering::Relaxed),
        );
        if remembered.len() >= REMEMBERED_MAX && !remembered.contains_key(&caller.key_id) {
            let oldest = remembered
                .iter()
                .min_by_key(|(_, seen)| seen.used_at.load(Ordering::Relaxed))
                .map(|(key_id, _)| key_id.clone());
            oldest.map(|key_id| remembered.remove(&key_id));
        }
        let seen = Seen {
            caller: Arc::clone(caller),
            used_at: AtomicI64::new(now.0),
            written_at: AtomicI64::new(written_at),
        };
        remembered.insert(caller.key_id.clone(), Arc::new(seen));
    }

    fn find(&self, key_id: &str) -> Option<Arc<Seen>> {
        self.remembered
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(key_id)
            .cloned()
    }

    fn forget(&self, key_id: &str) {
        self.remembered
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key_id);
    }

    fn limit(&self, client: &Client) -> Option<RateLimit> {
        if client.requests_per_s == 0 {
            return None;
        }
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= COUNTED_MAX && !counted.contains_key(&client.id) {
            // Who is left without a bucket begins with a full one: a second's worth, once in so many clients.
            counted.clear();
        }
        Some(RateLimit {
            per_s: client.requests_per_s,
            bucket: Arc::clone(counted.entry(client.id.clone()).or_default()),
        })
    }

    /// The uses that are not written down yet.
    fn unwritten(&self) -> Vec<(String, UnixMillis)> {
        let remembered = self
            .remembered
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let used = remembered.iter().filter_map(|(key_id, seen)| {
            let used_at = seen.used_at.load(Ordering::Relaxed);
            (used_at > seen.written_at.load(Ordering::Relaxed))
                .then(|| (key_id.clone(), UnixMillis(used_at)))
        });
        used.take(warifu_store::limits::EACH_MAX).collect()
    }

    fn written(&self, uses: &[(String, UnixMillis)]) {
        for (key_id, at) in uses {
            if let Some(seen) = self.find(key_id) {
                seen.written_at.fetch_max(at.0, Ordering::Relaxed);
            }
        }
    }
}

impl App {
    /// The client of a key, as the database has it at this moment.
    ///
    /// # Errors
    /// [`Refusal::ApiKeyRefused`], [`Refusal::NetworkNotAllowed`], [`Failure::Store`].
    pub async fn api_caller(
        &self,
        key: &ApiKey,
        address: Option<IpAddr>,
    ) -> Result<Arc<ApiCaller>, Failure> {
        self.caller_of(key.id(), |hash| key.fits(hash), address)
            .await
    }

    /// The client of a key, as this node remembers it, or else as [`App::api_caller`]. Only for whoever looks at
    /// [`ApiCaller::stands`] in the transaction that it writes in.
    ///
    /// # Errors
    /// As [`App::api_caller`].
    pub async fn cached_api_caller(
        &self,
        key: &ApiKey,
        address: Option<IpAddr>,
    ) -> Result<Arc<ApiCaller>, Failure> {
        match self.remembered_api_caller(key, address) {
            Some(caller) => Ok(caller?),
            // Seldom, and not to be carried along by every other request.
            None => Box::pin(self.api_caller(key, address)).await,
        }
    }

    /// The client of a key, as this node remembers it, under the same condition; `None` when it does not.
    #[must_use]
    pub fn remembered_api_caller(
        &self,
        key: &ApiKey,
        address: Option<IpAddr>,
    ) -> Option<Result<Arc<ApiCaller>, Refusal>> {
        let now = self.now();
        let seen = self.seen_keys.find(key.id())?;
        if !key.fits(&seen.caller.key_hash) {
            return None;
        }
        if !key_is_good(seen.caller.expires_at, now) {
            return Some(Err(Refusal::ApiKeyRefused));
        }
        if let Err(refusal) = allows(&seen.caller.networks, address) {
            return Some(Err(refusal));
        }
        // Most requests of a busy key come within the same millisecond as another: only the first writes.
        if seen.used_at.load(Ordering::Relaxed) < now.0 {
            seen.used_at.fetch_max(now.0, Ordering::Relaxed);
        }
        Some(Ok(Arc::clone(&seen.caller)))
    }

    /// Forgets what this node remembers of a caller that does not stand any more, and reads it again.
    ///
    /// # Errors
    /// As [`App::api_caller`].
    pub async fn renewed_api_caller(
        &self,
        caller: &ApiCaller,
        address: Option<IpAddr>,
    ) -> Result<Arc<ApiCaller>, Failure> {
        self.seen_keys.forget(&caller.key_id);
        self.caller_of(&caller.key_id, |hash| *hash == caller.key_hash, address)
            .await
    }

    async fn caller_of(
        &self,
        key_id: &str,
        fits: impl Fn(&[u8; 32]) -> bool,
        address: Option<IpAddr>,
    ) -> Result<Arc<ApiCaller>, Failure> {
        let now = self.now();
        let found = self.store.read().await?.api_key(key_id).await?;
        let good = |(key, client): &(StoredKey, Client)| {
            let fits = fits(&key.hash);
            fits && key_is_good(key.expires_at, now) && !client.disabled
        };
        let (key, client) = found.filter(good).ok_or(Refusal::ApiKeyRefused)?;
        let networks: Vec<_> = client.networks.split_whitespace().collect();
        let networks = Networks::parse(&networks)
            .map_err(|_| Failure::fault("the stored networks of a client cannot be read"))?;
        allows(&networks, address)?;
        let caller = Arc::new(ApiCaller {
            limit: self.seen_keys.limit(&client),
            client_id: client.id,
            key_id: key.id,
            service_id: client.service_id,
            contract_id: client.contract_id,
            scopes: client.scopes,
            version: client.version,
            expires_at: key.expires_at,
            key_hash: key.hash,
            networks,
        });
        self.seen_keys.remember(&caller, key.used_at, now);
        Ok(caller)
    }

    /// Writes down when keys were last used. Called by the housekeeping, once a minute, and never by a request.
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub(in crate::app) async fn write_key_uses(&self) -> Result<(), Failure> {
        let uses = self.seen_keys.unwritten();
        if uses.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        tx.touch_api_keys(&uses).await?;
        tx.commit().await?;
        self.seen_keys.written(&uses);
        Ok(())
    }
}

fn allows(networks: &Networks, address: Option<IpAddr>) -> Result<(), Refusal> {
    let allowed = networks.is_empty() || address.is_some_and(|address| networks.contain(address));
    if allowed {
        Ok(())
    } else {
        Err(Refusal::NetworkNotAllowed)
    }
}
