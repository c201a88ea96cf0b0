//! The code itself: shards in, shards out.

use std::{fmt, sync::Arc};

use crate::{
    Policy, SHARDS_MAX,
    cache::{Pattern, PlanCache},
    kernel::{self, Kernel, Supported},
    matrix::{Matrix, generator},
    plan::Plan,
    recovery::{recovery_matrix, slots},
};

/// Systematic Reed-Solomon over GF(2^8)/0x11d with a Cauchy generator. With one data shard the parity shards are copies.
///
/// Cheap to clone and shared by all threads; the clones share the plans of the loss patterns they have met.
#[derive(Clone)]
pub struct Code {
    inner: Arc<Inner>,
}

struct Inner {
    policy: Policy,
    kernel: Supported,
    encode: Plan,
    plans: PlanCache,
}

/// Why shards could not be made. Nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// There is no such code.
    #[error(
        "there is no code with {data} data and {parity} parity shards: at least 1 data, at most {SHARDS_MAX} in all"
    )]
    Policy {
        /// Data shards asked for.
        data: usize,
        /// Parity shards asked for.
        parity: usize,
    },
    /// More or fewer slices than the code has shards.
    #[error("{given} shards were given where the code has {expected}")]
    ShardCount {
        /// As many as the code has.
        expected: usize,
        /// As many as came.
        given: usize,
    },
    /// Shards of one stripe have one length.
    #[error("shards of {expected} and of {given} bytes can't belong together")]
    Length {
        /// The length of the first shard.
        expected: usize,
        /// The length that differs.
        given: usize,
    },
    /// The content can't be computed from what is there.
    #[error("only {present} of the {needed} shards that are needed are there")]
    TooFewShards {
        /// Shards that are there.
        present: usize,
        /// Shards that are needed.
        needed: usize,
    },
    /// The CPU lacks what the kernel needs.
    #[error("this CPU can't run the {0} kernel")]
    Kernel(Kernel),
    /// A slot that doesn't exist, is not missing, or was named twice.
    #[error("slot {slot} can't be rebuilt: it doesn't exist, is present or was named twice")]
    Slot {
        /// The slot named.
        slot: usize,
    },
}

impl Code {
    /// The code with `data` data and `parity` parity shards, on the fastest kernel that this CPU has.
    pub fn new(data: usize, parity: usize) -> Result<Self, CodeError> {
        Self::with_kernel(data, parity, Kernel::best())
    }

    /// The same code on a kernel of one's choice, to test and to compare: all kernels give the same bytes.
    pub fn with_kernel(data: usize, parity: usize, kernel: Kernel) -> Result<Self, CodeError> {
        let policy = Policy::new(data, parity).ok_or(CodeError::Policy { data, parity })?;
        let kernel = Supported::new(kernel).ok_or(CodeError::Kernel(kernel))?;
        let encode = Plan::new(kernel, &Matrix::from_fn(parity, data, generator));
        Ok(Self { inner: Arc::new(Inner { policy, kernel, encode, plans: PlanCache::default() }) })
    }

    /// What does the work.
    pub fn kernel(&self) -> Kernel {
        self.inner.kernel.kernel()
    }

    /// The policy of this code.
    pub fn policy(&self) -> Policy {
        self.inner.policy
    }

    /// Fills the parity shards from the data shards. All have one length, which may be 0.
    pub fn encode(&self, data: &[&[u8]], parity: &mut [&mut [u8]]) -> Result<(), CodeError> {
        check_count(self.policy().data(), data.len())?;
        check_count(self.policy().parity(), parity.len())?;
        check_lengths(data.iter().map(|shard| shard.len()).chain(parity.iter().map(|shard| shard.len())))?;
        self.run(&self.inner.encode, data, parity);
        Ok(())
    }

