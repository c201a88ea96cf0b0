//! Machines that are lost, come back, come back empty, and come back again and again.

use anyhow::{Context, ensure};
use asterism_e2e::faults::content::ContentDigest;
use asterism_e2e::faults::site::INDEX;
use asterism_e2e::faults::{Content, Figures, Load, Oracle, Site, fill, put, trials};
use asterism_e2e::story::HEALING_LIMIT;
use asterism_e2e::{Options, until, within};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(600);

/// All sets of `size` of the numbers below `of`, in an order in which neighbours have much in common.
fn sets(of: usize, size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let grown = |set: Vec<usize>| {
        let first = set.last().map_or(0, |last| last + 1);
        (first..of).map(move |next| [&set[..], &[next]].concat()).collect::<Vec<_>>()
    };
    sets(of, size - 1).into_iter().flat_map(grown).collect()
}

/// Kills and starts nodes until exactly the ones of `dead` are down.
async fn only_dead(site: &mut Site, dead: &[String]) -> anyhow::Result<()> {
    for name in site.node_names() {
        match (dead.contains(&name), site.pid(&name).is_some()) {
            (true, true) => site.kill(&name)?,
            (false, false) => site.launch(&name)?,
            _ => {}
        }
    }
    site.all_running_online().await
}

#[tokio::test]
async fn any_two_of_seven_nodes_may_be_lost_and_three_lost_ones_lose_nothing() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::start(Options { nodes: 7, ..Options::default() }).await?;
        let oracle = Oracle::default();
        fill(&site, &oracle, "/kept", 28, 2).await?;
        let before = site.settled_shards().await?;
        let names = site.node_names();
        let named = |set: &[usize]| set.iter().map(|at| names[*at].clone()).collect::<Vec<_>>();

        let mut two = Figures::default();
        for pair in sets(7, 2) {
            only_dead(&mut site, &named(&pair)).await?;
            let checked = site.check(&oracle).await.with_context(|| format!("without {:?}", named(&pair)))?;
            two.add(checked.files, checked.slowest);
        }
        ensure!(two.trials == 21, "C(7,2) is 21, not {}", two.trials);
        two.print("F26")?;

        let mut three = Figures::default();
        let triples = sets(7, 3);
        // A number without common divisors with 35 meets all of them in the end.
        let mut at = 0;
        let mut unreadable = 0;
        while three.trials < trials(2).min(35) || unreadable == 0 {
            let dead = named(&triples[at * 16 % triples.len()]);
            at += 1;
            only_dead(&mut site, &dead).await?;
            let (files, slowest) =
                with_three_lost(&site, &oracle).await.with_context(|| format!("without {dead:?}"))?;
            unreadable += files;
            // One comes back, whichever: everything is there.
            only_dead(&mut site, &dead[1..]).await?;
            let checked = site.check(&oracle).await.with_context(|| format!("{} came back", dead[0]))?;
            three.add(checked.files, slowest.max(checked.slowest));
        }
        three.print("F28")?;

        only_dead(&mut site, &[]).await?;
        site.healed().await?;
        ensure!(site.settled_shards().await? == before, "shards were removed or made");
        site.stop_all().await?;
        for (name, shards) in before {
            let count = site.count_shards(&name)?;
            ensure!((count.good, count.bad) == (shards, 0), "{name} had {shards} shards, now {count:?}");
        }
        site.nobody_panicked()
    })
    .await
}

/// With more than `m` nodes lost: what cannot be read says so, no byte is wrong, nothing is taken, and the status tells. Two nodes
/// of seven share a column, so that no group loses more than two where both are among the dead.
async fn with_three_lost(site: &Site, oracle: &Oracle) -> anyhow::Result<(u64, Duration)> {
    until("three nodes that are offline", Duration::from_secs(60), async || {
        let states = site.states().await?;
        let offline = states.values().filter(|state| *state == "offline").count();
        ensure!(offline == 3, "{states:?}");
        Ok(())
    })
    .await?;
    let (mut unreadable, mut slowest) = (0, Duration::ZERO);
    for (path, content) in oracle.held() {
        let begin = Instant::now();
        let response = site.request(Method::GET, &format!("/content{path}")).send().await?;
        let (status, body) = (response.status(), response.bytes().await?);
        slowest = slowest.max(begin.elapsed());
        if status == StatusCode::OK {
            ensure!(ContentDigest::of(&body) == content, "{path}: wrong bytes");
            continue;
        }
        let problem: Value = serde_json::from_slice(&body).context("a problem")?;
        ensure!(status == StatusCode::SERVICE_UNAVAILABLE, "{path}: {status} {problem}");
        ensure!(problem["code"] == "too_few_nodes", "{path}: {problem}");
        unreadable += 1;
    }
    let margin = site.status().await?["groups"]["worst_margin"].as_i64();
    ensure!(
        margin == Some(if unreadable > 0 { -1 } else { 0 }),
        "{unreadable} unreadable, margin {margin:?}"
    );
    let refused = put(site, oracle, "/refused", &Content::new(1, 300_000)).await?;
    ensure!(refused.status == StatusCode::SERVICE_UNAVAILABLE, "{refused:?}");
    Ok((unreadable, slowest))
}

