//! Small contents that were stored a moment ago: the tagger wants them next, and need not fetch them from the nodes.

use crate::catalog::ContentId;
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// Together; what does not fit is read from the nodes like everything else.
const BYTES_MAX: usize = 4 << 20;

/// Contents of this process's last uploads.
#[derive(Debug, Default)]
pub struct Fresh(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    contents: BTreeMap<i64, Bytes>,
    bytes: usize,
}

impl Fresh {
    /// Keeps the whole of `content`; the oldest go when there is too much.
    pub fn keep(&self, id: ContentId, content: Bytes) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += content.len();
        if let Some(before) = kept.contents.insert(id.0, content) {
            kept.bytes -= before.len();
        }
        while kept.bytes > BYTES_MAX {
            let Some((_, oldest)) = kept.contents.pop_first() else { return };
            kept.bytes -= oldest.len();
        }
    }

    /// Takes it out: nobody asks twice.
    pub fn take(&self, id: ContentId) -> Option<Bytes> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let content = kept.contents.remove(&id.0)?;
        kept.bytes -= content.len();
        Some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_nothing_is_given_twice() {
        let fresh = Fresh::default();
        let content = || Bytes::from(vec![1; BYTES_MAX / 4]);
        (1..=6).for_each(|id| fresh.keep(ContentId(id), content()));
        assert_eq!(fresh.take(ContentId(2)), None);
        assert_eq!(fresh.take(ContentId(3)), Some(content()));
        assert_eq!(fresh.take(ContentId(3)), None);
        fresh.keep(ContentId(7), content());
        assert_eq!(fresh.take(ContentId(4)), Some(content()), "there was room again");
    }
}
