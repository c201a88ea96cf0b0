//! A full disk is an answer, not an accident: nothing acknowledged is lost, and room is used as soon as there is some.

use anyhow::{Context, ensure};
use asterism_e2e::samples::noise;
use asterism_e2e::{Cluster, Ledger, Options, locate, until, within};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const DISK_BYTES: u64 = 256 << 20;
const MORE_BYTES: u64 = 512 << 20;
const FILE_BYTES: u64 = 8 << 20;

#[tokio::test]
async fn a_full_disk_refuses_uploads_and_nothing_else() -> anyhow::Result<()> {
    within(Duration::from_secs(600), async {
        let home = tempfile::tempdir()?;
        let disk = home.path().join("disk");
        std::fs::create_dir(&disk)?;
        let options =
            Options { wrapper: on_small_disk(&disk), data_dir: Some(disk.clone()), ..Options::default() };
        let cluster = Cluster::start(options).await?;
        let mut ledger = Ledger::default();

        let mut refused = None;
        for number in 0..DISK_BYTES / FILE_BYTES {
            let file = noise(&home.path().join(format!("file-{number}")), FILE_BYTES, number)?;
            let path = format!("/{}", file.name);
            let answer = cluster.put(&[&file.file], &path).await?;
            if !answer.success() {
                ledger.absent(path);
                refused = Some((answer, file));
                break;
            }
            ledger.acknowledged(path, &file);
        }
        let (answer, file) = refused.context("a disk of 256 MiB took 384 MiB")?;
        ensure!(ledger.files() >= 4, "the disk was called full after {} files", ledger.files());
        answer.refused("no room")?;
        let put = cluster.request(reqwest::Method::PUT, "/content/full").body(std::fs::read(&file.file)?);
        let answer = asterism_e2e::http::send(put).await?;
        ensure!(answer.status.as_u16() == 507, "{answer:?}");
        ensure!(answer.json()?["code"] == "insufficient_storage", "{answer:?}");
        ledger.absent("/full");

        // Reading and removing go on.
        ledger.check(&cluster).await?;
        cluster.cli(&["rm", "/file-0"]).await?.ok()?;
        ledger.absent("/file-0");
        cluster.cli(&["mkdir", "/while-full"]).await?.ok()?;

        // Room is noticed without a restart.
        grow(&cluster, &disk)?;
        until("an upload on the larger disk", Duration::from_secs(60), async || {
            cluster.put(&[&file.file], "/after").await?.ok().map(drop)
        })
        .await?;
        ledger.acknowledged("/after", &file);
        ledger.check(&cluster).await
    })
    .await
}

/// Starts what follows in a mount namespace of its own, where `disk` is small; the mount goes with the last process.
fn on_small_disk(disk: &Path) -> Vec<String> {
    let script = format!("mount -t tmpfs -o size={DISK_BYTES} disk '{}' && exec \"$@\"", disk.display());
    let mut wrapper = vec!["unshare".to_owned(), "--mount".to_owned()];
    if !rustix::process::geteuid().is_root() {
        wrapper.extend(["--user".to_owned(), "--map-root-user".to_owned()]);
    }
    wrapper.extend(["sh", "-c", &script, "sh"].map(str::to_owned));
    wrapper
}

fn grow(cluster: &Cluster, disk: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(locate::program("nsenter")?);
    command.args(["--target", &cluster.id().to_string(), "--mount"]);
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--preserve-credentials"]);
    }
    let output = command.args(["mount", "-o", &format!("remount,size={MORE_BYTES}")]).arg(disk).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
