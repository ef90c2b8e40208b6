//! The executor, the schema and the queries on both databases.

mod catalogue;
mod executor;
mod migrations;

mod sample;

mod issuing;
mod mails;
mod people;
mod records;
mod sessions;
mod statements;
mod tokens;
