//! The shape of `sinks` in `esbgate.yaml`.

use serde::Deserialize;

#[cfg(test)]
use crate::form;
use crate::{
    lookup::{FileSource, Source},
    node::Spanned,
    policy_spec::spec,
    units::{Size, Span},
};

spec! {
    /// Where the journal is shipped to.
    SinkSpec {
        /// JSON lines, appended to a file for a collector. Of `file`, `bk_audit`, `syslog` and `postgres` exactly one.
        file: Option<SinkFileSpec>,
        /// Calls as events of BlueKing's Audit Center, appended to a file for its collector.
        bk_audit: Option<SinkFileSpec>,
        /// Messages of RFC 5424.
        syslog: Option<SinkSyslogSpec>,
        /// Rows of a PostgreSQL table.
        postgres: Option<SinkPostgresSpec>,
        /// The kinds of records that it gets; all without it, and for `bk_audit` `intent` and `outcome`.
        kinds: Option<Spanned<Vec<Spanned<String>>>>,
        /// For one batch, from a connection to what confirms it.
        #[cfg_attr(test, schemars(extend("default" = "10s")))]
        timeout: Option<Spanned<Span>>,
    }
}
spec! {
    /// A file of a sink.
    SinkFileSpec {
        /// The file, relative to this file's folder; its folder must be there.
        #[cfg_attr(test, schemars(with = "form::Path"))]
        path: Spanned<String>,
        /// When it is put aside as `PATH.1`; without it something like logrotate does that, and the file is opened anew.
        rotate: Option<SinkRotateSpec>,
    }
}
spec! {
    /// When a sink's file is put aside.
    SinkRotateSpec {
        /// Before it grows beyond this, from 1MiB on.
        size: Spanned<Size>,
        /// Files that are kept besides.
        #[cfg_attr(test, schemars(range(min = 1, max = 1000), extend("default" = 10)))]
        keep: Option<Spanned<u32>>,
    }
}
/// What confirms a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum ConfirmSpec {
    /// The peer's close.
    #[default]
    Close,
    /// The system's word that the bytes are sent.
    Sent,
}
/// The facilities of RFC 5424 that are of use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum FacilitySpec {
    /// 1.
    User,
    /// 3.
    Daemon,
    /// 4.
    Auth,
    /// 10.
    Authpriv,
    /// 13, log audit.
    #[default]
    Audit,
    /// 16.
    Local0,
    /// 17.
    Local1,
    /// 18.
    Local2,
    /// 19.
    Local3,
    /// 20.
    Local4,
    /// 21.
    Local5,
    /// 22.
    Local6,
    /// 23.
    Local7,
}
spec! {
    /// A receiver of syslog.
    SinkSyslogSpec {
        /// `tcp:HOST:PORT` or `unix:PATH`, a datagram socket such as `unix:/dev/log`.
        address: Spanned<String>,
        /// TLS over TCP (RFC 5425).
        tls: Option<PeerTlsSpec>,
        /// Why clear TCP is right where the address is not loopback.
        insecure: Option<Spanned<String>>,
        /// What confirms a batch over TCP: that the peer has read it to its end and closed, or that it is sent.
        #[cfg_attr(test, schemars(extend("default" = "close")))]
        #[serde(default)] confirm: ConfirmSpec,
        /// The facility.
        #[cfg_attr(test, schemars(extend("default" = "audit")))]
        #[serde(default)] facility: FacilitySpec,
        /// `APP-NAME`, of at most 48 printable ASCII characters.
        #[cfg_attr(test, schemars(extend("default" = "esbgate")))]
        app_name: Option<Spanned<String>>,
        /// The private enterprise number in the name of the structured data.
        #[cfg_attr(test, schemars(extend("default" = 32473)))]
        enterprise: Option<u32>,
        /// Most bytes of a datagram, 2KiB to 128KiB; a longer record is named by number and hash.
        #[cfg_attr(test, schemars(extend("default" = "8KiB")))]
        datagram: Option<Spanned<Size>>,
    }
}
spec! {
    /// A PostgreSQL database.
    SinkPostgresSpec {
        /// A name or an address, or the folder of a Unix socket.
        host: Spanned<String>,
        /// The port, which names the socket as well.
        #[cfg_attr(test, schemars(range(min = 1), extend("default" = 5432)))]
        port: Option<Spanned<u16>>,
        /// The database.
        database: Spanned<String>,
        /// The role.
        user: Spanned<String>,
        /// Its password.
        password: Option<Source>,
        /// TLS; needed where the host is neither loopback nor a folder.
        tls: Option<PeerTlsSpec>,
        /// The table: lower case, with its schema before a dot if it has one.
        #[cfg_attr(test, schemars(extend("default" = "esbgate_journal")))]
        table: Option<Spanned<String>>,
        /// Makes the table and its indexes where they are not there.
        #[serde(default)] create: bool,
    }
}
spec! {
    /// TLS of a connection to a peer.
    PeerTlsSpec {
        /// Who signs the peer's certificate, PEM.
        ca: FileSource,
        /// Our chain, PEM, where the peer asks for one.
        certificate: Option<FileSource>,
        /// Its key, PEM.
        key: Option<FileSource>,
    }
}
