//! The settings as a YAML file with a comment for each: the defaults (`config/application.yml`), or the effective
//! values.

use std::collections::BTreeMap;

use serde_yaml::Value as Yaml;

use super::error::{Origin, shown};
use super::settings::{SECTIONS, SETTINGS};
use super::value::{Kind, MASK, Setting};
use super::{Config, SettingRow};

/// Comments are wrapped at this column.
const COLUMNS: usize = 118;

const ABOUT_DEFAULTS: &str = "\
# Settings of ctr-pipeline with their defaults. A file needs only what differs from them, and no file is needed at all.
# An environment variable, the key in upper case with underscores, overrides the file
# (ctr.job.checkpoint-interval: CTR_JOB_CHECKPOINT_INTERVAL); an empty variable is ignored.
# `ctr-pipeline config` prints the values in force. Generated from the table of settings, like docs/configuration.md.
";

const ABOUT_IN_FORCE: &str = "\
# The settings of ctr-pipeline in force; a value that is not a default says where it comes from. Usable as a file:
# `ctr-pipeline run --config FILE`. Secrets are left out; set them in the environment.
";

/// The contents of a file for one setting.
struct CommentedLine {
    /// Nothing, or one more line of comment.
    remark: String,
    /// The YAML value; none if the setting must be left out of the file.
    value: Option<String>,
}

/// All settings with their defaults.
#[must_use]
pub fn defaults() -> String {
    write(ABOUT_DEFAULTS, |setting, _| CommentedLine { remark: String::new(), value: Some(default_literal(setting)) })
}

/// All effective settings. A setting left at its default is written with the default of the table, so that a process
/// elsewhere uses its own host name, not this one's.
#[must_use]
pub fn in_force(config: &Config) -> String {
    let rows: BTreeMap<&str, &SettingRow> = config.describe().iter().map(|row| (row.key.as_str(), row)).collect();
    write(ABOUT_IN_FORCE, |setting, indent| match (setting.kind, rows.get(setting.key)) {
        (Kind::Properties, _) => properties_line(setting, &rows, indent),
        (_, Some(row)) if row.origin != Origin::Default => given(setting, row),
        _ => CommentedLine { remark: String::new(), value: Some(default_literal(setting)) },
    })
}

fn given(setting: &Setting, row: &SettingRow) -> CommentedLine {
    let from = match row.origin {
        Origin::Env => format!("by the environment ({})", setting.variable()),
        origin => format!("by the {origin}"),
    };
    if setting.secret && !row.value.is_empty() {
        return CommentedLine { remark: format!("set {from}, and not shown"), value: None };
    }
    CommentedLine { remark: from, value: Some(literal(setting.kind, &row.value)) }
}

/// The librdkafka properties, one per line below their setting.
fn properties_line(setting: &Setting, rows: &BTreeMap<&str, &SettingRow>, indent: &str) -> CommentedLine {
    let prefix = format!("{}.", setting.key);
    let (mut value, mut hidden) = (String::new(), Vec::new());
    for (name, row) in rows.iter().filter_map(|(key, row)| Some((key.strip_prefix(&prefix)?, row))) {
        if row.value == MASK {
            hidden.push(shown(name));
        } else {
            value.push_str(&format!("\n{indent}  {}: {}", quoted(name), quoted(&row.value)));
        }
    }
    let remark =
        if hidden.is_empty() { String::new() } else { format!("also set, and not shown: {}", hidden.join(", ")) };
    CommentedLine { remark, value: Some(if value.is_empty() { "{}".to_owned() } else { value }) }
}

fn write(about: &str, line_of: impl Fn(&'static Setting, &str) -> CommentedLine) -> String {
    let mut file = about.to_owned();
    let mut open = Vec::new();
    for setting in SETTINGS {
        let mut maps: Vec<&str> = setting.key.split('.').collect();
        let name = maps.pop().unwrap_or_default();
        let shared = open.iter().zip(&maps).take_while(|(open, map)| open == map).count();
        if shared == 0 {
            file.push('\n');
            let about = SECTIONS.iter().find(|(section, _)| setting.key.starts_with(section));
            comment(&mut file, "", about.map_or("", |(_, about)| about));
        }
        for (depth, map) in maps.iter().enumerate().skip(shared) {
            file.push_str(&format!("{}{map}:\n", "  ".repeat(depth)));
        }
        let indent = "  ".repeat(maps.len());
        write_setting(&mut file, &indent, name, setting, &line_of(setting, &indent));
        open = maps;
    }
    file
}

fn write_setting(file: &mut String, indent: &str, name: &str, setting: &Setting, line: &CommentedLine) {
    comment(file, indent, setting.doc);
    comment(file, indent, &range(setting));
    if !line.remark.is_empty() {
        comment(file, indent, &line.remark);
    }
    match &line.value {
        Some(value) if value.starts_with('\n') => file.push_str(&format!("{indent}{name}:{value}\n")),
        Some(value) => file.push_str(&format!("{indent}{name}: {value}\n")),
        None => file.push_str(&format!("{indent}# {name}:\n")),
    }
}

fn comment(file: &mut String, indent: &str, text: &str) {
    let mut line = format!("{indent}#");
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > COLUMNS {
            file.push_str(&line);
            file.push('\n');
            line = format!("{indent}#");
        }
        line.push(' ');
        line.push_str(word);
    }
    file.push_str(&line);
    file.push('\n');
}

