//! Bits that flip on disks: every one is found and made good, and nobody ever gets a wrong byte.

use anyhow::{Context, ensure};
use asterism_e2e::faults::site::INDEX;
use asterism_e2e::faults::{Chance, Content, Figures, Oracle, Site, store};
use asterism_e2e::story::HEALING_LIMIT;
use asterism_e2e::{Options, http, locate, until, within};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(600);
/// What the matrix asks for.
const FLIPS: usize = 1_000;
/// Losses that policy 4+2, and three copies, survive.
const PARITY: usize = 2;
/// How a record lies on the disk: a header, then each cell behind its checksum.
const HEADER_BYTES: u64 = 128;
const CELL_BYTES: u64 = (256 << 10) + 8;
/// Files by size and number: copies in logs, small shards in logs, large shards in files of their own.
const FILES: [(u64, u64); 3] = [(4_000, 60), (150_000, 200), (24 << 20, 10)];
/// Uploads at once.
const AT_ONCE: usize = 4;

/// A shard on a disk.
struct Shard {
    file: PathBuf,
    offset: u64,
    bytes: u64,
}

/// All shards of the site by extent, as the nodes' directories have them.
fn shards(site: &Site) -> anyhow::Result<BTreeMap<String, Vec<Shard>>> {
    let mut extents: BTreeMap<String, Vec<Shard>> = BTreeMap::new();
    for name in site.node_names() {
        let directory = site.node_dir(&name)?;
        let mut command = Command::new(locate::binary("storage-node")?);
        let output = command.args(["check", "--list", "--json"]).arg(&directory).output()?;
        let listed: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        for shard in listed["shards"].as_array().context("a list of shards")? {
            let number = |field: &str| shard[field].as_u64().with_context(|| format!("{field} of {shard}"));
            let file = directory.join(shard["file"].as_str().context("a file")?);
            let extent = shard["extent"].as_str().context("an extent")?.to_owned();
            let shard = Shard { file, offset: number("offset")?, bytes: number("bytes")? };
            extents.entry(extent).or_default().push(shard);
        }
    }
    Ok(extents)
}

/// Where to flip: one place in each cell of a shard, or anywhere in one that has a single cell, its header too.
fn places(shard: &Shard, chance: &mut Chance) -> Vec<u64> {
    let cells = (shard.bytes - HEADER_BYTES).div_ceil(CELL_BYTES);
    if cells == 1 {
        return vec![shard.offset + chance.within(0..shard.bytes)];
    }
    let place = |cell: u64| {
        let start = HEADER_BYTES + cell * CELL_BYTES;
        shard.offset + chance.within(start..(start + CELL_BYTES).min(shard.bytes))
    };
    (0..cells).map(place).collect()
}

/// Flips one bit in each of [`FLIPS`] places, in no more shards of an extent than it can lose; how many shards that were.
fn rot(site: &Site, chance: &mut Chance) -> anyhow::Result<u64> {
    let (mut flips, mut spoiled) = (0, 0);
    for mut shards in shards(site)?.into_values() {
        for _ in 0..PARITY {
            let shard = shards.swap_remove(chance.within(0..shards.len() as u64) as usize);
            let file = File::options().read(true).write(true).open(&shard.file)?;
            let places = places(&shard, chance);
            let places = &places[..places.len().min(FLIPS - flips)];
            for place in places {
                let mut byte = [0];
                file.read_exact_at(&mut byte, *place)?;
                byte[0] ^= 1 << chance.within(0..8);
                file.write_all_at(&byte, *place)?;
            }
            file.sync_all()?;
            flips += places.len();
            spoiled += u64::from(!places.is_empty());
        }
    }
    ensure!(flips == FLIPS, "there was room for {flips} flips");
    Ok(spoiled)
}

