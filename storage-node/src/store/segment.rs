//! Names of segments, and the first block of a log.
//!
//! ```text
//! NNNNNNNNNNNNNNNN.log           many small records, appended batch by batch
//! NNNNNNNNNNNNNNNN.index         the headers of a log that grows no more
//! EXTENT.SLOT.NNNNNNNNNNNNNNNN   one large shard
//! ```
//!
//! `N` is the segment's number in hexadecimal. A number is used once.

use super::header::Location;
use crate::{disk::BLOCK_BYTES, shard::ShardKey};
use asterism_proto::{ClusterId, ExtentId, NodeId};
use crc_fast::{CrcAlgorithm, checksum};
use std::ffi::{OsStr, OsString};

/// What compaction reads and writes at one time.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// What an index holds: with these, shards of 4 KiB fill a log.
pub(super) const LOG_RECORDS_MAX: usize = 16_384;
/// A shard that takes more gets a file of its own; what is smaller shares a sync with others.
const RECORD_BYTES_MAX: usize = 512 << 10;

/// How large logs and what is in them get. Smaller ones are for tests, where every edge should be met soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// A log is closed when it would get longer.
    pub log_bytes: u64,
    /// A log is closed when it would have more records.
    pub log_records: usize,
    /// A shard that takes more gets a file of its own.
    pub record_bytes: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { log_bytes: LOG_BYTES_MAX, log_records: LOG_RECORDS_MAX, record_bytes: RECORD_BYTES_MAX }
    }
}

/// In front of a log's records.
pub(super) const LOG_HEADER_BYTES: u64 = BLOCK_BYTES as u64;
/// Logs that one log can take the place of.
pub(super) const REPLACES_MAX: usize = 64;

const MAGIC: [u8; 8] = *b"ASTERLOG";
const VERSION: u16 = 2;
const REPLACES_AT: usize = 64;
const CHECKED_BYTES: usize = BLOCK_BYTES - 8;
const _: () = assert!(REPLACES_AT + 8 * REPLACES_MAX <= CHECKED_BYTES);

/// Whether the segment is one shard's own.
pub(super) fn is_solo(location: Location) -> bool {
    location.offset == 0
}

/// What a name in the segments' folder says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Log(u64),
    Index(u64),
    Solo(ShardKey, u64),
}

impl Name {
    /// As it stands in the folder.
    pub(super) fn file(&self) -> OsString {
        match self {
            Self::Log(id) => format!("{id:016x}.log"),
            Self::Index(id) => format!("{id:016x}.index"),
            Self::Solo(key, id) => format!("{key}.{id:016x}"),
        }
        .into()
    }

    /// What `name` means, if it is exactly what a segment would be called.
    pub(super) fn parse(name: &OsStr) -> Option<Self> {
        let text = name.to_str()?;
        let (first, last) = text.rsplit_once('.')?;
        let found = match last {
            "log" => Self::Log(u64::from_str_radix(first, 16).ok()?),
            "index" => Self::Index(u64::from_str_radix(first, 16).ok()?),
            id => {
                let (extent, slot) = first.split_once('.')?;
                let key = ShardKey::new(extent.parse::<ExtentId>().ok()?, slot.parse().ok()?)?;
                Self::Solo(key, u64::from_str_radix(id, 16).ok()?)
            }
        };
        // One segment has one name: upper case, leading signs and the like name nothing.
        (found.file() == name).then_some(found)
    }

    /// The segment's number.
    pub(super) fn id(&self) -> u64 {
        match self {
            Self::Log(id) | Self::Index(id) | Self::Solo(_, id) => *id,
        }
    }
}

/// The file of the shard `key` at `location`.
pub(super) fn file_of(key: ShardKey, location: Location) -> OsString {
    match is_solo(location) {
        true => Name::Solo(key, location.segment).file(),
        false => Name::Log(location.segment).file(),
    }
}

/// The first block of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogHeader {
    pub(super) cluster: ClusterId,
    pub(super) node: NodeId,
    pub(super) id: u64,
    /// The logs whose living records it holds: it was made by compaction, and is whole.
    pub(super) replaces: Vec<u64>,
}

impl LogHeader {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; BLOCK_BYTES];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(16, self.cluster.as_bytes());
        put(32, self.node.as_bytes());
        put(48, &self.id.to_le_bytes());
        put(56, &(self.replaces.len() as u64).to_le_bytes());
        for (number, id) in self.replaces.iter().enumerate() {
            put(REPLACES_AT + 8 * number, &id.to_le_bytes());
        }
        let crc = checksum(CrcAlgorithm::Crc64Nvme, &bytes[..CHECKED_BYTES]);
        bytes[CHECKED_BYTES..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// What the first block of a file says; none if it is not one of a log.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BLOCK_BYTES] = bytes.first_chunk()?;
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|index| bytes[at + index]));
        let id = |at: usize| std::array::from_fn(|index| bytes[at + index]);
        let right = bytes[..8] == MAGIC
            && bytes[8..10] == VERSION.to_le_bytes()
            && checksum(CrcAlgorithm::Crc64Nvme, &bytes[..CHECKED_BYTES]) == number(CHECKED_BYTES);
        let count = usize::try_from(number(56)).ok().filter(|count| right && *count <= REPLACES_MAX)?;
        Some(Self {
            cluster: ClusterId::from_bytes(id(16)),
            node: NodeId::from_bytes(id(32)),
            id: number(48),
            replaces: (0..count).map(|index| number(REPLACES_AT + 8 * index)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_name() {
        let key = ShardKey::new(ExtentId::from_bytes([0xab; 16]), 5).unwrap();
        let extent = "ab".repeat(16);
        for (name, text) in [
            (Name::Log(0x1f), "000000000000001f.log".to_owned()),
            (Name::Index(u64::MAX), "ffffffffffffffff.index".to_owned()),
            (Name::Solo(key, 7), format!("{extent}.5.0000000000000007")),
        ] {
            assert_eq!(name.file(), OsString::from(&text));
            assert_eq!(Name::parse(OsStr::new(&text)), Some(name));
        }
        for wrong in [
            "1f.log".to_owned(),
            "000000000000001F.log".into(),
            "+00000000000001f.log".into(),
            "000000000000001f.log.tmp".into(),
            format!("{extent}.05.0000000000000007"),
            format!("{extent}.32.0000000000000007"),
            format!("{extent}.5"),
            format!("{extent}.5.7"),
            format!("{}.5.0000000000000007", extent.to_uppercase()),
            "..".into(),
            String::new(),
        ] {
            assert_eq!(Name::parse(OsStr::new(&wrong)), None, "{wrong}");
        }
    }

    #[test]
    fn a_log_knows_itself_and_every_flipped_bit_is_found() {
        let header = LogHeader {
            cluster: ClusterId::random(),
            node: NodeId::from_bytes([3; 16]),
            id: 9,
            replaces: vec![4, 7],
        };
        let bytes = header.encode();
        assert_eq!(LogHeader::decode(&bytes), Some(header));
        for place in 0..bytes.len() {
            let mut spoiled = bytes.clone();
            spoiled[place] ^= 1 << (place % 8);
            assert_eq!(LogHeader::decode(&spoiled), None, "byte {place}");
        }
        assert_eq!(LogHeader::decode(&bytes[..100]), None);
    }
}
