//! Settings: a file and environment variables. They are accepted, or every error names its key on one line; what `config` prints
//! of accepted ones is a file with the same values.
//!
//! Corpus: the file; after the line `# environment` the variables, one per line, NAME=value.

use std::collections::BTreeMap;

use ctr_pipeline::config::{Config, ConfigError, Origin, commented};

const ENVIRONMENT: &str = "# environment\n";

/// Printed instead of a secret.
const MASK: &str = "***";

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (file, variables) = text.split_once(ENVIRONMENT).unwrap_or((text, ""));
    let mut env = BTreeMap::from([("HOSTNAME".to_owned(), "this-host".to_owned())]);
    let variable = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    env.extend(variables.lines().filter_map(variable));
    match Config::from_yaml(file, &env) {
        Ok(config) => accepted(&config),
        Err(errors) => {
            assert!(!errors.errors().is_empty());
            errors.errors().iter().for_each(|error| named(error, &env));
        }
    }
}

fn named(error: &ConfigError, env: &BTreeMap<String, String>) {
    let line = error.to_string();
    assert!(!line.chars().any(char::is_control), "an error of several lines: {line:?}");
    let places = match error {
        ConfigError::Invalid { place, .. } => vec![place],
        ConfigError::Contradiction { first, second, .. } => vec![first, second],
        ConfigError::Syntax { .. } | ConfigError::Unreadable { .. } => Vec::new(),
    };
    for place in places {
        assert!(!place.name.is_empty(), "an error without a key: {line}");
        assert!(place.origin != Origin::Env || env.contains_key(&place.name), "no variable {}: {line}", place.name);
    }
}

fn accepted(config: &Config) {
    assert!(config.job.rules().is_ok());
    assert!(config.clickhouse.urls().all(|url| url.starts_with("http://") || url.starts_with("https://")));
    assert!(config.notices.iter().all(|notice| !notice.chars().any(char::is_control)), "{:?}", config.notices);
    let printed = commented::in_force(config);
    let env = BTreeMap::from([("HOSTNAME".to_owned(), "this-host".to_owned())]);
    match Config::from_yaml(&printed, &env) {
        Ok(again) => assert_eq!(values(&again, config), values(config, config), "{printed}"),
        Err(errors) => panic!("{errors}\n{printed}"),
    }
}

/// Keys and values, without those that `shown` masks: they are not in the printed file.
fn values(config: &Config, shown: &Config) -> BTreeMap<String, String> {
    let masked: Vec<_> = shown.describe().iter().filter(|row| row.value == MASK).map(|row| row.key.as_str()).collect();
    let rows = config.describe().iter().filter(|row| !masked.contains(&row.key.as_str()));
    rows.map(|row| (row.key.clone(), row.value.clone())).collect()
}
