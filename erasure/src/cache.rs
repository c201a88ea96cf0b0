//! A bounded memory of plans, one per loss pattern.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::plan::Plan;

/// A cluster sees few loss patterns at a time: one per dead set of slots. All single and double losses of 20 shards
/// fit; at 8 KiB for the largest plans the cache stays below 2 MiB per code.
const PLANS_MAX: usize = 256;

/// Which shards are read and which are made, as sets of slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Pattern {
    pub(crate) inputs: u32,
    pub(crate) outputs: u32,
}

/// Plans by pattern; the one unused for longest makes room.
#[derive(Default)]
pub(crate) struct PlanCache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    plans: HashMap<Pattern, Entry>,
    uses: u64,
}

struct Entry {
    plan: Arc<Plan>,
    last_use: u64,
}

impl PlanCache {
    /// The plan of `pattern`, made by `make` when it isn't there yet.
    pub(crate) fn plan(&self, pattern: Pattern, make: impl FnOnce() -> Plan) -> Arc<Plan> {
        if let Some(plan) = self.known(pattern) {
            return plan;
        }
        // Made outside the lock: two threads may make the same plan, none waits for another's.
        let plan = Arc::new(make());
        self.insert(pattern, Arc::clone(&plan));
        plan
    }

    fn known(&self, pattern: Pattern) -> Option<Arc<Plan>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.uses += 1;
        let now = state.uses;
        let entry = state.plans.get_mut(&pattern)?;
        entry.last_use = now;
        Some(Arc::clone(&entry.plan))
    }

    fn insert(&self, pattern: Pattern, plan: Arc<Plan>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.plans.len() >= PLANS_MAX {
            let oldest =
                state.plans.iter().min_by_key(|(_, entry)| entry.last_use).map(|(pattern, _)| *pattern);
            if let Some(oldest) = oldest {
                state.plans.remove(&oldest);
            }
        }
        let last_use = state.uses;
        state.plans.insert(pattern, Entry { plan, last_use });
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).plans.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kernel::{Kernel, Supported},
        matrix::Matrix,
    };

    fn pattern(inputs: u32) -> Pattern {
        Pattern { inputs, outputs: 0 }
    }

    fn plan() -> Plan {
        Plan::new(Supported::new(Kernel::Portable).unwrap(), &Matrix::from_fn(1, 1, |_, _| 1))
    }

    #[test]
    fn a_known_pattern_is_not_made_again() {
        let cache = PlanCache::default();
        let first = cache.plan(pattern(1), plan);
        let again = cache.plan(pattern(1), || panic!("made twice"));
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn the_cache_stays_bounded_and_keeps_what_is_used() {
        let cache = PlanCache::default();
        let kept = cache.plan(pattern(0), plan);
        for inputs in 1..3 * PLANS_MAX as u32 {
            cache.plan(pattern(inputs), plan);
            cache.plan(pattern(0), || panic!("a plan in use was dropped"));
        }
        assert_eq!(cache.len(), PLANS_MAX);
        assert!(Arc::ptr_eq(&kept, &cache.plan(pattern(0), plan)));
    }
}
