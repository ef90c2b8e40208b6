//! The server of Warifu: everything behind the binary `warifu`.
//!
//! | module | what lives there |
//! |---|---|
//! | [`app`] | the use cases: load, let the core decide, save with the audit event, commit, answer |
//! | [`portal`], [`api`], [`web`] | HTTP: pages, interfaces for programs, and the shell around both |
//! | [`text`], [`letters`] | the words of pages and mails |
//! | [`mail`], [`webhook`], [`background`] | delivery, and work that nobody waits for |
//! | [`lane`] | the threads that connections live on |
//! | [`config`], [`startup`], [`serve`], [`tls`], [`telemetry`], [`cli`], [`demo`], [`words`] | how the program is set up and started |
//! | [`metrics`] | what the service measures of itself |
//! | [`networks`] | lists of network addresses, as settings name them |
//! | [`clock`] | the one place that reads the clock and draws randomness |

pub mod api;
pub mod app;
pub mod background;
pub mod bench;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod lane;
pub mod letters;
pub mod mail;
pub mod metrics;
pub mod networks;
pub mod portal;
pub mod processors;
pub mod serve;
pub mod startup;
pub mod telemetry;
pub mod text;
pub mod tls;
pub mod web;
pub mod webhook;
pub mod words;
