//! The YAML file as a flat list of dotted keys.

use serde_yaml::Value;

use super::error::{ConfigError, Place};
use super::original;
use super::settings::SETTINGS;
use super::suggest;

/// A key of the file that is a setting, an alias of one, or a key of the original.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) value: Value,
}

/// The entries of a file. What is no setting at all goes to `errors`.
pub(super) fn entries(text: &str, errors: &mut Vec<ConfigError>) -> Vec<Entry> {
    let mut entries = Vec::new();
    // An empty file, or one of comments alone, is the null document.
    match serde_yaml::from_str::<Value>(text) {
        Ok(Value::Null) => {}
        Ok(Value::Mapping(root)) => flatten("", root, &mut entries, errors),
        Ok(other) => errors.push(ConfigError::Syntax { problem: format!("it holds only {}", kind_of(&other)) }),
        Err(error) => errors.push(ConfigError::Syntax { problem: error.to_string() }),
    }
    entries
}

fn flatten(prefix: &str, section: serde_yaml::Mapping, entries: &mut Vec<Entry>, errors: &mut Vec<ConfigError>) {
    for (name, value) in section {
        let Some(name) = name.as_str() else {
            let problem = format!("a key {}is {}, not text", within(prefix), kind_of(&name));
            errors.push(ConfigError::Syntax { problem });
            continue;
        };
        let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        match value {
            value if is_known(&key) => add(Entry { key, value }, entries, errors),
            Value::Mapping(section) if !section.is_empty() => flatten(&key, section, entries, errors),
            // `kafka:` with all its lines commented out.
            Value::Mapping(_) | Value::Null if is_section(&key) => {}
            value if is_section(&key) => errors.push(ConfigError::Invalid {
                problem: format!("this is a section, and it holds {}", kind_of(&value)),
                remedy: format!("put its settings under it, one a line, or remove {key}"),
                place: Place::in_file(key),
            }),
            _ => {
                let nearest = suggest::nearest(&key);
                errors.push(ConfigError::UnknownKey { place: Place::in_file(key), nearest });
            }
        }
    }
}

/// Nested and dotted spelling may be mixed, so one key can come twice although each map of the file has it once.
fn add(entry: Entry, entries: &mut Vec<Entry>, errors: &mut Vec<ConfigError>) {
    if entries.iter().any(|earlier| earlier.key == entry.key) {
        errors.push(ConfigError::Invalid {
            place: Place::in_file(entry.key),
            problem: "it is given twice, nested and with dots".to_owned(),
            remedy: "keep one of the two".to_owned(),
        });
    } else {
        entries.push(entry);
    }
}

fn within(prefix: &str) -> String {
    if prefix.is_empty() { String::new() } else { format!("under {prefix} ") }
}

fn is_known(key: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key == key) || original::knows(key)
}

fn is_section(key: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

/// A YAML value's type in the words of a message.
pub(super) const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a map",
        Value::Tagged(_) => "a tagged value",
    }
}
