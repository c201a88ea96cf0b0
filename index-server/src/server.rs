//! The process: bound, then served.

use crate::{
    api::{self, Api, Crowd, News, Passwords, auth},
    catalog::{Catalog, CredentialKind, Role, UserName},
    config::Config,
    damage::Damage,
    events::Events,
    figures::Figures,
    files::{self, Extents, Running},
    graph::{self, TagGraph},
    members::Members,
    membership::MembershipService,
    metrics::HttpMetrics,
    workers::{self, Allowance, Fsck, Moving, Pace, Roster, Scrubbing, Workers},
};
use anyhow::Context;
use asterism_cluster::{GrpcShards, Shards};
use asterism_proto::{
    ClusterId, Role as ProcessRole, index::membership_server::MembershipServer,
    monitor::monitor_client::MonitorClient,
};
use asterism_service::{
    Identity, Metrics, Secret, config,
    grpc::{self, Dial, Target},
    http::{self, Check, Readiness},
    logging, stop,
};
use asterism_tagger::Pool;
use axum::Router;
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

/// What an index-server finds around it when it starts.
pub struct Surroundings {
    /// Whose index-server it is.
    pub cluster: ClusterId,
    /// The truth.
    pub catalog: Catalog,
    /// What a node must show to join.
    pub join_token: Secret,
    /// The way to other processes.
    pub dial: Arc<dyn Dial>,
    /// How passwords are checked.
    pub passwords: Passwords,
}

/// An index-server without its listeners: what the process has in common with a simulation of it.
pub struct Core {
    /// Answers requests of people and programs.
    pub router: Router,
    /// Answers calls of storage nodes and of the monitor.
    pub membership: MembershipService,
    /// Does the work in the background.
    pub workers: Workers,
    /// Hears of messages and tells the pages.
    pub news: News,
}

impl Core {
    /// All parts, put together; nothing runs yet. The nodes are worked with through what `adapt` makes of the way to them.
    ///
    /// # Errors
    /// The catalog cannot be asked, or an address in the configuration is none.
    pub async fn new(
        config: &Config,
        around: Surroundings,
        adapt: impl FnOnce(Arc<GrpcShards>) -> Arc<dyn Shards>,
    ) -> anyhow::Result<Self> {
        let Surroundings { cluster, catalog, join_token, dial, passwords } = around;
        let (graph, graph_kind) = open_graph(config, &catalog)?;
        let shards = Arc::new(GrpcShards::new(Arc::clone(&dial)));
        let members = remembered(&catalog, &shards).await?;
        let epoch = Arc::new(AtomicU64::new(catalog.current_epoch(workers::LEASE).await?));
        let extents = Extents {
            cluster,
            policy: config.policy,
            catalog: catalog.clone(),
            members: members.clone(),
            shards: adapt(Arc::clone(&shards)),
            epoch: Arc::clone(&epoch),
            hedge: Arc::default(),
            repair: Arc::default(),
            stripes: files::stripes(config.policy),
            fresh: Arc::default(),
            running: Running::default(),
            damage: Damage::default(),
        };
        let (tagging, projecting) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let trash_kept = Duration::from_secs(u64::from(config.trash_days) * 24 * 3600);
        let (events, roster) = (Events::default(), Roster::default());
        let figures = Figures::new(catalog.clone(), members.clone(), config.policy, roster.clone());
        let moving = Moving::new(u64::from(config.moves_mib_per_second) << 20);
        let (deciding, fsck) = (Arc::default(), Fsck::default());
        let api = Api {
            catalog: catalog.clone(),
            extents: extents.clone(),
            members: members.clone(),
            graph: Arc::clone(&graph),
            graph_kind,
            events: events.clone(),
            passwords,
            crowd: Crowd::default(),
            monitor: monitor(config, &*dial)?,
            roster: roster.clone(),
            figures: figures.clone(),
            fsck: fsck.clone(),
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
            cluster,
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
            figures: figures.clone(),
        };
        let pool = Arc::new(Pool::new(config.tagger.clone(), TAGGER_WORKERS, TAGGER_DEADLINE));
        let workers = Workers {
            extents,
            graph,
            pool,
            events,
            trash_kept,
            tagging,
            projecting,
            moving,
            orphans_every: Duration::from_secs(u64::from(config.orphans_minutes) * 60),
            allowance: Allowance::default(),
            fsck,
            spare_after: Duration::from_secs(u64::from(config.spare_after_minutes) * 60),
            scrubbing: Scrubbing {
                pace: Pace::new(
                    u64::from(config.scrub_mib_per_second) << 20,
                    Some(u64::from(config.scrub_shards_per_second)),
                ),
                every: Duration::from_secs(u64::from(config.scrub_hours) * 3600),
            },
            roster,
            figures,
        };
        let metrics = Metrics::default();
        api.metrics.register(&metrics, api.members.clone(), api.roster.clone(), &api.extents.damage);
        let pages = http::pages(metrics, readiness(&api));
        let news = News::of(&api);
        Ok(Self { router: api::router(api, pages), membership, workers, news })
    }
}

/// An index-server that listens and does not answer yet.
pub struct IndexServer {
    http: TcpListener,
    grpc: TcpListener,
    identity: Identity,
    core: Core,
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
        let around = Surroundings {
            cluster: identity.peer().cluster,
            catalog: open_catalog(config, &identity).await?,
            join_token,
            dial: Arc::new(identity.clone()),
            passwords: Passwords::new()?,
        };
        let core = Core::new(config, around, |shards| shards).await?;
        Ok(Self { http, grpc, identity, core })
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
        let Core { router, membership, workers, news } = self.core;
        let database = membership.catalog.database().clone();
        let membership = MembershipServer::new(membership).max_decoding_message_size(MESSAGE_BYTES_MAX);
        let workers = tokio::spawn(workers.run(stop.clone()));
        let news = tokio::spawn(news.follow(stop.clone()));
        let serving = http::serve(self.http, router, CONNECTIONS_MAX, stop.clone());
        let ((), served) = tokio::join!(
            serving,
            grpc::serve(self.grpc, &self.identity, Routes::new(membership), stop.clone())
        );
        stop.cancel();
        workers.await?;
        news.await?;
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
    dial: &dyn Dial,
) -> anyhow::Result<Option<MonitorClient<tonic::transport::Channel>>> {
    let channel = |address: &String| dial.channel(address, Target::Any(ProcessRole::Monitor));
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
            let database = api.catalog.database().ping().await.map_err(|_| "does not answer".to_owned());
            let floor = api.extents.policy.floor();
            let nodes = api.members.choose_group(floor, 0, |_| 0).map(drop).map_err(|few| few.to_string());
            vec![("database", database), ("storage nodes", nodes)] as Vec<Check>
        })
    })
}
