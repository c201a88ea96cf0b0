//! Reading one extent: the content of a byte range, or a clear failure, never wrong bytes.

use crate::{
    extent::Extent,
    gather::{Gather, Stripe},
    hedge::HedgeDelay,
    shards::Shards,
};
use asterism_erasure::{Code, CodeError, LayoutError};
use asterism_proto::ShardError;
use bytes::{Bytes, BytesMut};
use std::{ops::Range, sync::Arc};

/// Why an extent cannot be read now. Nothing follows from it about what the nodes hold.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Fewer shards than `k` can be read.
    #[error("only {readable} of {needed} shards can be read")]
    TooFew {
        /// Shards that gave good cells.
        readable: usize,
        /// `k`.
        needed: usize,
    },
    /// The metadata speaks of an extent that cannot be.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The cells that came cannot be decoded.
    #[error(transparent)]
    Code(#[from] CodeError),
}

/// Reads a range of an extent's content.
pub struct Reader {
    gather: Gather,
    code: Code,
    range: Range<u64>,
}

impl Reader {
    /// A reader of `range` of an extent of `extent_bytes`; `order` are the slots worth asking, best first.
    ///
    /// # Errors
    /// The extent or the range cannot be.
    pub fn new(
        shards: Arc<dyn Shards>,
        extent: Extent,
        extent_bytes: u64,
        range: Range<u64>,
        order: impl IntoIterator<Item = usize>,
        hedge: Arc<HedgeDelay>,
    ) -> Result<Self, ReadError> {
        let layout = extent.layout(extent_bytes)?;
        let code = extent.code()?;
        let stripes = layout.stripe_range(range.clone());
        Ok(Self { gather: Gather::new(shards, extent, layout, stripes, order, hedge), code, range })
    }

    /// The next pieces of content; `None` when the range is complete.
    pub async fn next(&mut self) -> Option<Result<Vec<Bytes>, ReadError>> {
        match self.gather.next().await? {
            Ok(stripe) => Some(self.decode(stripe)),
            Err(readable) => {
                Some(Err(ReadError::TooFew { readable, needed: self.gather.extent().policy.data() }))
            }
        }
    }

    /// Shards that failed since the last call, for repair.
    pub fn take_faults(&mut self) -> Vec<(usize, ShardError)> {
        self.gather.take_faults()
    }

    fn decode(&self, mut stripe: Stripe) -> Result<Vec<Bytes>, ReadError> {
        restore_data(&self.code, &mut stripe)?;
        let layout = self.gather.layout();
        let start = layout.stripe_start(stripe.index);
        let pieces = (0..self.gather.extent().policy.data()).filter_map(|slot| {
            let content = layout.cell_content(stripe.index, slot);
            let cell = stripe.cells[slot].as_ref()?;
            let cell_start = start + content.start as u64;
            let from = self.range.start.saturating_sub(cell_start).min(content.len() as u64) as usize;
            let to = self.range.end.saturating_sub(cell_start).min(content.len() as u64) as usize;
            (from < to).then(|| cell.slice(from..to))
        });
        Ok(pieces.collect())
    }
}

fn restore_data(code: &Code, stripe: &mut Stripe) -> Result<(), ReadError> {
    let data = code.policy().data();
    let missing: Vec<usize> = (0..data).filter(|&slot| stripe.cells[slot].is_none()).collect();
    for (slot, cell) in missing.iter().zip(reconstruct(code, &stripe.cells, &missing)?) {
        stripe.cells[*slot] = Some(cell);
    }
    Ok(())
}

/// The cells of `wanted` slots, made from those that are there.
pub(crate) fn reconstruct(
    code: &Code,
    cells: &[Option<Bytes>],
    wanted: &[usize],
) -> Result<Vec<Bytes>, CodeError> {
    let cell_bytes = cells.iter().flatten().next().map_or(0, Bytes::len);
    let mut made: Vec<BytesMut> = wanted.iter().map(|_| BytesMut::zeroed(cell_bytes)).collect();
    if !wanted.is_empty() {
        let present: Vec<Option<&[u8]>> = cells.iter().map(|cell| cell.as_deref()).collect();
        let mut outputs: Vec<(usize, &mut [u8])> =
            wanted.iter().copied().zip(made.iter_mut().map(|cell| &mut cell[..])).collect();
        code.reconstruct(&present, &mut outputs)?;
    }
    Ok(made.into_iter().map(BytesMut::freeze).collect())
}
