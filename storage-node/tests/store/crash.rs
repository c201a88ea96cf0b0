//! Random work, and the power goes at any operation of the disk; also while the store is opened again.

use crate::bed::{Random, Sample, delete, key, open, read, run};
use asterism_storage_node::{
    disk::{Fault, Operation, SimDisk},
    shard::ShardKey,
    store::{Deleted, Store},
};
use std::collections::BTreeMap;

const KEYS: u64 = 24;

/// What a shard may be after what was asked for and answered.
#[derive(Clone, Debug)]
struct Allowed {
    /// One of these; `None` is absent.
    states: Vec<Option<Sample>>,
}

impl Default for Allowed {
    fn default() -> Self {
        Self { states: vec![None] }
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Put(Sample),
    Delete(ShardKey),
}

impl Act {
    fn key(&self) -> ShardKey {
        match self {
            Self::Put(sample) => sample.key,
            Self::Delete(key) => *key,
        }
    }
}

struct World {
    seed: u64,
    random: Random,
    disk: SimDisk,
    allowed: BTreeMap<ShardKey, Allowed>,
    acknowledged: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            random: Random(seed ^ 0xabcd),
            disk: SimDisk::new(seed),
            allowed: BTreeMap::new(),
            acknowledged: 0,
        }
    }

    fn act(&mut self) -> Act {
        let key = key(self.random.below(KEYS));
        let known = self.allowed.get(&key).and_then(|allowed| match allowed.states.as_slice() {
            [Some(sample)] => Some(*sample),
            _ => None,
        });
        if self.random.below(3) == 0 {
            return Act::Delete(key);
        }
        // The same again, now and then; a shard that is there can't become another one.
        if let Some(sample) = known {
            return Act::Put(sample);
        }
        let extent_bytes = match self.random.below(10) {
            0 => 0,
            1 => 20_000 + self.random.below(30_000),
            _ => self.random.below(9_000),
        };
        Act::Put(Sample { key, extent_bytes, seed: self.random.next(), epoch: 1 })
    }

    /// Several at once, each on a key of its own, so that they share a sync.
    fn acts(&mut self) -> Vec<Act> {
        let count = 1 + self.random.below(6);
        let mut acts: BTreeMap<ShardKey, Act> = BTreeMap::new();
        for _ in 0..count {
            let act = self.act();
            acts.insert(act.key(), act);
        }
        acts.into_values().collect()
    }

    async fn work(&mut self, store: &Store) {
        for _ in 0..1 + self.random.below(30) {
            if self.disk.is_off() {
                return;
            }
            let acts = self.acts();
            let results = futures::future::join_all(acts.iter().map(|act| perform(store, *act))).await;
            for (act, result) in acts.into_iter().zip(results) {
                self.note(act, result);
            }
            if self.random.below(8) == 0 {
                store.tend().await.unwrap();
            }
            if self.random.below(40) == 0 {
                // A failure loses nothing; the next start reads the log.
                let _ = store.close().await;
            }
        }
    }

    fn note(&mut self, act: Act, acknowledged: bool) {
        let allowed = self.allowed.entry(act.key()).or_default();
        let state = match act {
            Act::Put(sample) => Some(sample),
            Act::Delete(_) => None,
        };
        if acknowledged {
            self.acknowledged += 1;
            allowed.states = vec![state];
        } else if !allowed.states.contains(&state) {
            allowed.states.push(state);
        }
    }

    /// Opens the store; the power may go meanwhile, again and again.
    fn open(&mut self) -> Store {
        for _ in 0..3 {
            if self.random.below(4) == 0 {
                self.disk.cut_after(self.random.below(12));
                let opened = open(&self.disk);
                drop(opened);
                self.disk.power_cut();
            }
        }
        open(&self.disk).unwrap_or_else(|error| panic!("seed {}: {error}", self.seed))
    }

    /// Every shard is what it may be; after a restart it is what was seen from now on. Before one, what failed in doubt is not seen
    /// and may still come true, unless something was acknowledged since.
    async fn check(&mut self, store: &Store, restarted: bool) {
        let mut there = 0;
        for (key, allowed) in &mut self.allowed {
            let found = read(store, *key).await.unwrap_or_else(|error| {
                panic!("seed {}: shard {key} is {error}; allowed {:?}", self.seed, allowed.states)
            });
            let seen = allowed.states.iter().copied().find(|state| match (state, &found) {
                (None, None) => true,
                (Some(sample), Some((bytes, cells))) => {
                    *bytes == sample.extent_bytes && *cells == sample.cells()
                }
                _ => false,
            });
            let Some(seen) = seen else {
                let found = found.map(|(bytes, _)| bytes);
                panic!("seed {}: shard {key} has {found:?} bytes, allowed {:?}", self.seed, allowed.states);
            };
            there += u64::from(seen.is_some());
            if restarted {
                allowed.states = vec![seen];
            }
        }
        let listed = store.list(None, usize::MAX);
        assert_eq!(
            (listed.len() as u64, store.usage().unwrap().shards),
            (there, there),
            "seed {}",
            self.seed
        );
    }
}

