//! Which module of the pipeline may use which: the table, compared with the code. There are no cycles, so each module
//! can be read, and tested, with only those below it.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps; clippy knows only functions marked as tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module, a folder with its file or a single file, and the modules it uses; each only those above it.
const TABLE: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("crash_point", &[]),
    ("descriptors", &[]),
    ("failures", &[]),
    ("histogram", &[]),
    ("shutdown", &[]),
    ("stopped", &[]),
    ("wall_clock", &[]),
    ("logging", &["config"]),
    ("probe", &["config"]),
    ("kafka_log", &["logging"]),
    ("source", &["config", "kafka_log", "shutdown", "wall_clock"]),
    ("sink", &["config", "crash_point", "histogram", "kafka_log", "source", "stopped", "wall_clock"]),
    ("check", &["config", "sink", "source"]),
    ("status", &["config", "histogram", "logging", "sink", "source", "stopped", "wall_clock"]),
    ("recount", &["check", "config", "sink", "source", "wall_clock"]),
    (
        "worker",
        &[
            "config",
            "crash_point",
            "histogram",
            "kafka_log",
            "logging",
            "shutdown",
            "sink",
            "source",
            "status",
            "wall_clock",
        ],
    ),
    ("dlq", &["config", "recount", "sink", "source", "wall_clock"]),
    ("fuzzing", &["dlq", "sink"]),
    ("cli", &["config", "dlq", "recount"]),
    ("supervisor", &["shutdown", "worker"]),
    ("job", &["check", "config", "shutdown", "sink", "source", "status", "stopped", "supervisor", "worker"]),
];

/// The names after `crate::` in a file, without its comments. Several in braces are `{`, which no table contains.
fn used(text: &str) -> BTreeSet<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names = code.flat_map(|line| {
        line.split("crate::")
            .skip(1)
            .map(|rest| rest.chars().take_while(|letter| letter.is_alphanumeric() || "_{".contains(*letter)).collect())
    });
    names.collect()
}

fn collect(folder: &Path, part: Option<&str>, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let part = part.unwrap_or(&stem);
        if path.is_dir() {
            collect(&path, Some(part), found);
        } else if !["lib", "main"].contains(&part) {
            found.entry(part.to_owned()).or_default().extend(used(&fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_part_uses_those_of_the_table_and_no_others() {
    let mut found = BTreeMap::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut found);
    for (part, uses) in &mut found {
        uses.remove(part);
    }
    let table: BTreeMap<String, BTreeSet<String>> = TABLE
        .iter()
        .map(|(part, uses)| ((*part).to_owned(), uses.iter().map(|name| (*name).to_owned()).collect()))
        .collect();
    assert_eq!(found, table);
}

#[test]
fn a_part_uses_only_those_above_it_in_the_table() {
    let mut above = BTreeSet::new();
    for (part, uses) in TABLE {
        let below: Vec<_> = uses.iter().filter(|name| !above.contains(*name)).collect();
        assert!(below.is_empty(), "{part} uses {below:?}, which use it or stand below it: a circle");
        assert!(above.insert(part), "{part} stands twice");
    }
}

#[test]
fn comments_use_nothing_and_paths_in_code_do() {
    let text = "//! [`crate::status`]\nuse crate::sink::writer;\nlet x = crate::job::run(crate::config::A);\n    /// crate::dlq\n";
    let names: Vec<_> = used(text).into_iter().collect();
    assert_eq!(names, ["config", "job", "sink"]);
}
