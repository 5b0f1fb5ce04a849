//! `ctr-verify windows`: replays a file of events and explains the outcome of each event of one product in one window.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use ctr_pipeline::config::Config;
use serde::Serialize;

use crate::cli::WindowsArgs;
use crate::count::{Code, Counts, Known, LogCount, Record, Rules, Verdict, read_event};
use crate::event_file::{EventFile, FileRecord, SIDES};
use crate::time;

/// Prints the explanation. Always returns true, so the command exits with 0.
///
/// # Errors
/// If the file cannot be read.
pub(crate) fn run(config: &Config, args: &WindowsArgs) -> anyhow::Result<bool> {
    let file = EventFile::read(&args.file)?;
    let mut rules = Rules::of(&config.job);
    rules.ids_count_once |= file.ids_count_once;
    let story = Story::tell(rules, &file, &args.product, rules.window_start(args.window));
    let text = if args.json { serde_json::to_string_pretty(&story)? } else { story.text() };
    writeln!(io::stdout(), "{}", text.trim_end())?;
    Ok(true)
}

/// The outcomes of the events of a product in a window.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Story {
    product: String,
    window_start: String,
    window_end: String,
    events: Vec<Explained>,
    impressions: u64,
    clicks: u64,
}

/// One event, or an invalid record that names the product.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained {
    topic: &'static str,
    offset: i64,
    event_time: Option<String>,
    outcome: &'static str,
    why: String,
}

impl Story {
    fn tell(rules: Rules, file: &EventFile, product: &str, start: i64) -> Self {
        let mut logs = [(); 2].map(|()| LogCount::begin(rules, i64::MIN..i64::MAX, Known::default()));
        let mut events = Vec::new();
        for record in &file.records {
            let log = &mut logs[record.side];
            let maximum = log.maximum();
            let value = record.value.as_ref().map(|value| value.as_bytes());
            let FileRecord { offset, timestamp, .. } = *record;
            let verdict = log.take(&Record { offset, timestamp, value });
            if let Some(event_time) = event_time(rules, record, product, start) {
                let (outcome, why) = explain(rules, start, maximum, verdict);
                let event_time = event_time.map(time);
                events.push(Explained { topic: SIDES[record.side], offset, event_time, outcome, why });
            }
        }
        let counted = logs.iter().filter_map(|log| log.windows.get(&start)?.get(product));
        let Counts { impressions, clicks } = counted.fold(Counts::default(), |sum, found| sum + found.counts);
        let window_end = time(start + rules.window);
        Self { product: product.to_owned(), window_start: time(start), window_end, events, impressions, clicks }
    }

    fn text(&self) -> String {
        let mut text = format!("{}, window [{}, {})\n", self.product, self.window_start, self.window_end);
        for event in &self.events {
            let event_time = event.event_time.as_deref().unwrap_or("(no time)");
            // Writing to memory does not fail.
            let _ = writeln!(
                text,
                "{:<11} {:>6}  {event_time:<24}  {:<10} {}",
                event.topic, event.offset, event.outcome, event.why
            );
        }
        let _ = write!(text, "result: {} impressions, {} clicks", self.impressions, self.clicks);
        text
    }
}

/// The time of a record to explain: a valid event of the product and window, or an invalid record that names the product (its
/// time is unknown or not trusted).
fn event_time(rules: Rules, record: &FileRecord, product: &str, start: i64) -> Option<Option<i64>> {
    let value = record.value.as_deref()?;
    match read_event(Some(value.as_bytes())) {
        Ok(event) if event.product != product || rules.window_start(event.time) != start => None,
        Ok(event) => Some(Some(event.time)),
        Err(_) => value.contains(product).then_some(None),
    }
}

fn explain(rules: Rules, start: i64, maximum: Option<i64>, verdict: Verdict) -> (&'static str, String) {
    let before = maximum.map_or_else(
        || "nothing was read before it".to_owned(),
        |maximum| format!("the maximum of its partition was {}", time(maximum)),
    );
    match verdict {
        Verdict::Counted => ("counted", format!("{before}; the window fires at {}", time(rules.fires_at(start)))),
        Verdict::CountedLate => {
            let closes = time(rules.closes_at(start));
            ("late", format!("counted after the window had fired: {before}, and the window closes at {closes}"))
        }
        Verdict::Duplicate => ("duplicate", "its event_id was already counted in this window".to_owned()),
        Verdict::Letter(code @ (Code::TooLate | Code::ClosedEarly)) => (
            if code == Code::TooLate { "too late" } else { "too late (closed early)" },
            format!("{before}, and the window closed at {}", time(rules.closes_at(start))),
        ),
        Verdict::Letter(code) => ("rejected", format!("{}: {}", code.name(), code.meaning())),
        Verdict::Apart => ("apart", "its window is not compared".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn story(file: &str, product: &str, window: i64) -> Story {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ctr-domain/tests/golden").join(file);
        let file = EventFile::read(&path).unwrap();
        Story::tell(Rules { ids_count_once: file.ids_count_once, ..Rules::default() }, &file, product, window)
    }

    fn outcomes(story: &Story) -> Vec<(&'static str, i64, &'static str)> {
        story.events.iter().map(|event| (event.topic, event.offset, event.outcome)).collect()
    }

    #[test]
    fn every_event_of_a_window_has_its_outcome() {
        let story = story("lateness.jsonl", "shoe", 1_700_000_000_000);
        let expected = [
            ("impressions", 0, "counted"),
            ("clicks", 0, "counted"),
            ("impressions", 1, "counted"),
            ("impressions", 4, "late"),
            ("impressions", 6, "too late"),
            ("clicks", 1, "counted"),
        ];
        assert_eq!(outcomes(&story), expected);
        assert_eq!((story.impressions, story.clicks), (3, 2));
        let too_late = &story.events[4].why;
        assert!(too_late.contains("maximum of its partition was 2023-11-14T22:13:37Z"), "{too_late}");
    }

    #[test]
    fn what_is_rejected_and_names_the_product_says_why() {
        let story = story("bad_records.jsonl", "shoe", 1_700_000_000_000);
        let rejected: Vec<_> = story.events.iter().filter(|event| event.outcome == "rejected").collect();
        assert_eq!(rejected.len(), 5, "{rejected:?}");
        assert!(rejected[0].why.starts_with("MISSING_EVENT_TYPE: "), "{rejected:?}");
    }
}
