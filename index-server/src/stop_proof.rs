//! The proof that a node may stop: every group and every known-short extent counted with the node gone.

use crate::{
    catalog::{Catalog, CatalogError, FILES_COUNTED_MAX, Intent, PAGE_MAX, ShortExtent},
    margin::{self, Exceptions},
    members::{Member, Members},
};
use asterism_cluster::Shards;
use asterism_erasure::Policy;
use asterism_proto::{
    NodeId,
    index::{StopCertificate, StopRefusal, acquire_stop_response::Verdict},
};
use futures::future::join_all;
use std::{collections::HashSet, time::Duration};
use tokio::time::timeout;

/// A node that does not answer in this time does not count.
const ANSWER: Duration = Duration::from_secs(2);

/// What the proof is made from.
pub struct StopProof<'a> {
    /// Knows the short extents and whose files are where.
    pub catalog: &'a Catalog,
    /// Knows the groups and who is there.
    pub members: &'a Members,
    /// The nodes themselves, who are asked.
    pub nodes: &'a dyn Shards,
    /// Of the groups.
    pub policy: Policy,
}

impl StopProof<'_> {
    /// Grants or refuses the stop of `node`. The caller keeps others from deciding at the same time.
    ///
    /// # Errors
    /// The catalog cannot be asked; nothing is granted then.
    pub async fn judge(&self, node: NodeId, epoch: u64) -> Result<Verdict, CatalogError> {
        let Some(member) = self.members.get(node) else { return Err(CatalogError::NotFound("node")) };
        let groups = self.members.groups();
        if member.row.intent == Intent::Draining {
            let held = self.catalog.holdings(node).await?;
            if held.positions + held.elsewhere > 0 {
                return Ok(Verdict::Refused(StopRefusal {
                    reason: format!(
                        "{} is being drained and still holds shards: wait until it is empty, or wake it to take the drain back",
                        member.row.name
                    ),
                    groups_counted: groups.len() as u32,
                    ..StopRefusal::default()
                }));
            }
        }
        let exceptions = exceptions(self.catalog).await?;
        let answering = self.answering().await;
        let live = |other: NodeId| other != node && answering.contains(&other);
        let margins = margin::count(&groups, &exceptions, self.policy, live);
        if margins.below_floor.is_empty() {
            return Ok(Verdict::Granted(StopCertificate {
                groups_counted: groups.len() as u32,
                short_extents_counted: exceptions.short.len() as u64,
                worst_margin: margins.worst.unwrap_or(0),
                epoch,
            }));
        }
        let below: Vec<u32> = margins.below_floor.iter().copied().collect();
        let touched = self.catalog.files_touched(&below, FILES_COUNTED_MAX).await?;
        let worst = margins.worst.unwrap_or(0);
        let consequence = match worst {
            ..0 => "some files would be unreadable",
            0 => "the next loss would lose files",
            _ => "some extents would fall below their floor",
        };
        let reason = format!(
            "{} is needed: with it gone {consequence} ({} of {} placement groups below the floor, {} files)",
            member.row.name,
            below.len(),
            groups.len(),
            touched.files,
        );
        Ok(Verdict::Refused(StopRefusal {
            reason,
            groups_below_floor: below.len() as u32,
            files_touched: touched.files,
            owners: touched.owners,
            tags: touched.tags,
            worst_margin: worst,
            groups_counted: groups.len() as u32,
        }))
    }
}

impl StopProof<'_> {
    /// The live nodes that answer now. A heartbeat is as old as its interval: a node that died since would still count.
    async fn answering(&self) -> HashSet<NodeId> {
        let live = self.members.all().into_iter().filter(Member::is_live).map(|member| member.row.id);
        let asked = live.map(|node| async move {
            let answer = timeout(ANSWER, self.nodes.verify(node, Vec::new())).await;
            matches!(answer, Ok(Ok(_))).then_some(node)
        });
        join_all(asked).await.into_iter().flatten().collect()
    }
}

/// All that margins are counted with beside the groups.
///
/// # Errors
/// The catalog cannot be asked.
pub async fn exceptions(catalog: &Catalog) -> Result<Exceptions, CatalogError> {
    Ok(Exceptions { scattered: catalog.scattered().await?, short: short_extents(catalog).await? })
}

/// All extents that are known to lack shards.
async fn short_extents(catalog: &Catalog) -> Result<Vec<ShortExtent>, CatalogError> {
    let mut all: Vec<ShortExtent> = Vec::new();
    loop {
        let page = catalog.short_all(all.last().map(|last| last.extent), PAGE_MAX).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}
