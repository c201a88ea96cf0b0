//! Disks that fail, are slow or full, and processes at their limits. Needs root, strace, loop devices and ext4.

use anyhow::{Context, ensure};
use asterism_e2e::faults::disk::Disk;
use asterism_e2e::faults::oracle::REQUEST_LIMIT;
use asterism_e2e::faults::site::INDEX;
use asterism_e2e::faults::{Content, Figures, Load, Mix, Oracle, Site, fill, put, store, trials};
use asterism_e2e::{Options, http, until, within};
use reqwest::{Method, StatusCode};
use std::fs::{self, File};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(900);
/// From the last delete to an upload that finds room on disks that were full.
const ROOM_LIMIT: Duration = Duration::from_secs(60);

/// One kind of failure of one node's disk: what strace does to which calls. Its counters are per thread.
struct Failure {
    row: &'static str,
    calls: &'static str,
    does: &'static str,
}

const FAILURES: &[Failure] = &[
    Failure { row: "F20", calls: "fsync,fdatasync", does: "delay_enter=2000000" },
    Failure { row: "F21", calls: "pwrite64,pwritev,pread64", does: "error=EINTR:when=2+3" },
    Failure { row: "F56 sync", calls: "fsync,fdatasync", does: "error=EIO:when=6+5" },
    Failure { row: "F56 write", calls: "pwrite64,pwritev", does: "error=ENOSPC:when=4+5" },
    Failure { row: "F56 open", calls: "openat", does: "error=ENOSPC:when=60+5" },
    Failure { row: "F56 name", calls: "renameat,renameat2,linkat", does: "error=EIO:when=3+4" },
    Failure { row: "F51", calls: "pread64,preadv", does: "error=EIO:when=3+2" },
];

#[tokio::test]
async fn a_disk_that_fails_or_is_slow_costs_one_node_and_no_file() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::start(Options::default()).await?;
        let oracle = Oracle::default();
        fill(&site, &oracle, "/before", 14, 2).await?;
        for (at, Failure { row, calls, does }) in FAILURES.iter().enumerate() {
            let mut figures = Figures::default();
            for round in 0..trials(1) {
                let name = format!("n{}", (at as u64 + round) % 6 + 1);
                site.stop_server(&name).await?;
                let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:{does}"));
                site.wrap(&name, &["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
                // It may refuse to start on such a disk, or die of it: that is its right.
                site.launch(&name)?;
                let seen =
                    Load::new(&site, &oracle, at as u64 * 100 + round).during(Duration::from_secs(4)).await?;
                seen.nothing_failed().with_context(|| format!("{row}: {name} has a bad disk"))?;
                ensure!(seen.slowest < REQUEST_LIMIT, "{row}: a request took {:?}", seen.slowest);
                site.wrap(&name, &[]);
                if site.pid(&name).is_some() {
                    site.stop_or_kill(&name).await?;
                }
                let count = site.count_shards(&name)?;
                ensure!(count.bad == 0, "{row}: {name} has {count:?}");
                site.start_node(&name).await?;
                site.healed().await.with_context(|| (*row).to_owned())?;
                let checked = site.check(&oracle).await.with_context(|| (*row).to_owned())?;
                figures.add(seen.reads + checked.files, seen.slowest.max(checked.slowest));
            }
            figures.print(row)?;
        }
        site.nobody_panicked()
    })
    .await
}

/// Gives nodes small disks of their own; what must stay free on them is little.
fn small_disks(site: &Site, names: &[String], bytes: u64, options: &[&str]) -> anyhow::Result<Vec<Disk>> {
    let make = |name: &String| {
        let disk = Disk::with_options(site.home(), &format!("disk-{name}"), bytes, options)?;
        site.configure(name, "data_dir", &format!("'{}'", disk.path().join("store").display()))?;
        site.configure(name, "reserve_bytes", "2097152")?;
        Ok(disk)
    };
    names.iter().map(make).collect()
}

