//! The one numbered list of migrations, and how it is brought into a database. A released file never changes.
//!
//! Two nodes may start at once. Each migration runs in one transaction that first claims its number by inserting the row
//! that records it. The second node's insert waits for the first node's transaction on the primary key (on SQLite for the
//! write lock): it then finds the number taken and goes on, or, when the first node failed, does the work itself.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use crate::{Store, StoreError, Tx, params};

/// One step of the schema.
#[derive(Clone, Copy)]
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    /// SQL in which `{BLOB}` stands for the type for bytes, and `{NUMBER}` for that of a key that is a number. What stands between a line `-- ONLY SQLITE` or
    /// `-- ONLY POSTGRESQL` and the next line of that kind, or `-- BOTH`, is for that database alone.
    pub(crate) sql: &'static str,
}

/// All of them, in order, numbered from 1 without a gap.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first_schema",
        sql: include_str!("../migrations/0001_first_schema.sql"),
    },
    Migration {
        number: 2,
        name: "relying_systems",
        sql: include_str!("../migrations/0002_relying_systems.sql"),
    },
    Migration {
        number: 3,
        name: "token_life",
        sql: include_str!("../migrations/0003_token_life.sql"),
    },
    Migration {
        number: 4,
        name: "hot_path",
        sql: include_str!("../migrations/0004_hot_path.sql"),
    },
    Migration {
        number: 5,
        name: "counter_numbers",
        sql: include_str!("../migrations/0005_counter_numbers.sql"),
    },
    Migration {
        number: 6,
        name: "bearers",
        sql: include_str!("../migrations/0006_bearers.sql"),
    },
    Migration {
        number: 7,
        name: "event_numbers",
        sql: include_str!("../migrations/0007_event_numbers.sql"),
    },
    Migration {
        number: 8,
        name: "scopes",
        sql: include_str!("../migrations/0008_scopes.sql"),
    },
];

/// The record of what was applied. PostgreSQL may refuse the second of two that create it at the same moment, `IF NOT
/// EXISTS` or not.
const RECORD: &str = "CREATE TABLE IF NOT EXISTS schema_migration (
    number BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    applied_at_ms BIGINT NOT NULL
);";
/// How often is tried again what another node came between.
const TRIES_MAX: usize = 5;

impl Store {
    /// Brings the schema to the one this program knows. Safe when several nodes do so at once.
    ///
    /// # Errors
    /// [`StoreError::SchemaUnknown`] or [`StoreError::SchemaChanged`] when the database is not one of ours in an earlier or
    /// equal state; nothing is touched then.
    pub async fn migrate(&self, now_ms: i64) -> Result<(), StoreError> {
        self.migrate_with(MIGRATIONS, now_ms).await
    }

    /// Refuses a schema that is not exactly the one this program knows; changes nothing.
    ///
    /// # Errors
    /// As [`Store::migrate`]; also [`StoreError::SchemaBehind`].
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        self.check_schema_with(MIGRATIONS).await
    }

    pub(crate) async fn migrate_with(
        &self,
        known: &[Migration],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        self.create_record().await?;
        let applied = self.read().await?.applied(known).await?;
        for migration in known.iter().filter(|migration| migration.number > applied) {
            let mut tries = 1;
            // Nodes that are at work meanwhile may hold what it needs, and wait for what it holds.
            while let Err(error) = self.apply(migration, now_ms).await {
                if !error.is_conflict() || tries == TRIES_MAX {
                    return Err(error);
                }
                tries += 1;
            }
        }
        // A later program may have been faster than us: then its schema is not ours to use.
        self.check_schema_with(known).await
    }

    /// Applies a migration, if nobody else has.
    async fn apply(&self, migration: &Migration, now_ms: i64) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if tx.claim(migration, now_ms).await? {
            tx.script(migration.sql).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    pub(crate) async fn check_schema_with(&self, known: &[Migration]) -> Result<(), StoreError> {
        let found = match self.read().await?.applied(known).await {
            // The record itself is missing: nothing was ever applied.
            Err(StoreError::Statement(_)) => 0,
            other => other?,
        };
        let known = last(known);
        if found < known {
            Err(StoreError::SchemaBehind { found, known })
        } else {
            Ok(())
        }
    }

    async fn create_record(&self) -> Result<(), StoreError> {
        let mut tries = 1;
        loop {
            let mut tx = self.begin().await?;
            let created = match tx.script(RECORD).await {
                Ok(()) => tx.commit().await,
                Err(error) => Err(error),
            };
            match created {
                Err(StoreError::Conflict(_)) if tries < TRIES_MAX => tries += 1,
                other => return other,
            }
        }
    }
}

impl Tx {
    /// The number of the last migration applied, once all that were applied are known and unchanged.
    async fn applied(&mut self, known: &[Migration]) -> Result<i64, StoreError> {
        let rows = self
            .query(
                "SELECT number, sha256 FROM schema_migration ORDER BY number",
                params![],
            )
            .await?;
        let found = rows.last().map_or(Ok(0), |row| row.int("number"))?;
        if found > last(known) {
            return Err(StoreError::SchemaUnknown {
                found,
                known: last(known),
            });
        }
        for (row, migration) in rows.iter().zip(known) {
            if row.int("number")? != migration.number || row.text("sha256")? != digest(migration) {
                return Err(StoreError::SchemaChanged {
                    number: migration.number,
                });
            }
        }
        Ok(found)
    }

    async fn claim(&mut self, migration: &Migration, now_ms: i64) -> Result<bool, StoreError> {
        let claimed = self
            .execute(
                "INSERT INTO schema_migration (number, name, sha256, applied_at_ms) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (number) DO NOTHING",
                params![migration.number, migration.name, digest(migration), now_ms],
            )
            .await?;
        Ok(claimed == 1)
    }
}

fn last(known: &[Migration]) -> i64 {
    known.last().map_or(0, |migration| migration.number)
}

fn digest(migration: &Migration) -> String {
    HEXLOWER.encode(&Sha256::digest(migration.sql.as_bytes()))
}
