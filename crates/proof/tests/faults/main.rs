//! What a relying system is told by the real program when its clock jumps, its database is gone or slow, a standby is lost, the disk is
//! full, or it is told to stop, and when it goes away itself and asks again (docs/reliability.md, table of faults). The other lines of the
//! table: `crates/server/tests/product/faults.rs`.

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
mod standby;
mod stop;
mod unsynced;
mod wire;
