//! Many histories on several threads.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{Kind, Mutation, Subject, run};

/// Which histories to run.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// The implementation under test.
    pub subject: Subject,
    /// The kind of histories.
    pub kind: Kind,
    /// One history for each seed.
    pub seeds: Range<u64>,
    /// Number of threads; at least one.
    pub threads: usize,
    /// A rule to break.
    pub mutation: Option<Mutation>,
    /// After how many steps each history is brought to its end; [`Kind::steps`] if `None`.
    pub steps: Option<usize>,
}

/// The progress of a campaign: can be read while it runs, and shared by several.
#[derive(Debug, Default)]
pub struct Tally {
    histories: AtomicU64,
    records: AtomicU64,
}

impl Tally {
    /// Histories that passed.
    #[must_use]
    pub fn histories(&self) -> u64 {
        self.histories.load(Ordering::Relaxed)
    }

    /// Records that were read in them.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }
}

/// A history that failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The history's seed.
    pub seed: u64,
    /// The fewest steps after which it still fails when it is brought to its end.
    pub steps: usize,
    /// The defect.
    pub defect: String,
}

impl Campaign {
    /// Runs all of them, or up to a failure: if several occur, the one with the smallest seed, shortened as far as it still fails.
    #[must_use]
    pub fn run(&self, tally: &Tally) -> Option<Failure> {
        let failure = self.run_to_a_failure(tally)?;
        // On a thread of its own: a shorter history may panic where the whole one only fails.
        let shortest = std::thread::scope(|scope| scope.spawn(|| self.shortest(failure.seed)).join());
        Some(shortest.ok().flatten().unwrap_or(failure))
    }

    fn run_to_a_failure(&self, tally: &Tally) -> Option<Failure> {
        let (next, is_over) = (AtomicU64::new(self.seeds.start), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let worker = || scope.spawn(|| self.work(&next, &is_over, tally));
            let workers: Vec<_> = (0..self.threads.max(1)).map(|_| worker()).collect();
            let failed = |panicked| Failure {
                seed: self.seeds.start,
                steps: self.steps(),
                defect: format!("a thread panicked: {panicked:?}"),
            };
            workers
                .into_iter()
                .filter_map(|worker| worker.join().unwrap_or_else(|panicked| Some(failed(panicked))))
                .min()
        })
    }

    fn steps(&self) -> usize {
        self.steps.unwrap_or(self.kind.steps())
    }

    /// The history with the fewest steps that still fails. Every number is tried: more steps are another history, not only a longer one,
    /// because everything at the end is drawn from the same dice.
    fn shortest(&self, seed: u64) -> Option<Failure> {
        (0..self.steps()).find_map(|steps| {
            let defect = run(seed, self.subject, self.kind, self.mutation, steps).err()?;
            Some(Failure { seed, steps, defect })
        })
    }

    fn work(&self, next: &AtomicU64, is_over: &AtomicBool, tally: &Tally) -> Option<Failure> {
        while !is_over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= self.seeds.end {
                return None;
            }
            match run(seed, self.subject, self.kind, self.mutation, self.steps()) {
                Ok(records) => {
                    tally.histories.fetch_add(1, Ordering::Relaxed);
                    tally.records.fetch_add(records, Ordering::Relaxed);
                }
                Err(defect) => {
                    is_over.store(true, Ordering::Relaxed);
                    return Some(Failure { seed, steps: self.steps(), defect });
                }
            }
        }
        None
    }
}
