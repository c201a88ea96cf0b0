//! What the loop of a kernel needs of an instruction set.
#![allow(unsafe_code, reason = "the functions are sound only where the CPU has the instructions")]

use super::block::Block;
use crate::plan::ROWS_MAX;

/// Bytes that are worked on together, and how they are multiplied.
///
/// All but `strides` do one thing each and are always inlined into it, as it alone enables the instructions.
///
/// # Safety
/// The functions may be called only on a CPU that has the instructions. Pointers are readable or writable for `BYTES` bytes and
/// need no alignment.
pub(super) trait Lanes: Sized {
    /// A register of bytes.
    type Vector: Copy;
    /// Bytes made ready to be multiplied.
    type Factor: Copy;
    /// A coefficient as plans keep it.
    type Table;
    /// A coefficient as registers keep it.
    type Coefficient: Copy;

    /// Of a vector.
    const BYTES: usize;
    /// So many vectors of each input are worked on at once, for 1, 2, 3 and 4 rows: sums, inputs and a coefficient fit the
    /// registers.
    const VECTORS: [usize; ROWS_MAX];
    /// Whether the loop over the inputs is unrolled for the usual numbers of them.
    const UNROLLED: bool;
    /// Whether a product costs so much more than a sum that a first row which is a sum is made as one.
    const SUMS_APART: bool;

    /// # Safety
    /// As for the trait.
    unsafe fn zero() -> Self::Vector;
    /// # Safety
    /// As for the trait.
    unsafe fn load(from: *const u8) -> Self::Vector;
    /// # Safety
    /// As for the trait.
    unsafe fn store(to: *mut u8, vector: Self::Vector);
    /// # Safety
    /// As for the trait.
    unsafe fn sum(one: Self::Vector, other: Self::Vector) -> Self::Vector;
    /// # Safety
    /// As for the trait.
    unsafe fn factor(vector: Self::Vector) -> Self::Factor;
    /// # Safety
    /// As for the trait.
    unsafe fn coefficient(table: &Self::Table) -> Self::Coefficient;
    /// # Safety
    /// As for the trait.
    unsafe fn product(coefficient: Self::Coefficient, factor: Self::Factor) -> Self::Vector;
    /// A hint that faults nowhere, not even past a shard's end.
    fn prefetch(from: *const u8);

    /// `pass`, with the instructions enabled.
    ///
    /// # Safety
    /// As for `pass`.
    unsafe fn strides<
        const INPUTS: usize,
        const ROWS: usize,
        const FIRST: u8,
        const ADD: bool,
        const STEP: bool,
    >(
        tables: &[Self::Table],
        block: &mut Block<'_, '_>,
        at: usize,
    ) -> usize;
}
