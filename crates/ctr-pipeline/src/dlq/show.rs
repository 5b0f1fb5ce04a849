//! Output of `list`, `show` and `stats`.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use ctr_domain::redriven::DeadLetterId;
use ctr_domain::timestamp::to_rfc3339;
use serde_json::{Value, json};

use super::letter::DeadLetter;
use super::scan::{Filter, Others, each_letter, parts, read_letters};
use crate::source::log_reader::LogReader;

/// Lists dead letters, one line each.
pub(super) fn list(reader: &mut LogReader, topic: &str, filter: &Filter, as_json: bool) -> anyhow::Result<bool> {
    let parts = parts(reader, topic)?;
    let mut out = io::stdout().lock();
    let others = each_letter(reader, &parts, filter, |letter, bytes| {
        if as_json {
            out.write_all(bytes)?;
            return Ok(writeln!(out)?);
        }
        let event_time = letter.event_time_millis_utc.map_or_else(|| "-".to_owned(), to_rfc3339);
        let (written, id) = (letter.created_at(), letter.id());
        Ok(writeln!(out, "{written:24}  {event_time:24}  {id}  {}", letter.error_message)?)
    })?;
    say_others(others);
    Ok(true)
}

/// Shows one dead letter; false if it does not exist.
pub(super) fn one(reader: &mut LogReader, topic: &str, id: &DeadLetterId, raw: bool) -> anyhow::Result<bool> {
    let mut found: Option<(DeadLetter, Vec<u8>)> = None;
    let parts = parts(reader, topic)?;
    // Includes dead letters about copies, which the other commands omit.
    read_letters(reader, &parts, |letter, _, bytes| {
        if let Some(letter) = letter.filter(|letter| found.is_none() && letter.id() == *id) {
            found = Some((letter, bytes.to_vec()));
        }
        Ok(())
    })?;
    let Some((letter, bytes)) = found else {
        let _ = writeln!(io::stderr(), "`{topic}` has no dead letter {id}; `ctr-pipeline dlq list` lists them");
        return Ok(false);
    };
    let mut out = io::stdout().lock();
    if raw {
        out.write_all(&letter.payload()?.unwrap_or_default())?;
        return Ok(true);
    }
    let mut fields: Value = serde_json::from_slice(&bytes)?;
    let value = fields.as_object_mut().and_then(|fields| fields.remove("rawData")).unwrap_or_default();
    writeln!(out, "{}", serde_json::to_string_pretty(&fields)?)?;
    writeln!(out, "{}", value.as_str().unwrap_or("(no value)"))?;
    Ok(true)
}

/// Dead letters of one topic and code.
#[derive(Debug)]
struct LetterGroup {
    letters: u64,
    first: String,
    last: String,
}

/// Counts dead letters by topic and code.
pub(super) fn stats(reader: &mut LogReader, topic: &str, filter: &Filter, as_json: bool) -> anyhow::Result<bool> {
    let mut groups: BTreeMap<(String, String), LetterGroup> = BTreeMap::new();
    let parts = parts(reader, topic)?;
    let others = each_letter(reader, &parts, filter, |letter, _| {
        let written = letter.created_at();
        let group = groups.entry((letter.raw_topic, letter.code)).or_insert_with(|| LetterGroup {
            letters: 0,
            first: written.clone(),
            last: written.clone(),
        });
        group.letters += 1;
        if written < group.first {
            group.first = written;
        } else if written > group.last {
            group.last = written;
        }
        Ok(())
    })?;
    let mut out = io::stdout().lock();
    for ((topic, code), LetterGroup { letters, first, last }) in groups {
        if as_json {
            let line = json!({ "topic": topic, "code": code, "letters": letters, "first": first, "last": last });
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{letters:>10}  {code:20}  {topic}  {first} to {last}")?;
        }
    }
    say_others(others);
    Ok(true)
}

/// Reports on standard error what was not shown.
pub(super) fn say_others(others: Others) {
    let Others { repeated, copies, foreign } = others;
    if repeated > 0 {
        let _ = writeln!(
            io::stderr(),
            "{repeated} repeated dead letters (after a crash, or by another group) are not shown again"
        );
    }
    if copies > 0 {
        let _ = writeln!(
            io::stderr(),
            "{copies} dead letters are about redriven copies that were not counted either; their origins are shown"
        );
    }
    if foreign > 0 {
        let _ = writeln!(io::stderr(), "{foreign} records of the topic are not dead letters of this pipeline");
    }
}
