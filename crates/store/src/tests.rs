//! The executor, the schema and the queries on both databases.

mod catalogue;
mod events;
mod executor;
mod hosts;
mod hot;
mod migrations;
mod racing;

mod sample;

mod issuing;
mod mails;
mod people;
mod plans;
mod records;
mod relying;
mod sessions;
mod statements;
mod tokens;
mod webhooks;
