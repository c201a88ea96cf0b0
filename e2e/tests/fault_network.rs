//! Wires that are cut, slow, lossy or silent, and clocks that are wrong. Needs root, namespaces and iptables.

use anyhow::{Context, ensure};
use asterism_e2e::faults::oracle::REQUEST_LIMIT;
use asterism_e2e::faults::site::INDEX;
use asterism_e2e::faults::{
    Content, Figures, Load, Manners, Mix, Network, Oracle, Proxy, Site, fill, load::Seen, span, store, trials,
};
use asterism_e2e::process::peak_memory_bytes;
use asterism_e2e::{Options, until, within};
use futures::future::try_join_all;
use reqwest::Method;
use rustix::process::Signal;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(900);
/// What an index-server may hold, whatever goes through it.
const MEMORY_BYTES_MAX: u64 = 256 << 20;
/// Uploads, overwrites, moves and reads; nothing goes into the trash, so that shards can be counted.
const NO_TRASH: Mix = Mix { reads: 40, deletes: 0, moves: 5 };

/// What a fault may do to requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// None may fail.
    Nothing,
    /// Changes may be refused; reads may not fail.
    RefusedChanges,
    /// Any may fail, but each must end.
    Failures,
}

/// Injects a fault under load for a while, takes it away, and looks that nothing is lost and everything is whole again.
async fn under_load(
    site: &Site,
    oracle: &Oracle,
    row: &str,
    allowed: Allowed,
    during: Duration,
    inject: impl FnOnce() -> anyhow::Result<()>,
    heal: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Figures> {
    let load = Load::new(site, oracle, during.as_secs() + row.len() as u64).with_mix(NO_TRASH);
    let (seen, ()) = load
        .beside(async |_| {
            inject()?;
            tokio::time::sleep(during).await;
            heal()
        })
        .await?;
    judge(&seen, allowed).with_context(|| row.to_owned())?;
    site.healed().await?;
    let checked = site.check(oracle).await.with_context(|| row.to_owned())?;
    ensure!(seen.reads + seen.acknowledged > 0, "{row}: nothing was done: {:?}", seen.failures);
    let slowest = seen.slowest.max(checked.slowest);
    ensure!(slowest < REQUEST_LIMIT, "{row}: a request took {slowest:?}");
    let figures = Figures { trials: 1, lost: 0, files: seen.reads + checked.files, slowest };
    figures.print(row)?;
    Ok(figures)
}

fn judge(seen: &Seen, allowed: Allowed) -> anyhow::Result<()> {
    match allowed {
        Allowed::Nothing => seen.nothing_failed(),
        Allowed::RefusedChanges => {
            ensure!(seen.failed_reads == 0, "reads failed: {:?}", seen.failures);
            seen.nothing_wrong()
        }
        Allowed::Failures => seen.nothing_wrong(),
    }
}

#[tokio::test]
async fn wires_that_are_cut_or_bad_lose_nothing() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::prepare(Options::default()).await?;
        let network = Network::around(&mut site)?;
        site.start_all().await?;
        let (site, oracle) = (&site, Oracle::default());
        fill(site, &oracle, "/before", 14, 2).await?;
        let nodes = site.node_names();

        let cut = || network.cut("n1");
        under_load(site, &oracle, "F63", Allowed::Nothing, span(8), cut, || network.heal_all()).await?;
        let deaf = || network.drop_incoming("n2");
        under_load(site, &oracle, "F63 deaf", Allowed::Nothing, span(8), deaf, || network.heal_all()).await?;
        let dumb = || network.drop_outgoing("n3");
        under_load(site, &oracle, "F63 dumb", Allowed::Nothing, span(8), dumb, || network.heal_all()).await?;

        let all = || nodes.iter().try_for_each(|node| network.cut(node));
        under_load(site, &oracle, "F65 nodes", Allowed::Failures, span(5), all, || network.heal_all())
            .await?;

        let little = || nodes.iter().try_for_each(|node| network.lose(node, 5));
        under_load(site, &oracle, "F67 5%", Allowed::Failures, span(5), little, || network.heal_all())
            .await?;
        let much = || nodes.iter().try_for_each(|node| network.lose(node, 20));
        under_load(site, &oracle, "F67 20%", Allowed::Failures, span(5), much, || network.heal_all()).await?;
        let resets = || nodes.iter().try_for_each(|node| network.reset_every(node, 50));
        under_load(site, &oracle, "F67 resets", Allowed::Failures, span(5), resets, || network.heal_all())
            .await?;

        let slow = || network.limit_rate("n4", "1mbit");
        under_load(site, &oracle, "F69", Allowed::Nothing, span(8), slow, || network.heal_all()).await?;
        site.nobody_panicked()
    })
    .await
}

/// Puts a wire with faults in front of a node's gRPC; its heartbeats go another way, so it seems to be well.
async fn wire(site: &Site, name: &str) -> anyhow::Result<Proxy> {
    let proxy = Proxy::start(&site.configured(name, "listen")?).await?;
    site.configure(name, "advertise", &format!("'{}'", proxy.address()))?;
    Ok(proxy)
}

