//! A disk in memory that forgets what a real one would: for tests and simulations.
//!
//! It keeps for each file and name what is durable and what is not. [`SimDisk::power_cut`] takes the power away and gives it
//! back: what was not synced is kept, lost or torn at the edges of sectors and blocks, as the seed says; names that were
//! not synced go in the order in which they came, from some point on. Files opened before are dead. The same calls in the same
//! order with the same seed give the same disk.

mod content;
mod faults;
mod file;

pub use faults::{Fault, Operation};

use super::{Access, BLOCK_BYTES, Disk, DiskFile, Folder, Space};
use content::{Inode, Tear};
use faults::Faults;
use rustix::io::Errno;
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Large enough that only a test that says so runs full.
const CAPACITY_BYTES: u64 = 1 << 40;

type Name = (Folder, OsString);

/// A simulated disk; clones share it.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct Names {
    folders: BTreeSet<Folder>,
    files: BTreeMap<Name, u64>,
}

/// A change of names that is not durable yet.
enum Change {
    Make(Folder),
    Link(Name, u64),
    Unlink(Name),
    Rename(Name, Name, u64),
}

struct State {
    random: Random,
    names: Names,
    durable: Names,
    journal: Vec<Change>,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    used_blocks: u64,
    capacity_bytes: u64,
    /// Files opened under an earlier one are dead.
    generation: u64,
    locked: bool,
    faults: Faults,
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimDisk").finish_non_exhaustive()
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: Random(seed),
            names: Names::default(),
            durable: Names::default(),
            journal: Vec::new(),
            inodes: BTreeMap::new(),
            next_inode: 1,
            used_blocks: 0,
            capacity_bytes: CAPACITY_BYTES,
            generation: 0,
            locked: false,
            faults: Faults::default(),
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Makes it as large as said; what is on it stays.
    pub fn set_capacity(&self, bytes: u64) {
        self.lock_state().capacity_bytes = bytes;
    }

    /// Lets operations fail.
    pub fn inject(&self, fault: Fault) {
        self.lock_state().faults.inject(fault);
    }

    /// No more failures from now on; power that is to go still goes.
    pub fn heal(&self) {
        self.lock_state().faults.heal();
    }

    /// Lets the power go instead of the `changes`-th operation from now that changes something (0: the next one). All
    /// operations fail from then on until [`SimDisk::power_cut`].
    pub fn cut_after(&self, changes: u64) {
        self.lock_state().faults.cut_after(changes);
    }

    /// Whether the power is gone.
    pub fn is_off(&self) -> bool {
        self.lock_state().faults.is_off()
    }

    /// Power goes and comes back: only what was durable is sure to be there.
    pub fn power_cut(&self) {
        self.lock_state().power_cut();
    }

    /// Everything becomes durable, and files that are open are dead: as after `kill -9` of their process.
    pub fn kill(&self) {
        let mut state = self.lock_state();
        state.inodes.values_mut().for_each(Inode::sync);
        state.sync_names(|_| true);
        state.power_cut();
    }

    /// How many operations of this kind were asked for.
    pub fn count(&self, operation: Operation) -> u64 {
        self.lock_state().faults.count(operation)
    }

    /// How many operations were asked for that change something.
    pub fn changes(&self) -> u64 {
        self.lock_state().faults.changes()
    }

    /// Bytes of all blocks in use.
    pub fn used_bytes(&self) -> u64 {
        self.lock_state().used_bytes()
    }

    /// Flips a bit of a file where it lies; `false` if there is no such byte.
    pub fn flip(&self, folder: Folder, name: &OsStr, offset: u64, bit: u8) -> bool {
        self.edit(folder, name, offset, |byte| *byte ^= 1 << (bit % 8))
    }

    /// Overwrites a range of a file where it lies; `false` if it does not have so many bytes.
    pub fn overwrite(&self, folder: Folder, name: &OsStr, offset: u64, bytes: &[u8]) -> bool {
        let places = bytes.iter().zip(offset..);
        places.fold(true, |all, (new, at)| self.edit(folder, name, at, |byte| *byte = *new) && all)
    }

