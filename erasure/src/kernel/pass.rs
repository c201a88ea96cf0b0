//! The loop that all kernels with vectors share: one pass over the inputs makes up to four outputs.
//!
//! For the usual numbers of inputs the loop over them is unrolled at compile time: each input stream then has a load
//! instruction of its own, which the CPU's prefetcher can follow as long as there are not too many. Wider codes prefetch by
//! themselves, and so does the loop for any number.
//!
//! A first row that is a plain sum need not be multiplied: without GFNI, that is a fifth to a third of the work.
#![allow(unsafe_code, reason = "vector loads and stores go through pointers")]

use super::{
    block::{Block, STEP_BYTES},
    lanes::Lanes,
};
use crate::plan::FirstRow;

/// Any number of inputs, not one known at compile time.
const ANY: usize = 0;
/// So many inputs the CPU's prefetcher follows by itself. Asking it for more costs speed, leaving it alone with more too.
const STREAMS_MAX: usize = 12;
/// How far wide codes read ahead: enough to hide the memory, too little to run out of the cache.
const PREFETCH_BYTES: usize = 512;
const LINE_BYTES: usize = 64;
/// No instruction set has the registers for more.
const VECTORS_MAX: usize = 8;

const MULTIPLIED: u8 = FirstRow::Multiplied as u8;
const SUMMED: u8 = FirstRow::Summed as u8;
const REST: u8 = FirstRow::Rest as u8;

type Vectors<L> = [<L as Lanes>::Vector; VECTORS_MAX];

/// Makes the rows of `block`; `tables` holds one coefficient per row, input by input.
///
/// # Safety
/// The CPU has the instructions of `L`.
pub(super) unsafe fn run<L: Lanes>(tables: &[L::Table], first: FirstRow, mut block: Block<'_, '_>) {
    assert_eq!(tables.len(), block.inputs() * block.rows());
    // SAFETY: the caller vouches for the instructions; the number of rows is that of the block.
    unsafe {
        match block.rows() {
            1 => rows::<L, 1>(tables, first, &mut block),
            2 => rows::<L, 2>(tables, first, &mut block),
            3 => rows::<L, 3>(tables, first, &mut block),
            4 => rows::<L, 4>(tables, first, &mut block),
            more => unreachable!("{more} rows in one pass"),
        }
    }
}

/// # Safety
/// As for `run`; the block has `ROWS` rows.
unsafe fn rows<L: Lanes, const ROWS: usize>(tables: &[L::Table], first: FirstRow, block: &mut Block<'_, '_>) {
    // SAFETY: the caller vouches for it. What is made apart has coefficients as well, so it may be multiplied too.
    unsafe {
        match (first, block.accumulate()) {
            (FirstRow::Summed, false) if L::SUMS_APART => set::<L, ROWS, SUMMED>(tables, block),
            (FirstRow::Rest, false) if L::SUMS_APART => set::<L, ROWS, REST>(tables, block),
            (_, false) => set::<L, ROWS, MULTIPLIED>(tables, block),
            (FirstRow::Summed, true) if L::SUMS_APART => add::<L, ROWS, SUMMED>(tables, block),
            (_, true) => add::<L, ROWS, MULTIPLIED>(tables, block),
        }
    }
}

/// # Safety
/// As for `rows`.
unsafe fn add<L: Lanes, const ROWS: usize, const FIRST: u8>(tables: &[L::Table], block: &mut Block<'_, '_>) {
    let start = block.start();
    // SAFETY: the caller vouches for it.
    unsafe {
        let at = L::strides::<ANY, ROWS, FIRST, true, false>(tables, block, start);
        L::strides::<ANY, ROWS, FIRST, true, true>(tables, block, at);
    }
}

/// # Safety
/// As for `rows`.
unsafe fn set<L: Lanes, const ROWS: usize, const FIRST: u8>(tables: &[L::Table], block: &mut Block<'_, '_>) {
    let start = block.start();
    macro_rules! unrolled_for {
        ($($inputs:literal)*) => {
            match block.inputs() {
                $($inputs if L::UNROLLED => {
                    L::strides::<$inputs, ROWS, FIRST, false, false>(tables, block, start)
                })*
                _ => L::strides::<ANY, ROWS, FIRST, false, false>(tables, block, start),
            }
        };
    }
    // SAFETY: the caller vouches for it; the number of inputs is that of the block.
    unsafe {
        let at = unrolled_for!(2 3 4 5 6 7 8 9 10 12 16);
        L::strides::<ANY, ROWS, FIRST, false, true>(tables, block, at);
    }
}

/// Makes the rows of `block` from `at` on in strides of so many vectors as `L` likes, or of one step if `STEP`, on top of what
/// the outputs hold if `ADD`. Returns where fewer than a stride is left.
///
/// # Safety
/// The CPU has the instructions of `L`; `block` has `ROWS` rows, and `INPUTS` inputs unless that is `ANY`.
#[inline(always)]
pub(super) unsafe fn pass<
    L: Lanes,
    const INPUTS: usize,
    const ROWS: usize,
    const FIRST: u8,
    const ADD: bool,
    const STEP: bool,
