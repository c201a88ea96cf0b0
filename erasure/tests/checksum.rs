//! A cell's checksum finds every change of the cell and of its place.

use asterism_erasure::{CellIdentity, cell_checksum};
use proptest::prelude::*;

const IDENTITY: CellIdentity =
    CellIdentity { cluster: [1; 16], extent: [2; 16], slot: 3, data: 4, parity: 2 };
const INDEX: u32 = 5;

fn cell() -> Vec<u8> {
    (0..4_099u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// The cell in another place, or with other bytes, has another checksum.
fn check_found(identity: &CellIdentity, index: u32, bytes: &[u8]) {
    assert_ne!(cell_checksum(identity, index, bytes), cell_checksum(&IDENTITY, INDEX, &cell()));
}

const REFLECTED_POLYNOMIAL: u64 = 0xAD93_D235_94C9_3659u64.reverse_bits();

/// CRC-64/NVMe bit by bit, from its definition: reflected, all ones at both ends.
fn crc_by_definition(bytes: impl IntoIterator<Item = u8>) -> u64 {
    !bytes.into_iter().fold(u64::MAX, |crc, byte| {
        (0..8).fold(crc ^ u64::from(byte), |crc, _| {
            (crc >> 1) ^ (REFLECTED_POLYNOMIAL & 0u64.wrapping_sub(crc & 1))
        })
    })
}

fn checksum_by_definition(identity: &CellIdentity, index: u32, bytes: &[u8]) -> u64 {
    let CellIdentity { cluster, extent, slot, data, parity } = *identity;
    let place = cluster.into_iter().chain(extent).chain([slot, data, parity]).chain(index.to_le_bytes());
    crc_by_definition(place.chain((bytes.len() as u64).to_le_bytes()).chain(bytes.iter().copied()))
}

#[test]
fn the_definition_is_the_published_one() {
    assert_eq!(crc_by_definition(*b"123456789"), 0xAE8B_1486_0A79_9888);
}

#[test]
fn every_length_agrees_with_the_definition() {
    let cell = cell();
    for length in (0..600).chain([1_023, 1_024, 4_096, 4_099]) {
        let bytes = &cell[..length];
        assert_eq!(
            cell_checksum(&IDENTITY, INDEX, bytes),
            checksum_by_definition(&IDENTITY, INDEX, bytes),
            "{length}"
        );
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let mut bytes = cell();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        check_found(&IDENTITY, INDEX, &bytes);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn every_cut_is_found() {
    let bytes = cell();
    (0..bytes.len()).for_each(|length| check_found(&IDENTITY, INDEX, &bytes[..length]));
}

#[test]
fn every_growth_is_found() {
    for more in 1..600 {
        check_found(&IDENTITY, INDEX, &[cell(), vec![0; more]].concat());
        check_found(&IDENTITY, INDEX, &[vec![0; more], cell()].concat());
    }
}

#[test]
fn cut_and_grown_zeros_are_found() {
    let checksums: Vec<u64> =
        (0..2_000).map(|length| cell_checksum(&IDENTITY, INDEX, &vec![0; length])).collect();
    let distinct: std::collections::HashSet<u64> = checksums.iter().copied().collect();
    assert_eq!(distinct.len(), checksums.len());
}

#[test]
fn zeroed_bytes_are_found_also_with_a_zeroed_checksum() {
    let whole = cell();
    check_found(&IDENTITY, INDEX, &vec![0; whole.len()]);
    for start in (0..whole.len()).step_by(512) {
        let mut bytes = whole.clone();
        let end = bytes.len().min(start + 512);
        bytes[start..end].fill(0);
        check_found(&IDENTITY, INDEX, &bytes);
    }
    assert!((0..2_000).all(|length| cell_checksum(&IDENTITY, INDEX, &vec![0; length]) != 0));
}

#[test]
fn a_cell_made_to_have_a_crc_of_zero_has_another_checksum() {
    // The register before the last eight bytes, and the one from which 64 steps lead to the end that means 0.
    let before = !checksum_by_definition(&IDENTITY, INDEX, &[0; 8]);
    let stepped_back = |register| {
        (0..64).fold(register, |register: u64, _| match register >> 63 {
            1 => ((register ^ REFLECTED_POLYNOMIAL) << 1) | 1,
            _ => register << 1,
        })
    };
    let bytes = (stepped_back(before) ^ stepped_back(u64::MAX)).to_le_bytes();
    assert_eq!(checksum_by_definition(&IDENTITY, INDEX, &bytes), 0);
    assert_ne!(cell_checksum(&IDENTITY, INDEX, &bytes), 0);
}

#[test]
fn a_cell_in_another_place_is_found() {
    let elsewhere = [
        CellIdentity { cluster: [9; 16], ..IDENTITY },
        CellIdentity { extent: [9; 16], ..IDENTITY },
        CellIdentity { slot: 2, ..IDENTITY },
        CellIdentity { data: 3, ..IDENTITY },
        CellIdentity { parity: 3, ..IDENTITY },
        CellIdentity { cluster: IDENTITY.extent, extent: IDENTITY.cluster, ..IDENTITY },
        CellIdentity { slot: IDENTITY.data, data: IDENTITY.slot, ..IDENTITY },
    ];
    elsewhere.iter().for_each(|identity| check_found(identity, INDEX, &cell()));
    (0..1_000).filter(|&index| index != INDEX).for_each(|index| check_found(&IDENTITY, index, &cell()));
}

#[test]
fn swapped_bytes_and_pages_are_found() {
    let whole = cell();
    for (a, b) in [(0, 1), (0, 4_098), (511, 512), (100, 3_000)] {
        let mut bytes = whole.clone();
        bytes.swap(a, b);
        assert_ne!(bytes, whole);
        check_found(&IDENTITY, INDEX, &bytes);
    }
    let mut bytes = whole.clone();
    bytes[..4_096].rotate_left(2_048);
    check_found(&IDENTITY, INDEX, &bytes);
}

proptest! {
    #[test]
    fn no_two_cells_or_places_share_a_checksum(
        a in (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<[u8; 3]>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..200)),
        b in (any::<[u8; 16]>(), any::<[u8; 16]>(), any::<[u8; 3]>(), any::<u32>(), proptest::collection::vec(any::<u8>(), 0..200)),
    ) {
        prop_assume!(a != b);
        let checksum = |(cluster, extent, [slot, data, parity], index, bytes): ([u8; 16], [u8; 16], [u8; 3], u32, Vec<u8>)| {
            cell_checksum(&CellIdentity { cluster, extent, slot, data, parity }, index, &bytes)
        };
        prop_assert_ne!(checksum(a), checksum(b));
    }
}
