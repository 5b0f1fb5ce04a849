//! Rate limit for repeated warnings: the first is logged at once, the others are counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Equal lines are logged once per interval.
const INTERVAL: Duration = Duration::from_secs(30);

/// The lines logged so far, and how many of each were suppressed.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Mutex<BTreeMap<String, Said>>);

#[derive(Debug)]
struct Said {
    last: Instant,
    unsaid: u64,
}

impl Repeats {
    /// No line logged yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Whether to log a line now: the number of equal lines (by `key`; there must be few keys) suppressed since the last one.
    /// `None`: suppress this one, which is counted.
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
