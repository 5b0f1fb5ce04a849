//! The corpus of the fuzz targets as ordinary regression tests: every file of `fuzz/corpus/` goes through the check of its target.
//! A crash that fuzzing finds becomes a file there.

#![allow(clippy::expect_used)] // Clippy treats functions that tests call as non-test code.

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/checks/clickhouse_answer.rs"]
mod clickhouse_answer;
#[path = "../../../fuzz/checks/commit_metadata.rs"]
mod commit_metadata;
#[path = "../../../fuzz/checks/dead_letter.rs"]
mod dead_letter;
#[path = "../../../fuzz/checks/event.rs"]
mod event;
#[path = "../../../fuzz/checks/headers.rs"]
mod headers;
#[path = "../../../fuzz/checks/settings.rs"]
mod settings;

/// Fewer would mean that the folder has moved.
const SMALLEST_CORPUS: usize = 20;

/// Runs a check on every file of its corpus. Names the files that fail, after their panics.
fn corpus(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).expect("the corpus can be read");
    let mut files: Vec<_> = files.map(|entry| entry.expect("a file of the corpus").path()).collect();
    files.sort();
    assert!(files.len() >= SMALLEST_CORPUS, "{} has only {} files", folder.display(), files.len());
    files.retain(|file| {
        let data = fs::read(file).expect("a file of the corpus can be read");
        std::panic::catch_unwind(|| check(&data)).is_err()
    });
    assert!(files.is_empty(), "failed: {files:#?}");
}

#[test]
fn events() {
    corpus("event", event::check);
}

#[test]
fn metadata_of_commits() {
    corpus("commit_metadata", commit_metadata::check);
}

#[test]
fn dead_letters() {
    corpus("dead_letter", dead_letter::check);
}

#[test]
fn headers_of_records() {
    corpus("headers", headers::check);
}

#[test]
fn texts_of_settings() {
    corpus("settings", settings::check);
}

#[test]
fn answers_of_clickhouse() {
    corpus("clickhouse_answer", clickhouse_answer::check);
}
