//! The index-server: its real core on an SQLite file, behind the simulated network.
//!
//! It can end at any await and at any failpoint: its catalog is then copied as the file system has it, journal included, which is what
//! is left after `kill -9`; the next one starts from the copy. What is left of the old one in memory talks to nobody any more.

use crate::{
    broken::Broken,
    network::{Network, address},
    process::{Process, Shared, lock},
    trace::Trace,
};
use asterism_erasure::Policy;
use asterism_index_server::{
    Config, Core, Passwords, Surroundings,
    catalog::{Catalog, CredentialKind, Role as UserRole},
    files::Extents,
};
use asterism_proto::{ClusterId, Role, index::membership_server::MembershipServer};
use asterism_service::{Peer, Secret, grpc};
use axum::Router;
use std::{
    collections::BTreeMap,
    fs,
    future::poll_fn,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    pin::pin,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tempfile::TempDir;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use uuid::Uuid;

/// What nodes show to join.
pub(crate) const JOIN_TOKEN: &str = "the simulated cluster's join token";
/// The token of the user on whose behalf everything is asked.
pub(crate) const API_TOKEN: &str = "the simulated user's token";
/// So long do deleted files stay in the trash.
const TRASH_KEPT: Duration = Duration::from_secs(5);
/// From one scrub to the next.
pub(crate) const SCRUB_EVERY: Duration = Duration::from_secs(15);
const GROUPS: u32 = 16;
const CATALOG: &str = "catalog.db";
const YIELDS: u32 = 1000;

/// At which failpoint an index-server ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The point.
    pub point: &'static str,
    /// How many times it is passed before.
    pub after: u64,
}

/// The failpoints of one seed.
#[derive(Default)]
struct Points {
    hits: BTreeMap<&'static str, u64>,
    planned: Option<End>,
}

/// One index-server at a time, and its catalog.
#[derive(Clone)]
pub struct Index(Shared<State>);

struct State {
    home: TempDir,
    /// How many ran before.
    generation: u64,
    running: Option<Running>,
    points: Points,
    settings: Settings,
}

/// What does not change from one index-server to the next.
#[derive(Clone)]
pub struct Settings {
    /// Of the cluster.
    pub cluster: ClusterId,
    /// Of new files.
    pub policy: Policy,
    /// Nodes of which groups are made.
    pub nodes: usize,
    /// The wires.
    pub network: Network,
    /// What is wrong with it.
    pub broken: Broken,
    /// The story.
    pub trace: Trace,
}

/// What others need of an index-server that runs.
#[derive(Clone)]
pub struct Running {
    /// Its life.
    pub process: Process,
    /// Takes requests.
    pub router: Router,
    /// The way from rows to bytes, for who counts.
    pub extents: Extents,
    stop: CancellationToken,
}

impl Index {
    /// None runs yet; the catalog has one user and no files.
    ///
    /// # Errors
    /// The machine has no room for a catalog.
    pub fn new(settings: Settings) -> io::Result<Self> {
        let home = home()?;
        let state = State { home, generation: 0, running: None, points: Points::default(), settings };
        fs::create_dir(state.directory(0))?;
        copy(template()?, &state.directory(0))?;
        Ok(Self(Shared::new(state.into())))
    }

    /// The one that runs.
    pub fn running(&self) -> Option<Running> {
        lock(&self.0).running.clone()
    }

    /// Starts one, unless one runs.
    ///
    /// # Errors
    /// The catalog cannot be opened.
    pub async fn start(&self) -> anyhow::Result<()> {
        let (directory, settings) = {
            let state = lock(&self.0);
            if state.running.is_some() {
                return Ok(());
            }
            (state.directory(state.generation), state.settings.clone())
        };
        let running = start(&directory, &settings).await?;
        lock(&self.0).running = Some(running);
        Ok(())
    }

    /// It is killed.
    pub fn kill(&self) {
        lock(&self.0).kill();
    }

    /// It will end at a failpoint, unless it ends before.
    pub fn end_at(&self, end: End) {
        lock(&self.0).points.planned = Some(end);
    }

    /// Nothing is planned any more; gives whether something was.
    pub fn go_on(&self) -> bool {
        lock(&self.0).points.planned.take().is_some()
    }

    /// It has come to a failpoint.
    pub fn passes(&self, point: &'static str) {
        let mut state = lock(&self.0);
        *state.points.hits.entry(point).or_default() += 1;
        if state.running.is_none() {
            return;
        }
        let Some(planned) = &mut state.points.planned else { return };
        if planned.point != point {
            return;
        }
        match planned.after.checked_sub(1) {
            Some(left) => planned.after = left,
            None => {
                state.settings.trace.note(format_args!("index-server ends at {point}"));
                state.points.planned = None;
                state.kill();
            }
        }
    }

    /// How often each failpoint was passed.
    pub fn hits(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.0).points.hits.clone()
    }
}

impl State {
    fn directory(&self, generation: u64) -> PathBuf {
        self.home.path().join(generation.to_string())
    }