/// The line below the description of a setting: its accepted values, and its default.
fn range(setting: &Setting) -> String {
    let default = if setting.default.is_empty() { "empty" } else { setting.default };
    match setting.kind {
        Kind::Integer { min, max, unit: "" } => format!("{min} to {max}; default {default}"),
        Kind::Integer { min, max, unit } => format!("{min} to {max} {unit}; default {default}"),
        Kind::Only { value, because } => format!("only {value}: {because}"),
        kind => format!("{}; default {default}", kind.expects()),
    }
}

fn default_literal(setting: &Setting) -> String {
    match setting.kind {
        Kind::Properties => "{}".to_owned(),
        kind => literal(kind, setting.default),
    }
}

/// A value as YAML: a number or boolean where the setting takes one, otherwise text.
fn literal(kind: Kind, value: &str) -> String {
    match kind {
        Kind::Integer { .. } | Kind::Boolean | Kind::Only { .. } => value.to_owned(),
        _ => quoted(value),
    }
}

/// Text for YAML: plain if every parser reads it as the same text, otherwise quoted.
fn quoted(text: &str) -> String {
    // Booleans in YAML 1.1.
    const BOOLEANS: [&str; 6] = ["on", "off", "yes", "no", "y", "n"];
    let bare = serde_yaml::from_str::<Yaml>(text).is_ok_and(|read| read.as_str() == Some(text))
        && !BOOLEANS.contains(&text.to_ascii_lowercase().as_str())
        // A timestamp to these parsers, not text.
        && chrono::DateTime::parse_from_rfc3339(text).is_err()
        && !text.contains(['#', '\'', '"', '{', '}', '[', ']'])
        && !text.contains(is_special);
    if bare { text.to_owned() } else { double_quoted(text) }
}

/// JSON's string, with escapes also for what is special to YAML.
fn double_quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let escaped =
        |letter: char| if is_special(letter) { format!("\\u{:04x}", u32::from(letter)) } else { letter.to_string() };
    json.chars().map(escaped).collect()
}

/// Whether YAML refuses a character, or reads it as a line break, unless it is escaped.
fn is_special(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(yaml: &str, variables: &[(&str, &str)]) -> Config {
        let mut env: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        env.insert("HOSTNAME".to_owned(), "this-host".to_owned());
        Config::from_yaml(yaml, &env).unwrap()
    }

    /// Everything except origins and secrets is the same after reading the file back.
    #[test]
    fn what_is_in_force_can_be_used_as_a_file() {
        let yaml = "kafka: {properties: {ssl.ca.location: 'a: b', check.crcs: 'true'}, topics: {click: '0815'}}\n\
                    clickhouse: {user: 'off'}\nlogging: {directory: ''}";
        let first = config(yaml, &[("CTR_JOB_PARALLELISM", "3"), ("LOGGING_LEVEL", "info,ctr_pipeline::sink=debug")]);
        let text = in_force(&first);
        let second = config(&text, &[]);
        let values = |config: &Config| -> Vec<(String, String)> {
            config.describe().iter().map(|row| (row.key.clone(), row.value.clone())).collect()
        };
        assert_eq!(values(&first), values(&second), "{text}");
    }

    #[test]
    fn it_says_where_values_come_from() {
        let text = in_force(&config("clickhouse: {batch-size: 7}", &[("CTR_JOB_PARALLELISM", "3")]));
        assert!(text.contains("# by the environment (CTR_JOB_PARALLELISM)\n    parallelism: 3\n"), "{text}");
        assert!(text.contains("# by the file\n  batch-size: 7\n"), "{text}");
        assert!(!text.contains("this-host"), "another process has another host name: {text}");
    }

    #[test]
    fn secrets_stay_out_of_it() {
        let secrets = [("CLICKHOUSE_PASSWORD", "geheim"), ("KAFKA_PROPERTIES", "sasl.password=auch,ssl.ca.location=r")];
        let text = in_force(&config("", &secrets));
        assert!(!text.contains("geheim") && !text.contains("auch"), "{text}");
        assert!(
            text.contains("# set by the environment (CLICKHOUSE_PASSWORD), and not shown\n  # password:\n"),
            "{text}"
        );
        assert!(
            text.contains("# also set, and not shown: sasl.password\n  properties:\n    ssl.ca.location: r\n"),
            "{text}"
        );
        let used = config(&text, &[]);
        assert!(!used.describe().iter().any(|row| row.value.contains(MASK)), "no mask becomes a password");
    }
}
