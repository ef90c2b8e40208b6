//! Fresh databases for tests: SQLite in a temporary folder, PostgreSQL in a throw-away cluster. Never in the product.
//!
//! A missing PostgreSQL fails the test; it never skips.

mod alone;
mod cluster;
mod disk;
mod pair;
mod ports;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

pub use alone::PostgresAlone;
pub use disk::{Disk, DiskFault};
pub use pair::{PostgresPair, Standby};
pub use ports::free_address;
use tempfile::TempDir;

use crate::{DatabaseConfig, PostgresConfig, Store};

/// The time at which a test's schema was applied.
const MIGRATED_AT_MS: i64 = 1_700_000_000_000;
/// Connections of each test's store: enough for a race, few enough for many tests at once.
const POOL_MAX: usize = 8;

/// A fresh, empty database of one test. Its folder goes when this is dropped; PostgreSQL's databases go with the cluster.
pub struct TestDatabase {
    config: DatabaseConfig,
    /// Kept for its removal.
    _folder: Option<TempDir>,
}

impl TestDatabase {
    /// A database in a folder of its own.
    ///
    /// # Panics
    /// When there is no temporary folder.
    #[must_use]
    pub fn sqlite() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("warifu.db");
        Self {
            config: DatabaseConfig::Sqlite { path },
            _folder: Some(folder),
        }
    }

    /// A database in the cluster of `WARIFU_TEST_POSTGRES_URL`, or else in one that lives as long as this process.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or cannot be started.
    pub async fn postgres() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "test_{}_{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let url = cluster::create_database(&name).await;
        Self::at(url)
    }

    /// The PostgreSQL database at this address.
    fn at(url: String) -> Self {
        Self {
            config: DatabaseConfig::Postgres(PostgresConfig {
                url,
                pool_max: POOL_MAX,
                tls_roots: None,
            }),
            _folder: None,
        }
    }

    /// Where it is, for a process or a node of its own.
    #[must_use]
    pub fn config(&self) -> &DatabaseConfig {
        &self.config
    }

    /// The file of a SQLite database.
    ///
    /// # Panics
    /// On PostgreSQL.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        match &self.config {
            DatabaseConfig::Sqlite { path } => path,
            DatabaseConfig::Postgres(_) => panic!("PostgreSQL has no file"),
        }
    }

    /// Opens it as it is. Opened twice, it is two nodes on one database.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn open(&self) -> Store {
        Store::open(&self.config)
            .await
            .unwrap_or_else(|error| panic!("the test database: {error}"))
    }

    /// Opens it with the product's schema.
    ///
    /// # Panics
    /// When it cannot be opened or migrated.
    pub async fn store(&self) -> Store {
        let store = self.open().await;
        store
            .migrate(MIGRATED_AT_MS)
            .await
            .unwrap_or_else(|error| panic!("the test database's schema: {error}"));
        store
    }
}

/// Stamps every named `async fn case(database: TestDatabase)` into a test on SQLite (`mod sqlite`) and one on PostgreSQL
/// (`mod postgres`). With `store:` in front, the cases are `async fn case(store: Store)` and find the product's schema.
#[macro_export]
macro_rules! on_both_databases {
    (store: $($case:ident),+ $(,)?) => {
        /// The cases on SQLite.
        mod sqlite {
            $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let database = $crate::testing::TestDatabase::sqlite();
                super::$case(database.store().await).await;
            })+
        }
        /// The cases on PostgreSQL.
        mod postgres {
            $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let database = $crate::testing::TestDatabase::postgres().await;
                super::$case(database.store().await).await;
            })+
        }
    };
    ($($case:ident),+ $(,)?) => {
        /// The cases on SQLite.
        mod sqlite {
            $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case($crate::testing::TestDatabase::sqlite()).await;
            })+
        }
        /// The cases on PostgreSQL.
        mod postgres {
            $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case($crate::testing::TestDatabase::postgres().await).await;
            })+
        }
    };
}
