//! The process: bound, then served.

use crate::{
    api::{self, Api, Crowd, Passwords, auth},
    catalog::{Catalog, CredentialKind, Role, UserName},
    config::Config,
    events::Events,
    files::{self, Extents},
    graph::{self, TagGraph},
    members::Members,
    membership::MembershipService,
    metrics::HttpMetrics,
    workers::{self, Moving, Workers},
};
use anyhow::Context;
use asterism_cluster::{GrpcShards, Shards};
use asterism_proto::{
    Role as ProcessRole, index::membership_server::MembershipServer, monitor::monitor_client::MonitorClient,
};
use asterism_service::{
    Identity, Metrics, Secret, config, grpc,
    http::{self, Check, Readiness},
    logging, stop,
};
use asterism_tagger::Pool;
use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

const ADMIN: &str = "admin";
const TAGGER_WORKERS: usize = 2;
const TAGGER_DEADLINE: Duration = Duration::from_secs(30);
const CONNECTIONS_MAX: usize = 2048;
/// Requests on the membership service are small.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Runs an index-server until the process is asked to stop.
///
/// # Errors
/// Something that it needs is missing or not safe; the message is one sentence.
pub async fn run(path: &Path) -> anyhow::Result<()> {
    let config: Config = config::load(path)?;
    logging::start(&config.log_level, config.log_format)?;
    let server = IndexServer::bind(&config).await?;
    tracing::info!(address = %server.http_address(), grpc = %server.grpc_address(), "index-server listening");
    server.serve(stop::on_signal()?).await
}

/// What was made for the first start.
#[derive(Debug, Default)]
pub struct Bootstrap {
    /// Of the new user `admin`; kept nowhere.
    pub password: Option<Secret>,
    /// A new API token of the admin; kept nowhere.
    pub token: Option<Secret>,
}

/// Makes the user `admin` with a random password if there is no user yet, and a token for it if asked to.
///
/// # Errors
/// The database cannot be opened.
pub async fn bootstrap(path: &Path, with_token: bool) -> anyhow::Result<Bootstrap> {
    let config: Config = config::load(path)?;
    let catalog = open_catalog(&config, &Identity::load(&config.identity_dir)?).await?;
    let admin: UserName = ADMIN.parse()?;
    let mut made = Bootstrap::default();
    if catalog.users().await?.is_empty() {
        let password = auth::new_token()?;
        let hash = Passwords::new()?.hash(password.clone()).await?;
        catalog.create_user(&admin, &hash, Role::Admin).await?;
        made.password = Some(Secret::new(password));
    }
    if with_token {
        let token = auth::new_token()?;
        let hash = auth::token_hash(&token);
        catalog.create_credential(&admin, CredentialKind::Token, "first start", &hash, None).await?;
        made.token = Some(Secret::new(token));
    }
    catalog.database().close().await;
    Ok(made)
}

/// An index-server that listens and does not answer yet.
pub struct IndexServer {
    http: TcpListener,
    grpc: TcpListener,
    identity: Identity,
    api: Api,
    membership: MembershipService,
    workers: Workers,
    metrics: Metrics,
}

impl IndexServer {
    /// Opens the database and binds both ports.
    ///
    /// # Errors
    /// The database is not reached or not safe, an identity or token is missing, a port is in use.
    pub async fn bind(config: &Config) -> anyhow::Result<Self> {
        let identity = Identity::load(&config.identity_dir)?;
        anyhow::ensure!(
            identity.peer().role == ProcessRole::IndexServer,
            "the identity is not an index-server's"
        );
        let join_token = Secret::read(&config.join_token_file)?;
        let http = bind(config.listen).await?;
        let grpc = bind(config.grpc_listen).await?;
        let catalog = open_catalog(config, &identity).await?;
        let (graph, graph_kind) = open_graph(config, &catalog)?;
        let shards = Arc::new(GrpcShards::new(identity.clone()));
        let members = remembered(&catalog, &shards).await?;
        let epoch = Arc::new(AtomicU64::new(catalog.current_epoch(workers::LEASE).await?));
        let extents = Extents {
            cluster: identity.peer().cluster,
            policy: config.policy,
            catalog: catalog.clone(),
            members: members.clone(),
            shards: Arc::clone(&shards) as Arc<dyn Shards>,
            epoch: Arc::clone(&epoch),
            hedge: Arc::default(),
            repair: Arc::default(),
            stripes: files::stripes(config.policy),
            fresh: Arc::default(),
        };
        let (tagging, projecting) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let trash_kept = Duration::from_secs(u64::from(config.trash_days) * 24 * 3600);
        let (events, states) = (Events::default(), Workers::states());
        let moving = Moving::new(u64::from(config.moves_mib_per_second) << 20);
        let deciding = Arc::default();
        let api = Api {
            catalog: catalog.clone(),
            extents: extents.clone(),
            members: members.clone(),
            graph: Arc::clone(&graph),
            graph_kind,
            events: events.clone(),
            passwords: Passwords::new()?,
            crowd: Crowd::default(),
            monitor: monitor(config, &identity)?,
            workers: states.to_vec(),
            moving: moving.clone(),
            deciding: Arc::clone(&deciding),
            tagging: Arc::clone(&tagging),
            projecting: Arc::clone(&projecting),
            metrics: HttpMetrics::default(),
            trash_kept,
            upload_bytes_max: config.upload_bytes_max,
            https: config.https,
        };
        let membership = MembershipService {
            cluster: extents.cluster,
            catalog,
            members,
            shards,
            nodes: Arc::clone(&extents.shards),
            graph: Arc::clone(&graph),
            join_token,
            policy: config.policy,
            nodes_expected: config.nodes_expected,
            groups: config.groups,
            epoch,
            deciding,
        };
        let pool = Arc::new(Pool::new(config.tagger.clone(), TAGGER_WORKERS, TAGGER_DEADLINE));
        let workers =
            Workers { extents, graph, pool, events, trash_kept, tagging, projecting, moving, states };
        let metrics = Metrics::default();
        api.metrics.register(&metrics, api.members.clone(), api.workers.clone());
        Ok(Self { http, grpc, identity, api, membership, workers, metrics })
    }