    fn kill(&mut self) {
        let Some(running) = self.running.take() else { return };
        let (old, new) = (self.directory(self.generation), self.directory(self.generation + 1));
        let copied = fs::create_dir(&new).and_then(|()| copy(&old, &new));
        if let Err(error) = copied {
            panic!("the catalog of a simulated index-server could not be copied: {error}");
        }
        self.generation += 1;
        self.settings.network.end(&running.process, true);
        running.stop.cancel();
    }
}

async fn start(directory: &Path, settings: &Settings) -> anyhow::Result<Running> {
    let catalog = open(directory).await?;
    let peer = Peer { cluster: settings.cluster, role: Role::IndexServer, id: Uuid::from_u128(1) };
    let process = Process::start(0, peer);
    let around = Surroundings {
        cluster: settings.cluster,
        catalog,
        join_token: Secret::new(JOIN_TOKEN.to_owned()),
        dial: Arc::new(settings.network.dial(&process)),
        passwords: passwords()?.clone(),
    };
    let broken = settings.broken;
    let core = Core::new(&config(settings), around, |shards| broken.shards(shards)).await?;
    let stop = CancellationToken::new();
    let incoming = settings.network.listen(&address(0), &process);
    let serving = grpc::limited_server()
        .add_routes(Routes::new(MembershipServer::new(core.membership)))
        .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
    tokio::spawn(serving);
    let mut workers = core.workers;
    workers.trash_kept = TRASH_KEPT;
    workers.scrubbing.every = SCRUB_EVERY;
    let extents = workers.extents.clone();
    tokio::spawn(workers.run(stop.clone()));
    Ok(Running { process, router: core.router, extents, stop })
}

async fn open(directory: &Path) -> anyhow::Result<Catalog> {
    let url = format!("sqlite://{}", directory.join(CATALOG).display());
    // Who else has something to do at this moment does it first, so that it does not depend on how long opening takes.
    for _ in 0..YIELDS {
        yield_now().await;
    }
    Ok(standing_still(Catalog::open(&url)).await?)
}

/// Does `work`, for which a library's tasks and threads must run, at one moment of simulated time: it passes only while nobody has
/// anything to do.
async fn standing_still<F: Future>(work: F) -> F::Output {
    let mut work = pin!(work);
    poll_fn(|context| {
        let polled = work.as_mut().poll(context);
        context.waker().wake_by_ref();
        polled
    })
    .await
}

fn config(settings: &Settings) -> Config {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Config {
        listen: nowhere,
        grpc_listen: nowhere,
        identity_dir: PathBuf::new(),
        database: Secret::new(String::new()),
        graph: None,
        policy: settings.policy,
        nodes_expected: settings.nodes,
        groups: GROUPS,
        join_token_file: PathBuf::new(),
        monitor: None,
        // Real processes have no place in a simulation: files get their tags by name.
        tagger: vec!["/nonexistent/tagger".into()],
        trash_days: 30,
        upload_bytes_max: 1 << 30,
        moves_mib_per_second: 64,
        spare_after_minutes: 30,
        orphans_minutes: 60,
        scrub_mib_per_second: 32,
        scrub_shards_per_second: 500,
        scrub_hours: 24,
        https: false,
        log_level: String::new(),
        log_format: Default::default(),
    }
}

/// In memory where the machine has such a place: a sync of the real disk proves nothing here.
fn home() -> io::Result<TempDir> {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }
}

/// A catalog with its tables and one user; made once, since making it takes longer than many runs.
fn template() -> io::Result<&'static Path> {
    static MADE: OnceLock<Result<TempDir, String>> = OnceLock::new();
    let made = MADE.get_or_init(|| make_template().map_err(|error| format!("{error:#}")));
    made.as_ref().map(TempDir::path).map_err(|error| io::Error::other(error.clone()))
}

fn make_template() -> anyhow::Result<TempDir> {
    let home = home()?;
    let directory = home.path().to_owned();
    let making = async move {
        let catalog = open(&directory).await?;
        let user = catalog.create_user(&"admin".parse()?, "$argon2id$none", UserRole::Admin).await?.name;
        let hash = *blake3::hash(API_TOKEN.as_bytes()).as_bytes();
        catalog.create_credential(&user, CredentialKind::Token, "simulation", &hash, None).await?;
        catalog.database().close().await;
        anyhow::Ok(())
    };
    // On a thread and a clock of its own: this is no part of any run.
    let made = std::thread::spawn(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(making)
    });
    made.join().map_err(|_| anyhow::anyhow!("it broke off"))??;
    Ok(home)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for name in [CATALOG.to_owned(), format!("{CATALOG}-wal")] {
        match fs::copy(from.join(&name), to.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn passwords() -> anyhow::Result<&'static Passwords> {
    static MADE: OnceLock<Passwords> = OnceLock::new();
    if MADE.get().is_none() {
        MADE.set(Passwords::new()?).ok();
    }
    MADE.get().ok_or_else(|| anyhow::anyhow!("no password can be checked"))
}
