//! What a batch of verifications reads and writes: narrow rows, many at once (ARCHITECTURE.md, verification).

use std::collections::HashMap;
use std::hash::Hash;

use warifu_core::audit::Event;
use warifu_core::id::{ClientId, ContractId, ServiceId, TokenId, UserId};
use warifu_core::oath::Parameters;
use warifu_core::service::Policy;
use warifu_core::time::UnixMillis;
use warifu_core::token::Standing;
use warifu_core::user::User;
use warifu_core::verification::Counter;

use crate::api_answer::{KEPT_ANSWER, named_answer_of};
use crate::api_client::{KEY_STANDING, standing_of};
use crate::rows::{Ask, Last, RowsSql, Sql};
use crate::token::counter_of;
use crate::tx::{Ended, Next};
use crate::{
    CounterNo, Durable, KeyStanding, NewAnswer, Row, StoreError, StoredAnswer, Tx, Value,
    api_answer, audit, params,
};

/// By what a verification finds a user: the service, and what the user signs in with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    /// The service.
    pub service_id: ServiceId,
    /// What the user signs in with there.
    pub login_id: String,
}

impl Login {
    /// That of a user.
    #[must_use]
    pub fn of(user: &User) -> Self {
        Self {
            service_id: user.service_id.clone(),
            login_id: user.login_id.clone(),
        }
    }
}

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
    /// Its counter; `None` is damage.
    pub counter_no: Option<CounterNo>,
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
    /// The logins of users whose tokens are not known. One may stand there twice.
    pub logins: Vec<&'a Login>,
    /// The counters of the tokens that are known, each with the token's user.
    pub counters: Vec<(CounterNo, &'a UserId)>,
    /// The public parts of the API keys that codes came with.
    pub key_ids: Vec<&'a str>,
    /// The clients' names of their requests, which may have been answered before.
    pub answers: Vec<(&'a ClientId, &'a str)>,
}

/// What was found of [`Wanted`]; what does not exist is left out, but for bearers.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// The services' rules.
    pub rules: HashMap<ServiceId, Rules>,
    /// The users of the logins, in their order, each with the live token; `None` where there is nobody.
    pub bearers: Vec<Option<StoredBearer>>,
    /// The counters that were asked for, and those of the bearers.
    pub counters: HashMap<CounterNo, HotCounter>,
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

/// What is to be written of a batch that was judged, all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct Settlement {
    /// Counters, each with the version that it must still have, in the order of their numbers. This condition decides that a
    /// code is accepted once (invariant 5).
    pub swaps: Vec<(CounterNo, i64, Counter)>,
    /// What is recorded.
    pub events: Vec<Event>,
    /// The answers that are kept.
    pub answers: Vec<NewAnswer>,
}

/// What is to become of a transaction that a batch was judged in.
pub enum Judgement<T> {
    /// It writes this, and commits.
    Settle(Settlement, T),
    /// It stays open, for more statements.
    Stay(T),
}

/// What became of it.
pub enum Judged<T> {
    /// Written and committed; nobody is to be told before the disk has it.
    Settled(T, Durable),
    /// Another node was faster with one of the counters or answers: nothing was changed.
    Lost,
    /// It is open.
    Open(Tx, T),
}

/// A row for each login, also where there is nobody, with the login's place among them. Who has no live token is looked for among the users, and only then: nothing is equal to NULL.
pub(crate) static BEARERS: RowsSql = RowsSql::new(
    "SELECT v.column1 AS place,
         COALESCE(b.user_id, u.user_id) AS user_id, COALESCE(b.contract_id, u.contract_id) AS contract_id, u.reopens_at_ms,
         b.token_id, b.algorithm, b.digits, b.step_s, b.sealed_seed, b.activated_at_ms, b.expires_at_ms, b.counter_no,
         c.version, c.last_step, c.failures, c.run_since_success, c.drift, c.standing, d.user_id IS NOT NULL AS disabled
     FROM {LIST}
     LEFT JOIN bearer b ON b.service_id = v.column2 AND b.login_id = v.column3
     LEFT JOIN app_user u ON u.service_id = CASE WHEN b.token_id IS NULL THEN v.column2 END AND u.login_id = v.column3
     LEFT JOIN app_user d ON d.user_id = b.user_id AND d.disabled = TRUE
     LEFT JOIN counter c ON c.counter_no = b.counter_no
     WHERE v.column1 IS NOT NULL",
    &["BIGINT", "TEXT", "TEXT"],
);

const RULES: &str = "SELECT s.service_id, s.policy, s.fence_at_ms,
         EXISTS (SELECT 1 FROM webhook w WHERE w.service_id = s.service_id AND w.disabled = FALSE) AS has_webhooks
     FROM service s WHERE s.service_id = $1";

