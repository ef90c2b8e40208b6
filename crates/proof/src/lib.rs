//! Proof that a code is accepted at most once, and that no wrong code goes uncounted (REQUIREMENTS 4.2, 4.3; invariant 5). Not
//! shipped: the product never depends on this crate. What it shows, and what it does not, stands in `docs/reliability.md`.
//!
//! | module | what lives there |
//! |---|---|
//! | [`spec`] | what one token does when nobody else asks: the specification, written apart from `warifu_core` |
//! | [`history`], [`checker`] | what callers saw, with times; whether some order of it is one the specification allows |
//! | [`protocol`] | a model of several nodes on one database, which calls the functions of `warifu_core` itself |

pub mod checker;
pub mod history;
pub mod protocol;

pub mod spec;