    /// Fills the missing shards listed in `wanted` from any `k` of the present ones, which it never touches.
    ///
    /// `shards` has one entry per slot, `None` where the shard is missing; a missing shard may also stay unwanted.
    pub fn reconstruct(
        &self,
        shards: &[Option<&[u8]>],
        wanted: &mut [(usize, &mut [u8])],
    ) -> Result<(), CodeError> {
        check_count(self.policy().total(), shards.len())?;
        let outputs = wanted_slots(shards, wanted)?;
        let present = shards.iter().flatten().map(|shard| shard.len());
        check_lengths(present.chain(wanted.iter().map(|(_, shard)| shard.len())))?;
        if wanted.is_empty() {
            return Ok(());
        }
        let inputs = self.sources(shards)?;
        let pattern = Pattern { inputs, outputs };
        let plan = self.inner.plans.plan(pattern, || self.recovery(pattern));
        let sources: Vec<&[u8]> = slots(inputs).filter_map(|slot| shards[slot]).collect();
        let mut targets: Vec<_> = wanted.iter_mut().map(|(slot, shard)| (*slot, &mut **shard)).collect();
        targets.sort_unstable_by_key(|(slot, _)| *slot);
        let mut targets: Vec<&mut [u8]> = targets.into_iter().map(|(_, shard)| shard).collect();
        self.run(&plan, &sources, &mut targets);
        Ok(())
    }

    /// Brings the parity shards up to date after data shard `slot` changed from `old` to `new`, without the other data
    /// shards. The slices may be any one range of the shards, so a small change costs little.
    pub fn update(
        &self,
        slot: usize,
        old: &[u8],
        new: &[u8],
        parity: &mut [&mut [u8]],
    ) -> Result<(), CodeError> {
        if slot >= self.policy().data() {
            return Err(CodeError::Slot { slot });
        }
        check_count(self.policy().parity(), parity.len())?;
        check_lengths([old.len(), new.len()].into_iter().chain(parity.iter().map(|shard| shard.len())))?;
        // The parity changes by a multiple of `old + new`, which is the sum of the same multiple of each.
        let matrix = Matrix::from_fn(parity.len(), 2, |row, _| generator(row, slot));
        kernel::multiply(&Plan::new(self.inner.kernel, &matrix), &[old, new], parity, true);
        Ok(())
    }

    fn run(&self, plan: &Plan, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        if let [only] = inputs {
            // With one data shard, every shard is a copy of every other.
            outputs.iter_mut().for_each(|output| output.copy_from_slice(only));
        } else {
            kernel::multiply(plan, inputs, outputs, false);
        }
    }

    /// Which `k` shards to read: all data shards that are there, as they cost nothing to undo, then parity shards.
    fn sources(&self, shards: &[Option<&[u8]>]) -> Result<u32, CodeError> {
        let needed = self.policy().data();
        let present: Vec<usize> = (0..shards.len()).filter(|&slot| shards[slot].is_some()).collect();
        match present.get(..needed) {
            Some(sources) => Ok(sources.iter().fold(0, |set, slot| set | 1 << slot)),
            None => Err(CodeError::TooFewShards { present: present.len(), needed }),
        }
    }

    fn recovery(&self, pattern: Pattern) -> Plan {
        Plan::new(self.inner.kernel, &recovery_matrix(self.policy(), pattern))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({} on {})", self.policy(), self.kernel())
    }
}

fn check_count(expected: usize, given: usize) -> Result<(), CodeError> {
    if expected == given { Ok(()) } else { Err(CodeError::ShardCount { expected, given }) }
}

fn check_lengths(mut lengths: impl Iterator<Item = usize>) -> Result<(), CodeError> {
    let Some(expected) = lengths.next() else { return Ok(()) };
    match lengths.find(|&length| length != expected) {
        Some(given) => Err(CodeError::Length { expected, given }),
        None => Ok(()),
    }
}

/// The set of wanted slots: each exists, is missing, and is named once.
fn wanted_slots(shards: &[Option<&[u8]>], wanted: &[(usize, &mut [u8])]) -> Result<u32, CodeError> {
    let mut set = 0;
    for &(slot, _) in wanted {
        if !matches!(shards.get(slot), Some(None)) || set >> slot & 1 == 1 {
            return Err(CodeError::Slot { slot });
        }
        set |= 1 << slot;
    }
    Ok(set)
}
