//! Who calls: the address a request comes from (R78), and the name of the request.
//!
//! `X-Forwarded-For` is believed as far as it was written by proxies that the configuration names, read from the right: the
//! first address that is none of them is the visitor's. Everything to the left of it may be made up.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use data_encoding::HEXLOWER;
use rand_core::Rng as _;
use warifu_core::audit::Origin;

use crate::clock::naming_rng;
use crate::networks::Networks;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Proxies that a request may have come through; longer chains are cut here.
const PROXIES_MAX: usize = 16;

/// The networks in which our own proxies are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Networks);

impl TrustedProxies {
    /// Reads addresses (`10.0.0.7`) and networks (`10.0.0.0/8`, `fd00::/8`).
    ///
    /// # Errors
    /// A sentence that names the first item that is neither.
    pub fn parse<T: AsRef<str>>(items: &[T]) -> Result<Self, String> {
        Networks::parse(items).map(Self)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The visitor's address of a request with these extensions and headers; `None` when it came over no connection.
    pub(super) fn address(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>();
        peer.map(|ConnectInfo(peer)| self.visitor(peer.ip(), headers))
    }

    /// The visitor's address of a request that came from `peer` with these headers.
    #[must_use]
    pub fn visitor(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut visitor = peer.to_canonical();
        let hops = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .rev()
            // Each hop by itself: a stranger's bytes must not hide what our proxy wrote behind them.
            .flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','))
            .map(|hop| std::str::from_utf8(hop).unwrap_or_default());
        for hop in hops.take(PROXIES_MAX) {
            if !self.0.contain(visitor) {
                break;
            }
            // What is no address was not written by a proxy of ours.
            let Some(address) = parse_hop(hop.trim()) else {
                break;
            };
            visitor = address.to_canonical();
        }
        visitor
    }
}

/// An address, with or without a port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(hop);
    bare.parse()
        .ok()
        .or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// The name of one request, by which support finds it in the log (PRODUCT.md §7). Made here; a name that the caller sends is not
/// looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(String);

impl RequestId {
    pub(crate) fn new() -> Self {
        let mut name = [0; 8];
        naming_rng().fill_bytes(&mut name);
        Self(HEXLOWER.encode(&name))
    }

    /// 16 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who calls. The guard puts it into the extensions of every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The address that the request comes from, as far as we can tell. Limits on tries count by it. `None` for a request that
    /// came over no connection.
    pub address: Option<IpAddr>,
    /// The request's name.
    pub request_id: RequestId,
}

impl Caller {
    /// Who sends this request.
    pub(super) fn of(
        extensions: &Extensions,
        headers: &HeaderMap,
        proxies: &TrustedProxies,
    ) -> Self {
        Self {
            address: proxies.address(extensions, headers),
            request_id: RequestId::new(),
        }
    }

    /// The same for audit events.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            request_id: self.request_id.to_string(),
            address: self.address.map(|address| address.to_string()),
        }
    }
}
