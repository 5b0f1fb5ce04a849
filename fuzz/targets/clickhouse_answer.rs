//! What is checked, and the format of the corpus: checks/clickhouse_answer.rs.
#![no_main]

#[path = "../checks/clickhouse_answer.rs"]
mod clickhouse_answer;

libfuzzer_sys::fuzz_target!(|data: &[u8]| clickhouse_answer::check(data));
