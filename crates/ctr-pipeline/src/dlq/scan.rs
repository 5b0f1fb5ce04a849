//! The dead letter topic, read once from its beginning to its end.

use std::collections::{HashMap, HashSet};

use clap::Args;
use ctr_domain::redriven::DeadLetterId;
use ctr_domain::timestamp;

use super::letter::DeadLetter;
use crate::recount::Progress;
use crate::source::log_reader::{LogPart, LogReader};

/// Selects the dead letters that match all given options.
#[derive(Debug, Clone, Default, Args)]
pub struct Filter {
    /// Only this code, for instance TOO_LATE or INVALID_JSON; can be repeated.
    #[arg(long = "code", value_name = "CODE")]
    codes: Vec<String>,
    /// Only records of this topic; can be repeated.
    #[arg(long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only dead letters written at or after this time: epoch milliseconds, `YYYY-MM-DD HH:MM:SS` in UTC, or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse_text)]
    from: Option<i64>,
    /// Only dead letters written before this time.
    #[arg(long, value_name = "TIME", value_parser = timestamp::parse_text)]
    to: Option<i64>,
}

impl Filter {
    fn takes(&self, letter: &DeadLetter, written: Option<i64>) -> bool {
        let fits = |wanted: &[String], found: &String| wanted.is_empty() || wanted.contains(found);
        fits(&self.codes, &letter.code)
            && fits(&self.topics, &letter.raw_topic)
            && self.from.is_none_or(|from| written.is_none_or(|written| written >= from))
            && self.to.is_none_or(|to| written.is_none_or(|written| written < to))
    }
}

/// Counts of what was found and not shown.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Others {
    /// Repetitions of dead letters, which are shown once.
    pub(super) repeated: u64,
    /// Dead letters about copies whose original dead letter is shown.
    pub(super) copies: u64,
    /// Records that are not dead letters of this pipeline.
    pub(super) foreign: u64,
}

/// The dead letter topic as it is now.
///
/// # Errors
/// If the brokers do not respond.
pub(super) fn parts(reader: &LogReader, topic: &str) -> anyhow::Result<Vec<LogPart>> {
    let partitions = reader.partitions(topic)?;
    Ok((0..partitions).map(|partition| reader.whole(topic, partition)).collect::<Result<_, _>>()?)
}

