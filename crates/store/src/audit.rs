//! The audit log (R84). Events are added and read; nothing here changes or removes one.

use warifu_core::audit::{Action, Event};
use warifu_core::id::{AuditId, ServiceId};
use warifu_core::time::UnixMillis;
use warifu_core::user::Actor;

use crate::limits::EVENTS_MAX;
use crate::mapping::at_most;
use crate::rows::RowsSql;
use crate::{Row, StoreError, Tx, Value, params};

/// An event as it was recorded, in stored words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Names the event.
    pub id: AuditId,
    /// When, by the server's clock.
    pub at: UnixMillis,
    /// The service it belongs to; `None` for what concerns the whole installation.
    pub service_id: Option<ServiceId>,
    /// The kind of actor: `user`, `operator`, `operators` (two together), `client`, `system`.
    pub actor_kind: String,
    /// The id of the user, operator or API client; of two operators both, joined by `+`; `system` for the product itself.
    pub actor_id: String,
    /// The name of the action (`warifu_core::audit::Action`).
    pub action: String,
    /// The kind of thing acted on.
    pub target_kind: String,
    /// Its id.
    pub target_id: String,
    /// `done`, a verdict's name, or the code of a refusal.
    pub outcome: String,
    /// The id of the request.
    pub request_id: String,
    /// The caller's network address, where there is one.
    pub address: Option<String>,
}

pub(crate) static INSERT: RowsSql = RowsSql::new(
    "INSERT INTO audit (audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome,
         request_id, address)
     {ROWS}",
    &[
        "TEXT", "BIGINT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT",
    ],
);

/// Events as they were recorded, found by the rest.
macro_rules! events_where {
    ($rest:literal) => {
        concat!(
            "SELECT audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome, request_id,
                 address
             FROM audit WHERE ",
            $rest
        )
    };
}

impl Tx {
    /// Records an event, in the transaction of the change it tells of (invariant 4).
    ///
    /// # Errors
    /// [`StoreError::is_duplicate`] when its id is taken; else as [`Tx::query`].
    pub async fn insert_event(&mut self, event: &Event) -> Result<(), StoreError> {
        self.insert_events(vec![event.clone()]).await
    }

    /// The same for several.
    ///
    /// # Errors
    /// As [`Tx::insert_event`].
    pub async fn insert_events(&mut self, events: Vec<Event>) -> Result<(), StoreError> {
        self.query_rows(&INSERT, rows_of(events)).await.map(drop)
    }

    /// The events about one thing, the oldest first; of more than [`EVENTS_MAX`], the latest. Of a
    /// token, this walks through all events: no request asks it.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn events_of(
        &mut self,
        target_kind: &str,
        target_id: &str,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        self.query(
            events_where!(
                "target_kind = $1 AND target_id = $2 ORDER BY at_ms DESC, audit_id DESC LIMIT $3"
            ),
            params![target_kind, target_id, EVENTS_MAX],
        )
        .await?
        .iter()
        .rev()
        .map(event_of)
        .collect()
    }

    /// Up to `limit` events of a service, or those of one action, that come after the event `after` and happened before `before`, in
    /// the order of their ids.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn events_of_service_after(
        &mut self,
        service_id: &ServiceId,
        after: &str,
        before: UnixMillis,
        action: Option<Action>,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let rows = match action {
            None => {
                self.query(
                    events_where!(
                        "service_id = $1 AND audit_id > $2 AND at_ms < $3 ORDER BY audit_id LIMIT $4"
                    ),
                    params![service_id, after, before, at_most(limit)],
                )
                .await?
            }
            Some(action) => {
                self.query(
                    events_where!(
                        "service_id = $1 AND audit_id > $2 AND at_ms < $3 AND action = $4 ORDER BY audit_id LIMIT $5"
                    ),
                    params![service_id, after, before, action.as_str(), at_most(limit)],
                )
                .await?
            }
        };
        rows.iter().map(event_of).collect()
    }

    /// When `action` was done to one thing with this outcome the time before the last: of two sign-ins, the earlier one.
    /// Never of a token, whose events have no index by it.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn last_but_one_event_at(
        &mut self,
        action: Action,
        target_kind: &str,
        target_id: &str,
        outcome: &str,
    ) -> Result<Option<UnixMillis>, StoreError> {
        self.query_one(
            "SELECT at_ms FROM audit
             WHERE target_kind = $1 AND target_id = $2 AND action = $3 AND outcome = $4 AND target_kind <> 'token'
             ORDER BY at_ms DESC LIMIT 1 OFFSET 1",
            params![target_kind, target_id, action.as_str(), outcome],
        )
        .await?
        .map(|row| row.at("at_ms"))
        .transpose()
    }

    /// When the events of the highest ids were recorded, service by service: the last of them, which is the last one of all or nearly so.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn last_event_at(&mut self) -> Result<Option<UnixMillis>, StoreError> {
        self.query_one(
            "SELECT MAX(l.at_ms) AS at_ms FROM (
                 SELECT (SELECT e.at_ms FROM audit e WHERE e.service_id = s.service_id ORDER BY e.audit_id DESC LIMIT 1) AS at_ms
                 FROM service s
                 UNION ALL
                 SELECT (SELECT e.at_ms FROM audit e WHERE e.service_id IS NULL ORDER BY e.audit_id DESC LIMIT 1) AS at_ms
             ) l",
            params![],
        )
        .await?
        .map_or(Ok(None), |row| row.opt_at("at_ms"))
    }

    /// The number of all events.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn count_events(&mut self) -> Result<u64, StoreError> {
        self.query_one("SELECT COUNT(audit_id) AS events FROM audit", params![])
            .await?
            .map_or(Ok(0), |row| row.number("events"))
    }
}

/// Events as parameters.
pub(crate) fn rows_of(events: Vec<Event>) -> Vec<Vec<Value>> {
    let row = |event: Event| {
        let (actor_kind, actor_id) = actor(event.actor);
        params![
            event.id,
            event.at,
            event.service_id,
            Value::fixed(actor_kind),
            actor_id,
            Value::fixed(event.action.as_str()),
            Value::fixed(event.target_kind),
            event.target_id,
            Value::fixed(event.outcome),
            event.origin.request_id,
            event.origin.address
        ]
    };
    events.into_iter().map(row).collect()
}

fn event_of(row: &Row) -> Result<StoredEvent, StoreError> {
    let service_id = match row.opt_text("service_id")? {
        Some(_) => Some(row.service_id()?),
        None => None,
    };
    Ok(StoredEvent {
        id: AuditId::from_stored(row.text("audit_id")?),
        at: row.at("at_ms")?,
        service_id,
        actor_kind: row.text("actor_kind")?.to_owned(),
        actor_id: row.text("actor_id")?.to_owned(),
        action: row.text("action")?.to_owned(),
        target_kind: row.text("target_kind")?.to_owned(),
        target_id: row.text("target_id")?.to_owned(),
        outcome: row.text("outcome")?.to_owned(),
        request_id: row.text("request_id")?.to_owned(),
        address: row.opt_text("address")?.map(str::to_owned),
    })
}

fn actor(actor: Actor) -> (&'static str, Value) {
    match actor {
        Actor::User { id, .. } => ("user", id.into()),
        Actor::Operator(id) => ("operator", id.into()),
        Actor::Operators(both) => {
            let [first, second] = both.ids();
            ("operators", format!("{first}+{second}").into())
        }
        Actor::RelyingSystem { id, .. } => ("client", id.into()),
        Actor::System => ("system", Value::fixed("system")),
    }
}
