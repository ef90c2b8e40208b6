//! Warifu.
fn main() {}
