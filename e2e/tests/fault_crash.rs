//! Processes that are killed: all of them, some of them, again while they recover, in the middle of every kind of change.

use anyhow::{Context, ensure};
use asterism_e2e::faults::site::INDEX;
use asterism_e2e::faults::{Chance, Content, Figures, Load, Oracle, Site, fill, trials};
use asterism_e2e::{Options, http, until, within};
use bytes::Bytes;
use futures::{StreamExt, stream};
use reqwest::{Body, Method};
use rustix::process::Signal;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(900);
/// Between two pieces of an upload that is to be met in its middle.
const PACE: Duration = Duration::from_millis(20);

fn milliseconds(chance: &mut Chance, most: u64) -> Duration {
    Duration::from_millis(chance.within(0..most))
}

#[tokio::test]
async fn everything_is_killed_under_load_and_while_it_recovers() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::start(Options::default()).await?;
        let (oracle, mut chance) = (Oracle::default(), Chance::new(1));

        let mut killed = Figures::default();
        let mut recovery = Duration::ZERO;
        for seed in 0..trials(4) {
            let load = Load::new(&site, &oracle, seed);
            let (seen, ()) = load
                .beside(async |load| {
                    load.more_acknowledged(20).await?;
                    tokio::time::sleep(milliseconds(&mut chance, 200)).await;
                    site.kill_all();
                    Ok(())
                })
                .await?;
            let begin = Instant::now();
            site.start_all().await?;
            recovery = recovery.max(begin.elapsed());
            let checked = site.check(&oracle).await.with_context(|| format!("after kill {seed}"))?;
            killed.add(checked.files, checked.slowest.max(seen.slowest));
        }
        killed.print("F01")?;
        ensure!(oracle.files() > 10, "too little was acknowledged to prove anything: {}", oracle.files());

        // Three crashes in a row, each while the one before is being recovered from.
        let mut recovering = Figures::default();
        for _ in 0..trials(1) {
            site.kill_all();
            for _ in 0..3 {
                for name in [vec![INDEX.to_owned()], site.node_names()].concat() {
                    site.launch(&name)?;
                }
                tokio::time::sleep(Duration::from_millis(50) + milliseconds(&mut chance, 1_500)).await;
                site.kill_all();
            }
            site.start_all().await?;
            let checked = site.check(&oracle).await?;
            recovering.add(checked.files, checked.slowest);
        }
        recovering.print("F07")?;

        // Asked to end, and killed a second later.
        let mut asked = Figures::default();
        for seed in 0..trials(1) {
            let load = Load::new(&site, &oracle, 1_400 + seed);
            let (seen, ()) = load
                .beside(async |load| {
                    load.more_acknowledged(20).await?;
                    for name in [vec![INDEX.to_owned()], site.node_names()].concat() {
                        site.signal(&name, Signal::TERM)?;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    site.kill_all();
                    Ok(())
                })
                .await?;
            site.start_all().await?;
            let checked = site.check(&oracle).await?;
            asked.add(checked.files, checked.slowest.max(seen.slowest));
        }
        asked.print("F14")?;

        site.healed().await?;
        site.check(&oracle).await?;
        site.nobody_panicked()?;
        ensure!(recovery < Duration::from_secs(60), "a recovery took {recovery:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_node_dies_in_an_upload_and_a_client_dies_in_another() -> anyhow::Result<()> {
    within(LIMIT, async {
        let mut site = Site::start(Options::default()).await?;
        let (oracle, mut chance) = (Oracle::default(), Chance::new(5));
        fill(&site, &oracle, "/before", 14, 2).await?;

        // Each slot's node once, at another place of the upload.
        let mut in_upload = Figures::default();
        for round in 0..trials(6) {
            let name = format!("n{}", round % 6 + 1);
            let content = Content::new(chance.number(), 6 << 20);
            let path = format!("/in-upload/{round}");
            let pending = oracle.begin(&path, Some(content.digest));
            let pieces: Vec<Bytes> = content.bytes.chunks(256 << 10).map(Bytes::copy_from_slice).collect();
            let kill_at = chance.within(0..pieces.len() as u64) as usize;
            let (tell, mut told) = tokio::sync::watch::channel(0);
            let body = stream::iter(pieces.into_iter().enumerate()).then(move |(sent, piece)| {
                tell.send_replace(sent);
                // Slow enough that the death comes in the middle.
                async {
                    tokio::time::sleep(PACE).await;
                    Ok::<_, std::io::Error>(piece)
                }
            });
            let request = site.request(Method::PUT, &format!("/content{path}")).body(Body::wrap_stream(body));
            let begin = Instant::now();
            let upload = tokio::spawn(http::send_within(request, Duration::from_secs(60)));
            told.wait_for(|sent| *sent >= kill_at).await?;
            site.kill(&name)?;
            let answer = upload.await??;
            let took = begin.elapsed();
            let stored = answer.ok()?.json()?;
            oracle.acknowledged(pending);
            ensure!(stored["redundancy"].as_i64() >= Some(1), "{name} died: {stored}");
            let checked = site.check(&oracle).await.with_context(|| format!("{name} died in an upload"))?;
            in_upload.add(checked.files, took.max(checked.slowest));
            site.start_node(&name).await?;
            site.healed().await?;
        }
        in_upload.print("F05")?;

        let before = site.settled_shards().await?;
        let mut cut = Figures::default();
        for round in 0..trials(20) {
            let length = chance.within(1..3 << 20);
            let sent = chance.within(0..length);
            let path = format!("/cut-off/{round}");
            hang_up(&site, &path, length, sent, chance.percent(50)).await?;
            oracle.refused(oracle.begin(&path, Some(Content::new(0, length).digest)));
            cut.trials += 1;
        }
        let leak = until("the removal of what was cut off", Duration::from_secs(60), async || {
            let now = site.settled_shards().await?;
            ensure!(now == before, "{before:?} shards became {now:?}");
            Ok(())
        });
        leak.await?;
        let checked = site.check(&oracle).await?;
        (cut.files, cut.slowest) = (checked.files, checked.slowest);
        cut.print("F12")?;
        site.nobody_panicked()
    })
    .await
}

/// Begins an upload and goes away after `sent` bytes of it.
async fn hang_up(site: &Site, path: &str, length: u64, sent: u64, chunked: bool) -> anyhow::Result<()> {
    let host = site.url().trim_start_matches("http://").to_owned();
    let form =
        if chunked { "Transfer-Encoding: chunked".to_owned() } else { format!("Content-Length: {length}") };
    let head = format!(
        "PUT /api/v1/content{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n{form}\r\n\r\n",
        site.token()
    );
    let mut stream = TcpStream::connect(&host).await?;
    stream.write_all(head.as_bytes()).await?;
    if chunked {
        stream.write_all(format!("{sent:x}\r\n").as_bytes()).await?;
    }
    stream.write_all(&vec![7; sent as usize]).await?;
    Ok(())
}
