//! "Did you mean": the setting closest to an unknown name.

use std::collections::BTreeMap;

use strsim::levenshtein;

use super::error::shown;
use super::original;
use super::settings::SETTINGS;
use super::value::{Setting, variable};

/// With more wrong letters than this, the closest name is more likely to mislead than to help.
const MAX_DISTANCE: usize = 3;

/// The remedy for an unknown key.
pub(super) fn remedy(key: &str) -> String {
    match nearest(key) {
        Some(key) => format!("did you mean {key}?"),
        None => "remove it (docs/configuration.md lists all settings)".to_owned(),
    }
}

/// The setting probably meant by `key`: with a similar spelling, or with the same name in another section.
fn nearest(key: &str) -> Option<&'static str> {
    let key = kebab(key);
    let known = || SETTINGS.iter().map(|setting| setting.key).chain(original::alias_keys());
    let (distance, spelt_alike) = known().map(|known| (levenshtein(&key, known), known)).min()?;
    if distance <= MAX_DISTANCE {
        return Some(spelt_alike);
    }
    let mut same_name = known().filter(|known| last_segment(known) == last_segment(&key));
    match (same_name.next(), same_name.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// A warning for each variable that looks like a misspelled setting. Not an error: other programs have variables that
/// begin with `KAFKA_` too.
pub(super) fn misspelt_variables(env: &BTreeMap<String, String>) -> Vec<String> {
    let ours: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
    let aliases: Vec<String> = original::alias_keys().map(variable).collect();
    let is_ours = |name: &String| ours.contains(name) || aliases.contains(name);
    env.keys()
        .filter(|name| !is_ours(name))
        .filter_map(|name| {
            let meant = ours.iter().find(|ours| ours.len() > 8 && levenshtein(name, ours) <= 2)?;
            Some(format!(
                "the environment variable {} is not a setting and has no effect; did you mean {meant}?",
                shown(name)
            ))
        })
        .collect()
}

fn last_segment(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// Converts `batchSize` and `batch_size` to `batch-size`.
fn kebab(key: &str) -> String {
    let mut kebab = String::with_capacity(key.len() + 4);
    for letter in key.chars() {
        match letter {
            '_' => kebab.push('-'),
            upper if upper.is_ascii_uppercase() => {
                if kebab.ends_with(|before: char| before.is_ascii_lowercase()) {
                    kebab.push('-');
                }
                kebab.push(upper.to_ascii_lowercase());
            }
            other => kebab.push(other),
        }
    }
    kebab
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_another_spelling_and_another_section_find_the_setting() {
        assert_eq!(nearest("kafka.bootstrap-server"), Some("kafka.bootstrap-servers"));
        assert_eq!(nearest("clickhouse.batchSize"), Some("clickhouse.batch-size"));
        assert_eq!(nearest("clickhouse.batch_size"), Some("clickhouse.batch-size"));
        assert_eq!(nearest("job.settings.parallelism"), Some("ctr.job.parallelism"));
        assert_eq!(nearest("spring.application.name"), None);
    }
}
