//! One module per group of pages. A handler fits a screen: it reads, asks one use case, and shows.

pub(super) mod account;
pub(super) mod issuance;
pub(super) mod manage;
pub(super) mod public;
pub(super) mod verification;
pub(super) mod waiting;
