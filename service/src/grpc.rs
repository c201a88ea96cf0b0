//! gRPC between the processes: mutual TLS, deadlines and limits on both sides, and the access table in front of every method.

use crate::identity::{Identity, Peer, role_name};
use anyhow::Context;
use asterism_proto::{Role, allowed_roles};
use http::{Request, Response};
use std::{
    pin::Pin,
    sync::Arc,
    task::{self, Poll},
    time::Duration,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    Status,
    body::Body,
    service::Routes,
    transport::{
        Channel, ClientTlsConfig, Endpoint, Server, ServerTlsConfig,
        server::{TcpConnectInfo, TcpIncoming, TlsConnectInfo},
    },
};
use uuid::Uuid;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A peer that leaves a ping unanswered for this long is cut off.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// What is in flight when a server is asked to stop gets this long.
const DRAIN: Duration = Duration::from_secs(10);
const STREAMS_MAX: u32 = 1024;
/// A cell of 256 KiB fits one frame; the frame size is what the throughput hangs on.
const FRAME_BYTES: u32 = 1 << 20;
/// What one call may have in flight, and so what one that nobody reads holds in memory.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// Never the limit: a few calls that nobody reads would take it all, and no other call on the connection could answer.
const CONNECTION_WINDOW_BYTES: u32 = 1 << 30;

/// Whom a connection must reach; anyone else is refused by TLS.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// This very process.
    Process(Role, Uuid),
    /// Any process of a role.
    Any(Role),
}

/// Makes channels to other processes.
pub trait Dial: Send + Sync + 'static {
    /// A channel to `address` (`host:port`) that connects when first used, and again whenever it broke.
    ///
    /// # Errors
    /// The address or the identity does not parse.
    fn channel(&self, address: &str, target: Target) -> anyhow::Result<Channel>;
}

impl Dial for Identity {
    fn channel(&self, address: &str, target: Target) -> anyhow::Result<Channel> {
        channel(address, self, target)
    }
}

/// As [`Dial::channel`], with mutual TLS as `identity`.
///
/// # Errors
/// The address or the identity does not parse.
pub fn channel(address: &str, identity: &Identity, target: Target) -> anyhow::Result<Channel> {
    let cluster = identity.peer().cluster;
    let name = match target {
        Target::Process(role, id) => Peer { cluster, role, id }.own_name(),
        Target::Any(role) => role_name(cluster, role),
    };
    let (own, authority) = identity.tls();
    let tls = ClientTlsConfig::new().ca_certificate(authority).identity(own).domain_name(name);
    let endpoint = Endpoint::from_shared(format!("https://{address}"))
        .with_context(|| format!("{address} is not an address (host:port)"))?
        .tls_config(tls)?;
    Ok(with_limits(endpoint).connect_lazy())
}

/// An endpoint with the time-outs and windows of all calls.
pub fn with_limits(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
}

/// A server with the time-outs and windows of all servers.
pub fn limited_server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
}

/// Serves `routes` until `stop`, then gives what is in flight a few seconds.
///
/// # Errors
/// The identity is not usable, or the listener fails.
pub async fn serve(
    listener: TcpListener,
    identity: &Identity,
    routes: Routes,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let (own, authority) = identity.tls();
    let tls = ServerTlsConfig::new().identity(own).client_ca_root(authority).timeout(HANDSHAKE_TIMEOUT);
    let server = limited_server()
        .tls_config(tls)?
        .layer(AuthorizeLayer { cluster_peer: identity.peer() })
        .add_routes(routes);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let serving = server.serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    tokio::select! {
        served = serving => Ok(served?),
        () = async { stop.cancelled().await; tokio::time::sleep(DRAIN).await } => {
            tracing::warn!("gRPC calls were still open when the time to finish them ran out");
            Ok(())
        }
    }
}

/// Puts the access table in front of a server.
#[derive(Clone, Copy)]
struct AuthorizeLayer {
    cluster_peer: Peer,
}

impl<S> tower::Layer<S> for AuthorizeLayer {
    type Service = Authorize<S>;
    fn layer(&self, inner: S) -> Authorize<S> {
        Authorize { own: self.cluster_peer, inner }
    }
}

#[derive(Clone)]
struct Authorize<S> {
    own: Peer,
    inner: S,
}

impl<S, E> tower::Service<Request<Body>> for Authorize<S>
where
    S: tower::Service<Request<Body>, Response = Response<Body>, Error = E>,
    S::Future: Send + 'static,
    E: Send + 'static,
{
    type Response = Response<Body>;
    type Error = E;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), E>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match admit(&request, self.own) {
            Ok(peer) => {
                request.extensions_mut().insert(peer);
                Box::pin(self.inner.call(request))
            }
            Err(status) => Box::pin(std::future::ready(Ok(status.into_http()))),
        }
    }
}

fn admit(request: &Request<Body>, own: Peer) -> Result<Peer, Status> {
    let connection = request.extensions().get::<TlsConnectInfo<TcpConnectInfo>>();
    let certificates: Arc<Vec<_>> = connection
        .and_then(TlsConnectInfo::peer_certs)
        .ok_or_else(|| Status::unauthenticated("a client certificate is needed"))?;
    let peer = certificates
        .first()
        .and_then(|certificate| Peer::from_der(certificate).ok())
        .filter(|peer| peer.cluster == own.cluster)
        .ok_or_else(|| Status::unauthenticated("the certificate is not one of this cluster"))?;
    let method = request.uri().path();
    match allowed_roles(method) {
        None => Err(Status::unimplemented("no such method")),
        Some(roles) if roles.contains(&peer.role) => Ok(peer),
        Some(_) => {
            tracing::warn!(%peer, method, "call refused: not allowed for this role");
            Err(Status::permission_denied("not allowed for this role"))
        }
    }
}

/// The caller of a gRPC method, as its certificate says.
///
/// # Errors
/// The call did not come through [`serve`].
pub fn peer<T>(request: &tonic::Request<T>) -> Result<Peer, Status> {
    request
        .extensions()
        .get::<Peer>()
        .copied()
        .ok_or_else(|| Status::unauthenticated("the caller is not known"))
}
