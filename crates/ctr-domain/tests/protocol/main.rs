//! The recovery protocol, driven through histories of everything that can go wrong. A seed decides a history.
//!
//! `CTR_HISTORIES=1000000 cargo test --release -p ctr-domain --test protocol` runs more of them;
//! `CTR_SEED=17 cargo test -p ctr-domain --test protocol` runs one of each kind.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "offsets and counts of made-up logs are small"
)]

mod check;
mod counter;
mod dice;
mod disaster;
mod history;
mod log;
mod model;
mod mutation;
mod owner;
mod runs;
mod table;
mod truth;
mod world;

mod histories;
mod mutations;
