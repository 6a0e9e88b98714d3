//! `callback_url`: what JOB will fetch when the job ends, so a way into any network that JOB reaches.
//!
//! JOB does the fetch, so names are not resolved here; literal addresses that point inward are refused
//! even where a granted prefix would match, and the URL that is sent on is the one that was compared.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Text;

/// Longest accepted URL: JOB's column holds 1,024 characters.
const LONGEST: usize = 1024;

/// Why a URL is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackFault {
    /// Over 1,024 characters.
    Length,
    /// Neither http nor https, or not absolute.
    Scheme,
    /// Not a URL by RFC 3986, strictly.
    Syntax,
    /// User information before the host.
    UserInfo,
    /// No host, or none that is a plain DNS name or address.
    Host,
    /// An address that points inward: private, loopback, link-local, and their disguises.
    Inward,
    /// Not 1 to 65535.
    Port,
    /// A dot or a slash hidden behind `%` in the path.
    HiddenPath,
}

impl CallbackFault {
    /// What is wrong, in both languages.
    #[must_use]
    pub fn text(self) -> Text {
        match self {
            Self::Length => Text {
                en: "the URL has more than 1024 characters",
                zh: "URL 超过 1024 个字符",
            },
            Self::Scheme => Text {
                en: "write an absolute http:// or https:// URL",
                zh: "请写完整的 http:// 或 https:// 地址",
            },
            Self::Syntax => Text {
                en: "not a URL by RFC 3986 (escape blanks, braces and other special characters)",
                zh: "不符合 RFC 3986（空格、花括号等特殊字符需转义）",
            },
            Self::UserInfo => Text {
                en: "remove user name and password from the URL",
                zh: "请去掉 URL 中的用户名和密码",
            },
            Self::Host => Text {
                en: "the host is not a plain DNS name or address",
                zh: "主机名不是合法的域名或地址",
            },
            Self::Inward => Text {
                en: "private, loopback and link-local addresses are not allowed",
                zh: "不允许私有、环回或链路本地地址",
            },
            Self::Port => {
                Text { en: "the port is not 1 to 65535", zh: "端口不在 1 到 65535 之间" }
            }
            Self::HiddenPath => Text {
                en: "write dots, slashes and backslashes in the path unescaped",
                zh: "路径中的点、斜线和反斜线请不要转义",
            },
        }
    }
}

/// A callback URL with one meaning: scheme and host in lower case, no dot segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackUrl {
    text: Box<str>,
    origin_end: usize,
    path_end: usize,
    https: bool,
    host: Box<str>,
    port: u16,
}

impl CallbackUrl {
    /// Reads a URL strictly.
    pub fn read(text: &str) -> Result<Self, CallbackFault> {
        if text.chars().count() > LONGEST {
            return Err(CallbackFault::Length);
        }
        let (scheme, rest) = text.split_once("://").ok_or(CallbackFault::Scheme)?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err(CallbackFault::Scheme);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (host, port) = read_authority(authority)?;
        let end = tail.find(['?', '#']).unwrap_or(tail.len());
        let (path, tail) = tail.split_at(end);
        if !path.bytes().all(|b| is_pchar(b) || b == b'/')
            || !tail.bytes().skip(1).all(|b| is_pchar(b) || b"/?#".contains(&b))
            || tail.bytes().filter(|b| *b == b'#').count() > 1
            || !escapes_hold(path)
            || !escapes_hold(tail)
        {
            return Err(CallbackFault::Syntax);
        }
        let lower = path.to_ascii_lowercase();
        // A server that knows path parameters reads `..;x` as `..`; one that decodes twice reads `%252e`.
        let parameter = lower
            .split('/')
            .any(|segment| matches!(segment.split_once(';'), Some(("." | "..", _))));
        if parameter || ["%2e", "%2f", "%5c", "%25"].iter().any(|hidden| lower.contains(hidden)) {
            return Err(CallbackFault::HiddenPath);
        }
        let default = if https { 443 } else { 80 };
        let mut written = format!("{}://{host}", if https { "https" } else { "http" });
        if let Some(port) = port.filter(|port| *port != default) {
            written.push(':');
            written.push_str(&port.to_string());
        }
        let origin_end = written.len();
        written.push_str(&without_dot_segments(path));
        let path_end = written.len();
        written.push_str(tail);
        let port = port.unwrap_or(default);
        Ok(Self { text: written.into(), origin_end, path_end, https, host, port })
    }

    /// The whole URL, as it is sent on.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Everything before the query: what a record may hold in clear.
    #[must_use]
    pub fn without_query(&self) -> &str {
        self.text.get(..self.path_end).unwrap_or_default()
    }