    /// Where the page and the API are.
    pub fn http_address(&self) -> SocketAddr {
        local(&self.http)
    }

    /// Where nodes and the monitor call.
    pub fn grpc_address(&self) -> SocketAddr {
        local(&self.grpc)
    }

    /// Serves until `stop`, then finishes what is in flight.
    ///
    /// # Errors
    /// A listener fails.
    pub async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        let database = self.api.catalog.database().clone();
        let membership = MembershipServer::new(self.membership).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let pages = http::pages(self.metrics, readiness(&self.api));
        let router = api::router(self.api, pages);
        let workers = tokio::spawn(self.workers.run(stop.clone()));
        let serving = http::serve(self.http, router, CONNECTIONS_MAX, stop.clone());
        let ((), served) = tokio::join!(
            serving,
            grpc::serve(self.grpc, &self.identity, Routes::new(membership), stop.clone())
        );
        stop.cancel();
        workers.await?;
        database.close().await;
        served
    }
}

/// Opens the database, which belongs to the first cluster that used it, with the policy of its groups.
async fn open_catalog(config: &Config, identity: &Identity) -> anyhow::Result<Catalog> {
    let catalog = Catalog::open(config.database.expose()).await?;
    let cluster = identity.peer().cluster.to_string();
    let owner = catalog.setting_or("cluster", &cluster).await?;
    anyhow::ensure!(owner == cluster, "the database is that of cluster {owner}, not of {cluster}");
    if let Some(group) = catalog.groups().await?.first() {
        let (width, wanted) = (group.members.len(), config.policy.total());
        anyhow::ensure!(
            width == wanted,
            "the placement groups have {width} members each, policy {} needs {wanted}",
            config.policy
        );
    }
    Ok(catalog)
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

fn local(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)))
}

fn open_graph(config: &Config, catalog: &Catalog) -> anyhow::Result<(Arc<dyn TagGraph>, &'static str)> {
    match &config.graph {
        Some(url) => Ok((Arc::new(graph::Neo4jGraph::new(url.expose())?), "neo4j")),
        None => Ok((Arc::new(graph::SqlGraph::new(catalog.database().clone())), "sql")),
    }
}

fn monitor(
    config: &Config,
    identity: &Identity,
) -> anyhow::Result<Option<MonitorClient<tonic::transport::Channel>>> {
    let channel =
        |address: &String| grpc::channel(address, identity, grpc::Target::Any(ProcessRole::Monitor));
    Ok(config.monitor.as_ref().map(channel).transpose()?.map(MonitorClient::new))
}

/// Nodes and groups as the catalog has them; nobody has been heard yet.
async fn remembered(catalog: &Catalog, shards: &GrpcShards) -> anyhow::Result<Members> {
    let members = Members::default();
    let rows = catalog.nodes().await?;
    for row in &rows {
        shards.set_address(row.id, &row.address)?;
    }
    members.set_rows(rows);
    members.set_groups(catalog.groups().await?);
    members.set_moves(&catalog.moves().await?);
    if catalog.totals().await?.files > 0 {
        members.expect_shards();
    }
    Ok(members)
}

/// Ready: the database answers, and there are groups with enough members to write to.
fn readiness(api: &Api) -> Readiness {
    let api = api.clone();
    Arc::new(move || {
        let api = api.clone();
        Box::pin(async move {
            let database = api.catalog.totals().await.map(drop).map_err(|_| "does not answer".to_owned());
            let floor = api.extents.policy.floor();
            let nodes = api.members.choose_group(floor, 0, |_| 0).map(drop).map_err(|few| few.to_string());
            vec![("database", database), ("storage nodes", nodes)] as Vec<Check>
        })
    })
}
