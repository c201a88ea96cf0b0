//! Laws of the code: what was lost comes back, on every kernel, and nothing else changes.

use asterism_erasure::{Code, CodeError, Kernel, Policy, SHARDS_MAX};
use proptest::prelude::*;

/// Bytes that look random and differ for each `seed`.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(next).collect()
}

fn slices(shards: &[Vec<u8>]) -> Vec<&[u8]> {
    shards.iter().map(Vec::as_slice).collect()
}

fn slices_mut(shards: &mut [Vec<u8>]) -> Vec<&mut [u8]> {
    shards.iter_mut().map(Vec::as_mut_slice).collect()
}

/// All shards of a stripe of noise.
fn encoded(code: &Code, seed: u64, length: usize) -> Vec<Vec<u8>> {
    let data: Vec<Vec<u8>> =
        (0..code.policy().data()).map(|slot| noise(seed + slot as u64, length)).collect();
    let mut parity = vec![vec![0xAA; length]; code.policy().parity()];
    code.encode(&slices(&data), &mut slices_mut(&mut parity)).expect("the stripe has the shape of the code");
    data.into_iter().chain(parity).collect()
}

/// Rebuilds `wanted`, in this order, with `lost` missing.
fn rebuilt(code: &Code, shards: &[Vec<u8>], lost: &[usize], wanted: &[usize]) -> Vec<Vec<u8>> {
    let present: Vec<Option<&[u8]>> =
        (0..shards.len()).map(|slot| (!lost.contains(&slot)).then_some(shards[slot].as_slice())).collect();
    let mut buffers = vec![vec![0x55; shards[0].len()]; wanted.len()];
    let mut targets: Vec<(usize, &mut [u8])> = wanted.iter().copied().zip(slices_mut(&mut buffers)).collect();
    code.reconstruct(&present, &mut targets).expect("no more is lost than the code bears");
    buffers
}

fn check_loss(code: &Code, shards: &[Vec<u8>], lost: &[usize], wanted: &[usize]) {
    for (slot, bytes) in wanted.iter().zip(rebuilt(code, shards, lost, wanted)) {
        let (policy, kernel) = (code.policy(), code.kernel());
        assert!(
            bytes == shards[*slot],
            "{policy} on {kernel}: slot {slot} with {lost:?} lost, {wanted:?} wanted"
        );
    }
}

/// A policy, which slots are lost (at most `m`), in any order, and how many of these are wanted.
fn losses() -> impl Strategy<Value = (usize, usize, Vec<usize>, usize)> {
    (1..=SHARDS_MAX)
        .prop_flat_map(|data| (Just(data), 0..=SHARDS_MAX - data))
        .prop_flat_map(|(data, parity)| {
            let order = Just((0..data + parity).collect::<Vec<_>>()).prop_shuffle();
            (Just(data), Just(parity), order, 0..=parity)
        })
        .prop_flat_map(|(data, parity, mut order, losses)| {
            order.truncate(losses);
            (Just(data), Just(parity), Just(order), 0..=losses)
        })
}

proptest! {
    #[test]
    fn any_losses_up_to_the_parity_come_back(
        (data, parity, lost, wanted) in losses(), length in 0usize..6_000, seed: u64,
    ) {
        let portable = encoded(&Code::with_kernel(data, parity, Kernel::Portable).unwrap(), seed >> 8, length);
        for kernel in Kernel::available() {
            let code = Code::with_kernel(data, parity, kernel).unwrap();
            let shards = encoded(&code, seed >> 8, length);
            prop_assert!(shards == portable, "{} makes other shards", kernel);
            check_loss(&code, &shards, &lost, &lost[..wanted]);
        }
    }

    #[test]
    fn an_update_in_place_is_an_encode_anew(
        (data, parity, _, _) in losses(), slot: usize, length in 1usize..3_000, start: usize, end: usize, seed: u64,
    ) {
        let (slot, seed) = (slot % data, seed >> 8);
        let (start, end) = (start % length, end % (length + 1));
        let range = start.min(end)..end.max(start);
        for kernel in Kernel::available() {
            let code = Code::with_kernel(data, parity, kernel).unwrap();
            let mut shards = encoded(&code, seed, length);
            let old = shards[slot][range.clone()].to_vec();
            let new = noise(seed ^ 0xFF, range.len());
            shards[slot][range.clone()].copy_from_slice(&new);
            let (content, parities) = shards.split_at_mut(data);
            let mut anew = parities.to_vec();
            code.encode(&slices(content), &mut slices_mut(&mut anew)).unwrap();

            let mut changed: Vec<&mut [u8]> = parities.iter_mut().map(|shard| &mut shard[range.clone()]).collect();
            code.update(slot, &old, &new, &mut changed).unwrap();
            prop_assert!(anew == parities, "{}+{} on {}: slot {}, {:?} of {}", data, parity, kernel, slot, range, length);
        }
    }
}

#[test]
fn every_loss_of_every_small_code_comes_back() {
    for data in 1..=6 {
        for parity in 0..=4 {
            let code = Code::new(data, parity).unwrap();
            let shards = encoded(&code, 7, 70);
            for set in (0u32..1 << (data + parity)).filter(|set| set.count_ones() as usize <= parity) {
                let lost: Vec<usize> = (0..data + parity).filter(|slot| set >> slot & 1 == 1).collect();
                check_loss(&code, &shards, &lost, &lost);
            }
        }
    }
}