    fn edit(&self, folder: Folder, name: &OsStr, offset: u64, change: impl Fn(&mut u8)) -> bool {
        let mut state = self.lock_state();
        let Some(inode) = state.names.files.get(&(folder, name.to_owned())).copied() else { return false };
        state.inodes.get_mut(&inode).is_some_and(|inode| inode.edit(offset, change))
    }

    /// The bytes of a file as a reader sees them.
    pub fn bytes(&self, folder: Folder, name: &OsStr) -> Option<Vec<u8>> {
        let state = self.lock_state();
        let inode = state.names.files.get(&(folder, name.to_owned()))?;
        state.inodes.get(inode).map(Inode::bytes)
    }

    /// Every file.
    pub fn files(&self) -> Vec<(Folder, OsString)> {
        self.lock_state().names.files.keys().cloned().collect()
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn used_bytes(&self) -> u64 {
        self.used_blocks * BLOCK_BYTES as u64
    }

    fn link(&mut self, name: Name, inode: u64) {
        self.journal.push(Change::Link(name.clone(), inode));
        self.names.files.insert(name, inode);
    }

    /// Makes every pending change of names durable that `touches` a folder.
    fn sync_names(&mut self, touches: impl Fn(Folder) -> bool) {
        let pending = std::mem::take(&mut self.journal);
        for change in pending {
            let hit = match &change {
                Change::Make(_) => touches(Folder::Root),
                Change::Link(name, _) | Change::Unlink(name) => touches(name.0),
                Change::Rename(from, to, _) => touches(from.0) || touches(to.0),
            };
            if !hit {
                self.journal.push(change);
                continue;
            }
            self.durable.apply(&change);
            // The old name of what was renamed can't come back by itself.
            if let Change::Rename(from, _, inode) = &change {
                self.journal
                    .retain(|kept| !matches!(kept, Change::Link(name, of) if name == from && of == inode));
            }
        }
        self.forget_unreachable();
    }

    fn forget_unreachable(&mut self) {
        let pending = self.journal.iter().filter_map(|change| match change {
            Change::Link(_, inode) | Change::Rename(_, _, inode) => Some(*inode),
            Change::Make(_) | Change::Unlink(_) => None,
        });
        let reachable: BTreeSet<u64> =
            self.names.files.values().chain(self.durable.files.values()).copied().chain(pending).collect();
        self.inodes.retain(|id, inode| inode.handles > 0 || reachable.contains(id));
        // Blocks are free when nobody can see them any more, although a power cut may bring their file back.
        let seen: BTreeSet<u64> = self.names.files.values().copied().collect();
        let in_use = self.inodes.iter().filter(|(id, inode)| inode.handles > 0 || seen.contains(id));
        self.used_blocks = in_use.map(|(_, inode)| inode.block_count()).sum();
    }

    fn power_cut(&mut self) {
        let kept = self.random.below(self.journal.len() as u64 + 1) as usize;
        let journal = std::mem::take(&mut self.journal);
        journal.iter().take(kept).for_each(|change| self.durable.apply(change));
        self.names = Names { folders: self.durable.folders.clone(), files: self.durable.files.clone() };
        for inode in self.inodes.values_mut() {
            let tear = Tear::choose(&mut self.random);
            inode.power_cut(tear, &mut self.random);
        }
        self.generation += 1;
        self.locked = false;
        self.faults.power_on();
        self.forget_unreachable();
    }
}

impl Names {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Make(folder) => drop(self.folders.insert(*folder)),
            Change::Link(name, inode) => drop(self.files.insert(name.clone(), *inode)),
            Change::Unlink(name) => drop(self.files.remove(name)),
            Change::Rename(from, to, inode) => {
                if self.files.get(from) == Some(inode) {
                    self.files.remove(from);
                }
                self.files.insert(to.clone(), *inode);
            }
        }
    }
}

