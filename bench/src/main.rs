//! Measures a cluster beside the ceilings of its machine.

fn main() {}
