//! Documents that are generated from the code, and checked against it.

use std::path::Path;

/// Compares a file of the checkout with the generated text, or writes it if `UPDATE_REFERENCE` is set.
pub(crate) fn up_to_date(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(
        found == expected,
        "{} is not what the code says; run UPDATE_REFERENCE=1 cargo test -p ctr-pipeline --test '*_reference'",
        path.display()
    );
}
