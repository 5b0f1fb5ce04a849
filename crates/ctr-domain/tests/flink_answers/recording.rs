//! Recordings, and Flink's answers: the files of `tests/flink`. Its README describes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ctr_domain::event::EventKind;
use ctr_domain::rules::Rules;
use ctr_domain::side::Side;
use serde::Deserialize;

/// A line of a recording; the first of the file is line 1.
pub(crate) type Line = usize;

/// A log in the order of reading, and Flink's answers to it.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) sides: Vec<Side>,
    pub(crate) steps: Vec<(Line, Step)>,
    pub(crate) flink: Answers,
}

pub(crate) enum Step {
    Event(Recorded),
    Idle(Side),
}

pub(crate) struct Recorded {
    pub(crate) side: Side,
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    /// The record's Kafka timestamp if it matters; otherwise it is later than the event.
    pub(crate) kafka_timestamp: Option<i64>,
    pub(crate) product: String,
    pub(crate) kind: EventKind,
}

/// One product of one window, as it was emitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// After which line; `None`: at the end of the input.
    pub(crate) line: Option<Line>,
    /// Whether an event of the window itself triggered it: an update of a window that had fired.
    pub(crate) late: bool,
    pub(crate) window: i64,
    pub(crate) product: String,
    pub(crate) counts: (u64, u64),
}

/// The results of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    /// In order; products of a window emitted at the same moment are sorted by name.
    pub(crate) shown: Vec<Shown>,
    /// Records that were too late, by their line.
    pub(crate) dropped: BTreeMap<Line, (Side, i64)>,
    /// Impressions and clicks by window start and product.
    pub(crate) finals: BTreeMap<(i64, String), (u64, u64)>,
}

impl Answers {
    /// The order of the products of one window and moment has no meaning.
    pub(crate) fn sort_products(&mut self) {
        let moment = |shown: &Shown| (shown.line, shown.window);
        for window in self.shown.chunk_by_mut(|a, b| moment(a) == moment(b)) {
            window.sort_by(|a, b| a.product.cmp(&b.product));
        }
    }

    pub(crate) fn dropped_lines(&self) -> Vec<Line> {
        self.dropped.keys().copied().collect()
    }

    pub(crate) fn lines_shown(&self) -> Vec<(Option<Line>, i64, &str)> {
        self.shown.iter().map(|shown| (shown.line, shown.window, &*shown.product)).collect()
    }

    pub(crate) fn counts(&self, window: i64, product: &str) -> Option<(u64, u64)> {
        self.finals.get(&(window, product.to_owned())).copied()
    }
}

#[derive(Deserialize)]
struct RecordingHeader {
    partitions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RecordingLine {
    Idle { idle: String },
    Event(EventLine),
}

#[derive(Deserialize)]
struct EventLine {
    partition: String,
    offset: i64,
    timestamp: i64,
    kafka_timestamp: Option<i64>,
    product: String,
    kind: String,
}

#[derive(Deserialize)]
struct AnswersHeader {
    recording: String,
    flink: String,
    window_ms: i64,
    max_out_of_orderness_ms: i64,
    allowed_lateness_ms: i64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum AnswerLine {
    Dropped { line: Line, dropped: String, offset: i64 },
    Fired { line: Option<Line>, fired: String, product: String, window: i64, impressions: u64, clicks: u64 },
    Final { r#final: bool, product: String, window: i64, impressions: u64, clicks: u64 },
}

/// All recordings of a folder, sorted by name. Each must have answers, and no answers may be left over.
pub(crate) fn recordings(folder: &str) -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/flink").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let found: Vec<_> = files.iter().filter(|file| is_recording(file)).map(|file| load(file)).collect();
    assert_eq!(files.len(), 2 * found.len(), "an answer for each recording, and nothing else, in {}", folder.display());
    found
}

pub(crate) fn recording(folder: &str, name: &str) -> Recording {
    let found = recordings(folder).into_iter().find(|recording| recording.name == name);
    found.unwrap_or_else(|| panic!("there is no {folder}/{name}.events.jsonl"))
}

fn is_recording(file: &Path) -> bool {
    file.to_string_lossy().ends_with(".events.jsonl")
}

fn load(file: &Path) -> Recording {
    let name = file.file_name().unwrap().to_str().unwrap().trim_end_matches(".events.jsonl").to_owned();
    let text = std::fs::read_to_string(file).unwrap();
    let (header, lines) = text.split_once('\n').unwrap();
    let header: RecordingHeader = serde_json::from_str(header).unwrap();
    Recording {
        sides: header.partitions.iter().map(|partition| side(partition)).collect(),
        steps: lines.lines().enumerate().map(|(index, line)| (index + 2, step(line))).collect(),
        flink: load_answers(&file.with_file_name(format!("{name}.answers.jsonl")), &name),
        name,
    }
}

fn step(line: &str) -> Step {
    match serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")) {
        RecordingLine::Idle { idle } => Step::Idle(side(&idle)),
        RecordingLine::Event(event) => Step::Event(Recorded {
            side: side(&event.partition),
            offset: event.offset,
            timestamp: event.timestamp,
            kafka_timestamp: event.kafka_timestamp,
            product: event.product,
            kind: match &*event.kind {
                "impression" => EventKind::Impression,
                "click" => EventKind::Click,
                other => panic!("no such kind: {other}"),
            },
        }),
    }
}

fn load_answers(file: &PathBuf, name: &str) -> Answers {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut answers = Answers::default();
    let (header, lines) = text.split_once('\n').unwrap();
    check_header(&serde_json::from_str(header).unwrap(), name);
    for line in lines.lines() {
        match serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")) {
            AnswerLine::Dropped { line, dropped, offset } => {
                answers.dropped.insert(line, (side(&dropped), offset));
            }
            AnswerLine::Fired { line, fired, product, window, impressions, clicks } => {
                assert!(["late", "on time"].contains(&&*fired), "{fired}");
                let late = fired == "late";
                answers.shown.push(Shown { line, late, window, product, counts: (impressions, clicks) });
            }
            AnswerLine::Final { r#final, product, window, impressions, clicks } => {
                assert!(r#final);
                answers.finals.insert((window, product), (impressions, clicks));
            }
        }
    }
    answers.sort_products();
    answers
}

/// The answers are for our default rules.
fn check_header(header: &AnswersHeader, name: &str) {
    let rules = Rules::default();
    assert_eq!(header.recording, format!("{name}.events.jsonl"));
    assert_eq!(header.flink, "1.18.1");
    assert_eq!(header.window_ms, rules.window_size.ms());
    assert_eq!(header.max_out_of_orderness_ms, rules.max_out_of_orderness_ms);
    assert_eq!(header.allowed_lateness_ms, rules.allowed_lateness_ms);
}

fn side(partition: &str) -> Side {
    match partition {
        "impressions" => Side::Impressions,
        "clicks" => Side::Clicks,
        other => panic!("no such partition: {other}"),
    }
}
