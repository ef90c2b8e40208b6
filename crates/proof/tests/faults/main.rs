//! What a relying system is told by the real program when its clock jumps, its database is gone or slow, the disk is full, or it is
//! told to stop (docs/reliability.md, table of faults). The other lines of the table: `crates/server/tests/product/faults.rs`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test, an unwrap that fails is the test failing"
)]

mod house;

mod alone;
mod clock;
mod full_disk;
mod gone;
mod stop;
mod unsynced;
mod wire;
