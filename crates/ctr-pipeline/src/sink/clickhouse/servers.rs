//! The servers of `clickhouse.url`: one is used until it fails, then the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Shared by all users of a client, so that one failed request switches all of them.
#[derive(Debug, Clone)]
pub(super) struct Servers {
    urls: Arc<[String]>,
    current: Arc<AtomicUsize>,
}

impl Servers {
    pub(super) fn new<'a>(urls: impl Iterator<Item = &'a str>) -> Self {
        Self { urls: urls.map(str::to_owned).collect(), current: Arc::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.urls.len()
    }

    /// The server for the next request: its index in the list and its URL.
    pub(super) fn current(&self) -> (usize, &str) {
        let place = self.current.load(Ordering::Relaxed);
        (place, &self.urls[place])
    }

    /// A request to this server has failed: the next one goes to the next server. If several requests fail together,
    /// only the first one switches.
    pub(super) fn leave(&self, place: usize) {
        let next = (place + 1) % self.urls.len();
        let _already_left = self.current.compare_exchange(place, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The text of an error, with the server's URL if there are several.
    pub(super) fn name(&self, place: usize, words: String) -> String {
        if self.urls.len() > 1 { format!("{}: {words}", self.urls[place]) } else { words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_fails_is_left_for_the_next_and_the_last_for_the_first() {
        let servers = Servers::new(["a", "b", "c"].into_iter());
        let seen: Vec<&str> = (0..4)
            .map(|_| {
                let (place, url) = servers.current();
                servers.leave(place);
                url
            })
            .collect();
        assert_eq!(seen, ["a", "b", "c", "a"]);
    }

    #[test]
    fn requests_that_fail_together_move_on_by_one() {
        let servers = Servers::new(["a", "b", "c"].into_iter());
        let (place, _) = servers.current();
        let other_user = servers.clone();
        servers.leave(place);
        other_user.leave(place);
        assert_eq!(servers.current().1, "b");
        assert_eq!(servers.name(1, "connection refused".to_owned()), "b: connection refused");
    }

    #[test]
    fn of_one_server_nothing_changes() {
        let only = Servers::new(["a"].into_iter());
        only.leave(0);
        assert_eq!((only.current(), only.name(0, "gone".to_owned())), ((0, "a"), "gone".to_owned()));
    }
}
