//! The other end of a connection, and who calls through it.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::CertificateName;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Most proxies in a row; a longer way is not followed.
const HOPS: usize = 32;

/// The other end of a connection, and the caller behind it.
#[derive(Debug, Clone)]
pub struct Peer {
    socket: Option<IpAddr>,
    address: Option<IpAddr>,
    certificate: Arc<[CertificateName]>,
}

impl Peer {
    /// The other end: its address, none on a Unix socket, and the subject alternative names of its verified
    /// certificate. Until a proxy is believed the caller is the other end itself.
    #[must_use]
    pub fn new(socket: Option<IpAddr>, certificate: Arc<[CertificateName]>) -> Self {
        Self { socket, address: socket, certificate }
    }

    /// The address of the other end of the connection. What a machine is trusted with goes by this: it is the
    /// machine that hands a header over, and an address that stands in one is only its word.
    #[must_use]
    pub fn socket(&self) -> Option<IpAddr> {
        self.socket
    }

    /// The caller's address: what records, the log, the throttle and the ESB go by.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The subject alternative names of the verified certificate of the other end.
    #[must_use]
    pub fn certificate(&self) -> &[CertificateName] {
        &self.certificate
    }

    /// The caller that `X-Forwarded-For` names, if the other end is one of `proxies`: the rightmost address
    /// that is none of them. Where that cannot be told the other end itself is the caller.
    #[must_use]
    pub fn behind(self, proxies: &[IpNet], headers: &HeaderMap) -> Self {
        let listed = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
        match self.socket.filter(listed).and_then(|_| forwarded(headers, listed)) {
            Some(address) => Self { address: Some(address), ..self },
            None => self,
        }
    }
}

/// From right to left, because each element was written by the proxy on its right: the first one that is no
/// proxy of ours is the last one that somebody we believe has seen.
fn forwarded(headers: &HeaderMap, listed: impl Fn(&IpAddr) -> bool) -> Option<IpAddr> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let elements = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    // Empty elements mean nothing (RFC 9110 §5.6.1.2), and count, so that they bound the work too.
    let named = elements.take(HOPS).map(<[u8]>::trim_ascii).filter(|element| !element.is_empty());
    for element in named {
        let address = read(element)?;
        if !listed(&address) {
            return Some(address);
        }
    }
    None
}

/// An address, with a port or in brackets as some proxies write it. A zone means something on the machine
/// that wrote it alone, so an address with one is none.
fn read(element: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(element).ok().filter(|text| !text.contains('%'))?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse().ok().or_else(bracketed).or_else(with_port)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn seen(socket: &str, lines: &[&[u8]]) -> IpAddr {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "2001:db8:ffff::/48".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, http::HeaderValue::from_bytes(line).unwrap());
        }
        let peer = Peer::new(Some(ip(socket)), Arc::default()).behind(&proxies, &headers);
        assert_eq!(peer.socket(), Some(ip(socket)), "the other end stays what it is");
        peer.address().unwrap()
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxy_is_the_caller() {
        for (lines, caller) in [
            (&[&b"192.0.2.1"[..]][..], "192.0.2.1"),
            (&[b"198.51.100.9, 192.0.2.1, 10.2.3.4"], "192.0.2.1"),
            (&[b"198.51.100.9", b"192.0.2.1", b"10.2.3.4,2001:db8:ffff::7"], "192.0.2.1"),
            (&[b"192.0.2.1\t , ,, 10.2.3.4 ,"], "192.0.2.1"),
            (&[b"192.0.2.1:4711"], "192.0.2.1"),
            (&[b"2001:db8::1"], "2001:db8::1"),
            (&[b"[2001:db8::1]"], "2001:db8::1"),
            (&[b"[2001:db8::1]:443"], "2001:db8::1"),
            (&[b"::ffff:192.0.2.1"], "192.0.2.1"),
            (&[b"192.0.2.1, ::ffff:10.2.3.4"], "192.0.2.1"),
        ] {
            assert_eq!(seen(PROXY, lines), ip(caller), "{lines:?}");
        }
    }

    #[test]
    fn where_no_caller_can_be_told_it_is_the_other_end() {
        let many = b"10.2.3.4,".repeat(10_000);
        let mut behind_many = b"192.0.2.1,".to_vec();
        behind_many.extend_from_slice(&many);
        let mut behind_commas = b"192.0.2.1".to_vec();
        behind_commas.extend_from_slice(&b",".repeat(10_000));
        for line in [
            &b""[..],
            b", ,",
            b"unknown",
            b"192.0.2.1, unknown",
            b"192.0.2.1, _hidden, 10.2.3.4",
            b"fe80::1%eth0",
            b"[fe80::1%1]:443",
            b"[fe80::1%1]",
            b"[2001:db8::1",
            b"2001:db8::1]",
            b"[192.0.2.1]",
            b"192.0.2.1:port",
            b"192.0.2.1:",
            b"192.0.2.1 192.0.2.2",
            b"192.0.2.01",
            b"0xc0000201",
            b"\"192.0.2.1\"",
            b"192.0.2.\xff",
            b"10.2.3.4",
            &many,
            &behind_many,
            &behind_commas,
        ] {
            let shown = String::from_utf8_lossy(&line[..line.len().min(40)]);
            assert_eq!(seen(PROXY, &[line]), ip(PROXY), "{shown}");
        }
        assert_eq!(seen(PROXY, &[]), ip(PROXY));
    }

    #[test]
    fn nobody_but_a_proxy_is_believed() {
        assert_eq!(seen("192.0.2.7", &[b"198.51.100.9"]), ip("192.0.2.7"));
        let mut headers = HeaderMap::new();
        headers.insert(FORWARDED_FOR, http::HeaderValue::from_static("198.51.100.9"));
        let everywhere = ["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()];
        let local = Peer::new(None, Arc::default()).behind(&everywhere, &headers);
        assert_eq!((local.socket(), local.address()), (None, None), "a Unix socket has no address");
    }

    proptest! {
        #[test]
        fn whatever_stands_there_the_caller_is_no_proxy_or_the_other_end(
            line in "[ -~]{0,200}", real in any::<std::net::Ipv4Addr>()
        ) {
            let caller = seen(PROXY, &[line.as_bytes()]);
            prop_assert!(caller == ip(PROXY) || caller.to_string().split('.').next() != Some("10"));
            // What the caller wrote itself stands left of what our proxy saw.
            if real.octets()[0] != 10 {
                let line = format!("{line},{real}");
                prop_assert_eq!(seen(PROXY, &[line.as_bytes()]), IpAddr::V4(real));
            }
        }
    }
}
