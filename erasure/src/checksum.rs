//! A checksum that knows where its cell belongs.

use crc_fast::{CrcAlgorithm, Digest};

/// The place a cell belongs to. Its checksum is bound to it, so a valid cell in the wrong place is a bad cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CellIdentity {
    /// The cluster's UUID.
    pub cluster: [u8; 16],
    /// The extent's UUID.
    pub extent: [u8; 16],
    /// The slot of the shard in its extent.
    pub slot: u8,
    /// Data shards of the extent's policy.
    pub data: u8,
    /// Parity shards of the extent's policy.
    pub parity: u8,
}

const PREFIX_BYTES: usize = 16 + 16 + 3 + 4 + 8;

/// CRC-64/NVMe over identity ‖ index ‖ length ‖ bytes, numbers little-endian.
///
/// Finds every change of up to 64 neighbouring bits, and any other but one in 2^64. It is never 0, so a cell
/// zeroed together with its stored checksum is found too. It is no defence against someone who forges cells on purpose.
pub fn cell_checksum(identity: &CellIdentity, cell_index: u32, bytes: &[u8]) -> u64 {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    digest.update(&prefix(identity, cell_index, bytes.len() as u64));
    digest.update(bytes);
    digest.finalize().max(1)
}

fn prefix(identity: &CellIdentity, cell_index: u32, length: u64) -> [u8; PREFIX_BYTES] {
    let mut prefix = [0; PREFIX_BYTES];
    prefix[..16].copy_from_slice(&identity.cluster);
    prefix[16..32].copy_from_slice(&identity.extent);
    prefix[32..35].copy_from_slice(&[identity.slot, identity.data, identity.parity]);
    prefix[35..39].copy_from_slice(&cell_index.to_le_bytes());
    prefix[39..].copy_from_slice(&length.to_le_bytes());
    prefix
}
