//! All failpoints. A test here compares the list with what the code hits.

use super::Failpoint;

const fn point(name: &'static str, meaning: &'static str) -> Failpoint {
    Failpoint { name, meaning }
}

/// Every point there is, by part.
pub const ALL: &[Failpoint] = &[
    // Writing an extent to its nodes.
    point("write.shard_acked", "one more node says that its shard is durable; the others are waited for"),
    point("write.all_acked", "every shard of an extent is durable or given up; the extent is no file's yet"),
    // An upload.
    point("upload.extent_begun", "an extent has its nodes and its writes are open; nothing is durable"),
    point("upload.stored", "all extents of an upload are durable; the catalog knows nothing of them"),
    point("upload.committed", "the upload is a file in the catalog; the client has no answer"),
    point("upload.abandoned", "what a failed upload left on nodes is about to be queued for removal"),
    // Every transaction of the catalog that changes something.
    point("catalog.before_commit", "the statements of a transaction are done; COMMIT is not sent"),
    point("catalog.after_commit", "a transaction is committed; its caller does not know"),
    // Reading.
    point("read.fault_noted", "a shard that a read proved bad is on the list of short shards"),
    // Deleting: trash, purge with the intent to remove shards, removal on the nodes.
    point("trash.committed", "an entry is in the trash; the client has no answer"),
    point("purge.committed", "entries are gone for good and the removal of their shards is queued"),
    point("deletion.before_call", "shards that must go are known; their node has not been asked"),
    point("deletion.node_done", "a node has removed shards; they are still on the list"),
    point("deletion.confirmed", "removed shards are off the list"),
    // Healing.
    point("repair.before_put", "a missing shard is about to be rebuilt; nothing is written"),
    point("repair.written", "the rebuilt shard is durable; it has not been read back"),
    point(
        "repair.counted",
        "the rebuilt shard was read back as valid; its row still says that it is missing",
    ),
    point("repair.cleared", "the rebuilt shard counts; it is not yet known whether its file went meanwhile"),
    point(
        "repair.on_spare",
        "a missing shard was rebuilt on a spare node and read back; the catalog names the old one",
    ),
    point("census.marked", "a shard that a node came back without is on the list of short shards"),
    point("census.counted", "a node was counted to its end; it does not count as live yet"),
    point("scrub.page_read", "a page of extents was scrubbed; the walk still stands before it"),
    point("scrub.noted", "a shard that the scrub found bad is on the list of short shards"),
    // Shards that nothing names.
    point("orphans.marked", "shards of a node that nothing names are marked"),
    point("orphans.claimed", "marked shards were looked at again and claimed; they lie where they were"),
    point(
        "orphans.node_done",
        "a node has set claimed shards aside, or let them go; the catalog does not know",
    ),
    // Moving shards between nodes.
    point("moves.planned", "what is to move is in the catalog; nothing has moved"),
    point("moves.copied", "a batch of shards is durable on its new nodes; it has not been read back"),
    point(
        "moves.counted",
        "a batch of shards was read back as valid on its new nodes; the catalog names the old ones",
    ),
    point(
        "moves.relocated",
        "the catalog names the new nodes of a batch and has the old shards queued for removal",
    ),
    point("moves.before_switch", "all shards of a position were carried; its group still names the old node"),
    point("moves.switched", "a group names its new node; this process still knows the old one"),
    // Leading.
    point("lease.taken", "the lease for background work is taken; no work has begun under it"),
];

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    #[test]
    fn names_are_told_apart_and_say_their_part() {
        let names: BTreeSet<_> = ALL.iter().map(|point| point.name).collect();
        assert_eq!(names.len(), ALL.len());
        for point in ALL {
            let is_word = |word: &str| {
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            };
            assert!(point.name.split_once('.').is_some_and(|(part, what)| is_word(part) && is_word(what)));
            assert!(!point.meaning.is_empty(), "{}", point.name);
        }
    }

    /// Every Rust source of the repository below `directory`.
    fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "node_modules", "failpoint"].contains(&name.as_str())
                {
                    sources(&path, found);
                }
            } else if name.ends_with(".rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn the_list_is_what_the_code_hits() {
        let mut paths = Vec::new();
        sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")), &mut paths);
        let mut hit = BTreeSet::new();
        for path in paths {
            let source = fs::read_to_string(&path).unwrap();
            let names = source.split("failpoint::hit(\"").skip(1).filter_map(|rest| rest.split_once('"'));
            hit.extend(names.map(|(name, _)| name.to_owned()));
        }
        let listed: BTreeSet<_> = ALL.iter().map(|point| point.name.to_owned()).collect();
        assert_eq!(listed, hit, "left: the list; right: calls of failpoint::hit in the code");
    }
}
