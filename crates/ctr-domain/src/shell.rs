//! The shell: all decisions of a worker around its tasks. No IO, no clock, no threads.
//!
//! ```text
//!             inputs                                commands
//! group ── assigned, revoked ──────┐      ┌── unassign, ask for facts, assign ──> consumer, brokers
//! brokers ─ facts, ends, answers ──┤      ├── commit, ask for an end offset ────> brokers
//! queues ── records, ends, errors ─┼─ Shell ── rows that are due ──────────────> row sink
//! sinks ─── acknowledged, refused ─┤      ├── letters ─────────────────────────> dead letter topic
//! time, stop ──────────────────────┘      └── notices; a fault that ends it ─────> people, supervisor
//! ```
//!
//! Its driver only translates: in the pipeline between librdkafka and the sinks, in `ctr-simulation` for simulated brokers,
//! sinks and clocks that misbehave. So the histories test the shipped code.
//!
//! Each decision is made in one place:
//!
//! | decision | where |
//! |---|---|
//! | may this partition be read, and if not, why | `reading`: [`Shell::may_read`] |
//! | what an error in a partition's queue stops | `fault`: [`Shell::on_upset`] |
//! | which pairs there are, and where each begins | `takeover` |
//! | what is fired, in which order | `firing`: [`Shell::fire`] |
//! | which dead letter goes next, whether dead letters can be written | `outbox` |
//! | when a commit may be made, and what its result means | `checkpoints` |
//! | when the end of a log is requested | `ends` |
//! | what is pending during a stop | `stop` |
//! | what a revocation drops | [`Shell::on_revoked`] |
//!
//! Time is `now`: milliseconds of one monotonic clock. It affects when something is done, never what is counted.

mod checkpoints;
mod counter;
mod ends;
mod fault;
mod firing;
mod outbox;
mod pair;
mod reading;
mod stop;
mod takeover;

pub use checkpoints::{CommitId, CommitWait, PastCommit};
pub use counter::{Counter, Flaw};
pub use ends::{EndOffsetAnswer, EndOffsetQuestion};
pub use fault::{Fault, PartitionError, Upset};
pub use firing::Fired;
pub use outbox::OutgoingLetter;
pub use pair::Pair;
pub use reading::{Reading, Step, WaitReason};
pub use stop::Owed;
pub use takeover::{CommittedOffset, FactsId, PairStart, PartitionFacts, Presence};

use crate::checkpoint::PartitionCheckpoint;
use crate::ledger::Ledger;
use crate::recovery::RecoveryNotice;
use crate::rules::Rules;
use crate::side::{BySide, Side};
use crate::task::{Firings, Task};
use checkpoints::Checkpoints;
use firing::FiringRound;
use outbox::Outbox;
use takeover::Takeover;

/// One lifetime of a task. A pair that is assigned again gets a new one, so that messages for a dropped task are
/// recognized and ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(
    /// No other task of the same shell has this number.
    pub u64,
);

/// The shell's intervals and limits. All times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShellSettings {
    /// Time between two checkpoints.
    pub checkpoint_interval: i64,
    /// Time after which an unanswered commit counts as failed.
    pub checkpoint_timeout: i64,
    /// Minimum time between the end of a commit and the next.
    pub checkpoint_min_pause: i64,
    /// Time between two firings.
    pub fire_interval: i64,
    /// Maximum number of rows in one firing of one pair; the rest follows in the next round, so that reading is not
    /// delayed.
    pub rows_per_firing: usize,
    /// Time between two requests for the end of one log.
    pub ask_interval: i64,
    /// Time after which an unanswered request is repeated.
    pub ask_timeout: i64,
    /// Delay before the facts of partitions are requested again after a failure.
    pub retry_delay: i64,
    /// Delay before a dead letter that could not be written is sent again.
    pub letter_retry: i64,
    /// Maximum size of waiting dead letters in bytes; beyond it, partitions are no longer read.
    pub max_waiting_bytes: usize,
}

impl Default for ShellSettings {
    fn default() -> Self {
        Self {
            checkpoint_interval: 5_000,
            checkpoint_timeout: 60_000,
            checkpoint_min_pause: 0,
            fire_interval: 100,
            rows_per_firing: 10_000,
            ask_interval: 1_000,
            ask_timeout: 30_000,
            retry_delay: 1_000,
            letter_retry: 1_000,
            max_waiting_bytes: 16 << 20,
        }
    }
}

/// Status of the row sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkView {
    /// Whether its last request succeeded.
    pub is_available: bool,
    /// Whether there is room for more rows.
    pub has_room: bool,
}

/// Actions for the driver, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Stop reading: give the consumer an empty assignment and drop all queues.
    Unassign,
    /// Request the group's commits for these partitions of both topics, and the bounds of their logs: all at once,
    /// without waiting. The result goes to [`Shell::on_facts`].
    AskFacts {
        /// To be returned with the result.
        id: FactsId,
        /// The pairs.
        partitions: Vec<i32>,
    },
    /// Read these pairs, from these offsets. They are the shell's pairs, in its order.
    Assign(Vec<PairStart>),
    /// Commit these partitions together. The result goes to [`Shell::on_commit_answer`].
    Commit {
        /// To be returned with the result.
        id: CommitId,
        /// The partition, and the commit of each side.
        partitions: Vec<(i32, [PartitionCheckpoint; 2])>,
    },
    /// Request the end offset of a log from the broker. The result goes to [`Shell::on_end_offset`].
    AskEndOffset(EndOffsetQuestion),
    /// Notify operators.
    Tell(Notice),
    /// Exit: the shell cannot recover from this.
    GiveUp(Fault),
}

