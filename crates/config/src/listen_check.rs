//! Checks of listeners: every address is one, and nothing that leaves the machine goes in clear unless somebody says why.

use std::net::SocketAddr;

use esbgate_model::Secret;

use crate::{
    boot::{ListenAddress, ListenTls, Listener},
    boot_spec::{ListenSpec, TlsSpec},
    lookup::{Lookup, text},
    node::Spanned,
    problem::Faults,
};

/// The longest path of a socket file that the system takes.
const LONGEST_PATH: usize = 107;

/// Compiles the listeners; what is wrong is in `faults`.
pub(crate) fn listeners(
    specs: &[ListenSpec],
    port: &dyn Lookup,
    faults: &mut Faults<'_>,
) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::with_capacity(specs.len());
    for spec in specs {
        let Some(one) = listener(spec, port, faults) else { continue };
        let any_port = matches!(one.address, ListenAddress::Tcp(address) if address.port() == 0);
        if !any_port && listeners.iter().any(|known| known.address == one.address) {
            faults.add(&spec.address, "listen.address", "another listener has this address");
        }
        listeners.push(one);
    }
    listeners
}

fn listener(spec: &ListenSpec, port: &dyn Lookup, faults: &mut Faults<'_>) -> Option<Listener> {
    let address = address(&spec.address, faults)?;
    let why = spec.insecure.as_ref().is_some_and(|why| !why.value.trim().is_empty());
    let local = match &address {
        ListenAddress::Tcp(address) => address.ip().is_loopback(),
        ListenAddress::Unix(_) => true,
        // What systemd listens on is not known here.
        ListenAddress::Systemd(_) => false,
    };
    if spec.tls.is_none() && !local && !why {
        let hint = Some("add tls, or insecure: \"why\"".into());
        faults.hinted(&spec.address, "listen", "plain HTTP off loopback", hint);
    }
    let tls = match &spec.tls {
        Some(said) => Some(tls(said, port, faults)?),
        None => None,
    };
    Some(Listener { address, tls })
}

fn tls(spec: &TlsSpec, port: &dyn Lookup, faults: &mut Faults<'_>) -> Option<ListenTls> {
    let certificate = text(&spec.certificate, port, "listen.tls.certificate", faults);
    let key = text(&spec.key, port, "listen.tls.key", faults);
    let ca = spec.client_ca.as_ref();
    let client_ca = ca.and_then(|source| text(source, port, "listen.tls.client_ca", faults));
    Some(ListenTls { certificate: certificate?, key: Secret::new(key?), client_ca })
}

fn address(text: &Spanned<String>, faults: &mut Faults<'_>) -> Option<ListenAddress> {
    let path = "listen.address";
    if let Some(file) = text.value.strip_prefix("unix:") {
        return socket_file(file, text, path, faults).map(|file| ListenAddress::Unix(file.into()));
    }
    if let Some(name) = text.value.strip_prefix("systemd:") {
        if name.is_empty() || name.contains(':') {
            return faults.none(text, path, "name the socket as its FileDescriptorName= does");
        }
        return Some(ListenAddress::Systemd(name.into()));
    }
    tcp(text, path, faults).map(ListenAddress::Tcp)
}

/// The path of a socket file; `at` is where it stands.
pub(crate) fn socket_file<'f>(
    file: &'f str,
    at: &Spanned<String>,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<&'f str> {
    if !file.starts_with('/') || file.len() > LONGEST_PATH {
        let message = "a socket file has an absolute path of at most 107 bytes";
        return faults.none(at, path, message);
    }
    Some(file)
}

/// Reads an address and a port.
pub(crate) fn tcp(
    text: &Spanned<String>,
    path: &str,
    faults: &mut Faults<'_>,
) -> Option<SocketAddr> {
    let read = text.value.parse().ok();
    read.or_else(|| faults.none(text, path, "expected an address such as 127.0.0.1:8443"))
}
