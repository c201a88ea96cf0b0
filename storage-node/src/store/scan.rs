//! Reading a log from its bytes alone.
//!
//! Records follow each other at multiples of 128 bytes; between batches there are zeros up to the next block. Where something is
//! neither, the next record is looked for at every such place behind it: damage never hides what follows. A record says itself
//! where it belongs, so bytes that were copied here from elsewhere, or are left over, are none.
//!
//! What is broken in the last batch of a log was never acknowledged, for all one can tell: a power cut tears it, the next
//! batch would prove that it was synced. Broken in any other place is damage.

use super::{
    header::{self, Body, HEADER_BYTES, Location, Record},
    records::first_bad_cell_in,
    segment::{LOG_HEADER_BYTES, LogHeader},
};
use asterism_proto::ClusterId;
use std::ops::Range;

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// None if the first block does not verify.
    pub(super) header: Option<LogHeader>,
    /// In the order of their places.
    pub(super) records: Vec<Record>,
    /// Shards among them of which a cell does not verify.
    pub(super) bad: Vec<Location>,
    /// Bytes that are no record and were one, most likely.
    pub(super) damaged: Vec<Range<u64>>,
    /// Shards of a batch that was never finished, whose headers made it and whose cells did not.
    pub(super) unfinished: Vec<Record>,
    /// Bytes of a batch that was never finished.
    pub(super) torn: Vec<Range<u64>>,
    /// Where the last record ends, or what was torn.
    pub(super) end: u64,
}

impl Scan {
    /// Whether everything in it was understood.
    pub(super) fn is_whole(&self) -> bool {
        self.header.is_some() && self.damaged.is_empty()
    }
}

/// Reads the bytes of the log `id` of `cluster`. In one that `may_be_torn`, the last batch may be unfinished.
pub(super) fn scan(bytes: &[u8], cluster: ClusterId, id: u64, may_be_torn: bool) -> Scan {
    let header = LogHeader::decode(bytes).filter(|header| header.cluster == cluster && header.id == id);
    // What compaction made got its name when all of it was durable.
    let compacted = header.as_ref().is_some_and(|header| !header.replaces.is_empty());
    let mut found = Scan { header, end: LOG_HEADER_BYTES, ..Scan::default() };
    let mut strange: Vec<Range<u64>> = Vec::new();
    let mut at = LOG_HEADER_BYTES as usize;
    while at + HEADER_BYTES <= bytes.len() {
        let here = &bytes[at..];
        let location = Location { segment: id, offset: at as u64 };
        if here[..HEADER_BYTES] == [0; HEADER_BYTES] {
            at += HEADER_BYTES;
        } else if let Some((record, length)) = record_at(here, cluster, location) {
            found.records.push(record);
            at += length;
            found.end = at as u64;
        } else {
            note(&mut strange, at as u64);
            at += HEADER_BYTES;
            found.end = at as u64;
        }
    }
    let last_batch = found.records.iter().map(|record| record.batch).max().unwrap_or(LOG_HEADER_BYTES);
    let torn_from = if may_be_torn && !compacted { last_batch } else { u64::MAX };
    (found.torn, found.damaged) = strange.into_iter().partition(|range| range.start >= torn_from);
    judge_cells(&mut found, bytes, cluster, torn_from);
    found
}

/// The record at the beginning of `here`, and where the next one may begin.
fn record_at(here: &[u8], cluster: ClusterId, location: Location) -> Option<(Record, usize)> {
    let record = header::decode_at(here.first_chunk()?, cluster, location).ok()?;
    let length = usize::try_from(record.stored_bytes()).ok()?;
    // The last record of a file needs no room behind it.
    let enough = record.shard().map_or(HEADER_BYTES as u64, |shard| super::records::stored_bytes(&shard));
    (enough <= here.len() as u64 && location.offset.is_multiple_of(HEADER_BYTES as u64))
        .then_some((record, length))
}

fn note(strange: &mut Vec<Range<u64>>, at: u64) {
    let end = at + HEADER_BYTES as u64;
    match strange.last_mut() {
        Some(last) if last.end == at => last.end = end,
        _ => strange.push(at..end),
    }
}

/// Checks the cells of every shard: a bad one stays known, unless it was never finished.
fn judge_cells(found: &mut Scan, bytes: &[u8], cluster: ClusterId, torn_from: u64) {
    let (bad, torn, unfinished) = (&mut found.bad, &mut found.torn, &mut found.unfinished);
    found.records.retain(|record| {
        let Body::Shard(shard) = &record.body else { return true };
        let at = record.location.offset;
        let bad_cell = first_bad_cell_in(&bytes[at as usize..], shard, &shard.identity(cluster));
        match bad_cell {
            None => true,
            Some(_) if record.batch >= torn_from => {
                torn.push(at..at + record.stored_bytes());
                unfinished.push(*record);
                false
            }
            Some(_) => {
                bad.push(record.location);
                true
            }
        }
    });
}
