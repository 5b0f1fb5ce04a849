//! The YAML file as a flat map of dotted keys.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_yaml::{Mapping, Value as Yaml};

use super::error::{ConfigError, Place, shown};
use super::settings::SETTINGS;
use super::value::kind_of;
use super::{original, suggest};

/// The entries of a file: settings, and aliases of the original. Everything else goes to `errors`.
pub(super) fn entries(text: &str, errors: &mut Vec<ConfigError>) -> BTreeMap<String, Yaml> {
    let mut entries = BTreeMap::new();
    // An empty file, or one with only comments, is the null document.
    match serde_yaml::from_str::<Yaml>(text) {
        Ok(Yaml::Null) => {}
        Ok(Yaml::Mapping(root)) => flatten("", root, &mut entries, errors),
        Ok(other) => errors.push(ConfigError::Syntax { problem: format!("it holds only {}", kind_of(&other)) }),
        Err(error) => errors.push(ConfigError::Syntax { problem: error.to_string() }),
    }
    entries
}

fn flatten(prefix: &str, section: Mapping, entries: &mut BTreeMap<String, Yaml>, errors: &mut Vec<ConfigError>) {
    for (name, value) in section {
        let Some(name) = name.as_str() else {
            let within = if prefix.is_empty() { String::new() } else { format!("under {} ", shown(prefix)) };
            let problem = format!("a key {within}is {}, not text", kind_of(&name));
            errors.push(ConfigError::Syntax { problem });
            continue;
        };
        let key = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
        let mut refuse = |key: &str, problem: String, remedy: String| {
            errors.push(ConfigError::Invalid { place: Place::in_file(key), problem, remedy });
        };
        match value {
            value if is_known(&key) => match entries.entry(key) {
                Entry::Vacant(place) => drop(place.insert(value)),
                // Nested and dotted keys may be mixed, so a key can occur twice although it occurs only once in each
                // map of the file.
                Entry::Occupied(first) => {
                    let remedy = "keep one of the two".to_owned();
                    refuse(first.key(), "it is given twice, nested and with dots".to_owned(), remedy);
                }
            },
            Yaml::Mapping(section) if !section.is_empty() => flatten(&key, section, entries, errors),
            // `kafka:` with all its lines commented out.
            Yaml::Mapping(_) | Yaml::Null if is_section(&key) => {}
            value if is_section(&key) => {
                let remedy = format!("put its settings under it, one a line, or remove {key}");
                refuse(&key, format!("this is a section, and it holds {}", kind_of(&value)), remedy);
            }
            _ => {
                let (problem, remedy) = original::without_meaning(&key).unwrap_or(("there is no such setting", ""));
                let remedy = if remedy.is_empty() { suggest::remedy(&key) } else { remedy.to_owned() };
                refuse(&key, problem.to_owned(), remedy);
            }
        }
    }
}

fn is_known(key: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key == key) || original::alias_keys().any(|alias| alias == key)
}

fn is_section(key: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}