async fn perform(store: &Store, act: Act) -> bool {
    match act {
        Act::Put(sample) => sample.put(store).await.is_ok(),
        Act::Delete(key) => delete(store, key, 1).await.is_ok_and(|deleted| deleted != Deleted::Failed),
    }
}

async fn live(seed: u64) -> u64 {
    let mut world = World::new(seed);
    for _ in 0..4 {
        let store = world.open();
        world.check(&store, true).await;
        if world.random.below(6) > 0 {
            world.disk.cut_after(world.random.below(400));
        }
        world.work(&store).await;
        drop(store);
        // What was begun in the background has a chance to see the power gone.
        tokio::task::yield_now().await;
        world.disk.power_cut();
    }
    let store = world.open();
    world.check(&store, true).await;
    world.acknowledged
}

/// Found a fault once: 7656 a number that was used twice.
const KNOWN: [u64; 1] = [7656];

/// Which seeds; `ASTERISM_SEEDS` asks for more, `ASTERISM_SEED` for one.
fn seeds(usual: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match number("ASTERISM_SEED") {
        Some(one) => vec![one],
        None => (0..number("ASTERISM_SEEDS").unwrap_or(usual)).chain(KNOWN).collect(),
    }
}

#[test]
fn whenever_the_power_goes_what_was_acknowledged_is_there() {
    let seeds = seeds(400);
    let (mut acknowledged, count) = (0, seeds.len() as u64);
    for seed in seeds {
        acknowledged += run(live(seed));
    }
    assert!(
        count == 1 || acknowledged >= count * 20,
        "{acknowledged} acknowledged by {count} seeds are too few to prove anything"
    );
}

async fn live_with_faults(seed: u64) {
    let mut world = World::new(seed);
    let operations = [
        Operation::Write,
        Operation::Sync,
        Operation::SyncFolder,
        Operation::Create,
        Operation::Rename,
        Operation::Remove,
    ];
    for _ in 0..4 {
        let store = world.open();
        world.check(&store, true).await;
        for _ in 0..1 + world.random.below(4) {
            let operation = operations[world.random.below(operations.len() as u64) as usize];
            let fault = Fault::once(operation).after(world.random.below(60)).times(1 + world.random.below(3));
            world.disk.inject(fault);
        }
        if world.random.below(2) == 0 {
            world.disk.cut_after(world.random.below(400));
        }
        world.work(&store).await;
        world.disk.heal();
        if !world.disk.is_off() {
            // Failures have spoilt nothing that this process serves.
            world.check(&store, false).await;
        }
        drop(store);
        tokio::task::yield_now().await;
        world.disk.power_cut();
    }
    let store = world.open();
    world.check(&store, true).await;
}

#[test]
fn whatever_fails_on_the_disk_what_was_acknowledged_is_there() {
    for seed in seeds(400) {
        run(live_with_faults(seed));
    }
}