impl Disk for SimDisk {
    fn make_folder(&self, folder: Folder) -> io::Result<()> {
        let mut state = self.lock_state();
        state.faults.meet(Operation::MakeFolder, folder.name())?;
        if state.names.folders.insert(folder) {
            state.journal.push(Change::Make(folder));
        }
        Ok(())
    }

    fn lock(&self) -> io::Result<Box<dyn Send + Sync>> {
        let mut state = self.lock_state();
        if state.locked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.locked = true;
        Ok(Box::new(Lock { disk: self.clone(), generation: state.generation }))
    }

    fn open(&self, folder: Folder, name: &OsStr, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.lock_state();
        let makes = matches!(access, Access::Create | Access::CreateDirect);
        let operation = if makes { Operation::Create } else { Operation::Open };
        state.faults.meet(operation, &name.to_string_lossy())?;
        state.has(folder)?;
        let key = (folder, name.to_owned());
        let found = state.names.files.get(&key).copied();
        let inode = match (found, makes) {
            (Some(_), true) => return Err(Errno::EXIST.into()),
            (Some(inode), false) => inode,
            (None, false) => return Err(Errno::NOENT.into()),
            (None, true) => {
                let inode = state.next_inode;
                state.next_inode += 1;
                state.inodes.insert(inode, Inode::default());
                state.link(key, inode);
                inode
            }
        };
        let direct = matches!(access, Access::ReadDirect | Access::CreateDirect);
        let writable = !matches!(access, Access::Read | Access::ReadDirect);
        let generation = state.generation;
        drop(state);
        Ok(Arc::new(file::SimFile::new(self.clone(), name, inode, generation, direct, writable)))
    }

    fn rename(&self, from: (Folder, &OsStr), to: (Folder, &OsStr)) -> io::Result<()> {
        let mut state = self.lock_state();
        state.faults.meet(Operation::Rename, &to.1.to_string_lossy())?;
        state.has(from.0)?;
        state.has(to.0)?;
        let (from, to) = ((from.0, from.1.to_owned()), (to.0, to.1.to_owned()));
        let inode = state.names.files.remove(&from).ok_or(Errno::NOENT)?;
        state.names.files.insert(to.clone(), inode);
        state.journal.push(Change::Rename(from, to, inode));
        Ok(())
    }

    fn remove(&self, folder: Folder, name: &OsStr) -> io::Result<()> {
        let mut state = self.lock_state();
        state.faults.meet(Operation::Remove, &name.to_string_lossy())?;
        let key = (folder, name.to_owned());
        state.names.files.remove(&key).ok_or(Errno::NOENT)?;
        state.journal.push(Change::Unlink(key));
        state.forget_unreachable();
        Ok(())
    }

    fn names(&self, folder: Folder) -> io::Result<Vec<OsString>> {
        let mut state = self.lock_state();
        state.faults.meet(Operation::Names, folder.name())?;
        state.has(folder)?;
        let files = state.names.files.keys().filter(|(at, _)| *at == folder).map(|(_, name)| name.clone());
        let mut names: Vec<OsString> = files.collect();
        if folder == Folder::Root {
            names.extend(state.names.folders.iter().map(|folder| folder.name().into()));
        }
        Ok(names)
    }

    fn sync_folder(&self, folder: Folder) -> io::Result<()> {
        let mut state = self.lock_state();
        state.faults.meet(Operation::SyncFolder, folder.name())?;
        state.sync_names(|touched| touched == folder);
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        let mut state = self.lock_state();
        state.faults.meet(Operation::Space, "")?;
        let used = state.used_bytes();
        Ok(Space {
            total_bytes: state.capacity_bytes,
            available_bytes: state.capacity_bytes.saturating_sub(used),
        })
    }
}

impl State {
    fn has(&self, folder: Folder) -> io::Result<()> {
        let there = folder == Folder::Root || self.names.folders.contains(&folder);
        if there { Ok(()) } else { Err(Errno::NOENT.into()) }
    }
}

struct Lock {
    disk: SimDisk,
    generation: u64,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let mut state = self.disk.lock_state();
        if state.generation == self.generation {
            state.locked = false;
        }
    }
}

/// `splitmix64`: small, and the same everywhere.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
