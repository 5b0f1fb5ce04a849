//! Logs: lines for people (or JSON) on the console, JSON lines in files that rotate.

mod repeats;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::time::ChronoUtc;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::config::{LogFormat, LoggingConfig};

pub(crate) use repeats::Repeats;

/// Times in every line: UTC, milliseconds.
const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// Sets up logging for the process. Lines are written as long as the guard lives; dropping it writes what is left.
///
/// # Errors
/// Where the filter cannot be read or the folder cannot be written, naming the setting.
pub fn start(config: &LoggingConfig) -> anyhow::Result<Option<WorkerGuard>> {
    let filter = EnvFilter::try_new(&config.level).with_context(|| format!("`logging.level`: {}", config.level))?;
    let timer = ChronoUtc::new(TIME_FORMAT.to_owned());
    let console = match config.format {
        LogFormat::Text => fmt::layer()
            .with_writer(io::stderr)
            .with_timer(timer.clone())
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .boxed(),
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_writer(io::stderr).with_timer(timer.clone()).boxed()
        }
    };
    let (files, guard) = match &config.directory {
        None => (None, None),
        Some(directory) => {
            let file = RotatingFile::open(directory, config.max_file_bytes, config.max_files)
                .with_context(|| format!("`logging.directory` (LOGGING_DIRECTORY): {}", directory.display()))?;
            // Never lossy: a line that is worth logging is worth waiting for.
            let (writer, guard) = NonBlockingBuilder::default().lossy(false).thread_name("log-files").finish(file);
            let layer = fmt::layer().json().flatten_event(true).with_writer(writer).with_timer(timer);
            (Some(layer), Some(guard))
        }
    };
    tracing_subscriber::registry().with(filter).with(console).with(files).init();
    Ok(guard)
}

/// A log file that is set aside when it has reached its size: `ctr-pipeline.log`, then `.1` (the newest), `.2`, …
#[derive(Debug)]
struct RotatingFile {
    path: PathBuf,
    file: File,
    size: u64,
    max_size: u64,
    max_files: usize,
}

impl RotatingFile {
    fn open(directory: &Path, max_size: u64, max_files: usize) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(concat!(env!("CARGO_PKG_NAME"), ".log"));
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, size, max_size, max_files })
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    /// Sets the file aside and begins a new one. Where that fails, the old one grows on: better too large than lost.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..self.max_files.saturating_sub(1)).rev() {
            let from = self.numbered(number);
            if from.exists() {
                fs::rename(from, self.numbered(number + 1))?;
            }
        }
        if self.max_files > 1 {
            fs::rename(&self.path, self.numbered(1))?;
        } else {
            fs::remove_file(&self.path)?;
        }
        self.file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.size > 0 && self.size + line.len() as u64 > self.max_size && self.rotate().is_err() {
            // Try again after another file's worth of lines.
            self.size = 0;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_rotate_by_size_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = RotatingFile::open(directory.path(), 10, 3).unwrap();
        for line in 0..5 {
            file.write_all(format!("line {line}\n").as_bytes()).unwrap();
        }
        assert_eq!(names(directory.path()), ["ctr-pipeline.log", "ctr-pipeline.log.1", "ctr-pipeline.log.2"]);
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!(read("ctr-pipeline.log"), "line 4\n");
        assert_eq!(read("ctr-pipeline.log.1"), "line 3\n");
        assert_eq!(read("ctr-pipeline.log.2"), "line 2\n");
    }

    #[test]
    fn a_restart_goes_on_in_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        for line in ["one\n", "two\n"] {
            RotatingFile::open(directory.path(), 100, 2).unwrap().write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(directory.path().join("ctr-pipeline.log")).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn one_file_alone_begins_anew() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = RotatingFile::open(directory.path(), 4, 1).unwrap();
        file.write_all(b"abc\n").unwrap();
        file.write_all(b"def\n").unwrap();
        assert_eq!(names(directory.path()), ["ctr-pipeline.log"]);
    }
}
