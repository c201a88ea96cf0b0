//! The first bytes of a shard on disk: everything that is needed to know what it is, without any database.
//!
//! ```text
//! 0  magic (8)        8  version (2)   10 slot  11 data  12 parity  13 zero (3)
//! 16 cluster (16)     32 extent (16)   48 epoch (8)      56 extent bytes (8)
//! 64 cell bytes (4)   68 zero (52)     120 CRC-64/NVMe of bytes 0..120 (8)
//! ```
//!
//! Numbers are little-endian.

use crate::shard::{Shard, ShardHead, ShardKey};
use asterism_erasure::Policy;
use asterism_proto::{ClusterId, ExtentId};
use crc_fast::{CrcAlgorithm, checksum};

/// A multiple of 8, with room for fields to come.
pub(super) const HEADER_BYTES: usize = 128;
const CHECKED_BYTES: usize = HEADER_BYTES - 8;
const MAGIC: [u8; 8] = *b"ASTERSHD";
const VERSION: u16 = 1;

/// Why some bytes are not the header of a shard of this cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    #[error("it does not begin like a shard")]
    Magic,
    #[error("its format version is {0}, not {VERSION}")]
    Version(u16),
    #[error("its header does not match its checksum")]
    Checksum,
    #[error("it is of cluster {0}")]
    Cluster(ClusterId),
    #[error("it is shard {0}")]
    Key(ShardKey),
    #[error("its header says what cannot be")]
    Shape,
}

/// The header of `shard` in `cluster`.
pub(super) fn encode(shard: &Shard, cluster: ClusterId) -> [u8; HEADER_BYTES] {
    let (key, layout) = (shard.key(), shard.layout());
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[10..13].copy_from_slice(&[
        key.slot(),
        layout.policy().data() as u8,
        layout.policy().parity() as u8,
    ]);
    bytes[16..32].copy_from_slice(cluster.as_bytes());
    bytes[32..48].copy_from_slice(key.extent().as_bytes());
    bytes[48..56].copy_from_slice(&shard.epoch().to_le_bytes());
    bytes[56..64].copy_from_slice(&layout.extent_bytes().to_le_bytes());
    bytes[64..68].copy_from_slice(&(layout.full_cell_bytes() as u32).to_le_bytes());
    let crc = checksum(CrcAlgorithm::Crc64Nvme, &bytes[..CHECKED_BYTES]);
    bytes[CHECKED_BYTES..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads the header of the shard that should be `key` in `cluster`.
pub(super) fn decode(
    bytes: &[u8; HEADER_BYTES],
    cluster: ClusterId,
    key: ShardKey,
) -> Result<Shard, HeaderError> {
    if bytes[..8] != MAGIC {
        return Err(HeaderError::Magic);
    }
    let version = u16::from_le_bytes(array(bytes, 8));
    if version != VERSION {
        return Err(HeaderError::Version(version));
    }
    if checksum(CrcAlgorithm::Crc64Nvme, &bytes[..CHECKED_BYTES])
        != u64::from_le_bytes(array(bytes, CHECKED_BYTES))
    {
        return Err(HeaderError::Checksum);
    }
    let theirs = ClusterId::from_bytes(array(bytes, 16));
    if theirs != cluster {
        return Err(HeaderError::Cluster(theirs));
    }
    let shard = shape(bytes).ok_or(HeaderError::Shape)?;
    if shard.key() != key {
        return Err(HeaderError::Key(shard.key()));
    }
    Ok(shard)
}

fn shape(bytes: &[u8; HEADER_BYTES]) -> Option<Shard> {
    let key = ShardKey::new(ExtentId::from_bytes(array(bytes, 32)), u32::from(bytes[10]))?;
    let policy = Policy::new(usize::from(bytes[11]), usize::from(bytes[12]))?;
    let cell_bytes = u32::from_le_bytes(array(bytes, 64)) as usize;
    let epoch = u64::from_le_bytes(array(bytes, 48));
    let head = ShardHead::new(key, policy, cell_bytes, epoch).ok()?;
    head.complete(u64::from_le_bytes(array(bytes, 56))).ok()
}

/// The `N` bytes at `at`; every caller's place is a constant inside of the header.
fn array<const N: usize>(bytes: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[at + index])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Shard, ClusterId) {
        let key = ShardKey::new(ExtentId::random(), 5).unwrap();
        let head = ShardHead::new(key, Policy::new(4, 2).unwrap(), 65_536, 9).unwrap();
        (head.complete(1_000_003).unwrap(), ClusterId::random())
    }

    #[test]
    fn a_shard_survives_its_header() {
        let (shard, cluster) = sample();
        assert_eq!(decode(&encode(&shard, cluster), cluster, shard.key()), Ok(shard));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let (shard, cluster) = sample();
        for bit in 0..HEADER_BYTES * 8 {
            let mut bytes = encode(&shard, cluster);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&bytes, cluster, shard.key()).is_err(), "bit {bit}");
        }
        assert_eq!(decode(&[0; HEADER_BYTES], cluster, shard.key()), Err(HeaderError::Magic));
    }

    #[test]
    fn a_valid_shard_in_the_wrong_place_is_a_bad_shard() {
        let (shard, cluster) = sample();
        let (other, foreign) = sample();
        let bytes = encode(&shard, cluster);
        assert_eq!(decode(&bytes, foreign, shard.key()), Err(HeaderError::Cluster(cluster)));
        assert_eq!(decode(&bytes, cluster, other.key()), Err(HeaderError::Key(shard.key())));
    }
}