    /// The query and fragment, with their `?` or `#`; empty when there is none.
    #[must_use]
    pub fn query(&self) -> &str {
        self.text.get(self.path_end..).unwrap_or_default()
    }

    fn path(&self) -> &str {
        self.text.get(self.origin_end..self.path_end).unwrap_or_default()
    }
}

/// An origin and a path prefix that callbacks may go to. The prefix ends at a `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackPrefix(CallbackUrl);

impl CallbackPrefix {
    /// Reads a prefix: a callback URL without query or fragment.
    pub fn read(text: &str) -> Result<Self, CallbackFault> {
        let url = CallbackUrl::read(text)?;
        if url.query().is_empty() { Ok(Self(url)) } else { Err(CallbackFault::Syntax) }
    }

    /// The prefix, as it is compared.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it covers all that `other` covers.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.covers(&other.0)
    }

    /// Whether `url` is of the same origin and at or below the path.
    #[must_use]
    pub fn covers(&self, url: &CallbackUrl) -> bool {
        let same = (self.0.https, &self.0.host, self.0.port) == (url.https, &url.host, url.port);
        let below = self.0.path().trim_end_matches('/');
        same && url
            .path()
            .strip_prefix(below)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

fn is_pchar(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%".contains(&b)
}

fn escapes_hold(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let mut bytes = after.bytes();
        let mut hex = || bytes.next().is_some_and(|b| b.is_ascii_hexdigit());
        hex() && hex()
    })
}

fn read_authority(authority: &str) -> Result<(Box<str>, Option<u16>), CallbackFault> {
    if authority.contains('@') {
        return Err(CallbackFault::UserInfo);
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => {
            let (host, port) = literal.split_once(']').ok_or(CallbackFault::Host)?;
            let address: Ipv6Addr = host.parse().map_err(|_| CallbackFault::Host)?;
            refuse_inward(address.into())?;
            (format!("[{address}]"), port)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(end);
            (read_host(host)?, port)
        }
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => None,
        None => return Err(CallbackFault::Host),
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port > 0).ok_or(CallbackFault::Port)?)
        }
        Some(_) => return Err(CallbackFault::Port),
    };
    Ok((host.into(), port))
}

fn read_host(host: &str) -> Result<String, CallbackFault> {
    let labels_hold = host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        });
    if !labels_hold {
        return Err(CallbackFault::Host);
    }
    let host = host.to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|b| b.is_ascii_digit()) || last.starts_with("0x") {
        // A last label that is a number makes every client read an address, in forms such as
        // 0177.1, 2130706433 or 0x7f000001; only the plain one has a single meaning.
        let address: Ipv4Addr = host.parse().map_err(|_| CallbackFault::Inward)?;
        refuse_inward(address.into())?;
    } else if last == "localhost" {
        return Err(CallbackFault::Inward);
    }
    Ok(host)
}

fn refuse_inward(address: IpAddr) -> Result<(), CallbackFault> {
    let inward = match address {
        IpAddr::V4(v4) => is_inward_v4(v4),
        IpAddr::V6(v6) => is_inward_v6(v6),
    };
    if inward { Err(CallbackFault::Inward) } else { Ok(()) }
}

fn is_inward_v4(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_multicast()
        || v4.is_broadcast()
        || a == 0
        || a >= 240
        // Shared address space, RFC 6598.
        || (a == 100 && (64..128).contains(&b))
}

fn is_inward_v6(v6: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let embedded = |high: u16, low: u16| {
        let [[o1, o2], [o3, o4]] = [high.to_be_bytes(), low.to_be_bytes()];
        is_inward_v4(Ipv4Addr::new(o1, o2, o3, o4))
    };
    v6.is_loopback()
        || v6.is_unspecified()
        || v6.is_multicast()
        || v6.is_unique_local()
        || v6.is_unicast_link_local()
        // Site-local, RFC 3879.
        || (a & 0xffc0) == 0xfec0
        // IPv4 in disguise: mapped and compatible (RFC 4291), NAT64 (RFC 6052, 8215), 6to4 (RFC 3056).
        || ([a, b, c, d, e] == [0; 5] && (f == 0 || f == 0xffff) && embedded(g, h))
        || (a == 0x64 && b == 0xff9b && (c == 1 || embedded(g, h)))
        || (a == 0x2002 && embedded(b, c))
}

