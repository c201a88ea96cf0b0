//! Laws of the code: what was lost comes back, and nothing else changes.

use asterism_erasure::{Code, CodeError, Kernel, SHARDS_MAX};
use proptest::prelude::*;

/// All shards of a stripe with the given data.
fn encoded(code: &Code, data: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut parity = vec![vec![0xAA; data[0].len()]; code.policy().parity()];
    let data_slices: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    let mut parity_slices: Vec<&mut [u8]> = parity.iter_mut().map(Vec::as_mut_slice).collect();
    code.encode(&data_slices, &mut parity_slices).expect("the stripe has the shape of the code");
    data.iter().cloned().chain(parity).collect()
}

/// Rebuilds `wanted` with `lost` missing.
fn rebuilt(code: &Code, shards: &[Vec<u8>], lost: &[usize], wanted: &[usize]) -> Vec<Vec<u8>> {
    let present: Vec<Option<&[u8]>> =
        (0..shards.len()).map(|slot| (!lost.contains(&slot)).then_some(shards[slot].as_slice())).collect();
    let mut buffers = vec![vec![0x55; shards[0].len()]; wanted.len()];
    let mut targets: Vec<(usize, &mut [u8])> =
        wanted.iter().copied().zip(buffers.iter_mut().map(Vec::as_mut_slice)).collect();
    code.reconstruct(&present, &mut targets).expect("no more is lost than the code bears");
    buffers
}

/// A code, its data, which slots are lost (at most `m`), in an order, and how many of these are wanted.
fn stripes() -> impl Strategy<Value = (usize, usize, Vec<Vec<u8>>, Vec<usize>, usize)> {
    (1..=SHARDS_MAX)
        .prop_flat_map(|data| (Just(data), 0..=SHARDS_MAX - data, 0usize..700))
        .prop_flat_map(|(data, parity, length)| {
            let shard = proptest::collection::vec(any::<u8>(), length);
            let shards = proptest::collection::vec(shard, data);
            let order = Just((0..data + parity).collect::<Vec<_>>()).prop_shuffle();
            (Just(data), Just(parity), shards, order, 0..=parity)
        })
        .prop_flat_map(|(data, parity, shards, mut order, losses)| {
            order.truncate(losses);
            (Just(data), Just(parity), Just(shards), Just(order), 0..=losses)
        })
}

proptest! {
    #[test]
    fn any_losses_up_to_the_parity_come_back((data, parity, content, lost, wanted) in stripes()) {
        let wanted = &lost[..wanted];
        for kernel in Kernel::available() {
            let code = Code::with_kernel(data, parity, kernel).unwrap();
            let shards = encoded(&code, &content);
            for (slot, bytes) in wanted.iter().zip(rebuilt(&code, &shards, &lost, wanted)) {
                prop_assert_eq!(&bytes, &shards[*slot], "slot {} on {}", slot, kernel);
            }
        }
    }
}

#[test]
fn one_loss_too_many_is_an_error() {
    let code = Code::new(4, 2).unwrap();
    let shards = [Some([0u8].as_slice()), None, Some(&[0]), None, None, Some(&[0])];
    let mut byte = [7];
    let error = code.reconstruct(&shards, &mut [(1, &mut byte)]).unwrap_err();
    assert_eq!(error, CodeError::TooFewShards { present: 3, needed: 4 });
    assert_eq!(byte, [7]);
}