#[test]
fn all_parity_of_the_widest_codes_can_be_lost_or_used() {
    for (data, parity) in [(1, 31), (2, 30), (16, 16), (28, 4), (31, 1)] {
        let code = Code::new(data, parity).unwrap();
        let shards = encoded(&code, 9, 1_000);
        let first: Vec<usize> = (0..parity).collect();
        let last: Vec<usize> = (data..data + parity).collect();
        check_loss(&code, &shards, &first, &first);
        check_loss(&code, &shards, &last, &last);
    }
}

#[test]
fn shards_of_no_bytes_are_fine() {
    for kernel in Kernel::available() {
        let code = Code::with_kernel(4, 2, kernel).unwrap();
        let shards = encoded(&code, 1, 0);
        check_loss(&code, &shards, &[0, 5], &[0, 5]);
        code.update(3, &[], &[], &mut [&mut [], &mut []]).unwrap();
    }
}

#[test]
fn with_one_data_shard_all_shards_are_copies() {
    for parity in 0..SHARDS_MAX {
        let shards = encoded(&Code::new(1, parity).unwrap(), 3, 333);
        assert!(shards.iter().all(|shard| *shard == shards[0]), "1+{parity}");
    }
}

#[test]
fn the_first_parity_shard_is_the_sum_of_the_data() {
    let shards = encoded(&Code::new(5, 2).unwrap(), 3, 333);
    let sum: Vec<u8> = (0..333).map(|at| shards[..5].iter().fold(0, |sum, shard| sum ^ shard[at])).collect();
    assert_eq!(shards[5], sum);
}

#[test]
fn clones_are_shared_by_threads() {
    let code = Code::new(4, 2).unwrap();
    let shards = encoded(&code, 5, 4_096);
    std::thread::scope(|scope| {
        for first in 0..5 {
            let (code, shards) = (code.clone(), &shards);
            scope.spawn(move || check_loss(&code, shards, &[first, 5], &[5, first]));
        }
    });
}

/// Bad calls to 2+2 with shards of 4 bytes: the error, and that the buffers are as they were.
fn check_refusal(shards: &[Option<&[u8]>], wanted: &[usize], length: usize, expected: CodeError) {
    let mut buffers = vec![vec![7; length]; wanted.len()];
    let mut targets: Vec<(usize, &mut [u8])> = wanted.iter().copied().zip(slices_mut(&mut buffers)).collect();
    let code = Code::new(2, 2).expect("there is such a code");
    let result = code.reconstruct(shards, &mut targets);
    assert_eq!(result, Err(expected));
    assert!(buffers.iter().flatten().all(|&byte| byte == 7), "something was written in spite of {expected}");
}

#[test]
fn bad_reconstructions_are_refused() {
    let shard = Some([1u8, 2, 3, 4].as_slice());
    let short = Some([1u8, 2, 3].as_slice());
    check_refusal(&[None, None, None, shard], &[0], 4, CodeError::TooFewShards { present: 1, needed: 2 });
    check_refusal(&[shard, shard, None], &[2], 4, CodeError::ShardCount { expected: 4, given: 3 });
    check_refusal(&[shard, None, short, None], &[1], 4, CodeError::Length { expected: 4, given: 3 });
    check_refusal(&[shard, None, shard, None], &[1], 5, CodeError::Length { expected: 4, given: 5 });
    check_refusal(&[shard, None, shard, None], &[1, 1], 4, CodeError::Slot { slot: 1 });
    check_refusal(&[shard, None, shard, None], &[1, 0], 4, CodeError::Slot { slot: 0 });
    check_refusal(&[shard, None, shard, None], &[4], 4, CodeError::Slot { slot: 4 });
    check_refusal(&[shard, None, shard, None], &[usize::MAX], 4, CodeError::Slot { slot: usize::MAX });
}

#[test]
fn a_reconstruction_of_nothing_needs_nothing() {
    Code::new(2, 2).unwrap().reconstruct(&[None; 4], &mut []).unwrap();
}

#[test]
fn bad_encodes_and_updates_are_refused() {
    let code = Code::new(2, 1).unwrap();
    let (mut byte, mut two) = ([7], [7; 2]);
    let count = Err(CodeError::ShardCount { expected: 2, given: 1 });
    assert_eq!(code.encode(&[&[1]], &mut [&mut byte]), count);
    let count = Err(CodeError::ShardCount { expected: 1, given: 0 });
    assert_eq!(code.encode(&[&[1], &[2]], &mut []), count);
    assert_eq!(code.update(0, &[1], &[2], &mut []), count);
    let length = Err(CodeError::Length { expected: 1, given: 2 });
    assert_eq!(code.encode(&[&[1], &[2, 3]], &mut [&mut byte]), length);
    assert_eq!(code.encode(&[&[1], &[2]], &mut [&mut two]), length);
    assert_eq!(code.update(1, &[1], &[2, 3], &mut [&mut byte]), length);
    assert_eq!(code.update(1, &[1], &[2], &mut [&mut two]), length);
    assert_eq!(code.update(2, &[1], &[2], &mut [&mut byte]), Err(CodeError::Slot { slot: 2 }));
    assert_eq!((byte, two), ([7], [7; 2]));
}

#[test]
fn codes_that_do_not_exist_are_refused() {
    for (data, parity) in [(0, 2), (0, 0), (33, 0), (30, 3), (1, 32), (usize::MAX, 1), (1, usize::MAX)] {
        assert_eq!(Code::new(data, parity).err(), Some(CodeError::Policy { data, parity }));
    }
    for kernel in Kernel::ALL.into_iter().filter(|kernel| !kernel.is_available()) {
        assert_eq!(Code::with_kernel(4, 2, kernel).err(), Some(CodeError::Kernel(kernel)));
    }
    assert_eq!(Some(Code::new(4, 2).unwrap().policy()), Policy::new(4, 2));
}
