//! Waiting for a condition, always with an end.

use anyhow::Context;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// Short enough to lose no time, long enough to leave the processor to what is awaited.
const REST: Duration = Duration::from_millis(200);

/// Asks `probe` until it gives a value; what it says instead of one stands in the message when `limit` is over.
pub(crate) async fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> anyhow::Result<Result<T, String>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + limit;
    let mut last = "no answer".to_owned();
    loop {
        match timeout_at(deadline, probe()).await {
            Ok(Ok(Ok(value))) => return Ok(value),
            Ok(Ok(Err(not_yet))) => last = not_yet,
            // A server that is starting refuses calls; only time tells that it is not.
            Ok(Err(error)) => last = format!("{error:#}"),
            Err(_) => {}
        }
        if Instant::now() + REST >= deadline {
            return Err(anyhow::anyhow!(last)).with_context(|| format!("{what}: not within {limit:?}"));
        }
        sleep(REST).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_said_last_stands_in_the_message() {
        let limit = Duration::from_millis(300);
        let failed = until::<()>("the bell", limit, async || Ok(Err("silence".to_owned()))).await;
        assert_eq!(format!("{:#}", failed.unwrap_err()), "the bell: not within 300ms: silence");
    }

    #[tokio::test]
    async fn a_refusal_may_pass() {
        let mut tries = 0;
        let found = until("an answer", Duration::from_secs(30), async || {
            tries += 1;
            if tries < 3 { anyhow::bail!("refused") } else { Ok(Ok(tries)) }
        });
        assert_eq!(found.await.unwrap(), 3);
    }
}