#[tokio::test]
async fn nodes_that_stall_or_answer_late_hold_up_nobody_for_long() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::prepare(Options::default()).await?;
        let (one, other) = (wire(&site, "n1").await?, wire(&site, "n2").await?);
        site.start_all().await?;
        let (site, oracle) = (&site, Oracle::default());
        fill(site, &oracle, "/before", 14, 2).await?;

        let set = |proxies: &[&Proxy], manners| {
            proxies.iter().for_each(|proxy| proxy.set(manners));
            Ok(())
        };
        let late = || set(&[&one], Manners::Delay(Duration::from_millis(200)));
        let well = || set(&[&one, &other], Manners::Pass);
        under_load(site, &oracle, "F68 200 ms", Allowed::Nothing, span(5), late, well).await?;
        let later = || set(&[&one], Manners::Delay(Duration::from_secs(2)));
        under_load(site, &oracle, "F68 2 s", Allowed::Nothing, span(8), later, well).await?;
        let silent = || set(&[&one], Manners::Silence);
        under_load(site, &oracle, "F70", Allowed::Nothing, span(12), silent, well).await?;
        let both = || set(&[&one, &other], Manners::Silence);
        under_load(site, &oracle, "F70 two", Allowed::RefusedChanges, span(8), both, well).await?;
        let flipped = || set(&[&one], Manners::Flip);
        under_load(site, &oracle, "F48", Allowed::Nothing, span(3), flipped, well).await?;

        // Stopped, while others go on; what it does when it goes on itself is late and must not count.
        let stop = || site.signal("n3", Signal::STOP);
        let go_on = || site.signal("n3", Signal::CONT);
        under_load(site, &oracle, "F71", Allowed::Nothing, span(5), stop, go_on).await?;
        until("no shard of an older version", Duration::from_secs(60), async || {
            let shards: u64 = site.settled_shards().await?.values().sum();
            ensure!(shards == oracle.shards(), "{shards} shards, {} are of files", oracle.shards());
            Ok(())
        })
        .await
        .with_context(|| site.log_tails())?;
        site.nobody_panicked()
    })
    .await
}

#[tokio::test]
async fn slow_readers_take_neither_memory_nor_time_of_others() -> anyhow::Result<()> {
    within(LIMIT, async {
        let site = Site::start(Options::default()).await?;
        let oracle = Oracle::default();
        let large = Content::new(73, 96 << 20);
        store(&site, &oracle, "/large", &large).await?;
        let readers = (0..trials(10).min(200)).map(async |_| {
            let mut response =
                site.request(Method::GET, "/content/large").send().await?.error_for_status()?;
            response.chunk().await?.context("the first bytes")?;
            anyhow::Ok(response)
        });
        let readers = try_join_all(readers).await?;
        let seen = Load::new(&site, &oracle, 73).during(span(6)).await?;
        seen.nothing_failed()?;
        let index = site.pid(INDEX).context("the index-server runs")?;
        let peak = peak_memory_bytes(index)?;
        ensure!(peak < MEMORY_BYTES_MAX, "the index-server held {} MiB", peak >> 20);
        let (slow, files) = (readers.len() as u64, seen.reads);
        drop(readers);
        site.check(&oracle).await?;
        Figures { trials: slow, lost: 0, files, slowest: seen.slowest }.print("F73")?;
        site.nobody_panicked()
    })
    .await
}

const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// Has a server live at another time from its next start on; nothing is the right time.
fn live_at(site: &mut Site, name: &str, offset: &str) {
    let library = if offset.is_empty() { "" } else { FAKETIME };
    site.set_variable(name, "LD_PRELOAD", library);
    site.set_variable(name, "FAKETIME", offset);
    // Only the date is wrong: no clock of a machine runs backwards by itself.
    site.set_variable(name, "DONT_FAKE_MONOTONIC", if offset.is_empty() { "" } else { "1" });
}

#[tokio::test]
async fn wrong_clocks_change_what_is_shown_and_nothing_else() -> anyhow::Result<()> {
    within(LIMIT, async {
        ensure!(
            std::path::Path::new(FAKETIME).is_file(),
            "libfaketime is not installed: run `make test-servers`"
        );
        let mut site = Site::prepare(Options::default()).await?;
        live_at(&mut site, "n1", "-1h");
        live_at(&mut site, "n2", "+1h");
        live_at(&mut site, "n3", "+300d");
        site.start_all().await?;
        let oracle = Oracle::default();
        let mut figures = Figures::default();
        // The index-server itself jumps an hour ahead, and back, and back again.
        for (round, offset) in ["", "+1h", "-1h"].into_iter().enumerate() {
            site.stop_server(INDEX).await?;
            live_at(&mut site, INDEX, offset);
            site.launch(INDEX)?;
            site.index_ready().await?;
            site.all_running_online().await?;
            let seen = Load::new(&site, &oracle, 87 + round as u64).during(span(4)).await?;
            seen.nothing_failed().with_context(|| format!("the clock of the index-server at {offset:?}"))?;
            let checked = site.check(&oracle).await?;
            figures.add(checked.files, checked.slowest.max(seen.slowest));
        }
        figures.print("F87")?;

        // Overwritten last by the server whose clock is behind: the last one counts.
        let mut overwritten = Figures::default();
        for (round, offset) in ["+1h", "-1h", ""].into_iter().enumerate() {
            site.stop_server(INDEX).await?;
            live_at(&mut site, INDEX, offset);
            site.launch(INDEX)?;
            site.index_ready().await?;
            site.all_running_online().await?;
            for file in 0..5 {
                let content = Content::new(round as u64 * 10 + file, 50_000);
                store(&site, &oracle, &format!("/overwritten/{file}"), &content).await?;
            }
            let checked = site.check(&oracle).await?;
            overwritten.add(checked.files, checked.slowest);
        }
        overwritten.print("F89")?;
        site.healed().await?;
        site.nobody_panicked()
    })
    .await
}
