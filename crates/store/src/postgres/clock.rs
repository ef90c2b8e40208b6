//! The one statement that asks the database for the time: the product's times are those of the node, and this one is compared with them.

/// Milliseconds since 1970 by the clock of the database's server, at the moment at which the statement runs.
pub(crate) const CLOCK: &str =
    "SELECT CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP()) * 1000 AS BIGINT) AS clock_ms";
