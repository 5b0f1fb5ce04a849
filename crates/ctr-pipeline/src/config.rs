//! The settings of the pipeline: read, checked, typed.
//!
//! One table ([`SETTINGS`]) says for every setting its key, default, kind, range and effect. Everything else follows from it:
//! the keys a file may hold, the environment variables that override it, the messages, the typed sections, the commented
//! `config/application.yml` and `docs/configuration.md`.
//!
//! Three layers, the later ones win: the defaults of the table, the YAML file, the environment. All that is wrong in any layer
//! is reported at once, so that a file is mended in one go and not in as many starts as it has mistakes.

mod checks;
pub mod commented;
mod document;
mod error;
mod layers;
mod original;
mod properties;
mod rules;
mod sections;
mod settings;
mod suggest;
mod text;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use error::{ConfigError, ConfigErrors, Origin, Place};
pub use properties::Properties;
pub use sections::{
    CheckpointCleanup, CheckpointingMode, ClickHouseConfig, Deduplication, JobConfig, KafkaConfig, LogFormat,
    LoggingConfig, OffsetStrategy, Secret, StatusConfig, TopicsConfig,
};
use serde::Serialize;
pub use settings::{SECTIONS, SETTINGS, Setting};
pub use value::Kind;

/// The file that is read where no other is named, if it exists.
pub const DEFAULT_PATH: &str = "config/application.yml";

/// The variable whose value names this process where `ctr.job.instance-id` does not.
const HOST_NAME: &str = "HOSTNAME";

/// Every setting of a process, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where records come from and where dead letters go.
    pub kafka: KafkaConfig,
    /// Where rows go.
    pub clickhouse: ClickHouseConfig,
    /// What is counted, and how the work is kept safe.
    pub job: JobConfig,
    /// Where the process answers questions about itself.
    pub status: StatusConfig,
    /// Where logs go.
    pub logging: LoggingConfig,
    /// The file that was read; `None` where only defaults and the environment speak.
    pub file: Option<PathBuf>,
    /// What is allowed but worth a line at start: one sentence each.
    pub notices: Vec<String>,
    rows: Vec<SettingRow>,
}

/// One setting as it is in force, fit to be shown: secrets are masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingRow {
    /// The dotted key; for an entry of `kafka.properties` with the name of the property at its end.
    pub key: String,
    /// The value, or `***` for a secret that is set.
    pub value: String,
    /// Which layer it comes from.
    pub origin: Origin,
}

impl Config {
    /// Reads the file at `path`, or [`DEFAULT_PATH`] if that exists, and lets `env` override it.
    ///
    /// The host name, the default of `ctr.job.instance-id`, is asked of the kernel, otherwise of `HOSTNAME` in `env`.
    ///
    /// # Errors
    /// All that is wrong with the file and the environment; a file that was named and cannot be read.
    pub fn load(path: Option<&Path>, env: &BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        let default = Path::new(DEFAULT_PATH);
        let file = path.or_else(|| default.exists().then_some(default));
        let text = match file {
            Some(file) => std::fs::read_to_string(file).map_err(|source| {
                ConfigErrors::new(None, vec![ConfigError::Unreadable { path: file.to_path_buf(), source }])
            })?,
            None => String::new(),
        };
        let mut env = env.clone();
        if let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
            env.insert(HOST_NAME.to_owned(), name.trim().to_owned());
        }
        Self::assemble(&text, &env, file)
    }

    /// Settings from the text of a file (empty: all defaults) and from variables, and from nothing else.
    ///
    /// # Errors
    /// All that is wrong with the text and the variables.
    pub fn from_yaml(text: &str, env: &BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        Self::assemble(text, env, None)
    }

    /// Every setting in the order of the table, with secrets masked, for `check`, for the log at start and for the API.
    #[must_use]
    pub fn describe(&self) -> &[SettingRow] {
        &self.rows
    }

    fn assemble(text: &str, env: &BTreeMap<String, String>, file: Option<&Path>) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let mut notices = suggest::misspelt_variables(env);
        let entries = document::entries(text, &mut errors);
        let chosen = layers::choose(&entries, env, &mut errors);
        let rows = chosen.rows();
        match chosen.sections() {
            Ok(sections) => {
                checks::between(&sections, &chosen, &mut errors);
                checks::notices(&sections, &mut notices);
                if errors.is_empty() {
                    let sections::Sections { kafka, clickhouse, ctr, status, logging } = sections;
                    let file = file.map(Path::to_path_buf);
                    return Ok(Self { kafka, clickhouse, job: ctr.job, status, logging, file, notices, rows });
                }
            }
            Err(source) => errors.push(ConfigError::Table(source)),
        }
        Err(ConfigErrors::new(file.map(Path::to_path_buf), errors))
    }
}

/// The variables of this process. What is not UTF-8 is kept with U+FFFD in its place, and refused where a setting reads it.
#[must_use]
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect()
}
