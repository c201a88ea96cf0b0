//! From the shards that are there to those that are not.
//!
//! Let `L` be the lost data shards, `S` the surviving ones and `P` as many parity shards as `L` has members. Each parity shard
//! is `G[P,S]·S + G[P,L]·L`, so `L = A·(P + G[P,S]·S)` with `A` the inverse of `G[P,L]`. Only that small square is inverted,
//! and a square of a Cauchy matrix always can be.

use crate::{
    Policy, SHARDS_MAX,
    cache::Pattern,
    field::product,
    matrix::{Matrix, generator},
};

/// The slots in `set`, in order.
pub(crate) fn slots(set: u32) -> impl Iterator<Item = usize> + Clone {
    (0..SHARDS_MAX).filter(move |slot| set >> slot & 1 == 1)
}

/// One row per slot of `pattern.outputs`, one column per slot of `pattern.inputs`, both in order of slots.
///
/// The inputs are exactly `k` slots: whatever data shards are there, then parity shards.
pub(crate) fn recovery_matrix(policy: Policy, pattern: Pattern) -> Matrix {
    let inputs: Vec<usize> = slots(pattern.inputs).collect();
    let data = data_rows(policy, &inputs);
    let outputs: Vec<usize> = slots(pattern.outputs).collect();
    Matrix::from_fn(outputs.len(), inputs.len(), |row, column| {
        match outputs[row].checked_sub(policy.data()) {
            None => data.at(outputs[row], column),
            Some(parity) => (0..policy.data())
                .fold(0, |sum, slot| sum ^ product(generator(parity, slot), data.at(slot, column))),
        }
    })
}

/// Every data shard as a combination of `inputs`: a row per data shard.
fn data_rows(policy: Policy, inputs: &[usize]) -> Matrix {
    let lost: Vec<usize> = (0..policy.data()).filter(|slot| !inputs.contains(slot)).collect();
    let parities: Vec<usize> = inputs.iter().filter_map(|slot| slot.checked_sub(policy.data())).collect();
    let square =
        Matrix::from_fn(lost.len(), lost.len(), |row, column| generator(parities[row], lost[column]));
    let undo = square.inverted().expect("every square of a Cauchy matrix is invertible");
    Matrix::from_fn(policy.data(), inputs.len(), |slot, column| {
        let Some(row) = lost.iter().position(|&lost| lost == slot) else {
            return u8::from(inputs[column] == slot);
        };
        match inputs[column].checked_sub(policy.data()) {
            Some(_) => undo.at(row, column - (inputs.len() - parities.len())),
            None => (0..parities.len())
                .fold(0, |sum, i| sum ^ product(undo.at(row, i), generator(parities[i], inputs[column]))),
        }
    })
}
