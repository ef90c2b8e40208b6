//! The interfaces for programs. Here: the two endpoints of the activation (docs/protocol.md). Never a page.

pub mod activation;
