//! What is checked, and the format of the corpus: checks/dead_letter.rs.
#![no_main]

#[path = "../checks/dead_letter.rs"]
mod dead_letter;

libfuzzer_sys::fuzz_target!(|data: &[u8]| dead_letter::check(data));
