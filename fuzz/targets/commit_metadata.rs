//! What is checked, and the format of the corpus: checks/commit_metadata.rs.
#![no_main]

#[path = "../checks/commit_metadata.rs"]
mod commit_metadata;

libfuzzer_sys::fuzz_target!(|data: &[u8]| commit_metadata::check(data));
