//! The executor on both databases.

mod catalogue;
mod executor;
mod migrations;
