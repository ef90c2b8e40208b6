//! What a batch of verifications reads and writes: narrow rows, many at once (ARCHITECTURE.md, verification).

use std::collections::HashMap;
use std::hash::Hash;

use warifu_core::audit::Event;
use warifu_core::id::{ClientId, ContractId, ServiceId, TokenId, UserId};
use warifu_core::oath::Parameters;
use warifu_core::service::Policy;
use warifu_core::time::UnixMillis;
use warifu_core::verification::Counter;

use crate::api_answer::{KEPT_ANSWER, named_answer_of};
use crate::api_client::{KEY_STANDING, standing_of};
use crate::rows::{Ask, Last, RowsSql, Sql};
use crate::token::counter_of;
use crate::{
    KeyStanding, NewAnswer, Row, StoreError, StoredAnswer, Tx, Value, api_answer, audit, params,
};

/// A user as a verification needs to know it, with what opens the live token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBearer {
    /// The user.
    pub user_id: UserId,
    /// The user's company.
    pub contract_id: ContractId,
    /// Until when no new token may be asked for, after a revocation.
    pub reopens_at: Option<UnixMillis>,
    /// The live token, if there is one.
    pub token: Option<StoredSeed>,
}

/// What of a token never changes but its end, with its sealed seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSeed {
    /// The token.
    pub token_id: TokenId,
    /// How its codes are computed.
    pub parameters: Parameters,
    /// When its app finished.
    pub activated_at: UnixMillis,
    /// From when on its codes are not accepted. A renewal may have moved it since: never to an earlier time.
    pub expires_at: Option<UnixMillis>,
    /// The sealed seed.
    pub sealed_seed: Vec<u8>,
}

/// A counter as a batch reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HotCounter {
    /// The counter; its version is the one to name in [`Tx::swap_counters`].
    pub counter: Counter,
    /// Whether the token's user is disabled.
    pub user_disabled: bool,
}

/// What a batch of verifications is judged by, to be read.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// The services.
    pub services: Vec<&'a ServiceId>,
    /// The tokens, each with its user.
    pub tokens: Vec<(&'a TokenId, &'a UserId)>,
    /// The public parts of the API keys that codes came with.
    pub key_ids: Vec<&'a str>,
    /// The clients' names of their requests, which may have been answered before.
    pub answers: Vec<(&'a ClientId, &'a str)>,
}

/// What was found of [`Wanted`]; what does not exist is left out.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// The services' rules.
    pub rules: HashMap<ServiceId, Rules>,
    /// The tokens' counters.
    pub counters: HashMap<TokenId, HotCounter>,
    /// Whether the keys still are what they were.
    pub standings: HashMap<String, KeyStanding>,
    /// The answers that were kept.
    pub answers: HashMap<(ClientId, String), StoredAnswer>,
}

/// The rules of a service that a verification needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The policy.
    pub policy: Policy,
    /// Nothing is accepted whose code could have been accepted by then (R23).
    pub fence: Option<UnixMillis>,
    /// Whether anybody is told of this service's events.
    pub has_webhooks: bool,
}

static BEARERS: RowsSql = RowsSql::new(
    "SELECT u.service_id, u.login_id, u.user_id, u.contract_id, u.reopens_at_ms,
         t.token_id, t.algorithm, t.digits, t.step_s, t.sealed_seed, t.activated_at_ms, t.expires_at_ms
     FROM {LIST} app_user u
     LEFT JOIN token t ON t.user_id = u.user_id AND t.revoked_at_ms IS NULL
     WHERE u.service_id = v.column1 AND u.login_id = v.column2",
    &["TEXT", "TEXT"],
);

const RULES: &str = "SELECT s.service_id, s.policy, s.fence_at_ms,
         EXISTS (SELECT 1 FROM webhook w WHERE w.service_id = s.service_id AND w.disabled = FALSE) AS has_webhooks
     FROM service s WHERE s.service_id = $1";

static COUNTERS: RowsSql = RowsSql::new(
    "SELECT c.token_id, c.version, c.last_step, c.failures, c.run_since_success, c.drift, c.standing, u.disabled
     FROM {LIST} counter c, app_user u
     WHERE c.token_id = v.column1 AND u.user_id = v.column2",
    &["TEXT", "TEXT"],
);

static SWAP: RowsSql = RowsSql::new(
    "UPDATE counter SET version = v.column3, last_step = v.column4, failures = v.column5,
         run_since_success = v.column6, drift = v.column7, standing = v.column8
     {FROM}
     WHERE token_id = v.column1 AND version = v.column2
     RETURNING token_id",
    &[
        "TEXT", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "TEXT",
    ],
);

