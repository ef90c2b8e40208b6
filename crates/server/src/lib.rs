//! The server of Warifu: everything behind the binary `warifu`.

pub mod letters;
pub mod portal;
pub mod text;
