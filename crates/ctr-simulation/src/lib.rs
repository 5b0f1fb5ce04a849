//! Drives the recovery protocol through histories of everything that can go wrong. A seed determines a history.
//!
//! ```text
//! world (logs, clock, tables, commits) <── history ──> processes ──> the shell that ships ──> the task, or a model of it
//!        └──> truth, by force                    └──> check: tables, letters, ledgers are what the truth says
//! ```
//!
//! [`run`] runs one history; a [`Campaign`] runs many, on the given number of threads. A [`Mutation`] is a rule that is
//! broken on purpose: the histories of its [`Kind`] must catch it, or they prove nothing about the rule. Histories generate
//! parsed events; other tests cover parsing. [`record_scenarios`] writes down what real brokers must come to as well.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "offsets and counts of made-up logs are small"
)]

mod broker;
mod campaign;
mod check;
mod dice;
mod disaster;
mod history;
mod log;
mod model;
mod mutation;
mod process;
mod scenario;
mod settings;
mod shell_history;
mod subject;
mod table;
mod truth;
mod world;

use model::Model;
use subject::Mutable;

pub use campaign::{Campaign, Failure, Tally};
pub use mutation::Mutation;
pub use scenario::record as record_scenarios;
pub use world::Kind;

/// The implementation under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The task of `ctr-domain`.
    Task,
    /// A second, minimal implementation of the protocol, so that rules inside it can be broken.
    Model,
}

/// Runs one history to its end, and returns the number of records read in it. After `steps`, at most [`Kind::steps`], it is brought to
/// its end: nothing else goes wrong.
///
/// # Errors
///
/// The defect that the history has found, as text.
pub fn run(seed: u64, subject: Subject, kind: Kind, mutation: Option<Mutation>, steps: usize) -> Result<u64, String> {
    match (kind, subject) {
        (Kind::Shell, Subject::Task) => shell_history::run::<Mutable>(seed, mutation, steps),
        (Kind::Shell, Subject::Model) => shell_history::run::<Model>(seed, mutation, steps),
        (_, Subject::Task) => history::run::<Mutable>(seed, kind, mutation, steps),
        (_, Subject::Model) => history::run::<Model>(seed, kind, mutation, steps),
    }
}
