//! The headers of a log that grows no more, in a file beside it: so a start need not read the log.
//!
//! ```text
//! 0  magic (8)   8  version (2)   10 flags (1)   11 zero (5)   16 log (8)   24 its end (8)   32 records (8)   40 zero (24)
//! 64 the log's first block   then the header of each record (128)   then CRC-64/NVMe of all before (8)
//! ```
//!
//! It is made from the log and can be made again at any time. One that does not verify is not used.

use super::{
    header::{self, HEADER_BYTES, Record},
    segment::{LOG_RECORDS_MAX, LogHeader, Name},
};
use crate::disk::{Access, BLOCK_BYTES, Disk, Folder};
use asterism_proto::ClusterId;
use crc_fast::{CrcAlgorithm, checksum};
use std::{ffi::OsStr, io};

const MAGIC: [u8; 8] = *b"ASTERIDX";
const VERSION: u16 = 2;
const FIXED_BYTES: usize = 64;
const CRC_BYTES: usize = 8;
/// Two logs of compaction at their limit, which is more than any has.
const BYTES_MAX: usize = FIXED_BYTES + BLOCK_BYTES + 2 * LOG_RECORDS_MAX * HEADER_BYTES + CRC_BYTES;
/// The log holds bytes that were not understood.
const FLAG_DAMAGED: u8 = 1;

/// What a log's index says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogIndex {
    pub(super) header: LogHeader,
    /// Where the last record ends.
    pub(super) end: u64,
    /// Something in the log was not understood.
    pub(super) damaged: bool,
    pub(super) records: Vec<Record>,
}

impl LogIndex {
    fn encode(&self) -> Vec<u8> {
        let records = self.records.len();
        let mut bytes =
            Vec::with_capacity(FIXED_BYTES + BLOCK_BYTES + records * HEADER_BYTES + CRC_BYTES + BLOCK_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[if self.damaged { FLAG_DAMAGED } else { 0 }, 0, 0, 0, 0, 0]);
        for number in [self.header.id, self.end, records as u64] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.resize(FIXED_BYTES, 0);
        bytes.extend_from_slice(&self.header.encode());
        for record in &self.records {
            bytes.extend_from_slice(&header::encode(record, self.header.cluster));
        }
        let crc = checksum(CrcAlgorithm::Crc64Nvme, &bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8], cluster: ClusterId, id: u64) -> Option<Self> {
        let checked = bytes.len().checked_sub(CRC_BYTES)?;
        let number = |at: usize| bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let right = bytes.get(..8)? == MAGIC
            && bytes.get(8..10)? == VERSION.to_le_bytes()
            && number(16)? == id
            && number(checked)? == checksum(CrcAlgorithm::Crc64Nvme, &bytes[..checked]);
        let headers = bytes.get(FIXED_BYTES + BLOCK_BYTES..checked)?;
        if !right || headers.len() as u64 != number(32)?.checked_mul(HEADER_BYTES as u64)? {
            return None;
        }
        let header = LogHeader::decode(&bytes[FIXED_BYTES..]).filter(|header| header.cluster == cluster)?;
        let records = headers
            .chunks_exact(HEADER_BYTES)
            .map(|bytes| header::decode(bytes.first_chunk()?, cluster).ok())
            .collect::<Option<Vec<Record>>>()?;
        let end = number(24)?;
        let fits = |record: &Record| {
            record.location.segment == id && record.location.offset + record.stored_bytes() <= end
        };
        let whole = header.id == id && records.iter().all(fits);
        whole.then_some(Self { header, end, damaged: bytes[10] & FLAG_DAMAGED != 0, records })
    }

    /// Puts it beside its log, durable and all at once; one that is there is replaced.
    pub(super) fn write(&self, disk: &dyn Disk) -> io::Result<()> {
        let name = Name::Index(self.header.id).file();
        match disk.remove(Folder::Temporary, &name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let written = self.write_unfinished(disk, &name);
        if written.is_err() {
            // What is left is set aside at the next start.
            let _ = disk.remove(Folder::Temporary, &name);
        }
        written
    }

    fn write_unfinished(&self, disk: &dyn Disk, name: &OsStr) -> io::Result<()> {
        let file = disk.open(Folder::Temporary, name, Access::Create)?;
        file.write_at(&self.encode(), 0)?;
        file.sync()?;
        disk.rename((Folder::Temporary, name), (Folder::Segments, name))?;
        disk.sync_folder(Folder::Segments)
    }

    /// Reads the index of the log `id`; none if there is none that can be used.
    pub(super) fn read(disk: &dyn Disk, cluster: ClusterId, id: u64) -> Option<Self> {
        let file = disk.open(Folder::Segments, &Name::Index(id).file(), Access::Read).ok()?;
        let length = usize::try_from(file.length().ok()?).ok().filter(|length| *length <= BYTES_MAX)?;
        let mut bytes = vec![0; length];
        let found = file.read_at(&mut bytes, 0).ok()?;
        Self::decode(&bytes[..found], cluster, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        disk::SimDisk,
        store::header::{Body, Location},
    };
    use asterism_proto::NodeId;

    fn sample(cluster: ClusterId) -> LogIndex {
        let header = LogHeader { cluster, node: NodeId::from_bytes([2; 16]), id: 5, replaces: vec![1] };
        let record = |number: u64| Record {
            location: Location { segment: 5, offset: 4096 + number * 128 },
            sequence: number,
            batch: 4096,
            body: Body::Void { segment: 3, batch: 4096 },
        };
        LogIndex { header, end: 8192, damaged: true, records: (0..9).map(record).collect() }
    }

    #[test]
    fn it_is_read_back_and_every_flipped_bit_is_found() {
        let cluster = ClusterId::random();
        let index = sample(cluster);
        let bytes = index.encode();
        assert_eq!(LogIndex::decode(&bytes, cluster, 5).as_ref(), Some(&index));
        assert_eq!(LogIndex::decode(&bytes, cluster, 6), None);
        assert_eq!(LogIndex::decode(&bytes, ClusterId::random(), 5), None);
        for place in 0..bytes.len() {
            let mut spoiled = bytes.clone();
            spoiled[place] ^= 1 << (place % 8);
            assert_eq!(LogIndex::decode(&spoiled, cluster, 5), None, "byte {place}");
            assert_eq!(LogIndex::decode(&bytes[..place], cluster, 5), None, "cut to {place}");
        }
    }

    #[test]
    fn a_cut_leaves_the_old_one_or_the_new_one() {
        let cluster = ClusterId::random();
        let (old, mut new) = (sample(cluster), sample(cluster));
        new.records.truncate(3);
        for seed in 0..300 {
            let disk = SimDisk::new(seed);
            Folder::PARTS.iter().for_each(|folder| disk.make_folder(*folder).unwrap());
            disk.sync_folder(Folder::Root).unwrap();
            old.write(&disk).unwrap();
            disk.cut_after(seed % 8);
            let written = new.write(&disk);
            disk.power_cut();
            let found = LogIndex::read(&disk, cluster, 5).unwrap();
            assert!(found == new || (found == old && written.is_err()), "seed {seed}");
        }
    }
}
