//! One seed, from an empty cluster to the last count.

use crate::{
    broken::Broken,
    census::{self, Counted},
    chance::Chance,
    client::{Client, Sent},
    faults::{Injector, Kind},
    index::{self, Index, Settings},
    ledger::{Compared, Ledger},
    network::Network,
    node::Node,
    panics,
    process::{Shared, lock},
    trace::Trace,
    world::Wall,
};
use asterism_erasure::Policy;
use asterism_proto::ClusterId;
use asterism_service::{failpoint, world};
use asterism_storage_node::disk::SimDisk;
use futures::future::try_join_all;
use std::{collections::BTreeMap, rc::Rc, time::Duration};
use tokio::time::{Instant, sleep};

/// The cluster is there by then.
const READY: Duration = Duration::from_secs(30);
/// A file is readable by then after nodes were lost: their silence must be noticed.
const READABLE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(500);

/// What came of one seed.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What is wrong, if anything.
    pub violation: Option<String>,
    /// How often each failpoint was passed.
    pub hits: BTreeMap<&'static str, u64>,
    /// How often each fault was injected.
    pub faults: BTreeMap<Kind, u64>,
    /// What came of requests.
    pub sent: Sent,
    /// What the oracle compared.
    pub compared: Compared,
    /// What was counted in the end.
    pub counted: Counted,
    /// Simulated time.
    pub time: Duration,
    /// Of the story; the same for the same seed.
    pub hash: blake3::Hash,
    /// Its lines.
    pub lines: u64,
}

/// Runs one seed on this thread.
pub fn run(seed: u64, broken: Broken, prints: bool) -> Report {
    panics::count();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime of one thread");
    let report = runtime.block_on(story(seed, broken, prints));
    drop(runtime);
    report
}

async fn story(seed: u64, broken: Broken, prints: bool) -> Report {
    let trace = Trace::begin(prints);
    let wall = Rc::new(Wall::new(Chance::new(seed, 1)));
    let stay = world::simulate(Rc::clone(&wall) as Rc<dyn world::Simulated>);
    let mut chance = Chance::new(seed, 2);
    let policies = [(2, 1), (1, 2), (2, 2), (4, 2)];
    let (data, parity) = chance.pick(&policies).copied().unwrap_or((2, 1));
    let policy = Policy::new(data, parity).expect("a policy that can be");
    let cluster = ClusterId::from_bytes([9; 16]);
    let network = Network::new(Chance::new(seed, 3));
    let hosts = policy.total() + chance.index(3);
    let settings =
        Settings { cluster, policy, nodes: hosts, network: network.clone(), broken, trace: trace.clone() };
    let index = Index::new(settings).expect("room for a catalog");
    let watched = index.clone();
    let watch = failpoint::watch(move |point| watched.passes(point));
    let nodes = (1..=hosts).map(|host| {
        let disk = SimDisk::new(Chance::new(seed, 100 + host as u64).number());
        Node::new(host, cluster, &network, disk, broken)
    });
    trace.note(format_args!("seed {seed}: {policy} on {hosts} nodes"));
    let ledger: Shared<Ledger> = Shared::default();
    let clients = (0..chance.within(2..5)).map(|number| Client {
        number,
        index: index.clone(),
        ledger: ledger.clone(),
        chance: Chance::new(seed, 1000 + number),
        trace: trace.clone(),
        policy,
        sent: Sent::default(),
    });
    let mut clients: Vec<Client> = clients.collect();
    let mut injector =
        Injector::new(nodes.collect(), index.clone(), network, wall, trace.clone(), Chance::new(seed, 4));
    let mut counted = Counted::default();
    let told = play(&mut injector, &mut clients, &ledger, &mut chance, &mut counted).await;
    let panicked = (panics::so_far() > 0).then(|| "something panicked".to_owned());
    let violation = told.err().or(panicked);
    if let Some(violation) = &violation {
        trace.note(format_args!("violation: {violation}"));
    }
    let time = trace.elapsed();
    let (hash, lines) = trace.hash();
    index.kill();
    drop(watch);
    drop(stay);
    let compared = lock(&ledger).compared;
    Report {
        seed,
        violation,
        hits: index.hits(),
        faults: injector.done.clone(),
        sent: clients.iter().fold(Sent::default(), |sum, client| sum.with(client.sent)),
        compared,
        counted,
        time,
        hash,
        lines,
    }
}

async fn play(
    injector: &mut Injector,
    clients: &mut [Client],
    ledger: &Shared<Ledger>,
    chance: &mut Chance,
    counted: &mut Counted,
) -> Result<(), String> {
    start(injector).await?;
    let end = Instant::now() + Duration::from_secs(chance.within(15..60));
    let requests = try_join_all(clients.iter_mut().map(|client| client.run(end)));
    let (requests, faults) = tokio::join!(requests, injector.run(end));
    requests?;
    faults?;
    injector.heal().await?;
    let healed_in = census::wait_until_whole(injector, ledger).await?;
    if injector.has_rot() {
        // What nobody has read since is found by a scrub that begins now.
        injector.let_time_pass();
        sleep(index::SCRUB_EVERY * 3).await;
        census::wait_until_whole(injector, ledger).await?;
    }
    *counted = Counted { healed_in, ..census::count(injector, ledger).await? };
    read_all(clients, ledger).await?;
    lose_nodes(injector, chance);
    read_all(clients, ledger).await
}

/// Starts all processes and waits for the placement groups.
async fn start(injector: &mut Injector) -> Result<(), String> {
    injector.index.start().await.map_err(|error| format!("the index-server does not start: {error:#}"))?;
    for node in &mut injector.nodes {
        node.start().map_err(|error| format!("node {} does not start: {error}", node.host))?;
    }
    let began = Instant::now();
    loop {
        if let Some(running) = injector.index.running()
            && !running.extents.members.groups().is_empty()
            && running.extents.members.all().iter().all(|member| member.is_live())
        {
            return Ok(());
        }
        if began.elapsed() > READY {
            return Err("the cluster did not come up".into());
        }
        sleep(AGAIN).await;
    }
}

/// Reads and lists everything that was ever touched.
async fn read_all(clients: &mut [Client], ledger: &Shared<Ledger>) -> Result<(), String> {
    let paths = lock(ledger).paths();
    for client in clients {
        let own = format!("/c{}/", client.number);
        for path in paths.iter().filter(|path| path.starts_with(&own)) {
            let began = Instant::now();
            while !client.get(path).await? {
                if began.elapsed() > READABLE {
                    return Err(format!("{path} cannot be read, though enough shards are whole"));
                }
                sleep(AGAIN).await;
            }
        }
        if !client.list().await? {
            return Err(format!("{own} cannot be listed"));
        }
    }
    Ok(())
}

/// As many nodes die as any file must survive.
fn lose_nodes(injector: &mut Injector, chance: &mut Chance) {
    let Some(running) = injector.index.running() else { return };
    let mut left: Vec<usize> = (0..injector.nodes.len()).collect();
    for _ in 0..running.extents.policy.parity() {
        let node = left.remove(chance.index(left.len()));
        injector.nodes[node].kill();
    }
}

impl Sent {
    /// Both together.
    fn with(self, other: Self) -> Self {
        Self {
            acknowledged: self.acknowledged + other.acknowledged,
            refused: self.refused + other.refused,
            unknown: self.unknown + other.unknown,
            unread: self.unread + other.unread,
            slowest: self.slowest.max(other.slowest),
        }
    }
}
