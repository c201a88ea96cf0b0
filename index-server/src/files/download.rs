//! From extents on nodes to a stream of bytes that is right or breaks.

use crate::{
    catalog::{CatalogError, Content, ExtentRow},
    files::extents::Extents,
};
use asterism_cluster::{Extent, ReadError, Reader};
use bytes::Bytes;
use std::{ops::Range, sync::Arc, time::Duration};
use tokio::sync::mpsc;
use tracing::Instrument;

/// A client that takes nothing for this long has gone; what waits for it holds memory here and places at the nodes.
const CLIENT_DEADLINE: Duration = Duration::from_secs(300);
/// Pieces on their way to a client; bounds memory when the client is slower than the nodes.
const PIECES_IN_FLIGHT: usize = 4;

/// Why content cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The catalog does not have it, or cannot be asked.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Too few shards of an extent can be read now.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The catalog speaks of an extent that cannot be.
    #[error("the metadata of an extent is damaged")]
    Metadata,
    /// Every piece was good by itself, but the whole is not what was stored.
    #[error("the content is not what was stored")]
    WrongContent,
}

/// Content being read.
pub struct Download {
    first: Option<Result<Bytes, DownloadError>>,
    rest: mpsc::Receiver<Result<Bytes, DownloadError>>,
}

impl Download {
    /// The next piece. After an error, and after the last piece, there is none.
    pub async fn next(&mut self) -> Option<Result<Bytes, DownloadError>> {
        match self.first.take() {
            Some(first) => Some(first),
            None => self.rest.recv().await,
        }
    }
}

impl Extents {
    /// Begins to read `range` of `content`; the first piece has been read when this answers, so that what cannot be read at all
    /// is a clear refusal. Whole contents are checked against their hash before their last piece is given out.
    ///
    /// # Errors
    /// See [`DownloadError`].
    pub async fn open(&self, content: &Content, range: Range<u64>) -> Result<Download, DownloadError> {
        let rows = if range.is_empty() {
            Vec::new()
        } else {
            self.catalog.extents(content.id, range.clone()).await?
        };
        let expected = (range == (0..content.size)).then_some(content.blake3);
        let (sender, mut rest) = mpsc::channel(PIECES_IN_FLIGHT);
        let pump = Pump { extents: self.clone(), sender, held: None, hasher: blake3::Hasher::new() };
        tokio::spawn(pump.run(rows, range, expected).in_current_span());
        let first = rest.recv().await.transpose()?.map(Ok);
        Ok(Download { first, rest })
    }

    /// The first `bytes_max` bytes of `content`, for the tagger.
    ///
    /// # Errors
    /// See [`DownloadError`].
    pub async fn read_head(&self, content: &Content, bytes_max: u64) -> Result<Vec<u8>, DownloadError> {
        let wanted = content.size.min(bytes_max);
        if let Some(whole) = self.fresh.take(content.id).filter(|whole| whole.len() as u64 == wanted) {
            return Ok(whole.to_vec());
        }
        let mut download = self.open(content, 0..wanted).await?;
        let mut head = Vec::with_capacity(wanted as usize);
        while let Some(piece) = download.next().await {
            head.extend_from_slice(&piece?);
        }
        Ok(head)
    }
}

/// The task that moves pieces from nodes to the client; it ends when the client goes away.
struct Pump {
    extents: Extents,
    sender: mpsc::Sender<Result<Bytes, DownloadError>>,
    /// The last piece, until it is known that the whole is right.
    held: Option<Bytes>,
    hasher: blake3::Hasher,
}

/// The client has gone; nobody is left to tell.
struct Gone;

impl Pump {
    async fn run(mut self, rows: Vec<ExtentRow>, range: Range<u64>, expected: Option<[u8; 32]>) {
        for row in rows {
            match self.extent(&row, &range).await {
                Ok(Ok(())) => {}
                Ok(Err(Gone)) => return,
                Err(error) => return self.fail(error).await,
            }
        }
        if expected.is_some_and(|expected| expected != *self.hasher.finalize().as_bytes()) {
            return self.fail(DownloadError::WrongContent).await;
        }
        if let Some(last) = self.held.take()
            && self.send(Ok(last)).await.is_err()
        {
            tracing::debug!("client went away before the last piece");
        }
    }

    async fn extent(
        &mut self,
        row: &ExtentRow,
        range: &Range<u64>,
    ) -> Result<Result<(), Gone>, DownloadError> {
        let mut row = row.clone();
        let mut extent = self.extents.extent(&row).ok_or(DownloadError::Metadata)?;
        let within =
            range.start.saturating_sub(row.file_offset)..(range.end - row.file_offset).min(row.bytes);
        let mut at = within.start;
        loop {
            let order = self.extents.order(&extent, &row.short_slots);
            let (shards, hedge) = (Arc::clone(&self.extents.shards), Arc::clone(&self.extents.hedge));
            let rest = at..within.end;
            let reader = Reader::new(shards, extent.clone(), row.bytes, rest.clone(), order, hedge)?;
            match self.pieces(reader, &extent, &mut at).await {
                // Nodes cut off a reader that pauses, as a slow client makes us do, and nodes restart: what was read once can
                // probably be read on. Or the shards have been moved since the row was read.
                Err(DownloadError::Read(error)) => {
                    let moved = self.look_again(&mut row, &mut extent).await;
                    if at == rest.start && !moved {
                        return Err(error.into());
                    }
                    tracing::info!(extent = %extent.id, at, moved, %error, "read is begun again");
                }
                ended => return ended,
            }
        }
    }

    /// Whether the shards lie on other nodes by now; then `extent` names them.
    async fn look_again(&self, row: &mut ExtentRow, extent: &mut Extent) -> bool {
        let Ok(now) = self.extents.catalog.extent(row.id).await else { return false };
        let Some(found) = self.extents.extent(&now) else { return false };
        let moved = found.nodes != extent.nodes;
        (*row, *extent) = (now, found);
        moved
    }

    /// Passes on what `reader` reads; `at` is how far it came.
    async fn pieces(
        &mut self,
        mut reader: Reader,
        extent: &Extent,
        at: &mut u64,
    ) -> Result<Result<(), Gone>, DownloadError> {
        while let Some(pieces) = reader.next().await {
            let faults = reader.take_faults();
            if !faults.is_empty() {
                self.extents.note_faults(extent, faults).await;
            }
            for piece in pieces? {
                self.hasher.update(&piece);
                *at += piece.len() as u64;
                if let Some(before) = self.held.replace(piece)
                    && self.send(Ok(before)).await.is_err()
                {
                    return Ok(Err(Gone));
                }
            }
        }
        Ok(Ok(()))
    }

    async fn send(&self, piece: Result<Bytes, DownloadError>) -> Result<(), Gone> {
        self.sender.send_timeout(piece, CLIENT_DEADLINE).await.map_err(|_| Gone)
    }

    async fn fail(self, error: DownloadError) {
        tracing::error!(%error, "content could not be read to its end");
        if self.send(Err(error)).await.is_err() {
            tracing::debug!("client went away before the failure");
        }
    }
}
