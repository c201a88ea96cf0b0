//! Waiting for a condition, always with an end.

use anyhow::Context;
use std::future::Future;
use std::time::{Duration, Instant};

/// How long a poll rests: short enough to lose no time, long enough to leave the processor to what we wait for.
const REST: Duration = Duration::from_millis(100);

/// Asks `probe` again and again until it succeeds.
///
/// # Errors
/// `limit` is over; the message says what was awaited and why the last attempt failed.
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let begin = Instant::now();
    loop {
        let rest_of_time = limit.saturating_sub(begin.elapsed()).max(REST);
        let attempt = tokio::time::timeout(rest_of_time, probe()).await;
        let error = match attempt {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => anyhow::anyhow!("the last attempt got no answer"),
        };
        if begin.elapsed() >= limit {
            return Err(error).with_context(|| format!("{what}: not within {} s", limit.as_secs()));
        }
        tokio::time::sleep(REST).await;
    }
}

/// Runs a whole journey, which must end.
///
/// # Errors
/// The journey failed, or `limit` is over.
pub async fn within(
    limit: Duration,
    journey: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    tokio::time::timeout(limit, journey)
        .await
        .with_context(|| format!("the journey did not end within {} s", limit.as_secs()))?
}
