//! The recorded scenarios are what the simulated world says today. `tests/pipeline/test_scenarios.py` says whether the real
//! brokers and the real engine agree. `UPDATE_REFERENCE=1 cargo test -p ctr-simulation --test scenarios` records them again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::{env, fs};

use ctr_simulation::record_scenarios;

const SEED: u64 = 20_261_128;
const PARTITIONS: u32 = 32;

#[test]
fn the_recorded_scenarios_are_what_the_simulated_world_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pipeline/scenarios.jsonl");
    let played = record_scenarios(SEED, PARTITIONS).unwrap();
    if env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&file, &played).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap() == played,
        "the recorded scenarios differ; the head of this file says how to record them"
    );
}
