//! Real servers on free loopback ports, each in its own directory, ready by its own protocol, gone with its value.

pub mod alertmanager;
pub mod mariadb;
pub mod neo4j;
pub mod port;
pub mod prometheus;
pub mod pushgateway;
pub mod sshd;

pub use alertmanager::Alertmanager;
pub use mariadb::Mariadb;
pub use neo4j::Neo4j;
pub use prometheus::Prometheus;
pub use pushgateway::Pushgateway;
pub use sshd::Sshd;

use crate::http;
use crate::process::Process;
use crate::wait::until;
use anyhow::Context;
use std::time::Duration;

/// A server that keeps nothing warm is ready in a second; this is for a machine that is busy compiling.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Waits until `probe` gets an answer; a server that ended will give none.
async fn ready(
    process: &mut Process,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut ended = None;
    let result = until("the server's first answer", limit, async || {
        match process.must_run() {
            // Nothing is gained by asking on: leave the loop, and report below.
            Err(error) => {
                ended = Some(error);
                Ok(())
            }
            Ok(()) => probe().await,
        }
    })
    .await;
    match ended {
        Some(error) => Err(error),
        None => result.with_context(|| process.log_tail()),
    }
}

/// Waits for a server that says over HTTP that it is ready.
async fn ready_by_http(process: &mut Process, url: &str) -> anyhow::Result<()> {
    ready(process, READY_LIMIT, async || http::get(url).await.map(drop)).await
}
