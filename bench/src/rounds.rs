//! The run: rounds in which ceilings, cluster and peer take turns, then both systems at rest.

use crate::{
    args::{Args, PARTS, Sizes},
    ceiling,
    cluster::Cluster,
    codec,
    compare::{self, Totals},
    content::Content,
    goals,
    load::{self, File, Verb},
    machine::Machine,
    measure::{Measures, Sample, Work},
    needs,
    peer::{Beside, INSTALL_MINIO, MINIO},
    report::{Peer, Report},
    table,
};
use anyhow::Context;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use tokio::task::spawn_blocking;

/// Slices of the codec's shapes are short, and cost little beside a round of the cluster.
const SLICES_PER_ROUND: u32 = 3;
const DEAD_NODES: usize = 2;

/// Runs everything that `args` ask for.
pub(crate) async fn run(args: &Args) -> anyhow::Result<Report> {
    let (sizes, rounds, program, folder) = (args.sizes(), args.rounds(), args.program()?, args.folder());
    let without_peers = args.without_peers;
    let shapes =
        spawn_blocking(move || codec::measure_shapes(SLICES_PER_ROUND * rounds, without_peers)).await??;
    let beside = match args.minio()? {
        Some(minio) => Some(Beside::start(&minio, folder).await?),
        None => None,
    };
    let cluster = Cluster::start(&program, folder).await?;
    let fresh_bytes = needs::resident_bytes(&ids(&cluster.up.processes()));
    let scratch = cluster.folder("ceilings")?;
    let machine = Machine::look(&scratch)?;
    let measures = Measures::default();
    let mut bench = Bench { cluster, beside, scratch, sizes, measures, peaks: BTreeMap::new() };
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        bench.round(round).await.with_context(|| format!("round {}", round + 1))?;
    }
    let report = bench.report(machine, rounds, fresh_bytes, needs::program_bytes(&program)?).await?;
    Ok(report.with_shapes(shapes))
}

struct Bench {
    cluster: Cluster,
    beside: Option<Beside>,
    scratch: PathBuf,
    sizes: Sizes,
    measures: Measures,
    /// Most memory that a process of each role has ever held, also those that were killed.
    peaks: BTreeMap<String, u64>,
}

impl Bench {
    async fn round(&mut self, round: u32) -> anyhow::Result<()> {
        let sizes = self.sizes;
        for (work, sample) in spawn_blocking(codec::measure).await?? {
            self.measures.note(work, sample);
        }
        let large = files(round, "large", 1, sizes.large_bytes);
        let parts = files(round, "part", PARTS, sizes.part_bytes());
        let small = files(round, "small", sizes.small_files, sizes.small_bytes);

        let (bytes, coded) = (sizes.large_bytes, sizes.large_bytes / 2 * 3);
        self.ceiling(Work::LoopbackStream, move |_| ceiling::loopback_stream(bytes)).await?;
        self.ceiling(Work::DiskStream, move |folder| ceiling::disk_stream(folder, bytes, bytes)).await?;
        self.ceiling(Work::DiskStreamCoded, move |folder| ceiling::disk_stream(folder, coded, bytes)).await?;
        self.load(Work::PutLarge, Verb::Put, &large).await?;
        self.cluster.rest().await?;
        self.load(Work::GetLarge, Verb::Get, &large).await?;
        self.both(round, Work::PutParts, Verb::Put, &parts).await?;
        self.both(round, Work::GetParts, Verb::Get, &parts).await?;

        let (count, each, clients) = (sizes.small_files, sizes.small_bytes, sizes.concurrency);
        self.ceiling(Work::AppendAlone, move |folder| ceiling::disk_appends(folder, count, each, 1)).await?;
        self.ceiling(Work::AppendTogether, move |folder| ceiling::disk_appends(folder, count, each, clients))
            .await?;
        self.ceiling(Work::LoopbackExchange, move |_| ceiling::loopback_exchange(count, each, clients))
            .await?;
        self.both(round, Work::PutSmall, Verb::Put, &small).await?;
        self.both(round, Work::GetSmall, Verb::Get, &small).await?;
        self.note_memory();
        self.degraded(round, &large, &parts, &small).await
    }

    /// The same reads with dead nodes, others each round.
    async fn degraded(
        &mut self,
        round: u32,
        large: &Arc<[File]>,
        parts: &Arc<[File]>,
        small: &Arc<[File]>,
    ) -> anyhow::Result<()> {
        let dead = self.cluster.kill_nodes(DEAD_NODES, round as usize).await?;
        let dead_beside = match &mut self.beside {
            Some(beside) => beside.kill_nodes(DEAD_NODES, round as usize).await?,
            None => Vec::new(),
        };
        self.load(Work::DegradedGetLarge, Verb::Get, large).await?;
        self.both(round, Work::DegradedGetParts, Verb::Get, parts).await?;
        self.both(round, Work::DegradedGetSmall, Verb::Get, small).await?;
        self.note_memory();
        if let Some(beside) = &mut self.beside {
            beside.wake(&dead_beside).await?;
        }
        self.cluster.wake(&dead).await?;
        self.cluster.rest().await.map(drop)
    }

