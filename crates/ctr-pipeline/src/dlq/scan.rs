//! The dead letter topic, read once from its beginning to its end.

use std::collections::HashSet;

use clap::Args;
use ctr_domain::timestamp;

use super::letter::Letter;
use crate::recount::Progress;
use crate::source::log_reader::{LogPart, LogReader};

/// Which letters are meant: those that fit all that is given.
#[derive(Debug, Clone, Default, Args)]
pub struct Filter {
    /// Only with this code, for instance TOO_LATE or INVALID_JSON; may be given several times.
    #[arg(long = "code", value_name = "CODE")]
    codes: Vec<String>,
    /// Only of records of this topic; may be given several times.
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only letters written at or after this time: epoch milliseconds, `YYYY-MM-DD HH:MM:SS` in UTC, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse_text)]
    from: Option<i64>,
    /// Only letters written before this time.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse_text)]
    to: Option<i64>,
}

impl Filter {
    fn takes(&self, letter: &Letter, written: Option<i64>) -> bool {
        let fits = |wanted: &[String], found: &String| wanted.is_empty() || wanted.contains(found);
        fits(&self.codes, &letter.code)
            && fits(&self.topics, &letter.raw_topic)
            && self.from.is_none_or(|from| written.is_none_or(|written| written >= from))
            && self.to.is_none_or(|to| written.is_none_or(|written| written < to))
    }
}

/// What else was found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Others {
    /// Letters that were written more than once: shown once.
    pub(super) repeated: u64,
    /// Records that are no letters of this pipeline.
    pub(super) foreign: u64,
}

/// The dead letter topic as it is now.
///
/// # Errors
/// Where the brokers do not answer.
pub(super) fn parts(reader: &LogReader, topic: &str) -> anyhow::Result<Vec<LogPart>> {
    let partitions = reader.partitions(topic)?;
    Ok((0..partitions).map(|partition| reader.whole(topic, partition)).collect::<Result<_, _>>()?)
}

/// Shows every letter that the filter takes, each once, with its bytes: partition by partition, in the order of writing.
///
/// # Errors
/// Where the topic cannot be read, and whatever `visit` fails with.
pub(super) fn each_letter(
    reader: &mut LogReader,
    parts: &[LogPart],
    filter: &Filter,
    mut visit: impl FnMut(Letter, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Others> {
    let mut others = Others::default();
    let mut seen = HashSet::new();
    let mut progress = Progress::new("dead letters", parts.iter().map(|part| part.end - part.start).sum());
    for part in parts {
        reader.read(part, |record| {
            progress.step();
            match Letter::read(record.payload) {
                None => others.foreign += 1,
                Some(letter) if !filter.takes(&letter, record.mark.timestamp) => {}
                Some(letter) if !seen.insert(letter.id()) => others.repeated += 1,
                Some(letter) => visit(letter, record.payload.unwrap_or_default())?,
            }
            Ok(())
        })?;
    }
    progress.finish();
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        let json = r#"{"rawTopic":"clicks","partition":3,"offset":7,"code":"TOO_LATE","errorMessage":"","createdAtUtc":"",
            "eventTimeMillisUtc":null,"rawData":null,"rawEncoding":"utf8","key":null}"#;
        Letter::read(Some(json.as_bytes())).unwrap()
    }

    #[test]
    fn a_letter_must_fit_all_that_is_given() {
        let takes = |filter: Filter| filter.takes(&letter(), Some(1_000));
        let text = |text: &str| vec![text.to_owned()];
        assert!(takes(Filter::default()));
        assert!(takes(Filter { codes: text("TOO_LATE"), topics: text("clicks"), from: Some(1_000), to: Some(1_001) }));
        assert!(!takes(Filter { codes: text("INVALID_JSON"), ..Filter::default() }));
        assert!(!takes(Filter { topics: text("impressions"), ..Filter::default() }));
        assert!(!takes(Filter { from: Some(1_001), ..Filter::default() }));
        assert!(!takes(Filter { to: Some(1_000), ..Filter::default() }));
    }
}
