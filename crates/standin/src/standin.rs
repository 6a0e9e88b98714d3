//! Starting and stopping the stand-in, and the handles to it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::connection::{Kind, Site};
use crate::far_side::FarSide;
use crate::fault::Faults;
use crate::history::History;
use crate::listener::{self, Port};
use crate::login::IS_LOGIN;
use crate::world::World;

/// How a stand-in is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the ESB listens; port 0 takes a free one.
    pub esb: SocketAddr,
    /// Where the login service listens.
    pub login: SocketAddr,
    /// TLS for the ESB's listener; the login service speaks in clear.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Whether connections stay open after an answer. The real ESB closes each one; benches may want otherwise.
    pub keep_alive: bool,
    /// How many requests and questions the history keeps; counts go on beyond. 0 keeps none, for benches.
    pub history_limit: usize,
    /// The first `job_instance_id`.
    pub first_job_id: i64,
    /// What the far side knows.
    pub world: World,
}

impl Default for Options {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            esb: any,
            login: any,
            tls: None,
            keep_alive: false,
            history_limit: 10_000,
            first_job_id: 10_000,
            world: World::default(),
        }
    }
}

/// Options in which only the world differs from the defaults.
impl From<World> for Options {
    fn from(world: World) -> Self {
        Self { world, ..Self::default() }
    }
}

/// A running ESB and a running login service. Both end when it is dropped.
#[derive(Debug)]
pub struct Standin {
    far_side: Arc<FarSide>,
    esb: Service,
    login: Service,
    scheme: &'static str,
}

#[derive(Debug)]
struct Service {
    address: SocketAddr,
    faults: Arc<Faults>,
    task: JoinHandle<()>,
}

impl Standin {
    /// Listens and serves, within the runtime that it is called in.
    ///
    /// # Errors
    ///
    /// If an address cannot be bound.
    pub async fn start(options: impl Into<Options>) -> io::Result<Self> {
        let options = options.into();
        let Options { history_limit, first_job_id, keep_alive, .. } = options;
        let far_side = Arc::new(FarSide::new(options.world, history_limit, first_job_id));
        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let tls = options.tls.map(TlsAcceptor::from);
        let esb = Service::start(options.esb, Kind::Esb, &far_side, tls, keep_alive)?;
        let login = Service::start(options.login, Kind::Login, &far_side, None, keep_alive)?;
        Ok(Self { far_side, esb, login, scheme })
    }

    /// The ESB's base, without a path: `http://127.0.0.1:port`.
    #[must_use]
    pub fn esb_url(&self) -> String {
        format!("{}://{}", self.scheme, self.esb.address)
    }

    /// The whole URL of `is_login`, without a query.
    #[must_use]
    pub fn login_url(&self) -> String {
        format!("http://{}{IS_LOGIN}", self.login.address)
    }

    /// Where the ESB listens.
    #[must_use]
    pub fn esb_addr(&self) -> SocketAddr {
        self.esb.address
    }

    /// Where the login service listens.
    #[must_use]
    pub fn login_addr(&self) -> SocketAddr {
        self.login.address
    }

    /// The ESB's faults.
    #[must_use]
    pub fn esb_faults(&self) -> &Faults {
        &self.esb.faults
    }

    /// The login service's faults.
    #[must_use]
    pub fn login_faults(&self) -> &Faults {
        &self.login.faults
    }

    /// What came and what was made of it.
    #[must_use]
    pub fn history(&self) -> &History {
        self.far_side.history()
    }

    /// Changes what the far side knows: rotates a secret, revokes a token. Requests under way keep the world that
    /// they began in.
    pub fn change(&self, change: impl FnOnce(&mut World)) {
        self.far_side.change(change);
    }

    /// Ends both services and waits until nothing of them runs.
    pub async fn stop(mut self) {
        for service in [&mut self.esb, &mut self.login] {
            service.task.abort();
            // It ends by being aborted, which is no failure.
            drop((&mut service.task).await);
        }
    }
}

impl Service {
    fn start(
        address: SocketAddr,
        kind: Kind,
        far_side: &Arc<FarSide>,
        tls: Option<TlsAcceptor>,
        keep_alive: bool,
    ) -> io::Result<Self> {
        let port = Port::bind(address)?;
        let address = port.address();
        let (faults, commands) = Faults::new();
        let faults = Arc::new(faults);
        let (far_side, for_site) = (Arc::clone(far_side), Arc::clone(&faults));
        let site = Arc::new(Site { kind, far_side, faults: for_site, tls, keep_alive });
        let task = tokio::spawn(listener::run(port, site, commands));
        Ok(Self { address, faults, task })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
    }
}
