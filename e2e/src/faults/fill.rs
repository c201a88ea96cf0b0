//! Files that must be there before a fault: uploaded one by one, each acknowledged.

use crate::cluster::Cluster;
use crate::faults::content::SIZES;
use crate::faults::oracle::REQUEST_LIMIT;
use crate::faults::{Chance, Content, Oracle};
use crate::http::{self, Answer};
use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::Value;

/// A file up to this size is kept as copies.
pub(super) const SMALL_BYTES_MAX: u64 = 32 << 10;

/// Uploads one file and tells the oracle what came of it.
///
/// # Errors
/// There was no answer; the oracle keeps both outcomes possible.
pub async fn put(
    cluster: &Cluster,
    oracle: &Oracle,
    path: &str,
    content: &Content,
) -> anyhow::Result<Answer> {
    let pending = oracle.begin(path, Some(content.digest));
    let request = cluster.request(Method::PUT, &format!("/content{path}")).body(content.bytes.clone());
    let answer = http::send_within(request, REQUEST_LIMIT).await.with_context(|| path.to_owned())?;
    match answer.status.as_u16() {
        200 | 201 => oracle.acknowledged(pending),
        400..=499 | 507 => oracle.refused(pending),
        503 if answer.text.contains("too_few_nodes") => oracle.refused(pending),
        _ => {}
    }
    Ok(answer)
}

/// Uploads one file, which must be acknowledged; gives what the answer says of it.
///
/// # Errors
/// It was not.
pub async fn store(
    cluster: &Cluster,
    oracle: &Oracle,
    path: &str,
    content: &Content,
) -> anyhow::Result<Value> {
    let answer = put(cluster, oracle, path, content).await?;
    ensure!(answer.status.is_success(), "{path}: {} {}", answer.status, answer.text);
    answer.json()
}

/// Uploads `count` files of all awkward lengths into a folder; each must survive `redundancy` losses.
///
/// # Errors
/// One of them is refused or less safe.
pub async fn fill(
    cluster: &Cluster,
    oracle: &Oracle,
    folder: &str,
    count: u64,
    redundancy: i64,
) -> anyhow::Result<()> {
    let mut chance = Chance::new(count);
    for number in 0..count {
        let size = SIZES[number as usize % SIZES.len()];
        let content = Content::new(chance.number(), size);
        let path = format!("{folder}/{number}");
        let stored = store(cluster, oracle, &path, &content).await?;
        let survives = stored["redundancy"].as_i64();
        // Copies of a small file may all lie elsewhere than what is missing; nothing is lost of a file without content.
        let right =
            if size <= SMALL_BYTES_MAX { survives >= Some(redundancy) } else { survives == Some(redundancy) };
        ensure!(right, "{path}: {stored}");
    }
    Ok(())
}
