//! Buffers for stripes on their way to nodes: so many bytes of them and no more, whatever number of uploads wants some.

use asterism_erasure::Policy;
use bytes::{Buf, Bytes};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Buffers kept for the next stripe; the memory of others goes back to the system.
const KEPT_MAX: usize = 8;

/// The buffers of one process. Each holds a whole stripe, content and parity.
///
/// Whoever has a buffer can finish his stripe without another one, so nobody waits in a circle.
#[derive(Debug)]
pub struct StripePool {
    policy: Policy,
    cell_bytes: usize,
    places: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    kept: Mutex<Vec<Box<[u8]>>>,
}

/// Room for one stripe, being filled.
#[derive(Debug)]
pub struct StripeBuffer {
    memory: Memory,
    filled: usize,
    policy: Policy,
    content_max: usize,
}

/// Goes back to its pool when the last one who reads it is done.
#[derive(Debug)]
struct Memory {
    bytes: Box<[u8]>,
    pool: Arc<StripePool>,
    _place: OwnedSemaphorePermit,
}

impl StripePool {
    /// Stripes of `policy` in cells of `cell_bytes`, of which together at most `bytes_max` are in memory, but always a few.
    pub fn new(policy: Policy, cell_bytes: usize, bytes_max: usize) -> Arc<Self> {
        let places = (bytes_max / (policy.total() * cell_bytes)).max(Self::STRIPES_MIN);
        Arc::new(Self {
            policy,
            cell_bytes,
            places: Arc::new(Semaphore::new(places)),
            waiting: Arc::default(),
            kept: Mutex::default(),
        })
    }

    /// One being filled, one being coded, two on their way: fewer would be slow.
    const STRIPES_MIN: usize = 4;

    /// A buffer, when there is one; whoever asked first gets it first.
    pub async fn take(self: &Arc<Self>) -> StripeBuffer {
        let waiting = Waiting::new(&self.waiting);
        let place = loop {
            // Nobody closes the semaphore.
            if let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
                break place;
            }
        };
        drop(waiting);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let bytes = kept.unwrap_or_else(|| vec![0; self.policy.total() * self.cell_bytes].into());
        StripeBuffer {
            memory: Memory { bytes, pool: Arc::clone(self), _place: place },
            filled: 0,
            policy: self.policy,
            content_max: self.policy.data() * self.cell_bytes,
        }
    }

    /// Whether somebody waits for a buffer.
    pub fn is_contended(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Buffers that could be taken now.
    pub fn available(&self) -> usize {
        self.places.available_permits()
    }
}

/// Counts one who waits, until it is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl StripeBuffer {
    /// Takes as much of `content` as there is room for.
    pub fn fill(&mut self, content: &mut Bytes) {
        let taken = content.len().min(self.content_max - self.filled);
        self.memory.bytes[self.filled..self.filled + taken].copy_from_slice(&content[..taken]);
        self.filled += taken;
        content.advance(taken);
    }

    /// Bytes of content so far.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether nothing was filled in yet.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Whether it is a full stripe.
    pub fn is_full(&self) -> bool {
        self.filled == self.content_max
    }

    /// What was filled in, as content that is no stripe yet.
    pub fn content(&self) -> &[u8] {
        &self.memory.bytes[..self.filled]
    }

    pub(crate) fn policy(&self) -> Policy {
        self.policy
    }

    /// Lets `encode` make the parity cells out of the data cells, and gives all cells of the stripe in order.
    pub(crate) fn into_cells<E>(
        mut self,
        encode: impl FnOnce(&[&[u8]], &mut [&mut [u8]]) -> Result<(), E>,
    ) -> Result<Vec<Bytes>, E> {
        let (data, total) = (self.policy.data(), self.policy.total());
        let cell_bytes = self.filled.div_ceil(data);
        let content_bytes = data * cell_bytes;
        self.memory.bytes[self.filled..content_bytes].fill(0);
        let (content, rest) = self.memory.bytes.split_at_mut(content_bytes);
        let columns: Vec<&[u8]> = content.chunks(cell_bytes.max(1)).collect();
        let mut rows: Vec<&mut [u8]> =
            rest[..(total - data) * cell_bytes].chunks_mut(cell_bytes.max(1)).collect();
        encode(&columns, &mut rows)?;
        let stripe = Bytes::from_owner(self.memory);
        Ok((0..total).map(|slot| stripe.slice(slot * cell_bytes..(slot + 1) * cell_bytes)).collect())
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let mut kept = self.pool.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const CELL: usize = 8;

    fn pool(stripes: usize) -> Arc<StripePool> {
        StripePool::new("2+1".parse().unwrap(), CELL, stripes * 3 * CELL)
    }

    /// The cells of a stripe with this content, parity being the sum of the data.
    async fn cells(pool: &Arc<StripePool>, content: &[u8]) -> Vec<Bytes> {
        let mut buffer = pool.take().await;
        buffer.fill(&mut Bytes::copy_from_slice(content));
        let cells = buffer.into_cells::<Infallible>(|data, parity| {
            for (at, byte) in parity[0].iter_mut().enumerate() {
                *byte = data[0][at].wrapping_add(data[1][at]);
            }
            Ok(())
        });
        cells.unwrap()
    }

    #[tokio::test]
    async fn cells_lie_in_the_buffer_and_the_last_ones_are_padded() {
        let pool = pool(4);
        let full: Vec<u8> = (1..=16).collect();
        let first = cells(&pool, &full).await;
        assert_eq!(first, [&full[..8], &full[8..], &[10, 12, 14, 16, 18, 20, 22, 24]]);
        drop(first);
        // In memory that held another stripe before.
        assert_eq!(cells(&pool, &[1, 2, 3]).await, [&[1, 2][..], &[3, 0], &[4, 2]]);
    }

    #[tokio::test]
    async fn a_buffer_takes_no_more_than_a_stripe() {
        let mut buffer = pool(4).take().await;
        let mut content = Bytes::from(vec![7; 20]);
        buffer.fill(&mut content);
        assert!(buffer.is_full());
        assert_eq!((buffer.len(), content.len()), (16, 4));
    }

    #[tokio::test]
    async fn a_buffer_comes_back_with_the_last_cell() {
        let pool = pool(4);
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(cells(&pool, &[1; 16]).await);
        }
        assert_eq!(pool.available(), 0);
        let next = pool.take();
        tokio::pin!(next);
        assert!(futures::poll!(&mut next).is_pending());
        assert!(pool.is_contended());
        let last = held[0].pop();
        held[0].clear();
        assert!(futures::poll!(&mut next).is_pending(), "one cell is still on its way");
        drop(last);
        assert!(futures::poll!(&mut next).is_ready());
        assert!(!pool.is_contended());
    }
}
