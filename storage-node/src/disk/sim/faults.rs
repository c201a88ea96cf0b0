//! What goes wrong on a simulated disk, and when.

use rustix::io::Errno;
use std::{collections::BTreeMap, io};

/// What the disk is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // Named after the methods of `Disk` and `DiskFile`.
pub enum Operation {
    MakeFolder,
    Open,
    Create,
    Rename,
    Remove,
    Names,
    SyncFolder,
    Space,
    Read,
    Write,
    Length,
    SetLength,
    Allocate,
    Punch,
    Sync,
}

impl Operation {
    /// Whether it changes what is on the disk.
    pub fn changes(self) -> bool {
        !matches!(self, Self::Open | Self::Names | Self::Space | Self::Read | Self::Length)
    }
}

/// Operations that fail.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which; any if none.
    pub operation: Option<Operation>,
    /// Only on files and folders whose name holds this.
    pub name: String,
    /// So many of them go well before.
    pub after: u64,
    /// So many fail.
    pub times: u64,
    /// How.
    pub errno: i32,
}

impl Fault {
    /// The next `operation` fails with an I/O error, once.
    pub fn once(operation: Operation) -> Self {
        Self {
            operation: Some(operation),
            name: String::new(),
            after: 0,
            times: 1,
            errno: Errno::IO.raw_os_error(),
        }
    }

    /// Fails so often.
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// Lets so many go well before.
    pub fn after(self, after: u64) -> Self {
        Self { after, ..self }
    }

    /// Only on names that hold `part`.
    pub fn on(self, part: &str) -> Self {
        Self { name: part.into(), ..self }
    }
}

#[derive(Default)]
pub(super) struct Faults {
    planned: Vec<Fault>,
    counts: BTreeMap<Operation, u64>,
    changes: u64,
    cut_at: Option<u64>,
    off: bool,
}

impl Faults {
    pub(super) fn inject(&mut self, fault: Fault) {
        self.planned.push(fault);
    }

    pub(super) fn heal(&mut self) {
        self.planned.clear();
    }

    pub(super) fn cut_after(&mut self, changes: u64) {
        self.cut_at = Some(self.changes + changes);
    }

    pub(super) fn is_off(&self) -> bool {
        self.off
    }

    pub(super) fn power_on(&mut self) {
        (self.off, self.cut_at) = (false, None);
    }

    pub(super) fn count(&self, operation: Operation) -> u64 {
        self.counts.get(&operation).copied().unwrap_or_default()
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// An operation is asked for: does it fail?
    pub(super) fn meet(&mut self, operation: Operation, name: &str) -> io::Result<()> {
        *self.counts.entry(operation).or_default() += 1;
        if operation.changes() {
            self.off |= self.cut_at == Some(self.changes);
            self.changes += 1;
        }
        if self.off {
            return Err(Errno::IO.into());
        }
        let planned = self.planned.iter_mut().find(|fault| {
            fault.times > 0
                && fault.operation.is_none_or(|wanted| wanted == operation)
                && name.contains(&fault.name)
        });
        match planned {
            Some(fault) if fault.after > 0 => {
                fault.after -= 1;
                Ok(())
            }
            Some(fault) => {
                fault.times -= 1;
                Err(io::Error::from_raw_os_error(fault.errno))
            }
            None => Ok(()),
        }
    }
}
