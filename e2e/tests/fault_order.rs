//! The order of what reaches the disks, by the kernel's own record: nothing is answered before it is durable, and nothing is
//! removed before its end is. Needs strace.

use anyhow::{Context, ensure};
use asterism_e2e::faults::site::INDEX;
use asterism_e2e::faults::trace::{self, Call};
use asterism_e2e::faults::{Content, Figures, Oracle, Site, put, trials};
use asterism_e2e::{Options, within};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(600);

/// One change, and when it was asked for and answered.
struct Change {
    what: String,
    began: f64,
    ended: f64,
    /// Nodes that must have made something durable for it.
    nodes: usize,
}

#[tokio::test]
async fn nothing_is_answered_before_it_is_durable() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::prepare(Options::default()).await?;
        let names = site.node_names();
        for name in [&[INDEX.to_owned()][..], &names].concat() {
            let wrapper = trace::wrapper(&log(&site, &name));
            site.wrap(&name, &wrapper.iter().map(String::as_str).collect::<Vec<_>>());
        }
        site.start_all().await?;
        let oracle = Oracle::default();
        let mut changes = Vec::new();
        let mut slowest = Duration::ZERO;
        for round in 0..trials(2) {
            for (size, nodes) in [(0, 0), (100, 3), (200_000, 6), (2_621_441, 6)] {
                let path = format!("/{round}/{size}");
                for version in 0..2 {
                    let content = Content::new(round * 2 + version, size);
                    let began = (trace::now(), Instant::now());
                    put(&site, &oracle, &path, &content).await?.ok()?;
                    slowest = slowest.max(began.1.elapsed());
                    let what = if version == 0 {
                        format!("upload of {path}")
                    } else {
                        format!("overwrite of {path}")
                    };
                    changes.push(Change { what, began: began.0, ended: trace::now(), nodes });
                    if version == 1 {
                        // What was replaced goes now, so that whatever goes later goes too early.
                        site.removed().await?;
                    }
                }
            }
            let (from, to) = (format!("/{round}/100"), format!("/{round}/moved"));
            let moving = json!({"from": from, "to": to});
            for (what, request) in [
                ("mkdir", site.request(Method::POST, &format!("/folders/{round}/folder"))),
                ("move", site.request(Method::POST, "/files:move").json(&moving)),
                ("tag", site.request(Method::PUT, &format!("/files{to}/tags/kept"))),
                ("delete", site.request(Method::DELETE, &format!("/files{to}"))),
            ] {
                changes.push(change(what, request).await?);
            }
            oracle.acknowledged(oracle.begin(&from, None));
        }
        let checked = site.check(&oracle).await?;
        site.stop_all().await?;

        let index = trace::read(&log(&site, INDEX))?;
        let mut nodes = BTreeMap::new();
        for name in &names {
            let calls = trace::read(&log(&site, name))?;
            ensure!(calls.iter().any(Call::syncs), "{name} synced nothing: is it traced?");
            nodes.insert(site.node_dir(name)?, calls);
        }
        let mut violations = Vec::new();
        for change in &changes {
            if let Err(violation) = audit(change, &index, &nodes) {
                violations.push(format!("{}: {violation:#}", change.what));
            }
        }
        ensure!(
            violations.is_empty(),
            "{} of {} changes: {}",
            violations.len(),
            changes.len(),
            violations.join("\n")
        );
        Figures { trials: changes.len() as u64, lost: 0, files: checked.files, slowest }.print("F24")?;
        site.nobody_panicked()
    })
    .await
}

fn log(site: &Site, name: &str) -> PathBuf {
    site.home().join(format!("{name}.trace"))
}

async fn change(what: &str, request: RequestBuilder) -> anyhow::Result<Change> {
    let began = trace::now();
    asterism_e2e::http::send(request).await?.ok().with_context(|| what.to_owned())?;
    Ok(Change { what: what.to_owned(), began, ended: trace::now(), nodes: 0 })
}

/// Data, their sync, their name, its sync; the catalog's log, its sync; the answer: in this order.
fn audit(change: &Change, index: &[Call], nodes: &BTreeMap<PathBuf, Vec<Call>>) -> anyhow::Result<()> {
    // The client may hear an answer before the kernel's record says that it was sent.
    let within = |call: &&Call| call.began >= change.began && call.began <= change.ended;
    let answer = index
        .iter()
        .filter(within)
        .find(|call| call.writes() && call.arguments.contains("HTTP/1.1 20"))
        .context("no answer is in the record")?;
    let commit = index
        .iter()
        .filter(within)
        .filter(|call| {
            call.syncs() && call.succeeded() && call.file.contains("index.db") && call.ended <= answer.began
        })
        .max_by(|one, other| one.ended.total_cmp(&other.ended))
        .context("the catalog was not synced before the answer")?;
    let durable = nodes
        .iter()
        .map(|(folder, calls)| {
            let before: Vec<&Call> =
                calls.iter().filter(|call| call.began >= change.began && call.began < commit.began).collect();
            data_is_durable(folder, &before, commit.began).with_context(|| folder.display().to_string())
        })
        .collect::<anyhow::Result<Vec<bool>>>()?;
    let durable = durable.into_iter().filter(|durable| *durable).count();
    ensure!(durable >= change.nodes, "{durable} of {} nodes made it durable before the commit", change.nodes);
    for (folder, calls) in nodes {
        let early = calls.iter().find(|call| {
            let soon = call.began >= change.began && call.began < commit.ended;
            soon && call.removes() && call.succeeded() && is_shard(folder, call)
        });
        ensure!(early.is_none(), "something was removed before the commit: {early:?}");
    }
    Ok(())
}

/// Whether the node wrote anything; fails unless all of it was synced before `until`, and every new name as well.
fn data_is_durable(folder: &Path, calls: &[&Call], until: f64) -> anyhow::Result<bool> {
    let synced = |file: &str, after: f64| {
        calls.iter().any(|call| {
            call.syncs()
                && call.succeeded()
                && call.file == file
                && call.began >= after
                && call.ended <= until
        })
    };
    let mut last_write: BTreeMap<&str, f64> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.writes() && is_shard(folder, call)) {
        let last = last_write.entry(&call.file).or_insert(call.ended);
        *last = last.max(call.ended);
    }
    for (file, ended) in &last_write {
        ensure!(synced(file, *ended), "{file} was not synced after its last write");
    }
    for call in calls.iter().filter(|call| call.names() && call.succeeded()) {
        let into =
            call.arguments.rsplit('<').next().and_then(|rest| rest.split('>').next()).unwrap_or_default();
        ensure!(
            synced(into, call.ended),
            "{into} was not synced after {} was named there",
            call.last_name().unwrap_or("a file")
        );
    }
    Ok(!last_write.is_empty())
}

fn is_shard(folder: &Path, call: &Call) -> bool {
    Path::new(&call.file).starts_with(folder)
}