>(
    tables: &[L::Table],
    block: &mut Block<'_, '_>,
    mut at: usize,
) -> usize {
    const { assert!(!(ADD && FIRST == REST), "what the outputs hold would be folded into the first") };
    let vectors = const { if STEP { STEP_BYTES / L::BYTES } else { L::VECTORS[ROWS - 1] } };
    let stride = vectors * L::BYTES;
    let inputs: [*const u8; INPUTS] = std::array::from_fn(|input| block.input(input));
    let outputs: [*mut u8; ROWS] = std::array::from_fn(|row| block.output(row));
    let count = if INPUTS == ANY { block.inputs() } else { INPUTS };
    let (tables, _) = tables[..count * ROWS].as_chunks::<ROWS>();
    let end = block.end();
    while end - at >= stride {
        // SAFETY: inputs and outputs reach to `end`, this stride doesn't pass it, and the block has its outputs for itself.
        unsafe {
            let mut sums = [[L::zero(); VECTORS_MAX]; ROWS];
            if ADD {
                for row in 0..ROWS {
                    sums[row] = load::<L>(outputs[row].add(at), vectors);
                }
            }
            // Written out, as the compiler stops unrolling long before sixteen inputs of four rows.
            macro_rules! add_inputs {
                ($($index:literal)*) => {
                    $(if $index < INPUTS {
                        let from = inputs[$index].wrapping_add(at);
                        if INPUTS > STREAMS_MAX {
                            prefetch::<L>(from, stride);
                        }
                        add_input::<L, ROWS, FIRST>(&mut sums, from, vectors, &tables[$index], $index, INPUTS);
                    })*
                };
            }
            add_inputs!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            if INPUTS == ANY {
                for (index, tables) in tables.iter().enumerate() {
                    let from = block.input(index).wrapping_add(at);
                    prefetch::<L>(from, stride);
                    add_input::<L, ROWS, FIRST>(&mut sums, from, vectors, tables, index, count);
                }
            }
            if FIRST == REST {
                let (first, others) = sums.split_at_mut(1);
                for (sum, other) in others.iter().flat_map(|row| row.iter().take(vectors).enumerate()) {
                    first[0][sum] = L::sum(first[0][sum], *other);
                }
            }
            for row in 0..ROWS {
                store::<L>(outputs[row].add(at), vectors, &sums[row]);
            }
        }
        at += stride;
    }
    at
}

/// `sums[row] += tables[row] × input`, where input number `index` of `count` is at `from`.
///
/// # Safety
/// As for `pass`; so many vectors are readable at `from`.
#[inline(always)]
unsafe fn add_input<L: Lanes, const ROWS: usize, const FIRST: u8>(
    sums: &mut [Vectors<L>; ROWS],
    from: *const u8,
    vectors: usize,
    tables: &[L::Table; ROWS],
    index: usize,
    count: usize,
) {
    // SAFETY: the caller vouches for all of it.
    unsafe {
        let input = load::<L>(from, vectors);
        if FIRST == SUMMED || (FIRST == REST && index + ROWS <= count) {
            for vector in 0..vectors {
                sums[0][vector] = L::sum(sums[0][vector], input[vector]);
            }
        }
        let mut factors = [L::factor(input[0]); VECTORS_MAX];
        for vector in 1..vectors {
            factors[vector] = L::factor(input[vector]);
        }
        for row in usize::from(FIRST != MULTIPLIED)..ROWS {
            let coefficient = L::coefficient(&tables[row]);
            for vector in 0..vectors {
                let product = L::product(coefficient, factors[vector]);
                sums[row][vector] = L::sum(sums[row][vector], product);
            }
        }
    }
}

/// # Safety
/// As for `pass`; so many vectors are readable at `from`.
#[inline(always)]
unsafe fn load<L: Lanes>(from: *const u8, vectors: usize) -> Vectors<L> {
    // SAFETY: the caller vouches for the bytes.
    unsafe {
        let mut loaded = [L::zero(); VECTORS_MAX];
        for (index, vector) in loaded.iter_mut().enumerate().take(vectors) {
            *vector = L::load(from.add(index * L::BYTES));
        }
        loaded
    }
}

/// # Safety
/// As for `pass`; so many vectors are writable at `to`.
#[inline(always)]
unsafe fn store<L: Lanes>(to: *mut u8, vectors: usize, stored: &Vectors<L>) {
    for (index, vector) in stored.iter().enumerate().take(vectors) {
        // SAFETY: the caller vouches for the bytes.
        unsafe { L::store(to.add(index * L::BYTES), *vector) };
    }
}

/// Each cache line of a stride once.
#[inline(always)]
fn prefetch<L: Lanes>(from: *const u8, stride: usize) {
    for line in 0..stride.div_ceil(LINE_BYTES) {
        L::prefetch(from.wrapping_add(line * LINE_BYTES + PREFETCH_BYTES));
    }
}
