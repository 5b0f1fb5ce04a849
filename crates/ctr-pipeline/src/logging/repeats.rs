//! Warnings that repeat: the first at once, the others as a count.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Equal lines are said once in this time.
const INTERVAL: Duration = Duration::from_secs(30);

/// Which lines were said, and how many were not.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Mutex<BTreeMap<String, Said>>);

#[derive(Debug)]
struct Said {
    last: Instant,
    unsaid: u64,
}

impl Repeats {
    /// None said yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Whether to say a line now: how many equal ones (by `key`, of which there must be few) were not said since the last.
    /// `None`: not now, and counted.
    pub(crate) fn next(&self, key: &str) -> Option<u64> {
        self.next_at(key, Instant::now())
    }

    /// The same for a line of one worker: others that say the same are not held back by it.
    pub(crate) fn next_of(&self, worker: usize, what: &str) -> Option<u64> {
        self.next(&format!("{worker} {what}"))
    }

    fn next_at(&self, key: &str, now: Instant) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(said) = lines.get_mut(key) else {
            lines.insert(key.to_owned(), Said { last: now, unsaid: 0 });
            return Some(0);
        };
        if now.duration_since(said.last) < INTERVAL {
            said.unsaid += 1;
            return None;
        }
        said.last = now;
        Some(std::mem::take(&mut said.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_worker_does_not_hide_what_another_says() {
        let repeats = Repeats::new();
        assert_eq!(repeats.next_of(0, "a commit failed"), Some(0));
        assert_eq!(repeats.next_of(0, "a commit failed"), None);
        assert_eq!(repeats.next_of(1, "a commit failed"), Some(0));
    }

    #[test]
    fn equal_lines_are_counted_and_others_are_not_held_back() {
        let (repeats, begin) = (Repeats::new(), Instant::now());
        assert_eq!(repeats.next_at("a", begin), Some(0));
        assert_eq!(repeats.next_at("a", begin + INTERVAL / 3), None);
        assert_eq!(repeats.next_at("a", begin + INTERVAL / 2), None);
        assert_eq!(repeats.next_at("b", begin + INTERVAL / 2), Some(0));
        assert_eq!(repeats.next_at("a", begin + INTERVAL), Some(2));
        assert_eq!(repeats.next_at("a", begin + INTERVAL * 2), Some(0));
    }
}
