//! The floor: a relay of hyper alone, which reads nothing of what it passes on.
//!
//! `bench-relay UPSTREAM close|keep`: one upstream connection for each request, as the ESB's answers
//! force one, or one kept for each downstream connection.

use std::{error::Error, net::SocketAddr, sync::Arc};

use http::{HeaderMap, Request, Response, header};
use hyper::{
    body::Incoming, client::conn::http1::SendRequest, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

type Problem = Box<dyn Error + Send + Sync>;
/// The upstream connection that a downstream connection keeps. HTTP/1.1 has one request at a time, so
/// nobody waits for it.
type Kept = Arc<Mutex<Option<SendRequest<Incoming>>>>;

fn main() -> Result<(), Problem> {
    let mut arguments = std::env::args().skip(1);
    let upstream = arguments.next().ok_or("which upstream?")?.parse()?;
    let keep = arguments.next().is_some_and(|word| word == "keep");
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(upstream, keep))
}

async fn serve(upstream: SocketAddr, keep: bool) -> Result<(), Problem> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    // As esbgate's log says it.
    eprintln!(r#"{{"fields":{{"message":"serving","addresses":"[{}]"}}}}"#, listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let kept = Kept::default();
            let pass = service_fn(|request| pass(request, upstream, keep, Arc::clone(&kept)));
            // A peer that goes away ends its connection and nothing else.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), pass).await);
        });
    }
}

async fn pass(
    mut request: Request<Incoming>,
    upstream: SocketAddr,
    keep: bool,
    kept: Kept,
) -> Result<Response<Incoming>, Problem> {
    without_hop(request.headers_mut());
    let mut kept = kept.lock().await;
    let reusable = match kept.take() {
        Some(mut sender) => sender.ready().await.is_ok().then_some(sender),
        None => None,
    };
    let mut sender = match reusable {
        Some(sender) => sender,
        None => connect(upstream).await?,
    };
    let mut response = sender.send_request(request).await?;
    without_hop(response.headers_mut());
    *kept = keep.then_some(sender);
    Ok(response)
}

async fn connect(upstream: SocketAddr) -> Result<SendRequest<Incoming>, Problem> {
    let stream = TcpStream::connect(upstream).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn without_hop(headers: &mut HeaderMap) {
    headers.remove(header::CONNECTION);
}
