//! An open file of a simulated disk.

use super::{Inode, Operation, SimDisk, State};
use crate::disk::{BLOCK_BYTES, DiskFile};
use rustix::io::Errno;
use std::{
    ffi::{OsStr, OsString},
    fmt, io,
};

pub(super) struct SimFile {
    disk: SimDisk,
    name: OsString,
    inode: u64,
    generation: u64,
    direct: bool,
    writable: bool,
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SimFile {
    pub(super) fn new(
        disk: SimDisk,
        name: &OsStr,
        inode: u64,
        generation: u64,
        direct: bool,
        writable: bool,
    ) -> Self {
        if let Some(inode) = disk.lock_state().inodes.get_mut(&inode) {
            inode.handles += 1;
        }
        Self { disk, name: name.to_owned(), inode, generation, direct, writable }
    }

    /// Does `act` on the file if nothing fails; it also gets the error of a fault, to leave its traces.
    fn meet<T>(
        &self,
        operation: Operation,
        act: impl FnOnce(&mut State, u64, io::Result<()>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.disk.lock_state();
        if state.generation != self.generation {
            return Err(Errno::IO.into());
        }
        if operation.changes() && !self.writable {
            return Err(Errno::BADF.into());
        }
        let met = state.faults.meet(operation, &self.name.to_string_lossy());
        let blocks = |state: &State| state.inodes.get(&self.inode).map_or(0, Inode::block_count);
        let before = blocks(&state);
        let result = act(&mut state, self.inode, met);
        state.used_blocks = state.used_blocks + blocks(&state) - before;
        result
    }

    /// What the kernel demands of memory and places past its cache.
    fn check_blocks(&self, address: usize, length: usize, offset: u64) -> io::Result<()> {
        let whole =
            [address as u64, length as u64, offset].iter().all(|n| n.is_multiple_of(BLOCK_BYTES as u64));
        if self.direct && !whole { Err(Errno::INVAL.into()) } else { Ok(()) }
    }
}

fn find(state: &mut State, inode: u64) -> io::Result<&mut Inode> {
    state.inodes.get_mut(&inode).ok_or_else(|| Errno::IO.into())
}

fn room_blocks(state: &State) -> u64 {
    state.capacity_bytes.saturating_sub(state.used_bytes()) / BLOCK_BYTES as u64
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.check_blocks(buffer.as_ptr() as usize, buffer.len(), offset)?;
        self.meet(Operation::Read, |state, inode, met| {
            met?;
            Ok(find(state, inode)?.read(buffer, offset))
        })
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.check_blocks(bytes.as_ptr() as usize, bytes.len(), offset)?;
        self.meet(Operation::Write, |state, inode, met| {
            let room = room_blocks(state);
            // A write that fails has written something, as it is with disks.
            let part = if met.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
            let written = find(state, inode)?.write(part, offset, room);
            met?;
            if written < bytes.len() { Err(Errno::NOSPC.into()) } else { Ok(()) }
        })
    }

    fn length(&self) -> io::Result<u64> {
        self.meet(Operation::Length, |state, inode, met| {
            met?;
            Ok(find(state, inode)?.length())
        })
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.meet(Operation::SetLength, |state, inode, met| {
            met?;
            find(state, inode)?.set_length(length);
            Ok(())
        })
    }

    fn allocate(&self, offset: u64, length: u64) -> io::Result<()> {
        self.meet(Operation::Allocate, |state, inode, met| {
            met?;
            let room = room_blocks(state);
            if find(state, inode)?.allocate(offset, length, room) { Ok(()) } else { Err(Errno::NOSPC.into()) }
        })
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<()> {
        self.meet(Operation::Punch, |state, inode, met| {
            met?;
            find(state, inode)?.punch(offset, length);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.meet(Operation::Sync, |state, inode, met| {
            if met.is_err() && !state.faults.is_off() {
                let mut random = state.random.clone();
                find(state, inode)?.fail_sync(&mut random);
                state.random = random;
            }
            met?;
            find(state, inode)?.sync();
            Ok(())
        })
    }

    fn is_direct(&self) -> bool {
        self.direct
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.disk.lock_state();
        if state.generation != self.generation {
            return;
        }
        if let Some(inode) = state.inodes.get_mut(&self.inode) {
            inode.handles = inode.handles.saturating_sub(1);
        }
        if !state.names.files.values().any(|inode| *inode == self.inode) {
            state.forget_unreachable();
        }
    }
}
