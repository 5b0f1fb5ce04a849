//! Workers on their threads: one that fails is started again from its last commit, a few times; then the process gives up.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use crate::shutdown::{Shutdown, StopKind};
use crate::worker::{Worker, WorkerError, WorkerSetup};

/// A worker that has worked this long has recovered: its failures are counted anew.
const RECOVERED_AFTER: Duration = Duration::from_secs(600);

/// How often a waiting supervisor looks whether it should stop.
const STOP_POLL: Duration = Duration::from_millis(50);

/// Starts a worker on a thread of its own. The thread ends with the worker's clean stop, or with the error that made it
/// give up; then it asks the whole process to stop.
pub(crate) fn spawn(setup: WorkerSetup) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    std::thread::Builder::new()
        .name(format!("worker-{}", setup.number))
        .spawn(move || {
            let shutdown = setup.shutdown.clone();
            let result = supervise(&setup);
            if result.is_err() {
                shutdown.request(StopKind::Failed);
            }
            result
        })
        .context("worker thread")
}

fn supervise(setup: &WorkerSetup) -> anyhow::Result<()> {
    let mut restarts = Restarts::new(setup.job.restart_attempts);
    let mut fencing = Fencing::default();
    loop {
        let begun = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| Worker::join(setup.clone())?.run()));
        setup.board.clear(setup.number);
        let is_stopping = setup.shutdown.is_requested();
        let error = match ended {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(WorkerError::Fenced(member))) if !is_stopping && fencing.is_first(Instant::now()) => {
                tracing::warn!(
                    member,
                    "fenced: another process has its instance id, or a broker that died took its newest place in the group \
                     with it; joining once more"
                );
                continue;
            }
            Ok(Err(error)) if error.is_fatal() => {
                return Err(anyhow!(error)).with_context(|| format!("worker {}", setup.number));
            }
            Ok(Err(error)) => anyhow!(error),
            Err(panic) => anyhow!("panic: {}", panic_text(panic.as_ref())),
        };
        if is_stopping {
            return Err(error).with_context(|| format!("worker {} failed while it stopped", setup.number));
        }
        let Some(attempt) = restarts.next(begun.elapsed()) else {
            return Err(error).with_context(|| {
                format!(
                    "worker {} failed, after {} restarts (`ctr.job.restart-attempts`)",
                    setup.number, restarts.allowed
                )
            });
        };
        setup.board.restarted(setup.number, format!("{error:#}"));
        let (worker, retry_seconds) = (setup.number, setup.job.restart_delay.as_secs_f32());
        tracing::error!(
            worker,
            attempt,
            attempts_allowed = restarts.allowed,
            retry_seconds,
            "worker failed: {error:#}; it is started again"
        );
        if wait(setup.job.restart_delay, &setup.shutdown) {
            return Ok(());
        }
    }
}

/// Waits; true where the process was asked to stop meanwhile.
fn wait(delay: Duration, shutdown: &Shutdown) -> bool {
    let deadline = Instant::now() + delay;
    while Instant::now() < deadline && !shutdown.is_requested() {
        std::thread::sleep(STOP_POLL);
    }
    shutdown.is_requested()
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

/// When the worker was last fenced. Once may be a coordinator's mistake after a broker died; again soon is another process,
/// and one of the two must give up (docs/adr/0010).
#[derive(Default)]
struct Fencing {
    last: Option<Instant>,
}

impl Fencing {
    fn is_first(&mut self, now: Instant) -> bool {
        self.last.replace(now).is_none_or(|last| now - last >= RECOVERED_AFTER)
    }
}

/// How many restarts are left.
struct Restarts {
    allowed: u32,
    used: u32,
}

impl Restarts {
    fn new(allowed: u32) -> Self {
        Self { allowed, used: 0 }
    }

    /// The number of the next restart, after a life of `lived`; `None` where there is none left.
    fn next(&mut self, lived: Duration) -> Option<u32> {
        if lived >= RECOVERED_AFTER {
            self.used = 0;
        }
        self.used += 1;
        (self.used <= self.allowed).then_some(self.used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn being_fenced_again_soon_is_no_mistake() {
        let (mut fencing, begun) = (Fencing::default(), Instant::now());
        assert!(fencing.is_first(begun));
        assert!(!fencing.is_first(begun + Duration::from_secs(1)));
        assert!(!fencing.is_first(begun + RECOVERED_AFTER), "counted from the last time, not from the first");
        assert!(fencing.is_first(begun + RECOVERED_AFTER * 2));
    }

    #[test]
    fn restarts_run_out() {
        let mut restarts = Restarts::new(2);
        let short = Duration::from_secs(1);
        assert_eq!([restarts.next(short), restarts.next(short), restarts.next(short)], [Some(1), Some(2), None]);
        assert_eq!(Restarts::new(0).next(short), None);
    }

    #[test]
    fn a_long_life_starts_the_count_anew() {
        let mut restarts = Restarts::new(1);
        assert_eq!(restarts.next(Duration::ZERO), Some(1));
        assert_eq!(restarts.next(RECOVERED_AFTER), Some(1));
        assert_eq!(restarts.next(Duration::ZERO), None);
    }
}
