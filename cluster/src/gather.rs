//! Collecting the cells of an extent, stripe by stripe, from whichever `k` nodes give good ones soonest.

use crate::{
    extent::Extent,
    hedge::HedgeDelay,
    shards::{CellStream, Shards},
};
use asterism_erasure::{Layout, cell_checksum};
use asterism_proto::{ShardError, ShardErrorKind};
use bytes::Bytes;
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// A node that sends nothing for this long has failed this read.
const CELL_DEADLINE: Duration = Duration::from_secs(10);

/// One shard being read, at the place of the next stripe.
struct Source {
    slot: usize,
    cells: CellStream,
}

type Arrival = (usize, Result<(Source, Bytes), ShardError>);

/// The cells of a range of stripes.
pub(crate) struct Gather {
    shards: Arc<dyn Shards>,
    extent: Extent,
    layout: Layout,
    stripes: Range<u32>,
    hedge: Arc<HedgeDelay>,
    /// Good so far, and waiting at the next stripe.
    ready: Vec<Source>,
    /// Not asked yet, best first.
    spare: VecDeque<usize>,
    faults: Vec<(usize, ShardError)>,
}

/// The cells of one stripe that came, by slot: at least `k` of them.
pub(crate) struct Stripe {
    pub(crate) index: u32,
    pub(crate) cells: Vec<Option<Bytes>>,
}

impl Gather {
    /// `order`: the slots worth asking, best first. `faults` of earlier tries travel along.
    pub(crate) fn new(
        shards: Arc<dyn Shards>,
        extent: Extent,
        layout: Layout,
        stripes: Range<u32>,
        order: impl IntoIterator<Item = usize>,
        hedge: Arc<HedgeDelay>,
    ) -> Self {
        let spare = order.into_iter().collect();
        Self { shards, extent, layout, stripes, hedge, ready: Vec::new(), spare, faults: Vec::new() }
    }

    pub(crate) fn extent(&self) -> &Extent {
        &self.extent
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Shards that failed since the last call, with what their nodes said.
    pub(crate) fn take_faults(&mut self) -> Vec<(usize, ShardError)> {
        std::mem::take(&mut self.faults)
    }

    /// The next stripe; `None` after the last one, `Err(good)` if only `good < k` shards can be read.
    pub(crate) async fn next(&mut self) -> Option<Result<Stripe, usize>> {
        let index = self.stripes.next()?;
        let needed = self.extent.policy.data();
        let mut cells: Vec<Option<Bytes>> = vec![None; self.extent.policy.total()];
        let mut arrivals: FuturesUnordered<BoxFuture<'static, Arrival>> = FuturesUnordered::new();
        for source in std::mem::take(&mut self.ready) {
            arrivals.push(Box::pin(self.advance(source, index)));
        }
        let mut come = 0;
        let began = Instant::now();
        let mut hedge = Box::pin(sleep(self.hedge.get()));
        let mut hedged = false;
        while come < needed {
            while arrivals.len() + come < needed {
                match self.open_spare(index) {
                    Some(arrival) => arrivals.push(arrival),
                    None => return Some(Err(come + arrivals.len())),
                }
            }
            let arrival = tokio::select! {
                arrival = arrivals.next() => arrival,
                () = &mut hedge, if !hedged => {
                    hedged = true;
                    for _ in 0..needed - come {
                        arrivals.extend(self.open_spare(index));
                    }
                    continue;
                }
            };
            match arrival {
                Some((_, Ok((source, cell)))) => {
                    cells[source.slot] = Some(cell);
                    self.ready.push(source);
                    come += 1;
                    self.hedge.learn(began.elapsed());
                }
                Some((slot, Err(error))) => self.faults.push((slot, error)),
                None => return Some(Err(come)),
            }
        }
        // Who has not answered by now was slower than the others: dropping the call cancels it.
        Some(Ok(Stripe { index, cells }))
    }

    fn open_spare(&mut self, stripe: u32) -> Option<BoxFuture<'static, Arrival>> {
        let slot = self.spare.pop_front()?;
        let key = self.extent.key(slot);
        let count = self.layout.stripes() - stripe;
        let count = count.min(self.stripes.end.saturating_sub(stripe));
        let open = self.shards.get(self.extent.nodes[slot], key, stripe, count);
        let check = CellCheck::new(&self.extent, &self.layout, slot);
        Some(Box::pin(async move {
            let opened = timeout(CELL_DEADLINE, open).await.unwrap_or_else(|_| Err(silent()));
            let arrival = match opened {
                Ok(shard) if shard.extent_bytes != check.layout.extent_bytes() => {
                    Err(ShardError::new(ShardErrorKind::Corrupt, "the shard speaks of another extent length"))
                }
                Ok(shard) => check.next_cell(Source { slot, cells: shard.cells }, stripe).await,
                Err(error) => Err(error),
            };
            (slot, arrival)
        }))
    }

    fn advance(&self, source: Source, stripe: u32) -> impl Future<Output = Arrival> + use<> {
        let check = CellCheck::new(&self.extent, &self.layout, source.slot);
        async move { (source.slot, check.next_cell(source, stripe).await) }
    }
}

/// What a cell must be to be believed.
struct CellCheck {
    identity: asterism_erasure::CellIdentity,
    layout: Layout,
}

impl CellCheck {
    fn new(extent: &Extent, layout: &Layout, slot: usize) -> Self {
        Self { identity: extent.identity(slot), layout: *layout }
    }

    async fn next_cell(&self, mut source: Source, stripe: u32) -> Result<(Source, Bytes), ShardError> {
        let cell = match timeout(CELL_DEADLINE, source.cells.next()).await {
            Ok(Some(cell)) => cell?,
            Ok(None) => return Err(ShardError::new(ShardErrorKind::Unavailable, "the shard ended early")),
            Err(_) => return Err(silent()),
        };
        let sound = cell.data.len() == self.layout.cell_bytes(stripe)
            && cell.checksum == cell_checksum(&self.identity, stripe, &cell.data);
        if !sound {
            return Err(ShardError::new(ShardErrorKind::Corrupt, format!("cell {stripe} does not verify")));
        }
        Ok((source, cell.data))
    }
}

fn silent() -> ShardError {
    ShardError::new(ShardErrorKind::Unavailable, "node did not answer in time")
}
