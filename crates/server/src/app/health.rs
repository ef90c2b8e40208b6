//! Whether this node can serve: asked by load balancers, which send nobody to a node that is not ready (R94: nothing of users).

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use warifu_store::{Store, StoreError};

use super::{App, Failure};
use crate::clock::{Clock, Comparison};

/// How long the database may take to answer the question. Shorter than any balancer waits.
pub const DATABASE_ANSWER_MAX: Duration = Duration::from_secs(2);
/// How long an answer is given again, so that whoever asks often asks the database once a second at most.
pub const READINESS_KEPT: Duration = Duration::from_secs(1);

/// A reason to send nobody here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The node was asked to stop, and ends what runs.
    Stopping,
    /// The database does not answer within [`DATABASE_ANSWER_MAX`].
    Database,
    /// The database has a schema that this program does not know.
    Schema,
    /// The clock cannot be trusted: codes are not judged (R19; [`crate::clock::Doubt`]).
    Clock,
    /// As many codes wait as may.
    Queue,
}

impl Obstacle {
    /// The stable word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Database => "database",
            Self::Schema => "schema",
            Self::Clock => "clock",
            Self::Queue => "queue",
        }
    }
}

/// What is known of this node's readiness. Its keys are open, or there would be no [`App`].
#[derive(Default)]
pub(super) struct Health {
    stopping: AtomicBool,
    /// Locked while the database is asked: those who come meanwhile get the same answer.
    database: Mutex<Option<(Instant, Option<Obstacle>)>>,
}

impl App {
    /// Why nobody should be sent to this node; empty when it is ready.
    pub async fn readiness(&self) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        if self.health.stopping.load(Ordering::Relaxed) {
            obstacles.push(Obstacle::Stopping);
        }
        if self.clock.steady().is_err() {
            obstacles.push(Obstacle::Clock);
        }
        if !self.verifications.has_room() {
            obstacles.push(Obstacle::Queue);
        }
        obstacles.extend(self.database_obstacle().await);
        obstacles
    }

    /// From now on the node is not ready.
    pub fn begin_to_stop(&self) {
        self.health.stopping.store(true, Ordering::Relaxed);
    }

    /// Holds this node's clock against that of the database's server (R19).
    ///
    /// # Errors
    /// [`Failure::Store`].
    pub async fn compare_clocks(&self) -> Result<Comparison, Failure> {
        compare_clocks(&self.clock, &self.store).await
    }

    /// How far this node's clock is ahead of what it is compared with, in seconds; negative: behind.
    #[must_use]
    pub fn clock_ahead(&self) -> f64 {
        let ahead_ms = self.clock.ahead_ms();
        let seconds = Duration::from_millis(ahead_ms.unsigned_abs()).as_secs_f64();
        if ahead_ms < 0 { -seconds } else { seconds }
    }

    async fn database_obstacle(&self) -> Option<Obstacle> {
        let mut kept = self.health.database.lock().await;
        if let Some((at, obstacle)) = *kept
            && at.elapsed() < READINESS_KEPT
        {
            return obstacle;
        }
        let obstacle = match timeout(DATABASE_ANSWER_MAX, self.store.check_schema()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                let schema = matches!(
                    error,
                    StoreError::SchemaUnknown { .. }
                        | StoreError::SchemaChanged { .. }
                        | StoreError::SchemaBehind { .. }
                );
                let failure = Failure::from(error);
                tracing::warn!(%failure, "not ready: the database refuses");
                Some(if schema {
                    Obstacle::Schema
                } else {
                    Obstacle::Database
                })
            }
            Err(_elapsed) => {
                tracing::warn!("not ready: the database does not answer in time");
                Some(Obstacle::Database)
            }
        };
        *kept = Some((Instant::now(), obstacle));
        obstacle
    }
}

/// See [`App::compare_clocks`].
pub(super) async fn compare_clocks(clock: &Clock, store: &Store) -> Result<Comparison, Failure> {
    let mut tx = store.read().await?;
    Ok(clock
        .compare_with(store.is_elsewhere(), tx.database_clock())
        .await?)
}
