//! A matrix, made ready for one kernel.

use crate::{kernel::Kernel, matrix::Matrix};

/// Which multiple of which input goes into which output.
pub(crate) struct Plan {
    pub(crate) kernel: Kernel,
    pub(crate) matrix: Matrix,
}

impl Plan {
    /// `matrix` has one row per output and one column per input.
    pub(crate) fn new(kernel: Kernel, matrix: Matrix) -> Self {
        Self { kernel, matrix }
    }
}
