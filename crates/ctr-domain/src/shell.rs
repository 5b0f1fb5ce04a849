//! The shell: everything a worker decides around its tasks. No IO, no clock, no threads.
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
//! Its driver translates, and decides nothing: in the pipeline between librdkafka and the sinks, in `ctr-simulation` between a
//! world of brokers, sinks and clocks that misbehave. So what the histories prove is what ships.
//!
//! Each decision has one place:
//!
//! | decision | where |
//! |---|---|
//! | may this partition be read, and if not, why | `reading`: [`Shell::may_read`] |
//! | what an error in a partition's queue ends | `fault`: [`Shell::on_upset`] |
//! | which pairs there are, and where each begins | `takeover` |
//! | what is fired, in which order | `firing`: [`Shell::fire`] |
//! | which letter goes next, whether letters can be written | `outbox` |
//! | when a commit may be made, and what its answer says | `checkpoints` |
//! | when the broker is asked where a log ends | `ends` |
//! | what a stop still owes | `stop` |
//! | what a revocation forgets | [`Shell::on_revoked`] |
//!
//! Time is `now`: milliseconds of one monotonic clock. It decides when something is done, never what is counted.

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
use crate::task::{BySide, Firings, Side, Task};
use checkpoints::Checkpoints;
use firing::FiringRound;
use outbox::Outbox;
use takeover::Takeover;

/// One life of a task. A pair that comes back gets a new one, so that what is meant for a task that is gone is recognized and
/// ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(
    /// No other task of the same shell has this number.
    pub u64,
);

/// When a shell does things. All times are milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShellSettings {
    /// Between two checkpoints.
    pub checkpoint_interval: i64,
    /// After which a commit that was not answered has failed.
    pub checkpoint_timeout: i64,
    /// Between the end of a commit and the next, at least.
    pub checkpoint_min_pause: i64,
    /// Between two firings.
    pub fire_interval: i64,
    /// Rows of one firing of one pair at most: the rest follows with the next round, so that reading is not held up.
    pub rows_per_firing: usize,
    /// Between two questions about one log's end.
    pub ask_interval: i64,
    /// After which a question that was not answered is asked again.
    pub ask_timeout: i64,
    /// Before partitions whose facts could not be had are asked for again.
    pub retry_delay: i64,
    /// Before a letter that could not be written is sent again.
    pub letter_retry: i64,
    /// Bytes of letters that wait at most before partitions are read no further.
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

/// What the row sink says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkView {
    /// Whether the last thing asked of it succeeded.
    pub is_available: bool,
    /// Whether there is room for more rows.
    pub has_room: bool,
}

/// What the driver has to do. In order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Read nothing: give the consumer an empty assignment and drop all queues.
    Unassign,
    /// Ask what the group has committed for these partitions of both topics, and where their logs begin and end: all at once,
    /// without waiting. The answer goes to [`Shell::on_facts`].
    AskFacts {
        /// To be given back.
        id: FactsId,
        /// The pairs.
        partitions: Vec<i32>,
    },
    /// Read these, from these offsets. They are the shell's pairs, in its order.
    Assign(Vec<PairStart>),
    /// Commit these partitions together. The answer goes to [`Shell::on_commit_answer`].
    Commit {
        /// To be given back.
        id: CommitId,
        /// The partition, and what to commit for it of each side.
        partitions: Vec<(i32, [PartitionCheckpoint; 2])>,
    },
    /// Ask the broker where a log ends. The answer goes to [`Shell::on_end_offset`].
    AskEndOffset(EndOffsetQuestion),
    /// Tell people.
    Tell(Notice),
    /// End: the shell cannot recover from this.
    GiveUp(Fault),
}

/// What people must be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A partition does not simply continue from its commit.
    Recovery {
        /// Of which topic.
        side: Side,
        /// Its number.
        partition: i32,
        /// What is different.
        notice: RecoveryNotice,
    },
    /// Pairs were taken over.
    TakenOver {
        /// Their numbers.
        partitions: Vec<i32>,
        /// How long that took.
        took_ms: i64,
    },
    /// Partitions wait because their twin of the other topic is not there.
    WithoutTwin {
        /// Their numbers.
        partitions: Vec<i32>,
    },
    /// The brokers did not say what is needed to take partitions over. They are asked again.
    NoFacts {
        /// Why.
        reason: String,
    },
    /// All partitions are taken over again from their commits.
    TakenAgain {
        /// The partition that made it necessary.
        partition: i32,
        /// Its topic.
        side: Side,
        /// Why.
        why: Upset,
    },
    /// Reading of a partition has stopped; the others continue.
    Stopped {
        /// Of which topic.
        side: Side,
        /// Its number.
        partition: i32,
        /// The offset it was read to.
        position: i64,
        /// Why.
        reason: String,
    },
    /// A commit was refused, or could not be made. The next one follows.
    CommitFailed {
        /// Why.
        reason: String,
    },
    /// Dead letters cannot be written.
    LettersFail {
        /// Why.
        reason: String,
    },
    /// Dead letters can be written again.
    LettersWork,
}

/// Everything a worker decides. `T` counts the records of a pair, `L` is a dead letter on its way.
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
    /// The number of the newest task, question or commit.
    newest_id: u64,
    commands: Vec<Command>,
    past: Account,
}

/// What became of records: numbers that only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Of all records, by topic.
    pub ledgers: BySide<Ledger>,
    /// Of all windows.
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
    /// A shell without partitions. `broken` is what a test breaks: nothing, `()`, for the task that ships.
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

    /// What is to be done now. Ask after every input; [`Command::GiveUp`] is the last.
    pub fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// The row sink is like this now. To be told before reading and firing.
    pub const fn on_sink(&mut self, sink: SinkView) {
        self.sink = sink;
    }

    /// Time has passed: takes checkpoints, asks questions, gives up on answers that never came.
    pub fn on_time(&mut self, now: i64) {
        self.advance_takeover(now);
        self.advance_checkpoints(now);
        self.ask_for_ends(now);
    }

    /// The group has taken all partitions back, or will do so soon: their tasks are dropped, with everything that is owed for
    /// them. What was not committed is read again by whoever has the partition next.
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

    /// The pairs that are read, in the order of [`Command::Assign`].
    #[must_use]
    pub fn pairs(&self) -> &[Pair<T>] {
        &self.pairs
    }

    /// The account of all records in the life of this shell.
    #[must_use]
    pub fn account(&self) -> Account {
        let mut account = self.past.clone();
        self.pairs.iter().for_each(|pair| account.add(&pair.counter));
        account
    }

    /// How many pairs have not passed their positions yet.
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