    async fn ceiling(
        &mut self,
        work: Work,
        measure: impl FnOnce(&Path) -> anyhow::Result<Sample> + Send + 'static,
    ) -> anyhow::Result<()> {
        let scratch = self.scratch.clone();
        let sample = spawn_blocking(move || measure(&scratch)).await?;
        self.measures.note(work, sample.with_context(|| work.name(&self.sizes))?);
        Ok(())
    }

    /// Ours and the peer's, which take turns in being first. What ours leaves to do in the background is done before
    /// anything else begins.
    async fn both(&mut self, round: u32, work: Work, verb: Verb, files: &Arc<[File]>) -> anyhow::Result<()> {
        let peer_first = round % 2 == 1;
        if peer_first {
            self.load_beside(work, verb, files).await?;
        }
        if work == Work::PutSmall {
            self.put_and_tag(files).await?;
        } else {
            self.load(work, verb, files).await?;
        }
        if verb == Verb::Put {
            self.cluster.rest().await?;
        }
        if !peer_first {
            self.load_beside(work, verb, files).await?;
        }
        Ok(())
    }

    async fn load(&mut self, work: Work, verb: Verb, files: &Arc<[File]>) -> anyhow::Result<()> {
        let before = self.cluster.up.cpu_seconds();
        let run = load::run(&self.cluster.target, verb, files.clone(), self.sizes.concurrency).await;
        let run = run.with_context(|| work.name(&self.sizes))?;
        let servers_cpu_seconds = Some(self.cluster.up.cpu_seconds() - before);
        self.measures.note(work, Sample { servers_cpu_seconds, ..run.sample(work, files) });
        Ok(())
    }

    async fn load_beside(&mut self, work: Work, verb: Verb, files: &Arc<[File]>) -> anyhow::Result<()> {
        let Some(beside) = &mut self.beside else { return Ok(()) };
        let outcome = beside.load(work, verb, files, self.sizes.concurrency).await;
        outcome.with_context(|| work.name(&self.sizes))
    }

    /// Puts `files` and waits until their tags and the graph are there as well.
    async fn put_and_tag(&mut self, files: &Arc<[File]>) -> anyhow::Result<()> {
        let (begin, before) = (Instant::now(), self.cluster.up.cpu_seconds());
        self.load(Work::PutSmall, Verb::Put, files).await?;
        let seconds = (self.cluster.rest().await? - begin).as_secs_f64();
        let servers_cpu_seconds = Some(self.cluster.up.cpu_seconds() - before);
        let sample = Sample::of(files.len() as f64, seconds);
        self.measures.note(Work::TagSmall, Sample { servers_cpu_seconds, ..sample });
        Ok(())
    }

    fn note_memory(&mut self) {
        for (role, memory) in self.cluster.up.memory() {
            let peak = self.peaks.entry(role).or_default();
            *peak = memory.peak.max(*peak);
        }
    }

    /// Both systems at rest, everything stopped, and all rows.
    async fn report(
        mut self,
        machine: Machine,
        rounds: u32,
        fresh_bytes: u64,
        program_bytes: u64,
    ) -> anyhow::Result<Report> {
        self.cluster.rest().await?;
        self.note_memory();
        let (sizes, watched) = (self.sizes, self.cluster.up.processes());
        let needs = needs::watch(watched, sizes.idle_seconds, &self.peaks).await;
        let beside = match &self.beside {
            Some(beside) => {
                let needs = needs::watch(beside.processes(), sizes.idle_seconds, &BTreeMap::new()).await;
                Some((&beside.measures, beside.totals(&needs)))
            }
            None => None,
        };
        let totals = Totals::of(&needs, fresh_bytes, program_bytes);
        let comparisons = compare::comparisons(&sizes, (&self.measures, totals), beside);
        let goals = goals::goals(&sizes, &self.measures, &comparisons, &needs, MINIO);
        let rows = table::rows(&self.measures, &sizes, &needs);
        let peer = Peer { name: MINIO, installed: self.beside.is_some(), install: INSTALL_MINIO };
        self.cluster.stop().await?;
        if let Some(beside) = self.beside {
            beside.stop().await?;
        }
        Ok(Report {
            machine,
            rounds,
            codec: codec::name()?,
            rows,
            peer,
            comparisons,
            goals,
            shapes: Vec::new(),
        })
    }
}

fn ids(processes: &[(u32, String)]) -> Vec<u32> {
    processes.iter().map(|(id, _)| *id).collect()
}

/// Each has its own content and its own path: equal ones could be had cheaper.
fn files(round: u32, name: &str, count: u32, bytes: u64) -> Arc<[File]> {
    let file = |number: u32| File {
        path: format!("/bench/{round}/{name}/{number}"),
        content: Content::new(u64::from(round) * u64::from(count) + u64::from(number), bytes),
    };
    (0..count).map(file).collect()
}