/// The good shards of a node that does not run, counted on its disk. What a log held in the place of a spoiled header is no shard
/// any more; it goes with the log.
fn good_shards(site: &Site, name: &str) -> anyhow::Result<u64> {
    let mut command = Command::new(locate::binary("storage-node")?);
    let output = command.args(["check", "--json"]).arg(site.node_dir(name)?).output()?;
    let checked: Value = serde_json::from_slice(&output.stdout)?;
    let bad = checked["bad"].as_array().context("a list of what is bad")?;
    let shard = bad.iter().find(|bad| !bad["extent"].is_null());
    ensure!(shard.is_none(), "{name}: {shard:?}");
    checked["good"].as_u64().context("a count")
}

/// The sum of all samples of a counter.
async fn counted(site: &Site, name: &str) -> anyhow::Result<u64> {
    let page = http::get(&format!("{}/metrics", site.url())).await?;
    let start = format!("asterism_{name}_total");
    let of_it = |line: &&str| line.strip_prefix(&start).is_some_and(|rest| rest.starts_with([' ', '{']));
    let value = |line: &str| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok());
    Ok(page.lines().filter(of_it).filter_map(value).sum::<f64>() as u64)
}

async fn scrub(site: &Site) -> anyhow::Result<Value> {
    Ok(site.call(Method::GET, "/cluster").await?.ok()?.json()?["scrub"].clone())
}

/// Waits for a scrub that begins after now and reads everything; what it found.
async fn scrubbed(site: &Site) -> anyhow::Result<u64> {
    let before = scrub(site).await?["pass"].as_u64().context("a pass")?;
    until("a whole scrub", HEALING_LIMIT, async || {
        let now = scrub(site).await?;
        let whole = now["running"] == false && now["skipped"] == 0;
        ensure!(whole && now["pass"].as_u64() > Some(before), "{now}");
        now["found"].as_u64().context("a number")
    })
    .await
}

#[tokio::test]
async fn a_thousand_flipped_bits_are_found_and_repaired_and_nobody_reads_one() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::prepare(Options::default()).await?;
        site.configure(INDEX, "scrub_hours", "0")?;
        site.configure(INDEX, "scrub_mib_per_second", "1000")?;
        site.start_all().await?;
        let oracle = Oracle::default();
        let files = FILES.iter().flat_map(|(size, count)| (0..*count).map(move |number| (*size, number)));
        let uploads = files.map(|(size, number)| {
            let (site, oracle) = (&site, &oracle);
            async move {
                let content = Content::new(number, size);
                store(site, oracle, &format!("/{size}/{number}"), &content).await.map(drop)
            }
        });
        stream::iter(uploads).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        site.healed().await?;

        // Nobody looks while the bits flip: what is found is then exactly what was flipped.
        site.stop_server(INDEX).await?;
        let spoiled = rot(&site, &mut Chance::new(41))?;
        let begin = Instant::now();
        site.launch(INDEX)?;
        site.all_running_online().await?;

        // Every file is read again and again, until all is whole.
        let mut figures = Figures::default();
        loop {
            let checked = site.check(&oracle).await?;
            figures.files += checked.files;
            let repaired = counted(&site, "repaired_shards").await?;
            if repaired >= spoiled {
                break;
            }
            ensure!(begin.elapsed() < HEALING_LIMIT, "{repaired} of {spoiled} shards: {}", site.log_tails());
        }
        site.healed().await?;
        figures.trials = FLIPS as u64;
        figures.slowest = begin.elapsed();
        let found = scrubbed(&site).await?;
        ensure!(found == 0, "the next scrub found {found} bad shards");

        let (cells, shards) = (counted(&site, "damaged_cells").await?, counted(&site, "damaged_shards").await?);
        let repaired = counted(&site, "repaired_shards").await?;
        ensure!(
            (cells, shards, repaired) == (FLIPS as u64, spoiled, spoiled),
            "{cells} cells in {shards} shards were found and {repaired} repaired: it were {FLIPS} in {spoiled}"
        );
        let checked = site.check(&oracle).await?;
        figures.files += checked.files;
        site.stop_all().await?;
        let mut good = 0;
        for name in site.node_names() {
            good += good_shards(&site, &name)?;
        }
        ensure!(good == oracle.shards(), "{good} shards instead of {}", oracle.shards());
        figures.print("F41")?;
        site.nobody_panicked()
    })
    .await
}
