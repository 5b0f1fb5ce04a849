//! The verifier must not share code with the pipeline: no rule of `ctr-domain`, and only the settings of
//! `ctr-pipeline`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn nothing_is_counted_by_the_code_under_test() {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = sources(&crate_folder.join("src"));
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("ctr_domain"), "{} uses ctr-domain", file.display());
        let uses = text.matches("ctr_pipeline::").count();
        let settings = text.matches("ctr_pipeline::config").count();
        assert_eq!(uses, settings, "{} uses more of ctr-pipeline than its settings", file.display());
    }
    let manifest = std::fs::read_to_string(crate_folder.join("Cargo.toml")).unwrap();
    assert!(!manifest.contains("ctr-domain"), "{manifest}");
}
