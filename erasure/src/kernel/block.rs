//! What a kernel works on, with the bounds checked once.

use std::ops::Range;

/// Kernels work in whole steps: a vector of the widest, a cache line of all.
pub(super) const STEP_BYTES: usize = 64;

/// One range of bytes of some inputs and of the outputs that are made of them.
///
/// Every input and output reaches to `end`, and `end - start` is a multiple of `STEP_BYTES`: kernels rely on it.
pub(super) struct Block<'a, 'o> {
    inputs: &'a [&'a [u8]],
    outputs: &'a mut [&'o mut [u8]],
    range: Range<usize>,
    accumulate: bool,
}

impl<'a, 'o> Block<'a, 'o> {
    /// Panics on slices that don't reach to the end of `range`, which only a defect of this crate can bring about.
    pub(super) fn new(
        inputs: &'a [&'a [u8]],
        outputs: &'a mut [&'o mut [u8]],
        range: Range<usize>,
        accumulate: bool,
    ) -> Self {
        assert!(
            range.start <= range.end && range.len().is_multiple_of(STEP_BYTES),
            "{range:?} has no whole steps"
        );
        let end = range.end;
        assert!(inputs.iter().all(|input| input.len() >= end), "an input is shorter than {end} bytes");
        assert!(outputs.iter().all(|output| output.len() >= end), "an output is shorter than {end} bytes");
        Self { inputs, outputs, range, accumulate }
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs.len()
    }

    pub(super) fn rows(&self) -> usize {
        self.outputs.len()
    }

    pub(super) fn start(&self) -> usize {
        self.range.start
    }

    pub(super) fn end(&self) -> usize {
        self.range.end
    }

    /// Whether the sums are added to what the outputs hold.
    pub(super) fn accumulate(&self) -> bool {
        self.accumulate
    }

    /// Where input `index` begins: readable up to `end`.
    pub(super) fn input(&self, index: usize) -> *const u8 {
        self.inputs[index].as_ptr()
    }

    /// Where output `index` begins: writable up to `end`, and no input or other output overlaps it.
    pub(super) fn output(&mut self, index: usize) -> *mut u8 {
        self.outputs[index].as_mut_ptr()
    }

    /// The bytes themselves, for a kernel without pointers.
    pub(super) fn input_bytes(&self, index: usize) -> &'a [u8] {
        &self.inputs[index][self.range.clone()]
    }

    /// The bytes themselves, for a kernel without pointers.
    pub(super) fn output_bytes(&mut self, index: usize) -> &mut [u8] {
        &mut self.outputs[index][self.range.clone()]
    }
}
