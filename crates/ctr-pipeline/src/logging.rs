//! Logging: text (or JSON) lines on the console, JSON lines in rotating files.

mod repeats;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use serde::Serialize;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::time::ChronoUtc;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::config::{LogFormat, LoggingConfig};

pub(crate) use repeats::Repeats;

/// Timestamps in every line: UTC with milliseconds.
const TIME_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// Capacity, in lines, of each queue (one for the console, one for the files). Lines beyond it are dropped and counted: a slow
/// reader, or a pipe that nobody reads, must not block the pipeline.
const WAITING_LINES: usize = 8_192;

/// Flushes the remaining lines when dropped, which takes about a second at most.
pub struct Guard(#[allow(dead_code, reason = "held, not read")] Vec<WorkerGuard>);

/// Counters of the lines dropped for the console and the files.
static DROPPED: OnceLock<[Option<ErrorCounter>; 2]> = OnceLock::new();

/// Lines that could not be written to the file.
static UNWRITTEN: AtomicU64 = AtomicU64::new(0);

/// Lines lost from this process's log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LostLines {
    /// Dropped because the reader of standard error was too slow.
    pub console: u64,
    /// Dropped because the disk was too slow.
    pub file: u64,
    /// Not written because the disk was full, or the file could not be opened.
    pub unwritten: u64,
}

/// Lines lost so far.
#[must_use]
pub fn lost_lines() -> LostLines {
    let dropped = |index: usize| {
        let counters = DROPPED.get()?;
        Some(counters[index].as_ref()?.dropped_lines() as u64)
    };
    LostLines {
        console: dropped(0).unwrap_or(0),
        file: dropped(1).unwrap_or(0),
        unwritten: UNWRITTEN.load(Ordering::Relaxed),
    }
}

/// Sets up logging for the process. Logging never blocks. Lines are written as long as the guard lives.
///
/// # Errors
/// If the filter is invalid or the folder cannot be written; the error names the setting.
pub fn start(config: &LoggingConfig) -> anyhow::Result<Guard> {
    let filter: Targets = config.level.parse().with_context(|| format!("`logging.level`: {}", config.level))?;
    let timer = ChronoUtc::new(TIME_FORMAT.to_owned());
    let (writer, guard) = never_waiting(io::stderr(), "log-console");
    let mut guards = vec![guard];
    let on_console = writer.error_counter();
    let console = match config.format {
        LogFormat::Text => fmt::layer()
            .with_writer(writer)
            .with_timer(timer.clone())
            .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
            .boxed(),
        LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_writer(writer).with_timer(timer.clone()).boxed()
        }
    };
    let (mut files, mut in_files) = (None, None);
    if let Some(directory) = &config.directory {
        let file = RotatingFile::open(directory, config.max_file_bytes, config.max_files)
            .with_context(|| format!("`logging.directory` (LOGGING_DIRECTORY): {}", directory.display()))?;
        let (writer, guard) = never_waiting(file, "log-files");
        guards.push(guard);
        in_files = Some(writer.error_counter());
        files = Some(fmt::layer().json().flatten_event(true).with_writer(writer).with_timer(timer));
    }
    // Set once: a process has one log.
    let _ = DROPPED.set([Some(on_console), in_files]);
    tracing_subscriber::registry().with(filter).with(console).with(files).init();
    // The default hook writes to standard error directly, and blocks on its reader.
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(Guard(guards))
}

fn never_waiting(writer: impl Write + Send + 'static, thread: &str) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default().lossy(true).buffered_lines_limit(WAITING_LINES).thread_name(thread).finish(writer)
}

/// A log file that is rotated when it reaches its maximum size: `ctr-pipeline.log`, then `.1` (the newest), `.2`, …
#[derive(Debug)]
struct RotatingFile {
    path: PathBuf,
    file: File,
    size: u64,
    max_size: u64,
    max_files: usize,
    /// Lines that could not be written since the last successful write.
    unwritten: u64,
}

impl RotatingFile {
    fn open(directory: &Path, max_size: u64, max_files: usize) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        let path = directory.join(concat!(env!("CARGO_PKG_NAME"), ".log"));
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, size, max_size, max_files, unwritten: 0 })
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    }

    /// Renames the file and starts a new one. If that fails, the old file keeps growing, so that no line is lost.
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

impl RotatingFile {
    /// Counts a lost line, and reports the first one on the console, the only output left.
    fn cannot_be_written(&mut self, error: &io::Error) {
        self.unwritten += 1;
        UNWRITTEN.fetch_add(1, Ordering::Relaxed);
        if self.unwritten == 1 {
            let file = self.path.display();
            tracing::error!(%error, %file, "cannot write the log file; lost lines are counted (ctr_log_lines_lost_total) and processing continues");
        }
    }

    fn works_again(&mut self) {
        let lines_lost = std::mem::take(&mut self.unwritten);
        if lines_lost > 0 {
            tracing::warn!(lines_lost, "writing the log file again; some lines are missing from it");
        }
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.size > 0 && self.size + line.len() as u64 > self.max_size && self.rotate().is_err() {
            // Retry after another `max_size` bytes.
            self.size = 0;
        }
        match self.file.write_all(line) {
            Ok(()) => {
                self.size += line.len() as u64;
                self.works_again();
            }
            Err(error) => self.cannot_be_written(&error),
        }
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
    fn a_full_disk_is_counted_and_no_error() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = RotatingFile::open(directory.path(), 100, 2).unwrap();
        file.file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let before = lost_lines().unwritten;
        for _ in 0..3 {
            assert_eq!(file.write(b"line\n").unwrap(), 5);
        }
        assert_eq!((file.unwritten, lost_lines().unwritten - before), (3, 3));
        file.file = File::create(directory.path().join("ctr-pipeline.log")).unwrap();
        file.write_all(b"line\n").unwrap();
        assert_eq!(file.unwritten, 0);
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