fn without_dot_segments(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    let mut clean = String::with_capacity(path.len());
    for segment in kept {
        clean.push('/');
        clean.push_str(segment);
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> CallbackFault {
        CallbackUrl::read(text).unwrap_err()
    }

    #[test]
    fn what_points_inward_is_refused_in_every_disguise() {
        for host in [
            "127.0.0.1:9",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
            "[::1]:9",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "localhost",
            "LOCALHOST:9",
            "a.localhost",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "[fc00::1]",
            "[fe80::1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[::127.0.0.1]",
            "224.0.0.1",
            "255.255.255.255",
            "[ff02::1]",
            "[::]",
        ] {
            assert_eq!(fault(&format!("http://{host}/")), CallbackFault::Inward, "{host}");
        }
        assert!(CallbackUrl::read("http://93.184.216.34/").is_ok());
        assert!(CallbackUrl::read("http://[2606:2800:220:1::1]/").is_ok());
    }

    #[test]
    fn only_a_strict_url_is_taken() {
        for (text, expected) in [
            ("ftp://cb.example.com/", CallbackFault::Scheme),
            ("/job", CallbackFault::Scheme),
            ("//cb.example.com/x", CallbackFault::Scheme),
            (" https://cb.example.com/", CallbackFault::Scheme),
            ("https://cb.example.com/ ", CallbackFault::Syntax),
            ("https://cb.example.com/%zz", CallbackFault::Syntax),
            ("http://cb.example.com/?q={a}", CallbackFault::Syntax),
            ("http://cb.example.com/#a#b", CallbackFault::Syntax),
            ("https://user:pw@cb.example.com/", CallbackFault::UserInfo),
            ("https://127.0.0.1\\@cb.example.com/", CallbackFault::UserInfo),
            ("https://cb.example.com\\.127.0.0.1/", CallbackFault::Host),
            ("http://my_host.example.com/", CallbackFault::Host),
            ("http://localhost.:9/", CallbackFault::Host),
            ("https://cb%2eexample.com/", CallbackFault::Host),
            ("http://127。0。0。1:9/", CallbackFault::Host),
            ("http://[fe80::1%25eth0]/", CallbackFault::Host),
            ("https:///", CallbackFault::Host),
            ("https://cb.example.com:99999/", CallbackFault::Port),
            ("https://cb.example.com:/", CallbackFault::Port),
            ("https://cb.example.com:+1/", CallbackFault::Port),
            ("https://cb.example.com/a/%2e%2E/b", CallbackFault::HiddenPath),
            ("https://cb.example.com/a%5cb", CallbackFault::HiddenPath),
            ("https://cb.example.com/job/..;/admin", CallbackFault::HiddenPath),
            ("https://cb.example.com/job/.;x/..;y/admin", CallbackFault::HiddenPath),
            ("https://cb.example.com/job/%252e%252e/admin", CallbackFault::HiddenPath),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
        assert_eq!(fault(&format!("http://a.b/{}", "p".repeat(1014))), CallbackFault::Length);
        assert!(CallbackUrl::read(&format!("http://a.b/{}", "p".repeat(1013))).is_ok());
    }

    #[test]
    fn what_is_compared_is_what_is_sent_on() {
        for (text, written) in [
            ("HTTPS://CB.Example.com:443/a/./b/../c?q=1#f", "https://cb.example.com/a/c?q=1#f"),
            ("http://cb.example.com", "http://cb.example.com"),
            ("http://cb.example.com/../../x/..", "http://cb.example.com/"),
            ("http://cb.example.com:8080?x", "http://cb.example.com:8080?x"),
        ] {
            assert_eq!(CallbackUrl::read(text).unwrap().as_str(), written);
        }
    }

    #[test]
    fn a_prefix_covers_its_origin_and_ends_at_a_slash() {
        let prefix = CallbackPrefix::read("https://ci.example.com/job/").unwrap();
        let covers = |text: &str| prefix.covers(&CallbackUrl::read(text).unwrap());
        assert!(covers("https://ci.example.com/job/1?x=2"));
        assert!(covers("https://CI.example.com:443/job"));
        for other in [
            "https://ci.example.com/jobs",
            "https://ci.example.com/job/../admin",
            "https://ci.example.com/",
            "http://ci.example.com/job/",
            "https://ci.example.com:8443/job/",
            "https://ci.example.com.evil.example/job/",
            "https://a.ci.example.com/job/",
        ] {
            assert!(!covers(other), "{other}");
        }
        assert!(
            CallbackPrefix::read("https://a.example/")
                .is_ok_and(|all| { all.covers(&CallbackUrl::read("https://a.example").unwrap()) })
        );
        assert!(CallbackPrefix::read("https://a.example/?x").is_err());
    }
}
