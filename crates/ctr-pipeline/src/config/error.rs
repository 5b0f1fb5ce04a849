//! Configuration errors and their messages.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

/// The layer of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The built-in default.
    Default,
    /// The YAML file.
    File,
    /// An environment variable.
    Env,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Env => "environment",
        })
    }
}

/// The origin of a value: its key or its environment variable, and the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The dotted key, or for [`Origin::Env`] the name of the variable.
    pub name: String,
    /// The layer.
    pub origin: Origin,
}

impl Place {
    pub(super) fn in_file(key: &str) -> Self {
        Self { name: shown(key), origin: Origin::File }
    }

    pub(super) fn in_env(variable: impl Into<String>) -> Self {
        Self { name: variable.into(), origin: Origin::Env }
    }

    pub(super) fn by_default(key: impl Into<String>) -> Self {
        Self { name: key.into(), origin: Origin::Default }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.origin)
    }
}

/// A key or the name of a variable in a message: on one line, and never invisible.
pub(super) fn shown(name: &str) -> String {
    if name.is_empty() {
        return "\"\"".to_owned();
    }
    let is_plain = |letter: char| letter.is_alphanumeric() || letter.is_ascii_graphic() || letter == ' ';
    let letter = |letter: char| if is_plain(letter) { letter.to_string() } else { letter.escape_default().to_string() };
    name.chars().map(letter).collect()
}

/// One error: its origin, the problem, and the remedy.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}; name a readable file with --config, or give none to run on the defaults", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file is not YAML, or not a map of settings.
    #[error("the file is not a YAML map of settings: {problem}")]
    Syntax {
        /// The parser's message, with line and column if known.
        problem: String,
    },
    /// An unknown key, or a value of the wrong type, out of range, or not supported.
    #[error("{place}: {problem}; {remedy}")]
    Invalid {
        /// The key or variable.
        place: Place,
        /// The problem.
        problem: String,
        /// What to write instead.
        remedy: String,
    },
    /// Two values that are valid separately but not together.
    #[error("{first} and {second}: {problem}; {remedy}")]
    Contradiction {
        /// The first setting.
        first: Place,
        /// The second setting.
        second: Place,
        /// The reason.
        problem: String,
        /// Which one to change, and how.
        remedy: String,
    },
}

/// All errors of a configuration: at least one.
#[derive(Debug)]
pub struct ConfigErrors {
    file: Option<PathBuf>,
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    pub(super) const fn new(file: Option<PathBuf>, errors: Vec<ConfigError>) -> Self {
        Self { file, errors }
    }

    /// The errors, in the order in which they were found.
    #[must_use]
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.len() {
            1 => write!(f, "1 error in the configuration")?,
            several => write!(f, "{several} errors in the configuration")?,
        }
        if let Some(file) = &self.file {
            write!(f, " (file: {})", file.display())?;
        }
        self.errors.iter().try_for_each(|error| write!(f, "\n  - {error}"))
    }
}

impl std::error::Error for ConfigErrors {}
