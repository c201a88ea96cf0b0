//! (entry)
fn main() {}
