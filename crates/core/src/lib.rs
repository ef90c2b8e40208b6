//! The rules of Warifu as pure functions: one-time passwords, the life of a token, issuance, activation, verification,
//! suspension, release, revocation, roles and permissions, policy, notices and audit events.
//!
//! Nothing here does I/O, waits, reads a clock or draws randomness: `now` and `rng` are arguments, and a decision is a
//! value ([`verification::Verdict`], [`refusal::Refusal`]), not a side effect. Whoever wants to know what the product
//! does reads this crate; whoever wants to know how it is stored or shown reads the others.
//!
//! A map, in the order of a token's life:
//!
//! | module | what it decides |
//! |---|---|
//! | [`service`] | the policy of a service: lengths, limits, hours |
//! | [`user`], [`contract`] | roles, and who may act on whom (J5, J6) |
//! | [`sign_in`], [`session`], [`throttle`] | where a sign-in leads (J0), how long a session lives, how wrong passwords slow down |
//! | [`issuance`], [`activation_password`] | asking for a token (J1) |
//! | [`activation`] | the app's half (J3): starts, the finish, races |
//! | [`oath`], [`verification`] | codes (RFC 4226, RFC 6238) and whether one is accepted (J4) |
//! | [`token`], [`suspension`], [`revocation`] | the states of a token, release (J5), revocation (J6) and the re-issue schedule |
//! | [`life`] | how long a token lives, its renewal, what its app is told |
//! | [`relying`] | what a client of the API may do, and how often (J10) |
//! | [`notice`], [`audit`], [`webhook`], [`refusal`] | what is mailed, recorded, told to relying systems, refused |

pub mod activation;
pub mod activation_password;
pub mod audit;
pub mod contract;
pub mod id;
pub mod issuance;
pub mod life;
pub mod notice;
pub mod oath;
pub mod refusal;
pub mod relying;
pub mod revocation;
pub mod service;
pub mod session;
pub mod sign_in;
pub mod suspension;
pub mod throttle;
pub mod time;
pub mod token;
pub mod user;
pub mod verification;
pub mod webhook;
