//! Named points in the code at which a test may let a process end.
//!
//! Every name stands in [`ALL`] with what it means; a test of the simulation fails when one is never reached. A call costs a
//! look at a thread's variable and a static one, and nothing in a release build, where [`hit`] is empty unless the feature
//! `failpoints` asks for it.
//!
//! - **Real processes**: `ASTERISM_FAILPOINT=NAME[:N]` ends the process when it comes to the point for the `N`th time (the first
//!   without a number), as `kill -9` would: nothing is flushed, nothing is dropped. `ASTERISM_FAILPOINT_LOG=FILE` appends the
//!   name of each point when it is first reached.
//! - **In one process** ([`watch`]): a simulation is told of each point on its thread, and may end a simulated process there
//!   by unwinding.

#[cfg(any(debug_assertions, feature = "failpoints"))]
mod armed;
mod list;

#[cfg(any(debug_assertions, feature = "failpoints"))]
pub use armed::{Watch, watch};
pub use list::ALL;

/// A point that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failpoint {
    /// `part.what_has_just_happened`.
    pub name: &'static str,
    /// What is true at this moment.
    pub meaning: &'static str,
}

/// The code has come to the point `name`.
///
/// # Panics
/// The name is not in [`ALL`]; in builds without failpoints nothing is looked at.
#[inline]
pub fn hit(name: &'static str) {
    #[cfg(any(debug_assertions, feature = "failpoints"))]
    armed::hit(name);
    #[cfg(not(any(debug_assertions, feature = "failpoints")))]
    let _ = name;
}
