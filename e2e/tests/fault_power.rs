//! Power cuts: every disk forgets what was not synced, in the middle of a load. Needs root, loop devices and ext4.

use anyhow::{Context, ensure};
use asterism_e2e::faults::disk::Disk;
use asterism_e2e::faults::site::INDEX;
use asterism_e2e::faults::{Chance, Figures, Load, Oracle, Site, trials};
use asterism_e2e::servers::Mariadb;
use asterism_e2e::{Options, until, within};
use std::fs::{self, File};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(900);
/// Of each node; sparse, so it costs what is written.
const DISK_BYTES: u64 = 192 << 20;
/// A small disk cannot keep the usual 64 MiB free.
const RESERVE_BYTES: &str = "8388608";

/// Gives every node a disk of its own.
async fn disks(site: &Site) -> anyhow::Result<Vec<Disk>> {
    let mut disks = Vec::new();
    for name in site.node_names() {
        let disk = Disk::make(site.home(), &format!("disk-{name}"), DISK_BYTES)?;
        site.configure(&name, "data_dir", &format!("'{}'", disk.path().join("store").display()))?;
        site.configure(&name, "reserve_bytes", RESERVE_BYTES)?;
        disks.push(disk);
    }
    Ok(disks)
}

/// Moves the catalog onto a disk of its own.
fn catalog_disk(site: &Site) -> anyhow::Result<Disk> {
    let disk = Disk::make(site.home(), "disk-index", DISK_BYTES)?;
    for entry in fs::read_dir(site.data_dir())? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("index.db") {
            let copy = disk.path().join(name);
            fs::copy(entry.path(), &copy)?;
            // It must be there after the first cut as if it had been made there.
            File::open(&copy)?.sync_all()?;
        }
    }
    File::open(disk.path())?.sync_all()?;
    site.configure(INDEX, "database", &format!("'sqlite://{}'", disk.path().join("index.db").display()))?;
    Ok(disk)
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_power_goes_everywhere() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::prepare(Options::default()).await?;
        let mut disks = disks(&site).await?;
        disks.push(catalog_disk(&site)?);
        site.start_all().await?;
        let (oracle, mut chance) = (Oracle::default(), Chance::new(16));

        let (mut everywhere, mut all_but_one) = (Figures::default(), Figures::default());
        for cut in 0..trials(4) {
            // The odd ones leave one node its power.
            let spared = (cut % 2 == 1).then(|| chance.within(0..6) as usize);
            let load = Load::new(&site, &oracle, 16 + cut);
            let (seen, ()) = load
                .beside(async |load| {
                    load.more_acknowledged(25).await?;
                    tokio::time::sleep(Duration::from_millis(chance.within(0..200))).await;
                    // Anywhere first: a node, or the catalog.
                    let first = chance.within(0..disks.len() as u64) as usize;
                    let order = (0..disks.len()).map(|at| (first + at) % disks.len());
                    order.filter(|at| Some(*at) != spared).try_for_each(|at| disks[at].cut_power())?;
                    site.kill_all();
                    Ok(())
                })
                .await?;
            for (_, disk) in disks.iter_mut().enumerate().filter(|(at, _)| Some(*at) != spared) {
                disk.give_power().await?;
            }
            site.start_all().await?;
            let checked = site.check(&oracle).await.with_context(|| format!("after power cut {cut}"))?;
            let figures = if spared.is_some() { &mut all_but_one } else { &mut everywhere };
            figures.add(checked.files, checked.slowest.max(seen.slowest));
        }
        ensure!(oracle.files() > 10, "too little was acknowledged to prove anything: {}", oracle.files());
        site.healed().await?;
        site.check(&oracle).await?;
        all_but_one.print("F16")?;

        // Every shard under its final name, whole, on every node.
        site.stop_all().await?;
        for name in site.node_names() {
            let count = site.count_shards(&name)?;
            ensure!(count.bad == 0, "{name}: {count:?}");
        }
        everywhere.print("F25")?;
        site.nobody_panicked()
    })
    .await
}

#[tokio::test]
async fn a_mariadb_that_loses_its_power_keeps_what_was_acknowledged() -> anyhow::Result<()> {
    within(LIMIT, async {
        let folder = tempfile::tempdir()?;
        let mut disk = Disk::make(folder.path(), "mariadb", 1 << 30)?;
        let mut database = Mariadb::start_in(disk.path(), &[]).await?;
        let options = Options { database: Some(database.database("asterism")?), ..Options::default() };
        let mut site = Site::start(options).await?;
        let oracle = Oracle::default();
        let mut figures = Figures::default();
        for cut in 0..trials(2) {
            let load = Load::new(&site, &oracle, 18 + cut);
            let (seen, ()) = load
                .beside(async |load| {
                    load.more_acknowledged(25).await?;
                    disk.cut_power()?;
                    database.kill();
                    Ok(())
                })
                .await?;
            disk.give_power().await?;
            database.start_again().await?;
            until("the cluster with its database", Duration::from_secs(60), async || site.states().await)
                .await?;
            let checked = site.check(&oracle).await.with_context(|| format!("after power cut {cut}"))?;
            figures.add(checked.files, checked.slowest.max(seen.slowest));
        }
        figures.print("F18")?;
        site.stop_all().await?;
        site.nobody_panicked()
    })
    .await
}
