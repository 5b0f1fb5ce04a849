//! Runs the workers on their threads: a failed worker is restarted from its last commit, a few times; then the process
//! exits.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use crate::shutdown::{Shutdown, StopKind};
use crate::worker::{Worker, WorkerError, WorkerSetup};

/// A worker that has run this long has recovered: its failures are counted from zero again.
const RECOVERED_AFTER: Duration = Duration::from_secs(600);

/// How often a waiting supervisor checks whether it should stop.
const STOP_POLL: Duration = Duration::from_millis(50);

/// Starts a worker on a separate thread. The thread ends with the worker's clean stop, or with the error that made it
/// give up; then it requests a stop of the whole process.
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
    let mut lives = Lives::new(setup.job.restart_attempts);
    loop {
        let begun = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| Worker::join(setup.clone())?.run()));
        setup.board.clear(setup.number);
        let failure = match ended {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => WorkerFailure::Error(error),
            Err(panic) => WorkerFailure::Panic(panic_text(panic.as_ref()).to_owned()),
        };
        let worker = setup.number;
        match lives.next(&failure, Instant::now(), begun.elapsed(), setup.shutdown.is_requested()) {
            Next::JoinOnceMore(member) => {
                setup.board.failed(worker, failure.to_string());
                tracing::warn!(
                    worker,
                    member,
                    "{failure}; it may also be that a broker that died took this worker's newest place in the group with it: \
                     joining once more"
                );
            }
            Next::GiveUp(why) => {
                let cause = match failure {
                    WorkerFailure::Error(error) => anyhow::Error::new(error),
                    WorkerFailure::Panic(text) => anyhow!("panic: {text}"),
                };
                return Err(cause.context(format!("worker {worker} {why}")));
            }
            Next::Restart(attempt) => {
                setup.board.restarted(worker, failure.to_string());
                let retry_seconds = setup.job.restart_delay.as_secs_f32();
                tracing::error!(
                    worker,
                    attempt,
                    attempts_allowed = lives.restarts.allowed,
                    retry_seconds,
                    "worker failed: {failure}; restarting"
                );
                if wait(setup.job.restart_delay, &setup.shutdown) {
                    return Ok(());
                }
            }
        }
    }
}

/// Why a run of a worker ended.
#[derive(Debug, thiserror::Error)]
enum WorkerFailure {
    #[error(transparent)]
    Error(WorkerError),
    #[error("panic: {0}")]
    Panic(String),
}

/// What follows a run that failed.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Another run of this member immediately, which does not count as a restart.
    JoinOnceMore(String),
    /// The process exits, with this message about the worker.
    GiveUp(String),
    /// Another run after the restart delay; the number of the restart.
    Restart(u32),
}

/// The runs of a worker so far.
struct Lives {
    restarts: Restarts,
    fencing: Fencing,
}

impl Lives {
    fn new(allowed: u32) -> Self {
        Self { restarts: Restarts::new(allowed), fencing: Fencing::default() }
    }

    /// What follows a run of `lived` that failed at `now`. A failure while the process stops is a failure of the
    /// process: the worker is not restarted, and the stop must not be reported as clean.
    fn next(&mut self, failure: &WorkerFailure, now: Instant, lived: Duration, is_stopping: bool) -> Next {
        match failure {
            _ if is_stopping => Next::GiveUp("failed while stopping".to_owned()),
            WorkerFailure::Error(WorkerError::Fenced(member)) if self.fencing.is_first(now) => {
                Next::JoinOnceMore(member.clone())
            }
            WorkerFailure::Error(error) if error.is_fatal() => Next::GiveUp("cannot go on".to_owned()),
            _ => match self.restarts.next(lived) {
                Some(attempt) => Next::Restart(attempt),
                None => {
                    let allowed = self.restarts.allowed;
                    Next::GiveUp(format!("failed, after {allowed} restarts (`ctr.job.restart-attempts`)"))
                }
            },
        }
    }
}

/// Waits; true if a stop was requested meanwhile.
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

/// When the worker was last fenced. Once may be a coordinator's error after a broker died; a second time soon
/// afterwards means another process, and one of the two must give up (docs/adr/0010).
#[derive(Default)]
struct Fencing {
    last: Option<Instant>,
}

impl Fencing {
    fn is_first(&mut self, now: Instant) -> bool {
        self.last.replace(now).is_none_or(|last| now - last >= RECOVERED_AFTER)
    }
}

/// Number of restarts left.
struct Restarts {
    allowed: u32,
    used: u32,
}

impl Restarts {
    fn new(allowed: u32) -> Self {
        Self { allowed, used: 0 }
    }

    /// The number of the next restart, after a run of `lived`; `None` if there is none left.
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

    fn failure() -> WorkerFailure {
        WorkerFailure::Error(WorkerError::SinkStopped)
    }

    fn fenced() -> WorkerFailure {
        WorkerFailure::Error(WorkerError::Fenced("twin-0".to_owned()))
    }

    #[test]
    fn a_failure_while_stopping_is_no_clean_stop_and_no_restart() {
        let (mut lives, now, lived) = (Lives::new(3), Instant::now(), Duration::from_secs(1));
        for failure in [failure(), fenced(), WorkerFailure::Panic("index out of bounds".to_owned())] {
            let next = lives.next(&failure, now, lived, true);
            assert_eq!(next, Next::GiveUp("failed while stopping".to_owned()), "{failure}");
        }
        assert_eq!(lives.next(&failure(), now, lived, false), Next::Restart(1), "none was used up");
    }

    #[test]
    fn what_follows_a_failure() {
        let (mut lives, now, lived) = (Lives::new(1), Instant::now(), Duration::from_secs(1));
        assert_eq!(lives.next(&fenced(), now, lived, false), Next::JoinOnceMore("twin-0".to_owned()));
        assert_eq!(lives.next(&failure(), now, lived, false), Next::Restart(1));
        let Next::GiveUp(why) = lives.next(&failure(), now, lived, false) else { panic!("restarts have run out") };
        assert!(why.contains("after 1 restarts (`ctr.job.restart-attempts`)"), "{why}");
        assert_eq!(lives.next(&fenced(), now, lived, false), Next::GiveUp("cannot go on".to_owned()), "twice, soon");
    }

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
