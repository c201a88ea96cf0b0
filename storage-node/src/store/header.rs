//! The first bytes of a record: everything that is needed to know what it is and where it belongs, without any index.
//!
//! ```text
//! 0  magic (8)        8  version (2)   10 slot  11 data  12 parity  13 kind     14 zero (2)
//! 16 cluster (16)     32 extent (16)   48 epoch (8)      56 extent bytes (8)
//! 64 cell bytes (4)   68 zero (4)      72 segment (8)    80 offset (8)
//! 88 sequence (8)     96 batch (8)     104 target (8)    112 place in it (8)    120 CRC-64/NVMe of bytes 0..120 (8)
//! ```
//!
//! Numbers are little-endian. What a kind of record does not use is zero.

use super::records::stored_bytes;
use crate::shard::{Shard, ShardHead, ShardKey};
use asterism_erasure::Policy;
use asterism_proto::{ClusterId, ExtentId};
use crc_fast::{CrcAlgorithm, checksum};

/// Records begin at multiples of it.
pub(super) const HEADER_BYTES: usize = 128;
const CHECKED_BYTES: usize = HEADER_BYTES - 8;
const MAGIC: [u8; 8] = *b"ASTERREC";
const VERSION: u16 = 2;

const KIND_SHARD: u8 = 1;
const KIND_TOMBSTONE: u8 = 2;
const KIND_VOID: u8 = 3;
const KIND_DEAD: u8 = 4;

/// Where a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Location {
    pub(super) segment: u64,
    /// In its file; 0 where the segment is one shard.
    pub(super) offset: u64,
}

/// What a segment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) location: Location,
    /// Of two records of a shard the one with the higher number counts.
    pub(super) sequence: u64,
    /// Where the records begin in this file that were synced together.
    pub(super) batch: u64,
    pub(super) body: Body,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// A shard, whose cells follow.
    Shard(Shard),
    /// Every record of the shard up to this one's sequence is dead.
    Tombstone {
        key: ShardKey,
        epoch: u64,
        /// The segment of the record that it was written against.
        target: u64,
    },
    /// A batch that could not be made durable: nothing in it ever happened.
    Void { segment: u64, batch: u64 },
    /// One record that does not count, whatever its sequence: it was never finished, or another of its shard counts.
    Dead(Location),
}

impl Record {
    /// What it takes, up to where the next one may begin.
    pub(super) fn stored_bytes(&self) -> u64 {
        match &self.body {
            Body::Shard(shard) => stored_bytes(shard).next_multiple_of(HEADER_BYTES as u64),
            Body::Tombstone { .. } | Body::Void { .. } | Body::Dead(_) => HEADER_BYTES as u64,
        }
    }

    /// The shard, if it is one.
    pub(super) fn shard(&self) -> Option<Shard> {
        match self.body {
            Body::Shard(shard) => Some(shard),
            Body::Tombstone { .. } | Body::Void { .. } | Body::Dead(_) => None,
        }
    }

    /// The segment whose records it makes dead, if it does.
    pub(super) fn target(&self) -> Option<u64> {
        match self.body {
            Body::Shard(_) => None,
            Body::Tombstone { target, .. } => Some(target),
            Body::Void { segment, .. } | Body::Dead(Location { segment, .. }) => Some(segment),
        }
    }
}

/// Why some bytes are not the header of a record of this cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("it does not begin like a record")]
    Magic,
    #[error("its format version is {0}, not {VERSION}")]
    Version(u16),
    #[error("its header does not match its checksum")]
    Checksum,
    #[error("it is of cluster {0}")]
    Cluster(ClusterId),
    #[error("it belongs to another place")]
    Place,
    #[error("its header says what cannot be")]
    Shape,
}

