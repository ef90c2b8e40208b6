//! The interfaces for programs: the two endpoints of the activation (docs/protocol.md), and the API for relying systems
//! (docs/api.md). Never a page.

pub mod activation;
pub mod device;
pub mod problem;
pub mod v1;
