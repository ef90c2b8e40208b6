//! Where a webhook may lead: https, or http to this machine; and to public addresses only, unless a network is allowed by
//! the configuration. Else whoever may name an address could make us call services that only we can reach (SSRF).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::Uri;

use crate::config::is_loopback;
use crate::networks::Networks;

/// The longest address, in bytes.
const URL_BYTES_MAX: usize = 2048;

/// What is said of an address that is not public.
pub(super) const NOT_PUBLIC: &str =
    "the endpoint is in a network that is not public and not named in `webhooks.allow_private`";

/// Networks that are not public, from the special-purpose address registries of IANA (RFC 6890): this host, private use,
/// shared and link-local addresses, documentation, benchmarks, multicast, reserved.
const NOT_PUBLIC_V4: [(Ipv4Addr, u8); 15] = [
    (Ipv4Addr::UNSPECIFIED, 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Of IPv6 only global unicast is public, and of that not what leads to IPv4, to tunnels or to documentation.
const PUBLIC_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const NOT_PUBLIC_V6: [(Ipv6Addr, u8); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The networks that are not public and may be told of events all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedNetworks(Networks);

impl AllowedNetworks {
    /// Reads what [`Networks::parse`] reads.
    ///
    /// # Errors
    /// As there.
    pub fn parse<T: AsRef<str>>(items: &[T]) -> Result<Self, String> {
        Networks::parse(items).map(Self)
    }

    /// This machine and no other network, as the demo has it.
    #[must_use]
    pub fn this_machine() -> Self {
        Self(Networks::parse(&["127.0.0.1", "::1"]).unwrap_or_default())
    }

    /// Whether an endpoint at this address may be told.
    #[must_use]
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.0.contain(address)
    }
}

fn is_public(address: IpAddr) -> bool {
    let within = |network: IpAddr, bits: u8| {
        ipnet::IpNet::new(network, bits).is_ok_and(|network| network.contains(&address))
    };
    match address {
        IpAddr::V4(_) => !NOT_PUBLIC_V4
            .iter()
            .any(|(network, bits)| within((*network).into(), *bits)),
        IpAddr::V6(_) => {
            within(PUBLIC_V6.0.into(), PUBLIC_V6.1)
                && !NOT_PUBLIC_V6
                    .iter()
                    .any(|(network, bits)| within((*network).into(), *bits))
        }
    }
}

/// An address that a webhook may have.
pub struct Target {
    https: bool,
    host: String,
    port: u16,
    authority: String,
    path_and_query: String,
}

impl Target {
    /// Reads an address. What a name leads to is judged at the connection; an address in figures, and this machine, at once.
    ///
    /// # Errors
    /// A sentence about what such an address has to be.
    pub fn parse(url: &str, allowed: &AllowedNetworks) -> Result<Self, &'static str> {
        let rule =
            "a webhook's address must be https://HOST[:PORT]/PATH, or http:// to this machine";
        if url.len() > URL_BYTES_MAX {
            return Err("a webhook's address has at most 2048 characters");
        }
        let uri: Uri = url.parse().map_err(|_| rule)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(rule);
        };
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let https = match scheme {
            "https" => true,
            "http" if is_loopback(host) => false,
            _ => return Err(rule),
        };
        if host.is_empty() || authority.as_str().contains('@') || url.contains('#') {
            return Err(rule);
        }
        let literal = host
            .parse()
            .ok()
            .or_else(|| is_loopback(host).then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        if literal.is_some_and(|address| !allowed.permit(address)) {
            return Err(NOT_PUBLIC);
        }
        Ok(Self {
            https,
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(if https { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path_and_query: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }

    pub(super) fn is_https(&self) -> bool {
        self.https
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn path_and_query(&self) -> &str {
        &self.path_and_query
    }
}
