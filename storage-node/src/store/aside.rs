//! Shards that nothing names: set aside on the disk, where nobody finds or lists them, until they are asked back or let go.
//!
//! A large shard's file gets another name; the record of a small one is copied into a file of its own. Both keep their bytes as they
//! were, and say in their names where the record lay, because that is part of what its header is checked against.

use super::{
    Shared, Store,
    commit::Deleted,
    error::{disk, error},
    header::{self, HEADER_BYTES, Location},
    index::Entry,
    records::{self, CellFault, read_range},
    segment::{file_of, is_solo},
    work,
};
use crate::{
    disk::{Access, DiskFile, Folder},
    shard::{Cell, Shard, ShardHead, ShardKey},
};
use asterism_proto::{ExtentId, ShardError, ShardErrorKind};
use std::{
    ffi::{OsStr, OsString},
    io,
    ops::Range,
    sync::Arc,
};

const END: &str = ".aside";

/// What became of a shard that was to be set aside, asked back or let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// It was done.
    Done,
    /// There is no such shard.
    Absent,
    /// The disk failed, or what lies there is no good shard; it stays as it is.
    Failed,
}

fn name_of(key: ShardKey, Location { segment, offset }: Location) -> OsString {
    format!("{key}.{segment:016x}.{offset:08x}{END}").into()
}

/// Which shard a file holds that was set aside, and where its record lay.
pub(super) fn parse(name: &OsStr) -> Option<(ShardKey, Location)> {
    let mut parts = name.to_str()?.strip_suffix(END)?.splitn(4, '.');
    let extent = parts.next()?.parse::<ExtentId>().ok()?;
    let key = ShardKey::new(extent, parts.next()?.parse().ok()?)?;
    let segment = u64::from_str_radix(parts.next()?, 16).ok()?;
    Some((key, Location { segment, offset: u64::from_str_radix(parts.next()?, 16).ok()? }))
}

impl Store {
    /// Sets shards aside under a lease's epoch; one outcome per key, in order. Once begun, it runs to its end.
    ///
    /// # Errors
    /// `Stale` if a later epoch was seen, or the epoch cannot be remembered.
    pub async fn set_aside(&self, keys: Vec<ShardKey>, epoch: u64) -> Result<Vec<Aside>, ShardError> {
        let setting = tokio::spawn(Arc::clone(&self.shared).set_aside(keys, epoch));
        setting.await.map_err(|_| work::broken())?
    }

    /// Stores shards again that were set aside, each cell checked; one outcome per key, in order.
    ///
    /// # Errors
    /// As [`Store::set_aside`].
    pub async fn bring_back(&self, keys: Vec<ShardKey>, epoch: u64) -> Result<Vec<Aside>, ShardError> {
        self.shared.admit(epoch).await?;
        let mut outcomes = Vec::with_capacity(keys.len());
        for key in keys {
            outcomes.push(self.bring_one_back(key, epoch).await.unwrap_or_else(|error| {
                tracing::warn!(shard = %key, %error, "a shard that was set aside could not be brought back");
                Aside::Failed
            }));
        }
        Ok(outcomes)
    }

    async fn bring_one_back(&self, key: ShardKey, epoch: u64) -> Result<Aside, ShardError> {
        let shared = Arc::clone(&self.shared);
        let Some((name, file, shard)) = self.shared.workers.run(move || shared.kept(key)).await?? else {
            return Ok(Aside::Absent);
        };
        if self.shared.index.get(key).is_none() {
            let layout = shard.layout();
            let head = ShardHead::new(key, layout.policy(), layout.full_cell_bytes(), epoch);
            let head = head.map_err(|invalid| error(ShardErrorKind::Corrupt, invalid.to_string()))?;
            let mut writer = self.put(head).await?;
            let mut rest = 0..layout.cells();
            while let Some(batch) = records::batch(&shard, &mut rest) {
                let (shared, file) = (Arc::clone(&self.shared), Arc::clone(&file));
                let cells = self.shared.workers.run(move || shared.kept_cells(&*file, &shard, batch));
                for cell in cells.await?? {
                    writer.push(&cell).await?;
                }
            }
            writer.finish(layout.extent_bytes()).await?;
        }
        let shared = Arc::clone(&self.shared);
        let removed = self.shared.workers.run(move || shared.disk().remove(Folder::Quarantine, &name));
        if let Err(error) = removed.await? {
            tracing::warn!(shard = %key, %error, "a shard was brought back; what was set aside stays too");
        }
        Ok(Aside::Done)
    }

    /// Removes for good what was set aside; one outcome per key, in order.
    ///
    /// # Errors
    /// As [`Store::set_aside`].
    pub async fn let_go(&self, keys: Vec<ShardKey>, epoch: u64) -> Result<Vec<Aside>, ShardError> {
        self.shared.admit(epoch).await?;
        let shared = Arc::clone(&self.shared);
        self.shared.workers.run(move || shared.let_go(&keys)).await?
    }
}

impl Shared {
    async fn set_aside(self: Arc<Self>, keys: Vec<ShardKey>, epoch: u64) -> Result<Vec<Aside>, ShardError> {
        self.admit(epoch).await?;
        let _held = self.keys.hold(keys.clone()).await;
        self.refuse_stale(epoch)?;
        let found: Vec<Option<Entry>> = keys.iter().map(|key| self.index.get(*key)).collect();
        let (shared, asked) = (Arc::clone(&self), keys.clone());
        let kept = self.workers.run(move || shared.keep_all(&asked, &found)).await?;
        let safe: Vec<ShardKey> =
            keys.iter().zip(&kept).filter(|(_, kept)| **kept == Aside::Done).map(|(key, _)| *key).collect();
        // From here on they count as removed; a crash before leaves them where they were, or the copy of a file's new name.
        let mut removed = self.remove_held(&safe, epoch).await?.into_iter();
        let settle = |kept: Aside| match kept {
            Aside::Done if removed.next() == Some(Deleted::Failed) => Aside::Failed,
            other => other,
        };
        Ok(kept.into_iter().map(settle).collect())
    }