/// Notices for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A partition does not simply continue from its commit.
    Recovery {
        /// Its topic.
        side: Side,
        /// Its number.
        partition: i32,
        /// The reason.
        notice: RecoveryNotice,
    },
    /// Pairs were taken over.
    TakenOver {
        /// Their numbers.
        partitions: Vec<i32>,
        /// How long it took.
        took_ms: i64,
    },
    /// Partitions wait because their twins in the other topic do not exist.
    WithoutTwin {
        /// Their numbers.
        partitions: Vec<i32>,
    },
    /// The brokers did not return the facts needed to take partitions over. The request is repeated.
    NoFacts {
        /// The reason.
        reason: String,
    },
    /// All partitions are taken over again from their commits.
    TakenAgain {
        /// The partition that made it necessary.
        partition: i32,
        /// Its topic.
        side: Side,
        /// The reason.
        why: Upset,
    },
    /// Reading of a partition has stopped; the others continue.
    Stopped {
        /// Its topic.
        side: Side,
        /// Its number.
        partition: i32,
        /// The next offset to read.
        position: i64,
        /// The reason.
        reason: String,
    },
    /// A commit was refused, or could not be made. The next checkpoint retries.
    CommitFailed {
        /// The reason.
        reason: String,
    },
    /// Dead letters cannot be written.
    LettersFail {
        /// The reason.
        reason: String,
    },
    /// Dead letters can be written again.
    LettersWork,
}

/// All decisions of a worker. `T` counts the records of a pair, `L` is a dead letter on its way.
#[derive(Debug)]
pub struct Shell<L, T: Counter = Task> {
    settings: ShellSettings,
    rules: Rules,
    broken: T::Broken,
    sink: SinkView,
    pairs: Vec<Pair<T>>,
    takeover: Takeover,
    outbox: Outbox<L>,
    checkpoints: Checkpoints,
    firing: FiringRound,
    next_ask: i64,
    is_stopping: bool,
    /// The number of the newest task, request or commit.
    newest_id: u64,
    commands: Vec<Command>,
    past: Account,
}

/// Outcomes of records: counters that only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// All records, by topic.
    pub ledgers: BySide<Ledger>,
    /// All windows.
    pub firings: Firings,
}

impl Account {
    fn add<T: Counter>(&mut self, counter: &T) {
        for side in Side::BOTH {
            self.ledgers[side].add(counter.ledger(side));
        }
        self.firings.add(counter.firings());
    }
}

impl<L: OutgoingLetter, T: Counter> Shell<L, T> {
    /// A shell without partitions. `broken` is the rule that a test breaks: `()`, nothing, for the shipped task.
    #[must_use]
    pub fn new(settings: ShellSettings, rules: Rules, broken: T::Broken) -> Self {
        Self {
            settings,
            rules,
            broken,
            sink: SinkView { is_available: true, has_room: true },
            pairs: Vec::new(),
            takeover: Takeover::default(),
            outbox: Outbox::new(),
            checkpoints: Checkpoints::default(),
            firing: FiringRound::default(),
            next_ask: 0,
            is_stopping: false,
            newest_id: 0,
            commands: Vec::new(),
            past: Account::default(),
        }
    }

    /// The next action. Call it after every input; [`Command::GiveUp`] is the last.
    pub fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// Updates the status of the row sink. To be called before reading and firing.
    pub const fn on_sink(&mut self, sink: SinkView) {
        self.sink = sink;
    }

    /// Advances time: takes checkpoints, sends requests, abandons unanswered ones.
    pub fn on_time(&mut self, now: i64) {
        self.advance_takeover(now);
        self.advance_checkpoints(now);
        self.ask_for_ends(now);
    }

    /// The group has revoked all partitions, or is about to: their tasks are dropped, with everything pending for them.
    /// The next owner reads uncommitted records again.
    pub fn on_revoked(&mut self) {
        self.takeover.revoke();
        self.drop_tasks();
    }

    /// Row batches of a task, up to and including this one, are durable.
    pub fn on_rows_acknowledged(&mut self, task: TaskId, batch: u64) {
        if let Some(pair) = self.pair_of(task) {
            pair.counter.on_rows_acknowledged(batch);
        }
    }

    /// The pairs being read, in the order of [`Command::Assign`].
    #[must_use]
    pub fn pairs(&self) -> &[Pair<T>] {
        &self.pairs
    }

    /// The ledger of all records in the lifetime of this shell.
    #[must_use]
    pub fn account(&self) -> Account {
        let mut account = self.past.clone();
        self.pairs.iter().for_each(|pair| account.add(&pair.counter));
        account
    }

    /// How many pairs have not reached their positions yet.
    #[must_use]
    pub fn replaying(&self) -> usize {
        self.pairs.iter().filter(|pair| pair.counter.is_any_replaying()).count()
    }

    fn drop_tasks(&mut self) {
        for pair in self.pairs.drain(..) {
            self.past.add(&pair.counter);
        }
        if !self.breaks(Flaw::FailingOutlivesItsLetters) {
            self.outbox.forget_all();
        }
        self.commands.push(Command::Unassign);
    }

    fn pair_of(&mut self, task: TaskId) -> Option<&mut Pair<T>> {
        self.pairs.iter_mut().find(|pair| pair.id == task)
    }

    const fn next_id(&mut self) -> u64 {
        self.newest_id += 1;
        self.newest_id
    }

    fn breaks(&self, flaw: Flaw) -> bool {
        T::breaks(self.broken, flaw)
    }
}
