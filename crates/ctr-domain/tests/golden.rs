//! Hand-written event files with their expected results: read straight through, and with a crash and a restart at every
//! record, from a commit at every record before it.
//!
//! A file in `tests/golden` has one JSON object per line: `about` (and `deduplication`), then `record`s in the order of
//! reading, then exactly the `row`s and `letter`s that are expected in the end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod life;

use std::collections::BTreeMap;
use std::path::Path;

use ctr_domain::rules::{Deduplication, Rules};
use ctr_domain::side::Side;
use serde_json::Value;

use life::{Cluster, Life, Record};

struct Golden {
    name: String,
    rules: Rules,
    records: Vec<(Side, i64, Record)>,
    rows: BTreeMap<(String, i64), (u64, u64)>,
    letters: Vec<(Side, i64, String)>,
}

fn side(value: &Value) -> Side {
    match value["side"].as_str().unwrap() {
        "impressions" => Side::Impressions,
        "clicks" => Side::Clicks,
        other => panic!("no such side: {other}"),
    }
}

fn load(path: &Path) -> Golden {
    let mut golden = Golden {
        name: path.display().to_string(),
        rules: Rules::default(),
        records: Vec::new(),
        rows: BTreeMap::new(),
        letters: Vec::new(),
    };
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let number = |of: &Value, name: &str| of[name].as_i64().unwrap();
        if line["deduplication"] == "event-id" {
            golden.rules.deduplication = Deduplication::EventId;
        }
        if let Some(record) = line.get("record") {
            let value = record["value"].as_str().map(str::to_owned);
            let timestamp = record["timestamp"].as_i64();
            golden.records.push((side(record), number(record, "offset"), Record { timestamp, value }));
        } else if let Some(row) = line.get("row") {
            let counts = (row["impressions"].as_u64().unwrap(), row["clicks"].as_u64().unwrap());
            golden.rows.insert((row["product_id"].as_str().unwrap().to_owned(), number(row, "window_end")), counts);
        } else if let Some(letter) = line.get("letter") {
            let code = letter["code"].as_str().unwrap().to_owned();
            golden.letters.push((side(letter), number(letter, "offset"), code));
        }
    }
    golden.letters.sort();
    golden
}

fn files() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 4, "golden files are missing: {paths:?}");
    paths.iter().map(|path| load(path)).collect()
}

impl Golden {
    fn cluster(&self) -> Cluster {
        let mut cluster = Cluster::default();
        for (side, offset, record) in &self.records {
            cluster.logs[*side].end = offset + 1;
            cluster.logs[*side].records.insert(*offset, record.clone());
        }
        cluster
    }

    fn read(&self, life: &mut Life, cluster: &Cluster, records: std::ops::Range<usize>) {
        for (side, offset, _) in &self.records[records] {
            life.read(cluster, *side, offset + 1);
        }
    }

    fn check(&self, cluster: &Cluster, when: &str) {
        assert_eq!(cluster.table, self.rows, "rows of {}, {when}", self.name);
        let letters: Vec<_> = cluster.letters.keys().map(|id| (id.0, id.1, id.2.to_owned())).collect();
        assert_eq!(letters, self.letters, "letters of {}, {when}", self.name);
        assert!(cluster.letters.values().all(|closed_early| !closed_early), "{}, {when}", self.name);
    }
}

#[test]
fn straight_through() {
    for golden in files() {
        let mut cluster = golden.cluster();
        let mut life = Life::start(&cluster, golden.rules).unwrap();
        golden.read(&mut life, &cluster, 0..golden.records.len());
        life.finish(&mut cluster);
        golden.check(&cluster, "straight through");
    }
}

#[test]
fn with_a_commit_and_a_crash_at_every_record() {
    for golden in files() {
        for crash in 0..=golden.records.len() {
            for commit in 0..=crash {
                let mut cluster = golden.cluster();
                let mut life = Life::start(&cluster, golden.rules).unwrap();
                golden.read(&mut life, &cluster, 0..commit);
                life.show(&mut cluster, 0);
                life.send_letters(&mut cluster);
                assert!(life.commit(&mut cluster));
                golden.read(&mut life, &cluster, commit..crash);
                life.show(&mut cluster, 0);
                drop(life);
                Life::start(&cluster, golden.rules).unwrap().finish(&mut cluster);
                golden.check(&cluster, &format!("commit at record {commit}, crash at {crash}"));
            }
        }
    }
}

#[test]
fn with_a_restart_at_every_record() {
    for golden in files() {
        let mut cluster = golden.cluster();
        for record in 0..golden.records.len() {
            let mut life = Life::start(&cluster, golden.rules).unwrap();
            // A replay reads up to the position first; it may be silent only about records it has accounted for.
            golden.read(&mut life, &cluster, 0..record + 1);
            life.show(&mut cluster, 0);
            life.send_letters(&mut cluster);
            life.commit(&mut cluster);
        }
        Life::start(&cluster, golden.rules).unwrap().finish(&mut cluster);
        golden.check(&cluster, "restarted at every record");
    }
}