impl Tx {
    /// The users of these services and login ids, each with the live token; who does not exist is left out.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn bearers(
        &mut self,
        logins: &[(&ServiceId, &str)],
    ) -> Result<HashMap<(ServiceId, String), StoredBearer>, StoreError> {
        let rows = logins
            .iter()
            .map(|(service_id, login_id)| params![*service_id, *login_id])
            .collect();
        self.query_rows(&BEARERS, rows)
            .await?
            .iter()
            .map(|row| {
                let login = (row.service_id()?, row.text("login_id")?.to_owned());
                Ok((login, bearer_of(row)?))
            })
            .collect()
    }

    /// Reads what a batch is judged by, in one visit to the database.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn ground(&mut self, wanted: &Wanted<'_>) -> Result<Ground, StoreError> {
        let asks = vec![
            Ask {
                sql: Sql::Each(RULES),
                rows: wanted.services.iter().map(|id| params![*id]).collect(),
            },
            Ask {
                sql: Sql::Rows(&COUNTERS),
                rows: wanted
                    .tokens
                    .iter()
                    .map(|(token_id, user_id)| params![*token_id, *user_id])
                    .collect(),
            },
            Ask {
                sql: Sql::Each(KEY_STANDING),
                rows: wanted.key_ids.iter().map(|id| params![*id]).collect(),
            },
            Ask {
                sql: Sql::Each(KEPT_ANSWER),
                rows: wanted
                    .answers
                    .iter()
                    .map(|(client_id, key)| params![*client_id, *key])
                    .collect(),
            },
        ];
        let answers = self.query_together(asks).await?;
        let [rules, counters, standings, kept] = answers.as_slice() else {
            return Err(StoreError::Statement("four answers were due".to_owned()));
        };
        Ok(Ground {
            rules: each(rules, |row| {
                let rules = Rules {
                    policy: crate::service::policy_of(row)?,
                    fence: row.opt_at("fence_at_ms")?,
                    has_webhooks: row.bool("has_webhooks")?,
                };
                Ok((row.service_id()?, rules))
            })?,
            counters: each(counters, |row| {
                let hot = HotCounter {
                    counter: counter_of(row)?,
                    user_disabled: row.bool("disabled")?,
                };
                Ok((TokenId::from_stored(row.text("token_id")?), hot))
            })?,
            standings: each(standings, |row| {
                let standing = standing_of(row)?;
                Ok((standing.key_id.clone(), standing))
            })?,
            answers: each(kept, named_answer_of)?,
        })
    }

    /// Writes many counters, each on the condition that it still has the version named with it, and gives the tokens whose
    /// counter was written. This conditional write decides that a code is accepted once (invariant 5): of whom is missing
    /// in the answer was read too early.
    ///
    /// To be called with the tokens in the order of their ids, so that two nodes wait for each other and never in a circle.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn swap_counters(
        &mut self,
        swaps: &[(&TokenId, i64, Counter)],
    ) -> Result<Vec<TokenId>, StoreError> {
        self.query_rows(&SWAP, swap_rows(swaps))
            .await?
            .iter()
            .map(|row| Ok(TokenId::from_stored(row.text("token_id")?)))
            .collect()
    }

    /// Writes all that a batch has to write, and commits: counters as [`Tx::swap_counters`] does, events, and answers that are kept
    /// from `now` on. `false` when another node was faster with one of the counters or answers: then nothing was changed.
    ///
    /// # Errors
    /// As [`Tx::query`] and [`Tx::commit`].
    pub async fn settle(
        self,
        swaps: &[(&TokenId, i64, Counter)],
        events: &[Event],
        answers: &[NewAnswer],
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let writes = [
            (Sql::Rows(&SWAP), swap_rows(swaps), true),
            (Sql::Rows(&audit::INSERT), audit::rows_of(events), false),
            (
                Sql::Each(api_answer::KEEP_ANSWER),
                api_answer::rows_of(answers, now),
                true,
            ),
        ];
        let last = writes.into_iter().map(|(sql, rows, decides)| Last {
            ask: Ask { sql, rows },
            decides,
        });
        self.finish(last.collect()).await
    }

    /// [`Tx::swap_counters`] of one: whether it was written.
    ///
    /// A next counter of another standing is followed by [`Tx::set_token_state`] in the same transaction.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn swap_counter(
        &mut self,
        id: &TokenId,
        expected_version: i64,
        next: &Counter,
    ) -> Result<bool, StoreError> {
        let swapped = self.swap_counters(&[(id, expected_version, *next)]).await?;
        Ok(swapped.len() == 1)
    }

    /// Puts up a fence before a service (R23); one that is later already stays. `false` when it stayed.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn raise_fence(
        &mut self,
        id: &ServiceId,
        at: UnixMillis,
    ) -> Result<bool, StoreError> {
        let raised = self
            .execute(
                "UPDATE service SET fence_at_ms = $1
                 WHERE service_id = $2 AND (fence_at_ms IS NULL OR fence_at_ms < $1)",
                params![at, id],
            )
            .await?;
        Ok(raised == 1)
    }
}

fn each<K: Eq + Hash, V>(
    rows: &[Row],
    read: impl FnMut(&Row) -> Result<(K, V), StoreError>,
) -> Result<HashMap<K, V>, StoreError> {
    rows.iter().map(read).collect()
}

fn swap_rows(swaps: &[(&TokenId, i64, Counter)]) -> Vec<Vec<Value>> {
    let row = |(id, expected_version, next): &(&TokenId, i64, Counter)| {
        params![
            *id,
            *expected_version,
            next.version,
            next.last_step,
            next.failures,
            next.run_since_success,
            i64::from(next.drift),
            next.standing.as_str()
        ]
    };
    swaps.iter().map(row).collect()
}

fn bearer_of(row: &Row) -> Result<StoredBearer, StoreError> {
    let token = match row.opt_text("token_id")? {
        Some(token_id) => Some(StoredSeed {
            token_id: TokenId::from_stored(token_id),
            parameters: row.parameters()?,
            activated_at: row.at("activated_at_ms")?,
            expires_at: row.opt_at("expires_at_ms")?,
            sealed_seed: row.blob("sealed_seed")?.to_vec(),
        }),
        None => None,
    };
    Ok(StoredBearer {
        user_id: UserId::from_stored(row.text("user_id")?),
        contract_id: ContractId::from_stored(row.text("contract_id")?),
        reopens_at: row.opt_at("reopens_at_ms")?,
        token,
    })
}
