//! Semaphores by key: bound how many callers of one key (a tenant, an address) do something at the same time.
//!
//! A key without callers takes no memory.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Semaphores by key. Cheap to clone; clones count together.
#[derive(Debug)]
pub struct KeyedSemaphore<K: Eq + Hash>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    /// Permits of each key.
    each: usize,
    lines: Mutex<HashMap<K, Arc<Semaphore>>>,
}

/// A permit, given back when it is dropped.
pub struct KeyedPermit<K: Eq + Hash> {
    // Dropped in this order: the permit is given back before the entry checks whether its semaphore is unused.
    _permit: OwnedSemaphorePermit,
    _place: QueueEntry<K>,
}

/// A caller that holds or waits for a permit.
struct QueueEntry<K: Eq + Hash> {
    turns: KeyedSemaphore<K>,
    key: K,
    line: Option<Arc<Semaphore>>,
}

impl<K: Eq + Hash + Clone> KeyedSemaphore<K> {
    /// `each` permits for each key; at least one.
    pub fn new(each: usize) -> Self {
        Self(Arc::new(Inner {
            each: each.clamp(1, Semaphore::MAX_PERMITS),
            lines: Mutex::default(),
        }))
    }

    /// Takes a permit, if one is free.
    pub fn try_take(&self, key: K) -> Option<KeyedPermit<K>> {
        let (place, line) = self.place(key);
        let permit = line.try_acquire_owned().ok()?;
        Some(KeyedPermit {
            _permit: permit,
            _place: place,
        })
    }

    /// Waits for a permit, first come first served. Never returns `None`, since no semaphore is ever closed.
    pub async fn take(&self, key: K) -> Option<KeyedPermit<K>> {
        let (place, line) = self.place(key);
        let permit = line.acquire_owned().await.ok()?;
        Some(KeyedPermit {
            _permit: permit,
            _place: place,
        })
    }

    fn place(&self, key: K) -> (QueueEntry<K>, Arc<Semaphore>) {
        let line = self
            .0
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(self.0.each)))
            .clone();
        let place = QueueEntry {
            turns: self.clone(),
            key,
            line: Some(line.clone()),
        };
        (place, line)
    }
}

impl<K: Eq + Hash> Clone for KeyedSemaphore<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Eq + Hash> Drop for QueueEntry<K> {
    fn drop(&mut self) {
        let mut lines = self
            .turns
            .0
            .lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.line = None;
        // Semaphores are handed out under this lock: one that only the map holds is unused.
        if lines
            .get(&self.key)
            .is_some_and(|line| Arc::strong_count(line) == 1)
        {
            lines.remove(&self.key);
        }
    }
}

impl<K: Eq + Hash> fmt::Debug for KeyedPermit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedPermit").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn lines(turns: &KeyedSemaphore<&str>) -> usize {
        turns.0.lines.lock().unwrap().len()
    }

    #[test]
    fn a_key_has_its_turns_and_others_have_theirs() {
        let turns = KeyedSemaphore::new(2);
        let first = turns.try_take("a").unwrap();
        let _second = turns.try_take("a").unwrap();
        assert!(turns.try_take("a").is_none());
        assert!(turns.try_take("b").is_some());
        drop(first);
        assert!(turns.try_take("a").is_some());
    }

    #[test]
    fn whoever_waits_is_next_and_nothing_is_kept_of_whoever_is_gone() {
        let turns = KeyedSemaphore::new(1);
        let held = turns.try_take("a").unwrap();
        let mut first = Box::pin(turns.take("a"));
        let mut second = Box::pin(turns.take("a"));
        assert!(first.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        drop(held);
        assert!(second.as_mut().now_or_never().is_none(), "not its turn yet");
        drop(first);
        let taken = second.as_mut().now_or_never().unwrap();
        assert_eq!(lines(&turns), 1);
        drop(taken);
        drop(second);
        assert_eq!(lines(&turns), 0);
    }
}
