//! The size class: people remember "that huge video", not its bytes.

use super::Subject;
use crate::attempt::Attempt;
use crate::tag::{Kind, TagSet};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

pub(super) fn tag(subject: &Subject<'_>, tags: &mut TagSet) -> Attempt<()> {
    let size = subject.input.size;
    tags.add(Kind::Size, class(size), 1.0, format!("{size} bytes"));
    Ok(())
}

/// A note, a document, a photo or song, a film, more than that.
fn class(size: u64) -> &'static str {
    match size {
        _ if size < 16 * KIB => "tiny",
        _ if size < MIB => "small",
        _ if size < 32 * MIB => "medium",
        _ if size < GIB => "large",
        _ => "huge",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_meet_at_their_bounds() {
        let check = |size, name| assert_eq!(class(size), name, "{size}");
        check(0, "tiny");
        check(16 * KIB, "small");
        check(MIB - 1, "small");
        check(32 * MIB, "large");
        check(u64::MAX, "huge");
    }
}