/// Calls `visit` once for every dead letter that matches the filter, with its bytes, in the order of partition and offset.
/// A dead letter about a redriven copy is omitted if the topic has the dead letter of its origin: it is the same record. If it
/// has not, because the header that names it was forged or that dead letter is gone, the copy's own dead letter comes at the end.
///
/// # Errors
/// If the topic cannot be read, and any error of `visit`.
pub(super) fn each_letter(
    reader: &mut LogReader,
    parts: &[LogPart],
    filter: &Filter,
    mut visit: impl FnMut(DeadLetter, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Others> {
    let mut others = Others::default();
    let mut sorting = Sorting::default();
    read_letters(reader, parts, |letter, written, bytes| {
        let Some(letter) = letter else {
            others.foreign += 1;
            return Ok(());
        };
        let takes = filter.takes(&letter, written);
        match sorting.place(&letter) {
            LetterPlace::Repeated => others.repeated += u64::from(takes),
            LetterPlace::CopyOf(_) => {}
            LetterPlace::First if takes => visit(letter, bytes)?,
            LetterPlace::First => {}
        }
        Ok(())
    })?;
    let orphans = sorting.orphans();
    if orphans.is_empty() {
        others.copies = sorting.copies.len() as u64;
        return Ok(others);
    }
    others.copies = (sorting.copies.len() - orphans.len()) as u64;
    let mut left = orphans;
    read_letters(reader, parts, |letter, written, bytes| match letter {
        Some(letter) if left.remove(&letter.id()) && filter.takes(&letter, written) => visit(letter, bytes),
        _ => Ok(()),
    })?;
    Ok(others)
}

/// Calls `take` for every record of the topic with the dead letter (if it is one), the Kafka timestamp (epoch ms) and the bytes.
///
/// # Errors
/// If the topic cannot be read, and any error of `take`.
pub(super) fn read_letters(
    reader: &mut LogReader,
    parts: &[LogPart],
    mut take: impl FnMut(Option<DeadLetter>, Option<i64>, &[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut progress = Progress::new("dead letters", parts.iter().map(|part| part.end - part.start).sum());
    for part in parts {
        reader.read(part, |record| {
            progress.step();
            take(DeadLetter::read(record.payload), record.mark.timestamp, record.payload.unwrap_or_default())
        })?;
    }
    progress.finish();
    Ok(())
}

/// The dead letters seen so far.
#[derive(Debug, Default)]
struct Sorting {
    seen: HashSet<DeadLetterId>,
    /// Dead letters about copies, with their origins.
    copies: HashMap<DeadLetterId, DeadLetterId>,
}

/// How a dead letter relates to those before it.
#[derive(Debug, PartialEq, Eq)]
enum LetterPlace {
    First,
    Repeated,
    /// It is about a copy of the record of this dead letter.
    CopyOf(DeadLetterId),
}

impl Sorting {
    fn place(&mut self, letter: &DeadLetter) -> LetterPlace {
        let id = letter.id();
        if let Some(origin) = letter.origin() {
            return match self.copies.insert(id, origin.clone()) {
                Some(_) => LetterPlace::Repeated,
                None => LetterPlace::CopyOf(origin),
            };
        }
        if self.seen.insert(id) { LetterPlace::First } else { LetterPlace::Repeated }
    }

    /// The dead letters about copies whose chain of origins leads to no dead letter. Every chain ends, because an origin has a
    /// lower offset than its copy.
    fn orphans(&self) -> HashSet<DeadLetterId> {
        self.copies.iter().filter(|(_, origin)| !self.has_letter(origin)).map(|(id, _)| id.clone()).collect()
    }

    fn has_letter<'a>(&'a self, mut origin: &'a DeadLetterId) -> bool {
        while !self.seen.contains(origin) {
            match self.copies.get(origin) {
                Some(before) => origin = before,
                None => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> DeadLetter {
        letter_at(7, None)
    }

    fn letter_at(offset: i64, origin: Option<i64>) -> DeadLetter {
        let origin =
            origin.map_or_else(String::new, |origin| format!(r#","redrivenFrom":"clicks/3/{origin}/TOO_LATE""#));
        let json = format!(
            r#"{{"rawTopic":"clicks","partition":3,"offset":{offset},"code":"TOO_LATE","errorMessage":"","createdAtUtc":1,
            "eventTimeMillisUtc":null,"rawData":null,"rawEncoding":"utf8","key":null{origin}}}"#
        );
        DeadLetter::read(Some(json.as_bytes())).unwrap()
    }

    #[test]
    fn a_record_is_shown_once_however_many_letters_it_has() {
        let mut sorting = Sorting::default();
        assert_eq!(sorting.place(&letter_at(7, None)), LetterPlace::First);
        assert_eq!(sorting.place(&letter_at(7, None)), LetterPlace::Repeated);
        assert!(matches!(sorting.place(&letter_at(9, Some(7))), LetterPlace::CopyOf(origin) if origin.offset == 7));
        assert_eq!(sorting.place(&letter_at(9, Some(7))), LetterPlace::Repeated);
        sorting.place(&letter_at(12, Some(9)));
        // A header that names what nobody has a letter of, and one that names itself.
        sorting.place(&letter_at(20, Some(8)));
        sorting.place(&letter_at(21, Some(20)));
        assert_eq!(sorting.place(&letter_at(22, Some(22))), LetterPlace::First);
        let mut orphans: Vec<_> = sorting.orphans().into_iter().map(|id| id.offset).collect();
        orphans.sort_unstable();
        assert_eq!(orphans, [20, 21]);
        // The origin's letter may come later, from another partition.
        sorting.place(&letter_at(8, None));
        assert!(sorting.orphans().is_empty());
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