#[tokio::test]
async fn nodes_come_back_empty_or_in_the_middle_of_a_rebuild_and_everything_is_whole_again()
-> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::start(Options::default()).await?;
        let oracle = Oracle::default();
        fill(&site, &oracle, "/before", 28, 2).await?;

        // Away during uploads.
        site.kill("n1")?;
        fill(&site, &oracle, "/while-n1-is-away", 14, 1).await?;
        site.start_node("n1").await?;
        let took = site.healed().await?;
        let checked = read_without(&mut site, &oracle, &["n2", "n3"]).await?;
        Figures { trials: 1, lost: 0, files: checked, slowest: took }.print("F30")?;

        // An empty disk under the same id is no order to delete.
        let mut emptied = Figures::default();
        for round in 0..trials(1) {
            let name = format!("n{}", round % 6 + 1);
            site.kill(&name)?;
            fs::remove_dir_all(site.node_dir(&name)?)?;
            site.start_node(&name).await?;
            let took = healed_after_loss(&site, &name).await?;
            let others: Vec<_> =
                site.node_names().into_iter().filter(|other| *other != name).take(2).collect();
            let others: Vec<_> = others.iter().map(String::as_str).collect();
            emptied.add(read_without(&mut site, &oracle, &others).await?, took);
        }
        // The same, and who would have remembered the node is new as well.
        for name in ["n2", INDEX] {
            site.kill(name)?;
        }
        fs::remove_dir_all(site.node_dir("n2")?)?;
        let begin = Instant::now();
        site.start_all().await?;
        let granted = site.call(Method::POST, "/nodes/n3/stop?dry_run=true").await?;
        ensure!(
            granted.status == StatusCode::CONFLICT,
            "n2 is empty, and n3 may go all the same: {granted:?}"
        );
        healed_after_loss(&site, "n2").await?;
        emptied.add(read_without(&mut site, &oracle, &["n3", "n4"]).await?, begin.elapsed());
        emptied.print("F31")?;

        // Sources die while they feed a rebuild: what was there stays, and it goes on when they are back.
        site.kill("n6")?;
        fs::remove_dir_all(site.node_dir("n6")?)?;
        let before = site.settled_shards().await?;
        site.start_node("n6").await?;
        site.status_until("the rebuild", Duration::from_secs(60), |status| {
            status["short_extents"].as_u64() > Some(0)
        })
        .await?;
        site.kill("n5")?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        site.kill("n4")?;
        for name in ["n4", "n5"] {
            let count = site.count_shards(name)?;
            ensure!(
                count.good == before[name] && count.bad == 0,
                "{name} had {} shards, now {count:?}",
                before[name]
            );
        }
        site.start_node("n4").await?;
        site.start_node("n5").await?;
        let took = site.healed().await?;
        let files = read_without(&mut site, &oracle, &["n1", "n2"]).await?;
        Figures { trials: 1, lost: 0, files, slowest: took }.print("F35")?;
        site.nobody_panicked()
    })
    .await
}

async fn healed_after_loss(site: &Site, name: &str) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    until(&format!("the shards of {name}"), HEALING_LIMIT, async || {
        let shards = site.shards().await?;
        ensure!(shards[name] > 0, "{shards:?}");
        Ok(())
    })
    .await?;
    site.healed().await?;
    Ok(begin.elapsed())
}

/// Reads everything with these nodes dead, and starts them again.
async fn read_without(site: &mut Site, oracle: &Oracle, dead: &[&str]) -> anyhow::Result<u64> {
    let dead: Vec<String> = dead.iter().map(ToString::to_string).collect();
    only_dead(site, &dead).await?;
    let checked = site.check(oracle).await.with_context(|| format!("without {dead:?}"))?;
    only_dead(site, &[]).await?;
    Ok(checked.files)
}

#[tokio::test]
async fn restarts_one_by_one_fail_no_request_and_a_node_that_flaps_makes_no_storm() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::start(Options::default()).await?;
        let oracle = Oracle::default();

        // Every node in turn is asked to stop and comes back.
        let mut rolling = Figures::default();
        let load = Load::new(&site, &oracle, 38);
        let (seen, ()) = load
            .beside(async |_| {
                for _ in 0..trials(1) {
                    for name in site.node_names() {
                        site.stop_server(&name).await?;
                        site.start_node(&name).await?;
                        site.healed().await.with_context(|| format!("after the restart of {name}"))?;
                        rolling.trials += 1;
                    }
                }
                Ok(())
            })
            .await?;
        seen.nothing_failed()?;
        let checked = site.check(&oracle).await?;
        rolling.files = seen.reads + checked.files;
        rolling.slowest = seen.slowest;
        rolling.print("F38")?;

        // One node dies and comes back, dies and comes back.
        let mut flapping = Figures::default();
        let load = Load::new(&site, &oracle, 34);
        let (seen, ()) = load
            .beside(async |_| {
                for _ in 0..trials(4) {
                    site.kill("n3")?;
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    site.start_node("n3").await?;
                    tokio::time::sleep(Duration::from_secs(2)).await;
                    flapping.trials += 1;
                }
                Ok(())
            })
            .await?;
        ensure!(seen.failed_reads == 0, "one dead node failed reads: {:?}", seen.failures);
        site.healed().await?;
        let checked = site.check(&oracle).await?;
        flapping.files = seen.reads + checked.files;
        flapping.slowest = seen.slowest;
        flapping.print("F34")?;
        site.nobody_panicked()
    })
    .await
}
