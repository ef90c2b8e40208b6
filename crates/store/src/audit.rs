//! The audit log (R84). Events are added and read; nothing here changes or removes one.

use std::fmt;

use warifu_core::audit::{Action, Event};
use warifu_core::id::{AuditId, ServiceId};
use warifu_core::time::UnixMillis;
use warifu_core::user::Actor;

use crate::limits::{EVENTS_LOOKED_AT, EVENTS_LOOKED_AT_MIN, EVENTS_MAX};
use crate::mapping::at_most;
use crate::rows::RowsSql;
use crate::{Row, StoreError, Tx, Value, numbers, params};

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

/// A place in the order of all events, which is that of their recording: by the time, then one after the other. Nodes that record at the same moment may
/// give the same number on PostgreSQL; then the ids decide.
///
/// As text, 19 digits, and the id of the event that was the last one before it, if it is behind one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventPlace {
    number: i64,
    /// Behind the event of this id among those of the number; before all of them if it is empty.
    id: String,
}

/// A part of a service's events.
#[derive(Clone, Debug)]
pub struct EventsPart {
    /// The earliest first.
    pub events: Vec<StoredEvent>,
    /// Where the next part begins.
    pub next: EventPlace,
    /// Whether there may be more already.
    pub more: bool,
}

impl EventPlace {
    const DIGITS: usize = 19;
    /// No number that is given begins with a nine (`numbers::first_of`), and what begins with it may be too great.
    const FIRST_DIGITS: std::ops::RangeInclusive<u8> = b'0'..=b'8';

    /// Reads a place that was written as text, or finds that of an event by its id: as near before it as its time tells, so that some may be told again, and
    /// none is missed. `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let of_id = AuditId::from_stored(text);
        if let Some(at) = of_id.made_at() {
            return Some(Self {
                number: numbers::first_of(at),
                id: String::new(),
            });
        }
        let (number, id) = text.split_at_checked(Self::DIGITS)?;
        let is_number = Self::FIRST_DIGITS.contains(number.as_bytes().first()?)
            && number.bytes().all(|digit| digit.is_ascii_digit());
        let is_id = id.is_empty() || AuditId::from_stored(id).made_at().is_some();
        Some(Self {
            number: number.parse().ok().filter(|_| is_number && is_id)?,
            id: id.to_owned(),
        })
    }
}

impl fmt::Display for EventPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:0width$}{}",
            self.number,
            self.id,
            width = Self::DIGITS
        )
    }
}

/// A number is that of the event's millisecond, or the greatest there is, whichever is greater, and more by the event's place among those that are recorded together. So
/// on SQLite numbers are in the order of the commits, each but once; on PostgreSQL transactions do not see each other.
pub(crate) static INSERT: RowsSql = RowsSql::new(
    "INSERT INTO audit (event_no, audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome,
         request_id, address)
     {ROWS COALESCE((SELECT MAX(event_no) FROM audit WHERE event_no > v.column1), v.column1) + v.column2, v.column3, v.column4,
         v.column5, v.column6, v.column7, v.column8, v.column9, v.column10, v.column11, v.column12, v.column13}",
    &[
        "BIGINT", "BIGINT", "TEXT", "BIGINT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT", "TEXT",
        "TEXT", "TEXT", "TEXT",
    ],
);

/// Events as they were recorded, found by the rest.
macro_rules! events_where {
    ($rest:literal) => {
        concat!(
            "SELECT event_no, audit_id, at_ms, service_id, actor_kind, actor_id, action, target_kind, target_id, outcome, request_id,
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
    /// As [`Tx::query`].
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
                "target_kind = $1 AND target_id = $2 ORDER BY at_ms DESC, event_no DESC LIMIT $3"
            ),
            params![target_kind, target_id, EVENTS_MAX],
        )
        .await?
        .iter()
        .rev()
        .map(event_of)
        .collect()
    }

    /// Up to `limit` events of a service, or those of one action, that come after `after`: all that were recorded before `before`, but for what stands behind one
    /// that was recorded later. One from after `wrong` was recorded by a clock that was wrong, and is not waited for.
    ///
    /// Looks at [`EVENTS_LOOKED_AT`] times as many events of all services, and at [`EVENTS_LOOKED_AT_MIN`] at least: of a service or an action with few, a part may be short, or empty, and have more behind it.
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn events_of_service_after(
        &mut self,
        service_id: &ServiceId,
        after: &EventPlace,
        (before, wrong): (UnixMillis, UnixMillis),
        action: Option<Action>,
        limit: u32,
    ) -> Result<EventsPart, StoreError> {
        let looked_at = (at_most(limit) * EVENTS_LOOKED_AT).max(EVENTS_LOOKED_AT_MIN);
        let beyond = self
            .query_one(
                "SELECT event_no, at_ms FROM audit WHERE event_no > $1 ORDER BY event_no LIMIT 1 OFFSET $2",
                params![after.number, looked_at],
            )
            .await?;
        let end = beyond
            .as_ref()
            .map_or(Ok(i64::MAX), |row| row.int("event_no"))?;
        let rows = match action {
            None => {
                self.query(
                    events_where!(
                        "event_no >= $1 AND (event_no > $1 OR audit_id > $2) AND event_no < $3 AND service_id = $4
                         ORDER BY event_no, audit_id LIMIT $5"
                    ),
                    params![after.number, after.id.as_str(), end, service_id, at_most(limit)],
                )
                .await?
            }
            Some(action) => {
                self.query(
                    events_where!(
                        "event_no >= $1 AND (event_no > $1 OR audit_id > $2) AND event_no < $3 AND service_id = $4 AND action = $5
                         ORDER BY event_no, audit_id LIMIT $6"
                    ),
                    params![
                        after.number,
                        after.id.as_str(),
                        end,
                        service_id,
                        action.as_str(),
                        at_most(limit)
                    ],
                )
                .await?
            }
        };
        let is_told = |at: UnixMillis| at < before || at > wrong;
        let mut part = EventsPart {
            events: Vec::with_capacity(rows.len()),
            next: after.clone(),
            more: false,
        };
        for row in &rows {
            let event = event_of(row)?;
            if !is_told(event.at) {
                return Ok(part);
            }
            part.next = EventPlace {
                number: row.int("event_no")?,
                id: event.id.to_string(),
            };
            part.events.push(event);
        }
        if i64::try_from(rows.len()).is_ok_and(|length| length >= at_most(limit)) {
            part.more = true;
        } else if let Some(beyond) = beyond
            && is_told(beyond.at("at_ms")?)
        {
            // All that was looked at was recorded before it.
            part.next = EventPlace {
                number: end,
                id: String::new(),
            };
            part.more = true;
        }
        Ok(part)
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

    /// The latest time at which an event was recorded, or a little after it: the last one stands behind it, also where the clock was put back meanwhile (R19).
    ///
    /// # Errors
    /// As [`Tx::query`].
    pub async fn last_event_at(&mut self) -> Result<Option<UnixMillis>, StoreError> {
        self.query_one(
            "SELECT event_no, at_ms FROM audit ORDER BY event_no DESC LIMIT 1",
            params![],
        )
        .await?
        .map(|row| Ok(row.at("at_ms")?.max(numbers::time_of(row.int("event_no")?))))
        .transpose()
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

/// Events that are recorded together as parameters, in their order.
pub(crate) fn rows_of(events: Vec<Event>) -> Vec<Vec<Value>> {
    let row = |(place, event): (i64, Event)| {
        let (actor_kind, actor_id) = actor(event.actor);
        params![
            numbers::first_of(event.at),
            place,
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
    (1..).zip(events).map(row).collect()
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