    /// Keeps the bytes of shards in the quarantine, durably.
    fn keep_all(&self, keys: &[ShardKey], found: &[Option<Entry>]) -> Vec<Aside> {
        let mut kept: Vec<Aside> = keys
            .iter()
            .zip(found)
            .map(|(key, entry)| {
                let Some(entry) = entry else { return Aside::Absent };
                match self.keep(*key, *entry) {
                    Ok(()) => Aside::Done,
                    Err(error) => {
                        tracing::warn!(shard = %key, %error, "shard could not be set aside");
                        Aside::Failed
                    }
                }
            })
            .collect();
        if let Err(error) = self.timed_sync(|| self.disk().sync_folder(Folder::Quarantine)) {
            tracing::error!(%error, "shards could not be set aside durably");
            kept.iter_mut().filter(|kept| **kept == Aside::Done).for_each(|kept| *kept = Aside::Failed);
        }
        kept
    }

    fn keep(&self, key: ShardKey, entry: Entry) -> io::Result<()> {
        let name = name_of(key, entry.location);
        if is_solo(entry.location) {
            let from = file_of(key, entry.location);
            return self.disk().rename((Folder::Segments, &from), (Folder::Quarantine, &name));
        }
        let from = entry.location.offset;
        let file = self.open_segment(key, entry.location, false)?;
        let bytes = read_range(&*file, &self.pool, from..from + entry.stored_bytes)?;
        // Left by an earlier try that did not come to its end.
        match self.disk().remove(Folder::Quarantine, &name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let copy = self.disk().open(Folder::Quarantine, &name, Access::Create)?;
        copy.write_at(&bytes, 0)?;
        self.timed_sync(|| copy.sync())
    }

    /// What was set aside of `key`: its name, its file and what that says of itself.
    #[allow(clippy::type_complexity)] // Told apart in the one place that calls.
    fn kept(&self, key: ShardKey) -> Result<Option<(OsString, Arc<dyn DiskFile>, Shard)>, ShardError> {
        let Some((name, location)) = self.names_of(&[key])?.pop() else { return Ok(None) };
        let reading = |error| disk("read what was set aside", error);
        let file = self.disk().open(Folder::Quarantine, &name, Access::Read).map_err(reading)?;
        let bytes = read_range(&*file, &self.pool, 0..HEADER_BYTES as u64).map_err(reading)?;
        let corrupt = |reason: String| error(ShardErrorKind::Corrupt, reason);
        let header = bytes.first_chunk().ok_or_else(|| corrupt("it is shorter than a header".into()))?;
        let record = header::decode_at(header, self.cluster(), location);
        let record = record.map_err(|error| corrupt(error.to_string()))?;
        match record.shard() {
            Some(shard) if shard.key() == key => Ok(Some((name, file, shard))),
            _ => Err(corrupt("it is another record".into())),
        }
    }

    fn kept_cells(
        &self,
        file: &dyn DiskFile,
        shard: &Shard,
        batch: Range<u32>,
    ) -> Result<Vec<Cell>, ShardError> {
        let identity = shard.identity(self.cluster());
        records::read_cells(file, &self.pool, 0, shard, &identity, batch).map_err(|fault| match fault {
            CellFault::Bad(cell) => error(ShardErrorKind::Corrupt, format!("cell {cell} does not verify")),
            CellFault::Unreadable(error) => disk("read what was set aside", error),
        })
    }

    /// The files of these shards that were set aside, by key.
    fn names_of(&self, keys: &[ShardKey]) -> Result<Vec<(OsString, Location)>, ShardError> {
        let names = self.disk().names(Folder::Quarantine);
        let names = names.map_err(|error| disk("list what was set aside", error))?;
        let of_them = names.into_iter().filter_map(|name| {
            let (key, location) = parse(&name)?;
            keys.contains(&key).then_some((name, location))
        });
        Ok(of_them.collect())
    }

    fn let_go(&self, keys: &[ShardKey]) -> Result<Vec<Aside>, ShardError> {
        let names = self.names_of(keys)?;
        let mut outcomes = vec![Aside::Absent; keys.len()];
        for (name, _) in &names {
            let removed = self.disk().remove(Folder::Quarantine, name);
            let of = keys.iter().position(|key| parse(name).is_some_and(|(found, _)| found == *key));
            let Some(outcome) = of.and_then(|at| outcomes.get_mut(at)) else { continue };
            match removed {
                Ok(()) if *outcome == Aside::Absent => *outcome = Aside::Done,
                Ok(()) => {}
                Err(error) => {
                    tracing::warn!(name = %name.display(), %error, "what was set aside could not be removed");
                    *outcome = Aside::Failed;
                }
            }
        }
        let synced = self.timed_sync(|| self.disk().sync_folder(Folder::Quarantine));
        synced.map_err(|error| disk("sync the quarantine", error))?;
        Ok(outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_shard_and_where_it_lay() {
        let key = ShardKey::new(ExtentId::from_bytes([7; 16]), 5).unwrap();
        let location = Location { segment: 0x12_3456, offset: 4224 };
        assert_eq!(parse(&name_of(key, location)), Some((key, location)));
        for other in ["lock", "x.aside", &format!("{key}.0000000000000001"), "0.1.2.3.aside"] {
            assert_eq!(parse(OsStr::new(other)), None, "{other}");
        }
    }
}
