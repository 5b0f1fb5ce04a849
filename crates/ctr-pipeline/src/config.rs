//! The settings of the pipeline: read, validated, typed.
//!
//! A setting is declared once, in one line of `settings.rs`: its field and type, key, range, default and help.
//! Everything else follows from the declarations: the table ([`SETTINGS`]), the typed sections, the allowed keys of a
//! file, the environment variables that override it, the messages, the commented `config/application.yml` and
//! `docs/configuration.md`.
//!
//! Of the three layers the later ones take precedence: defaults, YAML file, environment. All errors in all layers are
//! reported at once, so that a file can be fixed in one go.

mod checks;
pub mod commented;
mod declaration;
mod document;
mod error;
mod layers;
mod original;
mod properties;
mod rules;
mod settings;
mod suggest;
mod text;
mod value;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use error::{ConfigError, ConfigErrors, Origin, Place};
pub use layers::SettingRow;
use layers::{HOST_NAME, Layers};
pub use properties::Properties;
pub use settings::{
    CheckpointCleanup, CheckpointingMode, ClickHouseConfig, Deduplication, JobConfig, KafkaConfig, LogFormat,
    LoggingConfig, OffsetStrategy, SECTIONS, SETTINGS, StatusConfig, TopicsConfig,
};
pub use text::TextRule;
pub use value::{Fixed, Kind, Secret, Setting};

/// The settings file used if none is named and this one exists.
pub const DEFAULT_PATH: &str = "config/application.yml";

/// All settings of a process, validated.
#[derive(Debug, Clone)]
pub struct Config {
    /// Sources of records, and the topic of dead letters.
    pub kafka: KafkaConfig,
    /// The destination of rows.
    pub clickhouse: ClickHouseConfig,
    /// What is counted, and how the work is checkpointed.
    pub job: JobConfig,
    /// Address of the status server.
    pub status: StatusConfig,
    /// Destinations of log lines.
    pub logging: LoggingConfig,
    /// The file that was read; `None` if only defaults and the environment were used.
    pub file: Option<PathBuf>,
    /// Warnings about valid settings, logged at the start: one sentence each.
    pub notices: Vec<String>,
    rows: Vec<SettingRow>,
}

impl ClickHouseConfig {
    /// The servers of `clickhouse.url`, in the order in which they are tried; at least one.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.url.split(',')
    }
}

impl Config {
    /// Reads the file at `path`, or [`DEFAULT_PATH`] if that exists, and lets `env` override it.
    ///
    /// The host name, the default of `ctr.job.instance-id`, comes from the kernel, otherwise from `HOSTNAME` in `env`.
    ///
    /// # Errors
    /// All errors in the file and the environment; a named file that cannot be read.
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

    /// Settings from the text of a file (empty: all defaults) and from the given variables only.
    ///
    /// # Errors
    /// All errors in the text and the variables.
    pub fn from_yaml(text: &str, env: &BTreeMap<String, String>) -> Result<Self, ConfigErrors> {
        Self::assemble(text, env, None)
    }

    /// Every setting in the order of the table, with secrets masked, for `check`, for the log at startup and for the
    /// API.
    #[must_use]
    pub fn describe(&self) -> &[SettingRow] {
        &self.rows
    }

    fn assemble(text: &str, env: &BTreeMap<String, String>, file: Option<&Path>) -> Result<Self, ConfigErrors> {
        let mut errors = Vec::new();
        let entries = document::entries(text, &mut errors);
        let mut layers = Layers::new(entries, env, errors);
        let kafka = KafkaConfig::read(&mut layers);
        let clickhouse = ClickHouseConfig::read(&mut layers);
        let job = JobConfig::read(&mut layers);
        let status = StatusConfig::read(&mut layers);
        let logging = LoggingConfig::read(&mut layers);
        checks::topics(&kafka, &mut layers);
        checks::session(&kafka, &mut layers);
        checks::limits(&clickhouse, &mut layers);
        let file = file.map(Path::to_path_buf);
        if !layers.errors.is_empty() {
            return Err(ConfigErrors::new(file, layers.errors));
        }
        let mut notices = suggest::misspelt_variables(env);
        notices.extend(checks::notices(&kafka, &job));
        Ok(Self { kafka, clickhouse, job, status, logging, file, notices, rows: layers.rows })
    }
}

/// The environment variables of this process. Invalid UTF-8 is replaced with U+FFFD, and refused if a setting reads it.
#[must_use]
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect()
}
