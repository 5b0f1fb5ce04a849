//! What can be wrong with a configuration, and how it is said.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;
use thiserror::Error;

/// The layer that a value comes from.
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

/// Where a value stands: its key or its environment variable, and the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The dotted key, or for [`Origin::Env`] the name of the variable.
    pub name: String,
    /// The layer.
    pub origin: Origin,
}

impl Place {
    pub(super) fn in_file(key: impl Into<String>) -> Self {
        Self { name: key.into(), origin: Origin::File }
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

/// One mistake: where it stands, what is wrong, and the way out.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read: {source}; name a readable file with --config, or give none to run on the defaults", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file is not YAML, or not a map of settings.
    #[error("the file is not a YAML map of settings: {problem}")]
    Syntax {
        /// What the parser says, with line and column where it knows them.
        problem: String,
    },
    /// An unknown key, or a value of the wrong type, out of range, or not possible.
    #[error("{place}: {problem}; {remedy}")]
    Invalid {
        /// The key or variable.
        place: Place,
        /// What is wrong with it.
        problem: String,
        /// What to write instead.
        remedy: String,
    },
    /// Two values that are fine alone and not together.
    #[error("{first} and {second}: {problem}; {remedy}")]
    Contradiction {
        /// The one setting.
        first: Place,
        /// The other.
        second: Place,
        /// Why not both.
        problem: String,
        /// Which to change, and how.
        remedy: String,
    },
}

/// Everything that is wrong with a configuration: at least one mistake.
#[derive(Debug)]
pub struct ConfigErrors {
    file: Option<PathBuf>,
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    pub(super) const fn new(file: Option<PathBuf>, errors: Vec<ConfigError>) -> Self {
        Self { file, errors }
    }

    /// The mistakes, in the order in which they were found.
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
