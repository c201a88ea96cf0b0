//! The bytes of one file: as a reader sees them, and as a power cut would leave them.

use super::{BLOCK_BYTES, Random};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const BLOCK: u64 = BLOCK_BYTES as u64;
/// What a disk writes at once, at least.
const SECTOR_BYTES: usize = 512;

type Block = [u8; BLOCK_BYTES];

/// A length and the blocks that are allocated; one without bytes reads as zeros.
#[derive(Clone, Default)]
struct Content {
    length: u64,
    blocks: BTreeMap<u64, Option<Arc<Block>>>,
}

/// What a power cut does to the blocks of a file that were not synced.
#[derive(Clone, Copy)]
pub(super) enum Tear {
    LoseAll,
    KeepAll,
    /// The first ones made it.
    Prefix,
    /// Each block made it or not.
    Blocks,
    /// Each sector made it or not.
    Sectors,
}

impl Tear {
    pub(super) fn choose(random: &mut Random) -> Self {
        match random.below(5) {
            0 => Self::LoseAll,
            1 => Self::KeepAll,
            2 => Self::Prefix,
            3 => Self::Blocks,
            _ => Self::Sectors,
        }
    }
}

/// One file without its names.
#[derive(Default)]
pub(super) struct Inode {
    now: Content,
    durable: Content,
    /// Blocks that the next sync makes durable.
    dirty: BTreeSet<u64>,
    /// How often it is open.
    pub(super) handles: usize,
}

impl Inode {
    pub(super) fn length(&self) -> u64 {
        self.now.length
    }

