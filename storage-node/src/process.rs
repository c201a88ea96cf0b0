//! One storage node, bound and served; several fit in one process of a test.

use crate::{
    config::Config,
    membership::{Introduction, Joined, Member},
    metrics::{self, NodeMetrics, StoreMetrics},
    rpc::{self, ShardService},
    store::{Limits, Owner, Store},
};
use anyhow::{Context, ensure};
use asterism_proto::{NodeId, Role};
use asterism_service::{
    Identity, Metrics, Secret, grpc,
    http::{self, Readiness},
};
use futures::future::try_join_all;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;

/// Scrapers and probes, not users.
const HTTP_CONNECTIONS_MAX: usize = 64;
/// A directory that takes longer to make an empty file is not ready.
const WRITE_DEADLINE: Duration = Duration::from_secs(2);
/// What still runs after the listeners closed gets this long.
const DRAIN: Duration = Duration::from_secs(5);

/// A storage node whose directory is open and whose ports are bound.
pub struct NodeProcess {
    config: Config,
    identity: Identity,
    token: Secret,
    store: Store,
    metrics: Metrics,
    node_metrics: NodeMetrics,
    joined: Joined,
    grpc: TcpListener,
    http: TcpListener,
}

impl NodeProcess {
    /// Reads the identity, opens the directory and binds both ports.
    ///
    /// # Errors
    /// A sentence that says what must be set right.
    pub async fn bind(config: &Config) -> anyhow::Result<Self> {
        config.check()?;
        let identity = Identity::load(&config.identity_dir)?;
        let peer = identity.peer();
        ensure!(
            peer.role == Role::StorageNode,
            "the certificate in {} is for a {}, not for a storage-node",
            config.identity_dir.display(),
            peer.role
        );
        let token = Secret::read(&config.join_token_file)?;
        let owner = Owner { cluster: peer.cluster, node: NodeId::from_bytes(*peer.id.as_bytes()) };
        let store_metrics = StoreMetrics::default();
        let store = open_store(config, owner, store_metrics.clone()).await?;
        let grpc = listen("listen", &config.listen).await?;
        let http = listen("metrics_listen", &config.metrics_listen).await?;
        let (metrics, node_metrics) = (Metrics::default(), NodeMetrics::default());
        metrics::register(&metrics, &store, &store_metrics, &node_metrics);
        let (config, joined) = (config.clone(), Joined::default());
        Ok(Self { config, identity, token, store, metrics, node_metrics, joined, grpc, http })
    }

    /// Where gRPC listens.
    ///
    /// # Errors
    /// The listener is broken.
    pub fn grpc_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.grpc.local_addr()?)
    }

    /// Where the pages listen.
    ///
    /// # Errors
    /// The listener is broken.
    pub fn http_address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.http.local_addr()?)
    }

    /// The store, for whoever shares the process.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Serves until `stop`, then finishes what is in flight.
    ///
    /// # Errors
    /// A listener fails, or an index-server refuses the node before any knew it.
    pub async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        let introduction = self.introduction()?;
        tracing::info!(
            node = %self.store.owner().node, name = introduction.name, address = introduction.address,
            metrics = introduction.metrics_address, "storage node listening"
        );
        let (stop, store) = (stop.child_token(), self.store.clone());
        let tasks = TaskTracker::new();
        let name = introduction.name.clone();
        let service = ShardService::new(self.store.clone(), name, self.node_metrics.clone(), tasks.clone())
            .with_certificate_end(self.identity.certificate_end()?);
        let routes = Routes::new(rpc::bounded(service));
        let pages = http::pages(self.metrics, readiness(self.store.clone(), self.joined.clone()));
        let (token, metrics) = (self.token, self.node_metrics);
        let dial = Arc::new(self.identity.clone());
        let member = Member::new(self.store, dial, introduction, token, metrics, self.joined);
        let attending = self.config.index_servers.iter().map(|address| member.attend(address, stop.clone()));
        // Whoever ends first, well or badly, ends the others.
        let (served, attended, ()) = tokio::join!(
            ending(&stop, grpc::serve(self.grpc, &self.identity, routes, stop.clone())),
            ending(&stop, try_join_all(attending)),
            http::serve(self.http, pages, HTTP_CONNECTIONS_MAX, stop.clone()),
        );
        tasks.close();
        if timeout(DRAIN, tasks.wait()).await.is_err() {
            tracing::warn!("shards were still being sent when the time to finish them ran out");
        }
        if let Err(error) = store.close().await {
            tracing::warn!(%error, "the log could not be closed; the next start reads all of it");
        }
        attended?;
        served?;
        tracing::info!("storage node stopped");
        Ok(())
    }

    fn introduction(&self) -> anyhow::Result<Introduction> {
        Ok(Introduction {
            name: self.config.name.to_string(),
            address: self.config.advertised(self.grpc_address()?)?,
            metrics_address: self.config.advertised_metrics(self.http_address()?)?,
            zone: self.config.zone.clone(),
        })
    }
}

async fn ending<T>(stop: &CancellationToken, work: impl Future<Output = T>) -> T {
    let result = work.await;
    stop.cancel();
    result
}

async fn open_store(config: &Config, owner: Owner, metrics: StoreMetrics) -> anyhow::Result<Store> {
    let limits = Limits { capacity_bytes: config.capacity_bytes, reserve_bytes: config.reserve_bytes };
    let path = config.data_dir.clone();
    let opening = tokio::task::spawn_blocking(move || Store::open(&path, owner, limits, metrics));
    opening.await?.with_context(|| format!("cannot use data_dir {}", config.data_dir.display()))
}

async fn listen(field: &str, address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("{field}: cannot listen on {address}"))
}

fn readiness(store: Store, joined: Joined) -> Readiness {
    Arc::new(move || {
        let (store, joined) = (store.clone(), joined.clone());
        Box::pin(async move {
            let written = timeout(WRITE_DEADLINE, store.try_write()).await;
            let directory = match written {
                Ok(result) => result.map_err(|error| error.to_string()),
                Err(_) => Err("does not answer in time".into()),
            };
            let membership = joined.anywhere().then_some(()).ok_or("no index-server knows the node".into());
            vec![("directory", directory), ("membership", membership)]
        })
    })
}
