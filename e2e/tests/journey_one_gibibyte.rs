//! A file much larger than the server's memory goes through it unharmed.

use anyhow::ensure;
use asterism_e2e::process::peak_memory_bytes;
use asterism_e2e::samples::{digest, noise};
use asterism_e2e::{Cluster, Options, within};
use std::time::Duration;

const FILE_BYTES: u64 = 1 << 30;
/// What an index-server may hold, whatever goes through it.
const MEMORY_BYTES_MAX: u64 = 256 << 20;

#[tokio::test]
async fn one_gibibyte_passes_an_index_server_of_256_mebibytes() -> anyhow::Result<()> {
    within(Duration::from_secs(900), async {
        let cluster = Cluster::start(Options::default()).await?;
        let file = noise(&cluster.home().join("gibibyte"), FILE_BYTES, 7)?;
        cluster.put(&[&file.file], "/gibibyte").await?.ok()?;
        let back = cluster.home().join("back");
        cluster.get("/gibibyte", &back).await?.ok()?;
        ensure!(digest(&back)? == (file.size, file.sha256), "another content came back");

        let servers = cluster.processes("index-server");
        ensure!(servers.len() == 1, "{servers:?}");
        for process in servers.into_iter().chain(cluster.processes("storage-node")) {
            let peak = peak_memory_bytes(process)?;
            ensure!(peak <= MEMORY_BYTES_MAX, "process {process} held {} MiB", peak >> 20);
        }
        Ok(())
    })
    .await
}
