//! Panics on this thread: tasks swallow them, the oracle must not.

use std::{cell::Cell, panic, sync::Once};

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Begins to count the panics of every thread.
pub(crate) fn count() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |what| {
            PANICS.set(PANICS.get() + 1);
            before(what);
        }));
    });
    PANICS.set(0);
}

/// Panics of this thread since [`count`].
pub(crate) fn so_far() -> u64 {
    PANICS.get()
}
