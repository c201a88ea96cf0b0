//! The whole process: bind, then serve.

use crate::{
    act::Acts,
    board::Board,
    collect::{Looks, Membership, Prober},
    config::Config,
    database,
    figures::{Figures, Own, Reader},
    grpc::MonitorService,
    http::{self, Pages},
    known,
    messages::Messages,
    power::Drivers,
    push::Pusher,
    record::Recorder,
    remote_write::RemoteWriter,
    tell::{
        Deliveries, Webhook, WebhookConfig,
        heartbeat::{Call, Heartbeat},
    },
    timeline::Timeline,
    warn::{self, Warner},
};
use anyhow::Context;
use asterism_proto::{Role, monitor::monitor_server::MonitorServer};
use asterism_service::{Identity, Metrics, Secret, grpc, http as service_http};
use sqlx::SqlitePool;
use std::{
    fs::File,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;

/// How often the state machine looks; the grain of every time limit.
const JUDGE_EVERY: Duration = Duration::from_millis(250);
const CHANGES_WAITING_MAX: usize = 256;
const HTTP_CONNECTIONS_MAX: usize = 64;
/// After gRPC has drained, acts and the last push get this long to end.
const DRAIN: Duration = Duration::from_secs(4);

/// A monitor that listens, and does not answer yet.
pub struct Monitor {
    /// Where gRPC is served.
    pub address: SocketAddr,
    /// Where HTTP is served.
    pub http_address: SocketAddr,
    listener: TcpListener,
    http_listener: TcpListener,
    identity: Identity,
    parts: Parts,
}

/// What serves, once it serves.
struct Parts {
    config: Config,
    board: Arc<Board>,
    own: Arc<Own>,
    reader: Arc<Reader>,
    membership: Arc<Membership>,
    timeline: Timeline,
    messages: Messages,
    metrics: Metrics,
    pusher: Option<Pusher>,
    tellers: Tellers,
    pool: SqlitePool,
    operator: Option<Secret>,
    /// Held until everything has ended.
    lock: Option<File>,
}

/// Those who tell others, as far as they are wanted.
struct Tellers {
    writer: Option<RemoteWriter>,
    webhooks: Vec<Webhook>,
    heartbeat: Option<Call>,
}

impl Tellers {
    fn new(
        config: &Config,
        pool: &SqlitePool,
        messages: &Messages,
        reader: &Arc<Reader>,
        metrics: &Metrics,
    ) -> anyhow::Result<Self> {
        let writer = config.remote_write.as_ref();
        let writer =
            writer.map(|write| RemoteWriter::new(write, &config.cluster, Arc::clone(reader), metrics));
        let deliveries = Deliveries::register(metrics);
        let webhook = |webhook: &WebhookConfig| {
            Webhook::new(webhook, &config.cluster, pool.clone(), messages.clone(), deliveries.clone())
        };
        Ok(Self {
            writer: writer.transpose()?,
            webhooks: config.webhooks.iter().map(webhook).collect::<Result<_, _>>()?,
            heartbeat: config.heartbeat.as_ref().map(Call::new).transpose()?,
        })
    }
}

impl Monitor {
    /// Opens the database and takes the ports.
    ///
    /// # Errors
    /// The configuration makes no sense, a port is in use, or identity or database cannot be opened.
    pub async fn bind(config: &Config) -> anyhow::Result<Self> {
        config.check()?;
        let identity = Identity::load(&config.identity_dir)?;
        anyhow::ensure!(
            identity.peer().role == Role::Monitor,
            "the identity in {} is that of a {}, not of a monitor",
            config.identity_dir.display(),
            identity.peer().role
        );
        let parts = Parts::open(config, &identity).await?;
        let listener = listen(config.listen).await?;
        let http_listener = listen(config.http_listen).await?;
        Ok(Self {
            address: listener.local_addr()?,
            http_address: http_listener.local_addr()?,
            listener,
            http_listener,
            identity,
            parts,
        })
    }

    /// Watches, serves and acts until `stop`; then finishes what is in flight.
    ///
    /// # Errors
    /// gRPC can no longer be served, or a worker ended that should not have.
    pub async fn serve(self, stop: CancellationToken) -> anyhow::Result<()> {
        let Self { listener, http_listener, identity, mut parts, .. } = self;
        let workers = Workers { stop: stop.child_token(), tasks: TaskTracker::new() };
        let _lock = parts.lock.take();
        let (metrics, cluster) = (parts.metrics.clone(), parts.config.cluster.as_str().into());
        let operator = parts.operator.take();
        let service = parts.start(&identity, &workers);
        let pages = Pages {
            board: Arc::clone(&service.board),
            timeline: service.timeline.clone(),
            messages: service.messages.clone(),
            acts: Arc::clone(&service.acts),
            cluster,
            operator,
        };
        let router = http::router(pages, metrics);
        workers.spawn(service_http::serve(http_listener, router, HTTP_CONNECTIONS_MAX, workers.stop.clone()));
        let acts = service.acts.tasks.clone();
        let routes = Routes::new(MonitorServer::new(service));
        let served = grpc::serve(listener, &identity, routes, workers.stop.clone()).await;
        workers.end(&acts).await;
        anyhow::ensure!(served.is_err() || stop.is_cancelled(), "a part of the monitor ended by itself");
        served
    }
}

/// Everything that runs beside gRPC. When one of them ends, be it by a panic, all end: half a monitor is worse than none.
struct Workers {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Workers {
    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone().drop_guard();
        self.tasks.spawn(async move {
            work.await;
            drop(stop);
        });
    }

    /// Gives the workers and `acts` a few seconds.
    async fn end(&self, acts: &TaskTracker) {
        self.stop.cancel();
        acts.close();
        self.tasks.close();
        let drained = async { tokio::join!(acts.wait(), self.tasks.wait()) };
        if timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("work was still open when the time to finish it ran out");
        }
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}

impl Parts {
    async fn open(config: &Config, identity: &Identity) -> anyhow::Result<Self> {
        let lock = database::lock(&config.data_dir)?;
        let pool = database::open(&config.data_dir).await?;
        let timeline = Timeline::new(pool.clone());
        let messages = Messages::new(pool.clone());
        let board = Board::new(config.limits(), timeline.last_states().await?);
        board.recall(known::load(&pool).await?);
        let metrics = Metrics::default();
        let pushes = config.pushgateway.as_ref().map(|_| config.push_interval_seconds.get().as_secs_f64());
        let own = Arc::new(Own::new(pushes, identity.certificate_end()?));
        let reader = Arc::new(Reader::new(Arc::clone(&board), Arc::clone(&own)));
        let tellers = Tellers::new(config, &pool, &messages, &reader, &metrics)?;
        let figures = Figures::new(Arc::clone(&board), Arc::clone(&reader));
        metrics.register(|registry| registry.register_collector(Box::new(figures)));
        let membership = Arc::new(Membership::new(&config.index_servers, identity)?);
        let every = config.push_interval_seconds.get();
        let pusher = config.pushgateway.as_deref().map(|gateway| {
            Pusher::new(gateway, &config.cluster, every, Arc::clone(&board), Arc::clone(&own), &metrics)
        });
        Ok(Self {
            config: config.clone(),
            board,
            own,
            reader,
            membership,
            timeline,
            messages,
            metrics,
            pusher: pusher.transpose()?,
            tellers,
            pool,
            operator: config.operator_token_file.as_deref().map(Secret::read).transpose()?,
            lock: Some(lock),
        })
    }

    /// Starts every worker; gives the service that stands on them.
    fn start(self, identity: &Identity, workers: &Workers) -> MonitorService {
        let Self {
            config,
            board,
            own,
            reader,
            membership,
            timeline,
            messages,
            metrics,
            pusher,
            tellers,
            pool,
            ..
        } = self;
        let stop = &workers.stop;
        let looks = Looks::register(&metrics);
        let (changes, inbox) = mpsc::channel(CHANGES_WAITING_MAX);
        let every = config.probe_interval_seconds.get();
        workers.spawn(Recorder::new(timeline.clone(), inbox, own).run(stop.clone()));
        let warner = Warner::new(Arc::clone(&board), reader, messages.clone(), &metrics);
        workers.spawn(known::keep(Arc::clone(&board), pool, stop.clone()));
        if let Some(heartbeat) = tellers.heartbeat {
            workers.spawn(Heartbeat::new(heartbeat, warner.evaluations()).run(stop.clone()));
        }
        for webhook in tellers.webhooks {
            workers.spawn(webhook.run(stop.clone()));
        }
        if let Some(writer) = tellers.writer {
            workers.spawn(writer.run(stop.clone()));
        }
        workers.spawn(warner.run(stop.clone()));
        workers.spawn(warn::name_files(
            Arc::clone(&board),
            Arc::clone(&membership),
            messages.clone(),
            stop.clone(),
        ));
        workers.spawn(Arc::clone(&membership).follow(
            Arc::clone(&board),
            every,
            changes.clone(),
            looks.clone(),
            stop.clone(),
        ));
        workers.spawn(Prober::new(identity.clone(), looks).run(Arc::clone(&board), every, stop.clone()));
        workers.spawn(judge(Arc::clone(&board), changes, stop.clone()));
        if let Some(pusher) = pusher {
            workers.spawn(pusher.run(stop.clone()));
        }
        let acts = Arc::new(Acts {
            board: Arc::clone(&board),
            membership,
            timeline: timeline.clone(),
            drivers: Drivers::new(config.power.clone()),
            deadline: config.act_deadline(),
            gone_after: config.limits().suspect_after,
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        });
        workers.spawn(Arc::clone(&acts).resolve_left_overs());
        MonitorService { board, timeline, messages, acts, stop: stop.clone() }
    }
}

/// Lets the state machine look again and again, until `stop`.
async fn judge(board: Arc<Board>, changes: mpsc::Sender<Vec<crate::board::Change>>, stop: CancellationToken) {
    let mut ticks = interval(JUDGE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        let changed = board.judge(Instant::now());
        if !changed.is_empty() && changes.send(changed).await.is_err() {
            return;
        }
    }
}