pub(crate) static COUNTERS: RowsSql = RowsSql::new(
    "SELECT c.counter_no, c.version, c.last_step, c.failures, c.run_since_success, c.drift, c.standing,
         u.user_id IS NOT NULL AS disabled
     FROM {LIST} CROSS JOIN counter c
     LEFT JOIN app_user u ON u.user_id = v.column2 AND u.disabled = TRUE
     WHERE c.counter_no = v.column1",
    &["BIGINT", "TEXT"],
);

static SWAP: RowsSql = RowsSql::new(
    "UPDATE counter SET version = v.column3, last_step = v.column4, failures = v.column5,
         run_since_success = v.column6, drift = v.column7, standing = v.column8
     {FROM}
     WHERE counter_no = v.column1 AND version = v.column2
     {RETURNING counter_no}",
    &[
        "BIGINT", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "TEXT",
    ],
);

impl Tx {
    /// Reads what a batch is judged by, lets `judge` judge it, and writes and commits what it says: on SQLite all of it in one visit, for which `judge`
    /// runs on the database's thread; on PostgreSQL in two round trips, once its statements are prepared. `judge` is not to wait for anything: the database is held
    /// meanwhile. Answers are kept from `now` on.
    ///
    /// # Errors
    /// As [`Tx::query_each`] and [`Tx::commit`].
    pub async fn judge<T: Send + 'static>(
        mut self,
        wanted: &Wanted<'_>,
        now: UnixMillis,
        judge: impl FnOnce(Ground) -> Judgement<T> + Send + 'static,
    ) -> Result<Judged<T>, StoreError> {
        let decide = move |rows: Vec<Vec<Row>>| {
            Ok(match judge(Ground::of(rows)?) {
                Judgement::Settle(settlement, told) => Next::Finish(settlement.last(now), told),
                Judgement::Stay(told) => Next::Stay(told),
            })
        };
        Ok(match self.read_and_finish(wanted.asks(), decide).await? {
            Ended::Committed(told, durable) => Judged::Settled(told, durable),
            Ended::Lost => Judged::Lost,
            Ended::Open(told) => Judged::Open(self, told),
        })
    }

    /// Writes many counters, each on the condition that it still has the version named with it, and gives those that
    /// were written. This conditional write decides that a code is accepted once (invariant 5): of whom is missing
    /// in the answer was read too early.
    ///
    /// To be called with the counters in the order of their numbers: two nodes that write them in that order wait for each other and never in a circle. PostgreSQL
    /// may choose another one; then one of the two is told of a conflict, and judges again.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn swap_counters(
        &mut self,
        swaps: &[(CounterNo, i64, Counter)],
    ) -> Result<Vec<CounterNo>, StoreError> {
        let rows = swaps
            .iter()
            .map(|(number, expected_version, next)| swap_row(*number, *expected_version, next));
        self.query_rows(&SWAP, rows.collect())
            .await?
            .iter()
            .map(number_of)
            .collect()
    }

    /// [`Tx::swap_counters`] of the one of a token: whether it was written.
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
        let token = self
            .query_one(
                "SELECT counter_no FROM token WHERE token_id = $1 AND counter_no IS NOT NULL",
                params![id],
            )
            .await?;
        let Some(token) = token else {
            return Ok(false);
        };
        let swapped = self
            .swap_counters(&[(number_of(&token)?, expected_version, *next)])
            .await?;
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

impl Wanted<'_> {
    /// The statements that read it, in the order in which [`Ground::of`] takes their rows.
    pub(crate) fn asks(&self) -> Vec<Ask> {
        vec![
            Ask {
                sql: Sql::Each(RULES),
                rows: self.services.iter().map(|id| params![*id]).collect(),
            },
            Ask {
                sql: Sql::Rows(&BEARERS),
                rows: (0..)
                    .zip(&self.logins)
                    .map(|(place, login): (i64, _)| {
                        params![place, &login.service_id, &login.login_id]
                    })
                    .collect(),
            },
            Ask {
                sql: Sql::Rows(&COUNTERS),
                rows: self
                    .counters
                    .iter()
                    .map(|(number, user_id)| params![*number, *user_id])
                    .collect(),
            },
            Ask {
                sql: Sql::Each(KEY_STANDING),
                rows: self.key_ids.iter().map(|id| params![*id]).collect(),
            },
            Ask {
                sql: Sql::Each(KEPT_ANSWER),
                rows: self
                    .answers
                    .iter()
                    .map(|(client_id, key)| params![*client_id, *key])
                    .collect(),
            },
        ]
    }
}

