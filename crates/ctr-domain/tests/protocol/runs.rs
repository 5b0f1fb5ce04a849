//! Many histories, on all cores that tests may take, with their rate.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::counter::Counter;
use crate::history;
use crate::mutation::Mutation;
use crate::world::Kind;

const HISTORIES: u64 = 10_000;
const THREADS: u64 = 2;
/// From here on somebody waits long enough to want to see that it goes on.
const WATCHED: u64 = 100_000;

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.replace('_', "").parse().unwrap_or_else(|_| panic!("{name} must be a number, but is {value}")))
}

fn say(line: &str) {
    // Past the test harness, which holds back what is printed.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Runs the histories of a kind; panics with the seed of one that fails and how to run it alone.
pub(crate) fn all_hold<C: Counter>(kind: Kind, name: &str) {
    if let Some(seed) = setting("CTR_SEED") {
        return fail_with(history::run::<C>(seed, kind, None).err().map(|defect| (seed, defect)), name);
    }
    let total = setting("CTR_HISTORIES").unwrap_or(HISTORIES);
    let (begun, done, records) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    let failed = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (done, records, is_over) = (&done, &records, &is_over);
                scope.spawn(move || {
                    for seed in (thread..total).step_by(THREADS as usize) {
                        match history::run::<C>(seed, kind, None) {
                            Ok(read) => records.fetch_add(read, Ordering::Relaxed),
                            Err(defect) => {
                                is_over.store(true, Ordering::Relaxed);
                                return Some((seed, defect));
                            }
                        };
                        done.fetch_add(1, Ordering::Relaxed);
                        if is_over.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                    None
                })
            })
            .collect();
        let mut next_line = Duration::from_secs(1);
        while !workers.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::park_timeout(Duration::from_millis(20));
            if total > WATCHED && begun.elapsed() >= next_line {
                say(&format!("{name}: {}", rate(&done, &records, begun)));
                next_line = begun.elapsed() + Duration::from_secs(1);
            }
        }
        workers.into_iter().filter_map(|worker| worker.join().ok().flatten()).min()
    });
    say(&format!("{name}: {}", rate(&done, &records, begun)));
    fail_with(failed, name);
}

fn rate(done: &AtomicU64, records: &AtomicU64, begun: Instant) -> String {
    let (done, records) = (done.load(Ordering::Relaxed), records.load(Ordering::Relaxed));
    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
    format!("{done} histories, {records} records, {} histories a second", done.saturating_mul(1_000) / millis)
}

fn fail_with(failed: Option<(u64, String)>, name: &str) {
    if let Some((seed, defect)) = failed {
        panic!(
            "{name}, seed {seed}: {defect}\n  run it alone: CTR_SEED={seed} cargo test -p ctr-domain --test protocol {name}"
        );
    }
}

/// How many histories it takes to catch a broken rule, of at most `limit`.
pub(crate) fn caught_after<C: Counter>(mutation: Mutation, limit: u64) -> Option<(u64, String)> {
    (0..limit).find_map(|seed| {
        let defect = history::run::<C>(seed, mutation.caught_by(), Some(mutation)).err()?;
        Some((seed + 1, defect))
    })
}
