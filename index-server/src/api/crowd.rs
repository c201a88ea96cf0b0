//! How many requests of one user are under way: nobody may take the places of all others.

use crate::catalog::UserName;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Requests, downloads, uploads and sockets of one user at once: a quarter of the connections that the server takes.
pub(super) const AT_ONCE_MAX: u32 = 512;

/// Counts what is under way; clones share the counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Crowd(Arc<Mutex<HashMap<UserName, u32>>>);

/// One request under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Crowd,
    user: UserName,
}

impl Crowd {
    /// A place for one more request of `user`, unless there are too many.
    pub(super) fn enter(&self, user: &UserName) -> Option<Place> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(user.clone()).or_default();
        if *count >= AT_ONCE_MAX {
            return None;
        }
        *count += 1;
        Some(Place { crowd: self.clone(), user: user.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_fills_the_own_places_alone() {
        let (crowd, ada, eve) = (Crowd::default(), "ada".parse().unwrap(), "eve".parse().unwrap());
        let mut places: Vec<Place> = (0..AT_ONCE_MAX).map(|_| crowd.enter(&ada).unwrap()).collect();
        assert!(crowd.enter(&ada).is_none());
        assert!(crowd.enter(&eve).is_some());
        places.pop();
        assert!(crowd.enter(&ada).is_some());
        places.clear();
        assert!(crowd.0.lock().unwrap().is_empty(), "who is away is forgotten");
    }
}
