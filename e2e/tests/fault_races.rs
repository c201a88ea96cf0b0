//! Clients that want different things of the same paths at the same time, and clients that take very long.

use anyhow::{Context, ensure};
use asterism_e2e::faults::content::ContentDigest;
use asterism_e2e::faults::{Chance, Content, Figures, Oracle, Site, store, trials};
use asterism_e2e::{Cluster, Options, http, until, within};
use futures::future::join_all;
use futures::{StreamExt, stream};
use reqwest::{Body, Method, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(600);

fn small() -> Options {
    Options { nodes: 3, policy: "2+1".to_owned(), ..Options::default() }
}

/// The bytes of a path, if there are any.
async fn read(cluster: &Cluster, path: &str) -> anyhow::Result<Option<ContentDigest>> {
    let response = cluster.request(Method::GET, &format!("/content{path}")).send().await?;
    let (status, body) = (response.status(), response.bytes().await?);
    match status {
        StatusCode::OK => Ok(Some(ContentDigest::of(&body))),
        StatusCode::NOT_FOUND => Ok(None),
        status => anyhow::bail!("{path}: {status} {}", String::from_utf8_lossy(&body)),
    }
}

/// What one client did to the path that all fight for: when it was asked for, when it was answered, and what it left.
#[derive(Clone, Copy, Debug)]
struct Event {
    began: Instant,
    ended: Instant,
    /// Written, removed, or seen.
    version: Option<ContentDigest>,
    wrote: bool,
}

/// Every read must be explained by a write that could have been the last one: not one that was over and overwritten before the
/// read began, and not one that began after the read ended.
fn check_history(history: &[Event]) -> anyhow::Result<()> {
    let writes: Vec<&Event> = history.iter().filter(|event| event.wrote).collect();
    for read in history.iter().filter(|event| !event.wrote) {
        let explained = writes.iter().filter(|write| write.version == read.version).any(|write| {
            let replaced = writes.iter().any(|other| other.began > write.ended && other.ended < read.began);
            write.began < read.ended && !replaced
        });
        let first = writes.iter().map(|write| write.ended).min();
        let before_all = read.version.is_none() && first.is_none_or(|first| read.began < first);
        ensure!(explained || before_all, "no write explains {read:?}");
    }
    Ok(())
}

#[tokio::test]
async fn clients_that_fight_for_one_path_see_one_order() -> anyhow::Result<()> {
    within(LIMIT, async {
        let site = Site::start(small()).await?;
        let mut fights = Figures::default();
        for round in 0..trials(4) {
            let path = format!("/fought-for/{round}");
            let history = Mutex::new(Vec::new());
            let clients = (0..6).map(async |client: u64| {
                let mut chance = Chance::new(round * 100 + client);
                for step in 0..12 {
                    let began = Instant::now();
                    let (version, wrote) = match chance.within(0..10) {
                        0..4 => {
                            let content =
                                Content::new(round << 20 | client << 10 | step, chance.within(0..60_000));
                            let request = site
                                .request(Method::PUT, &format!("/content{path}"))
                                .body(content.bytes.clone());
                            http::send(request).await?.ok()?;
                            (Some(content.digest), true)
                        }
                        4..6 => {
                            let answer = site.call(Method::DELETE, &format!("/files{path}")).await?;
                            match answer.status {
                                StatusCode::NO_CONTENT => (None, true),
                                // Whoever is told that there is nothing has read that.
                                StatusCode::NOT_FOUND => (None, false),
                                status => anyhow::bail!("{status}: {}", answer.text),
                            }
                        }
                        _ => (read(&site, &path).await?, false),
                    };
                    let event = Event { began, ended: Instant::now(), version, wrote };
                    history.lock().expect("no panic").push(event);
                }
                Ok(())
            });
            join_all(clients).await.into_iter().collect::<anyhow::Result<()>>()?;
            let history = history.into_inner().expect("no panic");
            check_history(&history).with_context(|| path.clone())?;
            let slowest = history.iter().map(|event| event.ended - event.began).max().unwrap_or_default();
            fights.add(history.len() as u64, slowest);
        }
        fights.print("F78")?;

        // Deleted and made again and again by one, read by others all the time.
        let mut again = Figures::default();
        let (path, versions) = ("/again", Mutex::new((0_u64, BTreeSet::from([None]))));
        let writer = async {
            for round in 1..=trials(40) {
                let content = Content::new(round, 20_000);
                versions.lock().expect("no panic").1.insert(Some(content.digest));
                let request =
                    site.request(Method::PUT, &format!("/content{path}")).body(content.bytes.clone());
                http::send(request).await?.ok()?;
                // The one and only from the acknowledgement on.
                versions.lock().expect("no panic").1 = BTreeSet::from([Some(content.digest)]);
                ensure!(
                    read(&site, path).await? == Some(content.digest),
                    "a stale read after an acknowledgement"
                );
                versions.lock().expect("no panic").1.insert(None);
                site.call(Method::DELETE, &format!("/files{path}")).await?.ok()?;
                versions.lock().expect("no panic").1 = BTreeSet::from([None]);
                ensure!(read(&site, path).await?.is_none(), "a deleted file is read");
            }
            versions.lock().expect("no panic").0 = 1;
            anyhow::Ok(())
        };
        let reader = async {
            let mut reads = 0;
            while versions.lock().expect("no panic").0 == 0 {
                let before = versions.lock().expect("no panic").1.clone();
                let seen = read(&site, path).await?;
                let after = versions.lock().expect("no panic").1.clone();
                // Anything that was possible before, after, or in between, which is a version of the writer in any case.
                let known = before.contains(&seen)
                    || after.contains(&seen)
                    || seen.is_some_and(|seen| seen.size == 20_000);
                ensure!(known, "{seen:?} was never there");
                reads += 1;
            }
            anyhow::Ok(reads)
        };
        let begin = Instant::now();
        let (written, reads) = tokio::join!(writer, reader);
        written?;
        again.trials = trials(40);
        again.files = reads? + 2 * trials(40);
        again.slowest = begin.elapsed() / trials(40) as u32;
        again.print("F93")?;
        site.nobody_panicked()
    })
    .await
}

#[tokio::test]
async fn a_file_that_goes_while_it_is_read_is_read_to_its_end_or_breaks() -> anyhow::Result<()> {
    within(LIMIT, async {
        let site = Site::start(small()).await?;
        let oracle = Oracle::default();
        let mut figures = Figures::default();
        for round in 0..trials(2) {
            let content = Content::new(round, 24 << 20);
            let path = format!("/read-and-deleted/{round}");
            store(&site, &oracle, &path, &content).await?;
            let begin = Instant::now();
            let readers = (0..trials(10).min(50)).map(async |_| {
                let mut response =
                    site.request(Method::GET, &format!("/content{path}")).send().await?.error_for_status()?;
                let first = response.chunk().await?.context("the first bytes")?;
                anyhow::Ok((response, first))
            });
            let mut readers = join_all(readers).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
            // Half the rounds overwrite, which removes the shards for good; a delete keeps them in the trash.
            if round % 2 == 0 {
                store(&site, &oracle, &path, &Content::new(99, 1_000)).await?;
            } else {
                let pending = oracle.begin(&path, None);
                site.call(Method::DELETE, &format!("/files{path}")).await?.ok()?;
                oracle.acknowledged(pending);
            }
            site.removed().await?;
            let mut ended = 0;
            for (response, first) in &mut readers {
                let mut bytes = first.to_vec();
                let whole = loop {
                    match response.chunk().await {
                        Ok(Some(piece)) => bytes.extend_from_slice(&piece),
                        Ok(None) => break true,
                        Err(_) => break false,
                    }
                };
                let right =
                    content.bytes.starts_with(&bytes) && (!whole || bytes.len() == content.bytes.len());
                ensure!(right, "{path}: {} bytes came, to a clean end: {whole}", bytes.len());
                ended += 1;
            }
            figures.trials += ended;
            figures.slowest = figures.slowest.max(begin.elapsed());
        }
        figures.files = site.check(&oracle).await?.files + figures.trials;
        figures.print("F92")?;

        // An upload that takes longer than anything that tidies up.
        let mut slow = Figures::default();
        let content = Content::new(91, 40_000);
        let pieces: Vec<_> = content.bytes.chunks(1_000).map(bytes::Bytes::copy_from_slice).collect();
        let pause = Duration::from_millis(350) * u32::try_from(trials(1))?.min(10);
        let body = stream::iter(pieces).then(move |piece| async move {
            tokio::time::sleep(pause).await;
            Ok::<_, std::io::Error>(piece)
        });
        let begin = Instant::now();
        let pending = oracle.begin("/slow", Some(content.digest));
        let request = site.request(Method::PUT, "/content/slow").body(Body::wrap_stream(body));
        http::send_within(request, LIMIT).await?.ok()?;
        oracle.acknowledged(pending);
        slow.add(site.check(&oracle).await?.files, begin.elapsed());
        slow.print("F91")?;
        site.nobody_panicked()
    })
    .await
}

#[tokio::test]
async fn moves_that_cross_make_no_circle_and_lose_no_tree() -> anyhow::Result<()> {
    within(LIMIT, async {
        let site = Site::start(small()).await?;
        let (oracle, folders) = (Oracle::default(), ["a", "b", "c", "d"]);
        for folder in folders {
            for file in 0..3 {
                let content = Content::new(file, 100);
                store(&site, &oracle, &format!("/{folder}/{folder}{file}"), &content).await?;
            }
        }
        let expected = files_below(&site, "").await?.into_values().collect::<BTreeSet<_>>();
        ensure!(expected.len() == 12, "{expected:?}");
        let mut figures = Figures::default();
        let begin = Instant::now();
        for round in 0..trials(10) {
            let movers = (0..4).map(async |mover: u64| {
                let mut chance = Chance::new(round * 10 + mover);
                for _ in 0..6 {
                    // Where it is now is anybody's guess: most of these are refused, and that must be all.
                    let all: Vec<String> = folders_below(&site, "").await?.into_iter().collect();
                    let from = chance.one_of(&all).clone();
                    let into = chance.one_of(&all).clone();
                    let name = from.rsplit('/').next().unwrap_or_default();
                    let body = json!({"from": from, "to": format!("{into}/{name}")});
                    let answer = http::send(site.request(Method::POST, "/files:move").json(&body)).await?;
                    let fine =
                        answer.status.is_success() || [400, 404, 409].contains(&answer.status.as_u16());
                    ensure!(fine, "{body}: {} {}", answer.status, answer.text);
                }
                Ok(())
            });
            join_all(movers).await.into_iter().collect::<anyhow::Result<()>>()?;
            let found = files_below(&site, "").await?.into_values().collect::<BTreeSet<_>>();
            ensure!(found == expected, "round {round}: {found:?} of {expected:?}");
            figures.add(found.len() as u64, Duration::ZERO);
        }
        figures.slowest = begin.elapsed() / u32::try_from(figures.trials * 24)?;
        figures.print("F96")?;

        // The same name for the same upload at once: one version, whole, and the same answer for all.
        let mut keyed = Figures::default();
        for round in 0..trials(5) {
            let content = Content::new(round, 70_000);
            let path = format!("/keyed/{round}");
            let pending = oracle.begin(&path, Some(content.digest));
            let begin = Instant::now();
            let uploads = (0..4).map(|at| {
                let request = site.request(Method::PUT, &format!("/content{path}"));
                let request =
                    request.header("Idempotency-Key", format!("key-{round}")).body(content.bytes.clone());
                async move {
                    if at == 3 {
                        // One of them goes away in the middle.
                        let _ = tokio::time::timeout(Duration::from_millis(3), http::send(request)).await;
                        return Ok(None);
                    }
                    http::send(request).await.map(Some)
                }
            });
            let answers = join_all(uploads).await.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
            for answer in answers.into_iter().flatten() {
                ensure!(answer.status.is_success() || answer.status == StatusCode::CONFLICT, "{answer:?}");
            }
            oracle.acknowledged(pending);
            ensure!(read(&site, &path).await? == Some(content.digest), "{path} is not whole");
            keyed.add(1, begin.elapsed());
        }
        // Only one set of shards stays of each.
        until("the removal of repeated uploads", Duration::from_secs(60), async || {
            let shards: u64 = site.settled_shards().await?.values().sum();
            let wanted = 12 * 2 + trials(5) * 3;
            ensure!(shards == wanted, "{shards} shards, not {wanted}");
            Ok(())
        })
        .await?;
        keyed.print("F97")?;
        site.nobody_panicked()
    })
    .await
}

async fn entries(site: &Site, folder: &str) -> anyhow::Result<Vec<Value>> {
    let folder = if folder.is_empty() { "/" } else { folder };
    let answer = site.call(Method::GET, &format!("/folders{folder}?limit=1000")).await?;
    if answer.status == StatusCode::NOT_FOUND {
        // Moved away while we looked.
        return Ok(Vec::new());
    }
    Ok(answer.ok()?.json()?["items"].as_array().context("items")?.clone())
}

/// The paths of all folders, wherever they are now.
async fn folders_below(site: &Site, root: &str) -> anyhow::Result<BTreeSet<String>> {
    let (mut found, mut open) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in entries(site, &folder).await?.iter().filter(|entry| entry["kind"] == "folder") {
            let path = entry["path"].as_str().context("a path")?.to_owned();
            open.push(path.clone());
            found.insert(path);
        }
    }
    Ok(found)
}

/// The names of all files by path, wherever they are now.
async fn files_below(site: &Site, root: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut folders = folders_below(site, root).await?;
    folders.insert(root.to_owned());
    for folder in folders {
        for entry in entries(site, &folder).await?.iter().filter(|entry| entry["kind"] == "file") {
            let path = entry["path"].as_str().context("a path")?;
            found.insert(path.to_owned(), path.rsplit('/').next().unwrap_or(path).to_owned());
        }
    }
    Ok(found)
}