/// The header of `record` in `cluster`.
pub(super) fn encode(record: &Record, cluster: ClusterId) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &MAGIC);
    put(8, &VERSION.to_le_bytes());
    put(16, cluster.as_bytes());
    put(72, &record.location.segment.to_le_bytes());
    put(80, &record.location.offset.to_le_bytes());
    put(88, &record.sequence.to_le_bytes());
    put(96, &record.batch.to_le_bytes());
    match &record.body {
        Body::Shard(shard) => {
            let (key, layout) = (shard.key(), shard.layout());
            let (data, parity) = (layout.policy().data() as u8, layout.policy().parity() as u8);
            put(10, &[key.slot(), data, parity, KIND_SHARD]);
            put(32, key.extent().as_bytes());
            put(48, &shard.epoch().to_le_bytes());
            put(56, &layout.extent_bytes().to_le_bytes());
            put(64, &(layout.full_cell_bytes() as u32).to_le_bytes());
        }
        Body::Tombstone { key, epoch, target } => {
            put(10, &[key.slot(), 0, 0, KIND_TOMBSTONE]);
            put(32, key.extent().as_bytes());
            put(48, &epoch.to_le_bytes());
            put(104, &target.to_le_bytes());
        }
        Body::Void { segment, batch } => {
            put(13, &[KIND_VOID]);
            put(104, &segment.to_le_bytes());
            put(112, &batch.to_le_bytes());
        }
        Body::Dead(Location { segment, offset }) => {
            put(13, &[KIND_DEAD]);
            put(104, &segment.to_le_bytes());
            put(112, &offset.to_le_bytes());
        }
    }
    let crc = checksum(CrcAlgorithm::Crc64Nvme, &bytes[..CHECKED_BYTES]);
    bytes[CHECKED_BYTES..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads a header, wherever it lies.
pub(super) fn decode(bytes: &[u8; HEADER_BYTES], cluster: ClusterId) -> Result<Record, HeaderError> {
    if bytes[..8] != MAGIC {
        return Err(HeaderError::Magic);
    }
    let version = u16::from_le_bytes(array(bytes, 8));
    if version != VERSION {
        return Err(HeaderError::Version(version));
    }
    if checksum(CrcAlgorithm::Crc64Nvme, &bytes[..CHECKED_BYTES]) != number(bytes, CHECKED_BYTES) {
        return Err(HeaderError::Checksum);
    }
    let theirs = ClusterId::from_bytes(array(bytes, 16));
    if theirs != cluster {
        return Err(HeaderError::Cluster(theirs));
    }
    Ok(Record {
        location: Location { segment: number(bytes, 72), offset: number(bytes, 80) },
        sequence: number(bytes, 88),
        batch: number(bytes, 96),
        body: body(bytes).ok_or(HeaderError::Shape)?,
    })
}

/// Reads the header that should lie at `location`.
pub(super) fn decode_at(
    bytes: &[u8; HEADER_BYTES],
    cluster: ClusterId,
    location: Location,
) -> Result<Record, HeaderError> {
    let record = decode(bytes, cluster)?;
    if record.location == location { Ok(record) } else { Err(HeaderError::Place) }
}

fn body(bytes: &[u8; HEADER_BYTES]) -> Option<Body> {
    let (target, place) = (number(bytes, 104), number(bytes, 112));
    match bytes[13] {
        KIND_VOID => return Some(Body::Void { segment: target, batch: place }),
        KIND_DEAD => return Some(Body::Dead(Location { segment: target, offset: place })),
        _ => {}
    }
    let key = ShardKey::new(ExtentId::from_bytes(array(bytes, 32)), u32::from(bytes[10]))?;
    let epoch = number(bytes, 48);
    match bytes[13] {
        KIND_SHARD => {
            let policy = Policy::new(usize::from(bytes[11]), usize::from(bytes[12]))?;
            let cell_bytes = u32::from_le_bytes(array(bytes, 64)) as usize;
            let head = ShardHead::new(key, policy, cell_bytes, epoch).ok()?;
            head.complete(number(bytes, 56)).ok().map(Body::Shard)
        }
        KIND_TOMBSTONE => Some(Body::Tombstone { key, epoch, target }),
        _ => None,
    }
}

/// The `N` bytes at `at`; every caller's place is a constant inside of the header.
fn array<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

fn number(bytes: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Record, ClusterId) {
        let key = ShardKey::new(ExtentId::random(), 5).unwrap();
        let head = ShardHead::new(key, Policy::new(4, 2).unwrap(), 65_536, 9).unwrap();
        let body = Body::Shard(head.complete(1_000_003).unwrap());
        let location = Location { segment: 7, offset: 1280 };
        (Record { location, sequence: 11, batch: 1024, body }, ClusterId::random())
    }

    #[test]
    fn every_kind_of_record_survives_its_header() {
        let (record, cluster) = sample();
        let key = record.shard().unwrap().key();
        let bodies = [
            record.body,
            Body::Tombstone { key, epoch: 3, target: 4 },
            Body::Void { segment: 5, batch: 6 },
            Body::Dead(Location { segment: 7, offset: 0 }),
        ];
        for body in bodies {
            let record = Record { body, ..record };
            assert_eq!(decode_at(&encode(&record, cluster), cluster, record.location), Ok(record));
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let (record, cluster) = sample();
        for bit in 0..HEADER_BYTES * 8 {
            let mut bytes = encode(&record, cluster);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bytes, cluster).is_err(), "bit {bit}");
        }
        assert_eq!(decode(&[0; HEADER_BYTES], cluster), Err(HeaderError::Magic));
    }

    #[test]
    fn a_valid_record_in_the_wrong_place_is_a_bad_record() {
        let (record, cluster) = sample();
        let bytes = encode(&record, cluster);
        let foreign = ClusterId::random();
        assert_eq!(decode(&bytes, foreign), Err(HeaderError::Cluster(cluster)));
        for location in [Location { segment: 8, offset: 1280 }, Location { segment: 7, offset: 1152 }] {
            assert_eq!(decode_at(&bytes, cluster, location), Err(HeaderError::Place));
        }
    }
}