#[tokio::test]
async fn one_full_disk_is_avoided_and_many_full_disks_are_an_answer() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::prepare(Options { nodes: 7, ..Options::default() }).await?;
        let names = site.node_names();
        let _small = small_disks(&site, &names[..1], 24 << 20, &[])?;
        // A hundred files and not one more, and room for much.
        let _few_inodes = small_disks(&site, &names[1..2], 192 << 20, &["-N", "600"])?;
        let _rest = small_disks(&site, &names[2..], 96 << 20, &[])?;
        site.configure(INDEX, "trash_days", "0")?;
        site.start_all().await?;
        let oracle = Oracle::default();

        // More than n1 and n2 can take; every upload finds a place.
        let (begin, mut one) = (Instant::now(), Figures::default());
        for number in 0..60 {
            let content = Content::new(number, if number % 2 == 0 { 1 << 20 } else { 40_000 });
            store(&site, &oracle, &format!("/one-full/{number}"), &content).await?;
            one.trials += 1;
        }
        one.files = site.check(&oracle).await?.files;
        one.slowest = begin.elapsed() / 60;
        one.print("F54")?;
        one.print("F61")?;

        // Until nobody has room.
        let mut all = Figures::default();
        let mut refused = None;
        for number in 0..400 {
            let begin = Instant::now();
            let answer =
                put(&site, &oracle, &format!("/all-full/{number}"), &Content::new(number, 4 << 20)).await?;
            all.slowest = all.slowest.max(begin.elapsed());
            all.trials += 1;
            if !answer.status.is_success() {
                refused = Some(answer);
                break;
            }
        }
        let refused = refused.context("small disks took 1.6 GB")?;
        ensure!(refused.status.as_u16() == 507, "{refused:?}");
        ensure!(refused.json()?["code"] == "insufficient_storage", "{refused:?}");
        let checked = site.check(&oracle).await?;
        (all.files, all.slowest) = (checked.files, all.slowest.max(checked.slowest));
        all.print("F55")?;

        // What is deleted makes room, without a restart.
        let mut deleted = Figures { files: checked.files, ..Figures::default() };
        for number in 0..all.trials - 1 {
            let path = format!("/all-full/{number}");
            let pending = oracle.begin(&path, None);
            site.call(Method::DELETE, &format!("/files{path}")).await?.ok()?;
            oracle.acknowledged(pending);
            deleted.trials += 1;
        }
        let begin = Instant::now();
        until("an upload in the room of what was deleted", ROOM_LIMIT, async || {
            put(&site, &oracle, "/after", &Content::new(1, 4 << 20)).await?.ok()
        })
        .await
        .with_context(|| site.log_tails())?;
        deleted.slowest = begin.elapsed();
        site.removed().await?;
        deleted.files += site.check(&oracle).await?.files;
        deleted.print("F58")?;
        site.nobody_panicked()
    })
    .await
}

#[tokio::test]
async fn a_full_catalog_and_used_up_descriptors_are_survived() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::prepare(Options::default()).await?;
        let disk = Disk::make(site.home(), "disk-index", 48 << 20)?;
        for entry in fs::read_dir(site.data_dir())? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("index.db") {
                fs::copy(entry.path(), disk.path().join(entry.file_name()))?;
            }
        }
        let database = format!("'sqlite://{}'", disk.path().join("index.db").display());
        site.configure(INDEX, "database", &database)?;
        site.wrap(INDEX, &["prlimit", "--nofile=200:200"]);
        for name in ["n1", "n2"] {
            site.wrap(name, &["prlimit", "--nofile=64:64"]);
        }
        site.start_all().await?;
        let oracle = Oracle::default();
        fill(&site, &oracle, "/before", 14, 2).await?;

        // The catalog's disk is full.
        let filler = disk.path().join("filler");
        let file = File::create(&filler)?;
        let mut room = 48_u64 << 20;
        while room >= 4096 {
            if rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), file.metadata()?.len(), room)
                .is_err()
            {
                room /= 2;
            }
        }
        let begin = Instant::now();
        let mut full = Figures::default();
        let mut refusals = 0;
        for number in 0..200 {
            let answer =
                put(&site, &oracle, &format!("/while-full/{number}"), &Content::new(number, 100)).await?;
            full.trials += 1;
            if !answer.status.is_success() {
                let clear = [StatusCode::INSUFFICIENT_STORAGE, StatusCode::SERVICE_UNAVAILABLE]
                    .contains(&answer.status);
                ensure!(clear, "a full catalog says {answer:?}");
                refusals += 1;
            }
        }
        ensure!(refusals > 0, "the catalog was not full after {} files", full.trials);
        let pid = site.pid(INDEX);
        let checked = site.check(&oracle).await.context("reads while the catalog is full")?;
        drop(file);
        fs::remove_file(&filler)?;
        until("uploads with room again", Duration::from_secs(60), async || {
            put(&site, &oracle, "/after", &Content::new(1, 300_000)).await?.ok()
        })
        .await?;
        ensure!(site.pid(INDEX) == pid, "the index-server died of it");
        full.files = checked.files + site.check(&oracle).await?.files;
        full.slowest = begin.elapsed() / 200;
        full.print("F57")?;

        // More connections than descriptors: they wait or are refused, and afterwards all is well.
        let host = site.url().trim_start_matches("http://").to_owned();
        let mut crowd = Vec::new();
        for _ in 0..400 {
            if let Ok(Ok(stream)) =
                tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(&host)).await
            {
                crowd.push(stream);
            }
        }
        let held = crowd.len() as u64;
        // Whatever it answers now, it must not die.
        let _ = http::send(site.request(Method::GET, "/cluster")).await;
        drop(crowd);
        until("an answer without the crowd", REQUEST_LIMIT, async || site.states().await).await?;
        ensure!(site.pid(INDEX) == pid, "the index-server died of it");
        let seen =
            Load::new(&site, &oracle, 59).with_mix(Mix::default()).during(Duration::from_secs(4)).await?;
        seen.nothing_failed()?;
        let checked = site.check(&oracle).await?;
        let slowest = seen.slowest.max(checked.slowest);
        Figures { trials: held, lost: 0, files: seen.reads + checked.files, slowest }.print("F59")?;
        site.nobody_panicked()
    })
    .await
}
