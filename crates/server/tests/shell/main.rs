//! The shell of the server, from outside: connections, mail servers, the demo's folder.

mod serving;
mod smtp;
