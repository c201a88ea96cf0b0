//! The inner loop: outputs are sums of multiples of inputs.

mod portable;

use crate::plan::Plan;

/// A way to multiply, by what it needs of the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Plain Rust, for every CPU.
    Portable,
}

/// Sets every output to its sum of multiples of the inputs, or adds it to what the output holds.
///
/// All slices have one length; the plan has a column per input and a row per output.
pub(crate) fn multiply(plan: &Plan, inputs: &[&[u8]], outputs: &mut [&mut [u8]], accumulate: bool) {
    match plan.kernel {
        Kernel::Portable => portable::multiply(&plan.matrix, inputs, outputs, accumulate),
    }
}
