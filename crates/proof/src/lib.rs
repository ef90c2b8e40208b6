//! Proof that a code is accepted at most once, and that no wrong code goes uncounted (REQUIREMENTS 4.2, 4.3; invariant 5). Not
//! shipped: the product never depends on this crate. What it shows, and what it does not, stands in `docs/reliability.md`.
//!
//! | module | what lives there |
//! |---|---|
//! | [`spec`] | what one token does when nobody else asks: the specification, written apart from `warifu_core` |
//! | [`history`], [`checker`] | what callers saw, with times; whether some order of it is one the specification allows |
//! | [`bank`], [`database`] | tokens to try things with, and what became of them |
//! | [`race`] | callers who submit at the same moment at several nodes |
//! | [`kill`] | the program itself, driven over HTTP and killed |
//! | [`protocol`] | a model of several nodes on one database, which calls the functions of `warifu_core` itself |
//! | [`restore`] | a model of a restore and of the fence after it |
//! | [`peers`] | clients of other servers of one-time passwords, to compare with |

mod answer;
pub mod bank;
pub mod checker;
pub mod database;
pub mod history;
pub mod kill;
pub mod peers;
pub mod protocol;

pub mod race;
pub mod restore;
pub mod spec;
pub mod watch;