    pub(super) fn block_count(&self) -> u64 {
        self.now.blocks.len() as u64
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.now.length as usize];
        self.read(&mut bytes, 0);
        bytes
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let length = (self.now.length.saturating_sub(offset)).min(buffer.len() as u64) as usize;
        for (part, block, at) in parts(offset, length) {
            let stored = self.now.blocks.get(&block).and_then(Option::as_ref);
            match stored {
                Some(stored) => buffer[part.clone()].copy_from_slice(&stored[at..at + part.len()]),
                None => buffer[part].fill(0),
            }
        }
        length
    }

    /// Writes as long as there is room for new blocks; the bytes written.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64, mut room_blocks: u64) -> usize {
        let mut written = 0;
        for (part, block, at) in parts(offset, bytes.len()) {
            if !self.now.blocks.contains_key(&block) {
                if room_blocks == 0 {
                    break;
                }
                room_blocks -= 1;
            }
            let stored = self.now.blocks.entry(block).or_default();
            let stored = Arc::make_mut(stored.get_or_insert_with(|| Arc::new([0; BLOCK_BYTES])));
            stored[at..at + part.len()].copy_from_slice(&bytes[part.clone()]);
            self.dirty.insert(block);
            written = part.end;
        }
        self.now.length = self.now.length.max(offset + written as u64);
        written
    }

    pub(super) fn edit(&mut self, offset: u64, change: impl Fn(&mut u8)) -> bool {
        if offset >= self.now.length {
            return false;
        }
        for content in [&mut self.now, &mut self.durable] {
            let stored = content.blocks.entry(offset / BLOCK).or_default();
            let stored = Arc::make_mut(stored.get_or_insert_with(|| Arc::new([0; BLOCK_BYTES])));
            change(&mut stored[(offset % BLOCK) as usize]);
        }
        true
    }

    pub(super) fn set_length(&mut self, length: u64) {
        let first_gone = length.div_ceil(BLOCK);
        let gone = self.now.blocks.split_off(&first_gone);
        self.dirty.extend(gone.into_keys());
        // What is cut off reads as zeros if the file grows again.
        if length < self.now.length
            && let Some(Some(last)) = self.now.blocks.get_mut(&(length / BLOCK))
        {
            Arc::make_mut(last)[(length % BLOCK) as usize..].fill(0);
            self.dirty.insert(length / BLOCK);
        }
        self.now.length = length;
    }

    /// Takes blocks for a range if there is room for all; the file ends behind it at least.
    pub(super) fn allocate(&mut self, offset: u64, length: u64, room_blocks: u64) -> bool {
        let wanted = offset / BLOCK..(offset + length).div_ceil(BLOCK);
        let missing: Vec<u64> = wanted.filter(|block| !self.now.blocks.contains_key(block)).collect();
        if missing.len() as u64 > room_blocks {
            return false;
        }
        for block in missing {
            self.now.blocks.insert(block, None);
            self.dirty.insert(block);
        }
        self.now.length = self.now.length.max(offset + length);
        true
    }

    pub(super) fn punch(&mut self, offset: u64, length: u64) {
        for block in offset.div_ceil(BLOCK)..(offset + length) / BLOCK {
            self.now.blocks.remove(&block);
            self.dirty.insert(block);
        }
    }

    pub(super) fn sync(&mut self) {
        self.durable.length = self.now.length;
        for block in std::mem::take(&mut self.dirty) {
            self.make_durable(block);
        }
        // What a cut left of the blocks beyond the end.
        drop(self.durable.blocks.split_off(&self.durable.length.div_ceil(BLOCK)));
    }

    /// A sync that fails: some blocks made it, the others never will although readers still see them.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        for block in std::mem::take(&mut self.dirty) {
            if random.below(2) == 0 {
                self.make_durable(block);
                self.durable.length = self.durable.length.max(self.now.length.min((block + 1) * BLOCK));
            }
        }
    }

    fn make_durable(&mut self, block: u64) {
        match self.now.blocks.get(&block) {
            Some(stored) => drop(self.durable.blocks.insert(block, stored.clone())),
            None => drop(self.durable.blocks.remove(&block)),
        }
    }

    pub(super) fn power_cut(&mut self, tear: Tear, random: &mut Random) {
        let dirty = std::mem::take(&mut self.dirty);
        let first_lost = random.below(dirty.len() as u64 + 1) as usize;
        for (index, block) in dirty.into_iter().enumerate() {
            match tear {
                Tear::LoseAll => {}
                Tear::KeepAll => self.make_durable(block),
                Tear::Prefix if index < first_lost => self.make_durable(block),
                Tear::Prefix if index == first_lost => self.tear(block, random),
                Tear::Prefix => {}
                Tear::Blocks if random.below(2) == 0 => self.make_durable(block),
                Tear::Blocks => {}
                Tear::Sectors => self.tear(block, random),
            }
        }
        let (old, new) = (self.durable.length, self.now.length);
        self.durable.length = match random.below(3) {
            0 => old,
            1 => new,
            _ => old.min(new) + random.below(old.abs_diff(new) + 1),
        };
        drop(self.durable.blocks.split_off(&self.durable.length.div_ceil(BLOCK)));
        self.now = self.durable.clone();
        self.handles = 0;
    }

    /// Some sectors of the block made it.
    fn tear(&mut self, block: u64, random: &mut Random) {
        let zeros: Block = [0; BLOCK_BYTES];
        let of = |content: &Content| content.blocks.get(&block).cloned().flatten().map_or(zeros, |b| *b);
        let (mut torn, new) = (of(&self.durable), of(&self.now));
        for sector in (0..BLOCK_BYTES).step_by(SECTOR_BYTES) {
            if random.below(2) == 0 {
                torn[sector..sector + SECTOR_BYTES].copy_from_slice(&new[sector..sector + SECTOR_BYTES]);
            }
        }
        self.durable.blocks.insert(block, Some(Arc::new(torn)));
    }
}

/// A range of a file in parts of one block each: where it is in the range, which block, where in the block.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (std::ops::Range<usize>, u64, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % BLOCK) as usize;
        let count = (BLOCK_BYTES - within).min(length - done);
        let part = done..done + count;
        done += count;
        (count > 0).then_some((part, at / BLOCK, within))
    })
}
