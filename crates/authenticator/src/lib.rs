//! The token app without a screen (PRODUCT.md J3): an activation from the first byte to the last, the tokens of one device,
//! their codes, and the sealed form in which they are kept. The command line shows it in a terminal, the app for phones on
//! a page.
//!
//! What never lives here: the network, a clock, randomness of its own, a screen. Those are the caller's; an activation is
//! a loop of three steps, and whoever runs it may be killed between any two of them without losing the token (R55, R62):
//!
//! ```text
//! begin                          once, with what was typed
//! loop:
//!   save                         always, before anything is sent
//!   next -> Send(request)        post it; no answer at all: stop here, and do the same another day
//!        -> Done                 the token is active
//!   answered                     what the answer makes of the token
//! ```
//!
//! | module | what lives there |
//! |---|---|
//! | [`activation`] | the loop above: [`Tokens::begin`], [`Tokens::next`], [`Tokens::answered`] |
//! | [`tokens`] | the tokens of one app, at most ten, and the codes of each |
//! | [`server_address`] | where a server is, and that nothing is said to it in clear |
//! | [`sealed`] | tokens as bytes, sealed |
//! | [`file`] | the sealed bytes in a folder (feature `std-file`) |

pub mod activation;
#[cfg(feature = "std-file")]
pub mod file;
pub mod sealed;
pub mod server_address;
pub mod tokens;

mod bytes;

pub use bytes::Damaged;
pub use server_address::{ServerAddress, ServerAddressError};
pub use tokens::{CodeNow, LocalId, Name, NameError, State, Token, Tokens};
