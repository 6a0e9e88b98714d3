//! From the sinks of the start-up file to what ships the journal.

use std::path::Path;

use esbgate_config::{PeerTls, Sink, SinkAddress, SinkFile, SinkPostgres, SinkSyslog, SinkTarget};
use esbgate_ship::{
    Confirm, FileOptions, PostgresHost, PostgresOptions, Rotation, SinkOptions, SyslogAddress,
    SyslogOptions, TargetOptions, TlsPeer, client_tls,
};

/// What a sink is started with; the error names it and tells no secret.
pub(super) fn sink(sink: Sink) -> Result<SinkOptions, String> {
    let Sink { name, kinds, timeout, target } = sink;
    let target = match target {
        SinkTarget::File(said) => Ok(TargetOptions::File(file(&said))),
        SinkTarget::BkAudit(said) => Ok(TargetOptions::BkAudit(file(&said))),
        SinkTarget::Syslog(said) => syslog(said).map(TargetOptions::Syslog),
        SinkTarget::Postgres(said) => postgres(said).map(TargetOptions::Postgres),
    };
    let target = target.map_err(|why| format!("sinks.{name}: {why}"))?;
    Ok(SinkOptions { name, kinds, timeout, target })
}

fn file(said: &SinkFile) -> FileOptions {
    let rotation = said.rotation.map(|(bytes, keep)| Rotation { bytes, keep });
    FileOptions { path: Path::new(&*said.path).to_owned(), rotation }
}

fn syslog(said: SinkSyslog) -> Result<SyslogOptions, String> {
    let tls = tls(said.tls)?;
    Ok(SyslogOptions {
        address: match said.address {
            SinkAddress::Tcp(host, port) => SyslogAddress::Tcp { host, port, tls },
            SinkAddress::Unix(path) => SyslogAddress::Unix(Path::new(&*path).to_owned()),
        },
        confirm: if said.confirm_by_close { Confirm::Close } else { Confirm::Sent },
        facility: said.facility,
        app_name: said.app_name,
        enterprise: said.enterprise,
        datagram: usize::try_from(said.datagram).unwrap_or(usize::MAX),
    })
}

fn postgres(said: SinkPostgres) -> Result<PostgresOptions, String> {
    let tls = tls(said.tls)?;
    Ok(PostgresOptions {
        host: match said.address {
            SinkAddress::Tcp(host, _) => PostgresHost::Tcp(host, tls),
            SinkAddress::Unix(folder) => PostgresHost::Unix(Path::new(&*folder).to_owned()),
        },
        port: said.port,
        database: said.database,
        user: said.user,
        password: said.password,
        table: said.table,
        create: said.create,
    })
}

fn tls(said: Option<PeerTls>) -> Result<Option<TlsPeer>, String> {
    let Some(PeerTls { ca, own }) = said else { return Ok(None) };
    let own = own.as_ref().map(|(certificate, key)| (certificate.as_str(), key));
    client_tls(&ca, own).map(Some).map_err(|error| format!("tls.{error}"))
}