impl Ground {
    /// What the statements of [`Wanted::asks`] found.
    pub(crate) fn of(rows: Vec<Vec<Row>>) -> Result<Self, StoreError> {
        let rows: [_; 5] = rows
            .try_into()
            .map_err(|_| StoreError::Statement("five answers were due".to_owned()))?;
        let [rules, bearers, counters, standings, answers] = rows;
        let mut ground = Self {
            rules: each(&rules, |row| {
                let rules = Rules {
                    policy: crate::service::policy_of(row)?,
                    fence: row.opt_at("fence_at_ms")?,
                    has_webhooks: row.bool("has_webhooks")?,
                };
                Ok((row.service_id()?, rules))
            })?,
            bearers: bearers.iter().map(|_| None).collect(),
            counters: HashMap::with_capacity(counters.len() + bearers.len()),
            standings: each(&standings, |row| {
                let standing = standing_of(row)?;
                Ok((standing.key_id.clone(), standing))
            })?,
            answers: each(&answers, named_answer_of)?,
        };
        for row in &counters {
            ground.counters.insert(number_of(row)?, hot_of(row)?);
        }
        for row in bearers {
            let place: usize = row.number("place")?;
            let Some((bearer, hot)) = bearer_of(row)? else {
                continue;
            };
            // A token without a counter is damage: its user alone is to feel it.
            if let Some(token) = &bearer.token
                && let (Some(number), Some(hot)) = (token.counter_no, hot)
            {
                ground.counters.insert(number, hot);
            }
            let Some(found @ None) = ground.bearers.get_mut(place) else {
                let told = "a bearer stands where no login, or another bearer, does";
                return Err(StoreError::Statement(told.to_owned()));
            };
            *found = Some(bearer);
        }
        Ok(ground)
    }
}

impl Settlement {
    /// The statements that write it.
    pub(crate) fn last(self, now: UnixMillis) -> Vec<Last> {
        let swaps = self
            .swaps
            .iter()
            .map(|(number, expected_version, next)| swap_row(*number, *expected_version, next));
        vec![
            Last {
                sql: &SWAP,
                rows: swaps.collect(),
                decides: true,
            },
            Last {
                sql: &audit::INSERT,
                rows: audit::rows_of(self.events),
                decides: false,
            },
            Last {
                sql: &api_answer::KEEP_ANSWER,
                rows: api_answer::rows_of(&self.answers, now),
                decides: true,
            },
        ]
    }
}

fn each<K: Eq + Hash, V>(
    rows: &[Row],
    read: impl FnMut(&Row) -> Result<(K, V), StoreError>,
) -> Result<HashMap<K, V>, StoreError> {
    rows.iter().map(read).collect()
}

fn hot_of(row: &Row) -> Result<HotCounter, StoreError> {
    Ok(HotCounter {
        counter: counter_of(row)?,
        user_disabled: row.bool("disabled")?,
    })
}

fn number_of(row: &Row) -> Result<CounterNo, StoreError> {
    row.int("counter_no").map(CounterNo)
}

fn swap_row(number: CounterNo, expected_version: i64, next: &Counter) -> Vec<Value> {
    params![
        number,
        expected_version,
        next.version,
        next.last_step,
        next.failures,
        next.run_since_success,
        i64::from(next.drift),
        Value::fixed(next.standing.as_str())
    ]
}

/// Who is behind a login, and the counter, if there is one. `None` where there is nobody.
fn bearer_of(mut row: Row) -> Result<Option<(StoredBearer, Option<HotCounter>)>, StoreError> {
    if row.opt_text("user_id")?.is_none() {
        return Ok(None);
    }
    let standing = row.opt_text("standing")?;
    // A row that was left over, by damage.
    let over = standing == Some(Standing::Revoked.as_str());
    let hot = standing.map(|_| hot_of(&row)).transpose()?;
    let token = if over || row.opt_text("token_id")?.is_none() {
        None
    } else {
        Some(StoredSeed {
            token_id: TokenId::from_stored(row.take_text("token_id")?),
            counter_no: row.opt_int("counter_no")?.map(CounterNo),
            parameters: row.parameters()?,
            activated_at: row.at("activated_at_ms")?,
            expires_at: row.opt_at("expires_at_ms")?,
            sealed_seed: row.take_blob("sealed_seed")?,
        })
    };
    let bearer = StoredBearer {
        user_id: UserId::from_stored(row.take_text("user_id")?),
        contract_id: ContractId::from_stored(row.take_text("contract_id")?),
        reopens_at: row.opt_at("reopens_at_ms")?,
        token,
    };
    Ok(Some((bearer, hot)))
}
