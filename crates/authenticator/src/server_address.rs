//! Where a server is. Never a connection to it.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

/// The address of a Warifu server, as a person types it: `https://bank.example`, also with a port or a path. Without TLS
/// (`http://`) only on this very machine, for the demo: the ids and the server's time would be open to everyone in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    base: String,
    loopback: bool,
}

/// Why a text is no server address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServerAddressError {
    /// Not `https://` and a host, perhaps a port and a path, and nothing else.
    #[error("the server's address should look like https://bank.example")]
    Form,
    /// `http://` to another machine.
    #[error("without TLS (http://) only a server on this machine is spoken to")]
    Clear,
}

impl ServerAddress {
    /// The longest address, in bytes.
    pub const LENGTH_MAX: usize = 200;

    /// Reads an address. White space around it and slashes at its end do not matter, nor does upper case in scheme and
    /// host.
    ///
    /// # Errors
    /// [`ServerAddressError`], by what is wrong.
    pub fn parse(typed: &str) -> Result<Self, ServerAddressError> {
        let typed = typed.trim();
        if typed.len() > Self::LENGTH_MAX || typed.contains('#') {
            return Err(ServerAddressError::Form);
        }
        let uri: Uri = typed.parse().map_err(|_| ServerAddressError::Form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(ServerAddressError::Form);
        };
        if uri.query().is_some() || authority.host().is_empty() || authority.as_str().contains('@')
        {
            return Err(ServerAddressError::Form);
        }
        let loopback = is_loopback(authority.host());
        match scheme {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(ServerAddressError::Clear),
            _ => return Err(ServerAddressError::Form),
        }
        let authority = authority.as_str().to_ascii_lowercase();
        let path = uri.path().trim_end_matches('/');
        Ok(Self {
            base: format!("{scheme}://{authority}{path}"),
            loopback,
        })
    }

    /// The address without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.base
    }

    /// The address of `path`, which begins with a slash, on this server.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The server is this machine (RFC 6761 §6.3, or an address of RFC 1122 §3.2.1.3 and RFC 4291 §2.5.3).
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        for (typed, base) in [
            ("https://bank.example", "https://bank.example"),
            (
                " HTTPS://Bank.Example:8443/otp/ ",
                "https://bank.example:8443/otp",
            ),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(
                ServerAddress::parse(typed).unwrap().as_str(),
                base,
                "{typed}"
            );
        }
        let server = ServerAddress::parse("https://bank.example/otp/").unwrap();
        assert_eq!(server.join("/x"), "https://bank.example/otp/x");
    }

    #[test]
    fn nothing_is_said_in_clear_to_another_machine() {
        for typed in [
            "http://bank.example",
            "http://192.0.2.7",
            "http://localhost.bank.example",
            "http://127.0.0.1.bank.example",
        ] {
            assert_eq!(
                ServerAddress::parse(typed),
                Err(ServerAddressError::Clear),
                "{typed}"
            );
        }
    }

    #[test]
    fn anything_else_is_no_address() {
        for typed in [
            "",
            "bank.example",
            "ftp://bank.example",
            "https://",
            "https://a@bank.example",
            "https://bank.example/?a=b",
            "https://bank.example/#a",
            "https://bank example",
            &format!("https://{}.example", "a".repeat(200)),
        ] {
            assert_eq!(
                ServerAddress::parse(typed),
                Err(ServerAddressError::Form),
                "{typed}"
            );
        }
    }
}
