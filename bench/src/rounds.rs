//! The run: rounds in which ceilings and cluster take turns, then the cluster at rest.

use crate::{
    args::{Args, PARTS, Sizes},
    ceiling,
    cluster::Cluster,
    codec,
    content::Content,
    load::{self, File, Run, Verb},
    machine::Machine,
    measure::{Measures, Sample, Work, quantile},
    process,
    report::Report,
    table::{self, Needs},
};
use anyhow::Context;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::spawn_blocking, time::sleep};

const DEAD_NODES: usize = 2;

/// Runs everything that `args` ask for.
pub(crate) async fn run(args: &Args) -> anyhow::Result<Report> {
    let (sizes, rounds) = (args.sizes(), args.rounds());
    let cluster = Cluster::start(&args.program()?, args.data_dir.as_deref()).await?;
    let scratch = cluster.folder("ceilings")?;
    let machine = Machine::look(&scratch)?;
    let mut bench = Bench { cluster, scratch, sizes, measures: Measures::default(), peaks: BTreeMap::new() };
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        bench.round(round).await.with_context(|| format!("round {}", round + 1))?;
    }
    let needs = bench.at_rest().await?;
    let rows = table::rows(&bench.measures, &sizes, &needs);
    bench.cluster.stop().await?;
    Ok(Report { machine, rounds, codec: codec::name()?, rows })
}

struct Bench {
    cluster: Cluster,
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
        self.load(Work::PutParts, Verb::Put, &parts).await?;
        self.cluster.rest().await?;
        self.load(Work::GetParts, Verb::Get, &parts).await?;

        let (count, each, clients) = (sizes.small_files, sizes.small_bytes, sizes.concurrency);
        self.ceiling(Work::AppendAlone, move |folder| ceiling::disk_appends(folder, count, each, 1)).await?;
        self.ceiling(Work::AppendTogether, move |folder| ceiling::disk_appends(folder, count, each, clients))
            .await?;
        self.ceiling(Work::LoopbackExchange, move |_| ceiling::loopback_exchange(count, each, clients))
            .await?;
        self.put_and_tag(&small).await?;
        self.load(Work::GetSmall, Verb::Get, &small).await?;
        self.note_memory();

        let dead = self.cluster.kill_nodes(DEAD_NODES, round as usize).await?;
        self.load(Work::DegradedGetLarge, Verb::Get, &large).await?;
        self.load(Work::DegradedGetSmall, Verb::Get, &small).await?;
        self.note_memory();
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

    async fn load(&mut self, work: Work, verb: Verb, files: &Arc<[File]>) -> anyhow::Result<()> {
        let before = self.cluster.up.cpu_seconds();
        let run = load::run(&self.cluster.target, verb, files.clone(), self.sizes.concurrency).await;
        let run = run.with_context(|| work.name(&self.sizes))?;
        let servers_cpu_seconds = Some(self.cluster.up.cpu_seconds() - before);
        let amount = match work.unit() {
            "MB/s" => files.iter().map(|file| file.content.bytes as f64 / 1e6).sum(),
            _ => files.len() as f64,
        };
        self.measures.note(work, Sample { servers_cpu_seconds, ..sample(amount, &run) });
        Ok(())
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

    /// What each process needs while nothing is asked of it.
    async fn at_rest(&mut self) -> anyhow::Result<Vec<Needs>> {
        self.cluster.rest().await?;
        self.note_memory();
        let watched = self.cluster.up.processes();
        let before: Vec<Option<f64>> = watched.iter().map(|(id, _)| process::cpu_seconds(*id).ok()).collect();
        let begin = Instant::now();
        sleep(Duration::from_secs(self.sizes.idle_seconds)).await;
        let seconds = begin.elapsed().as_secs_f64();
        let needs = watched.into_iter().zip(before).filter_map(|((id, role), before)| {
            let idle_cpu_percent = (process::cpu_seconds(id).ok()? - before?) / seconds * 100.0;
            let memory = process::memory(id)?;
            let peak_bytes = self.peaks.get(&role).copied().unwrap_or(memory.peak);
            Some(Needs { role, peak_bytes, resident_bytes: memory.resident, idle_cpu_percent })
        });
        let mut needs: Vec<Needs> = needs.collect();
        needs.sort_by(|one, other| one.role.cmp(&other.role));
        Ok(needs)
    }
}

fn sample(amount: f64, run: &Run) -> Sample {
    let quantile = |percent| quantile(&run.latencies_ms, percent);
    Sample {
        client_cpu_seconds: Some(run.client_cpu_seconds),
        latency_ms: quantile(50).zip(quantile(99)),
        ..Sample::of(amount, run.seconds)
    }
}

/// Each has its own content and its own path: equal ones could be had cheaper.
fn files(round: u32, name: &str, count: u32, bytes: u64) -> Arc<[File]> {
    let file = |number: u32| File {
        path: format!("/bench/{round}/{name}/{number}"),
        content: Content::new(u64::from(round) * u64::from(count) + u64::from(number), bytes),
    };
    (0..count).map(file).collect()
}
