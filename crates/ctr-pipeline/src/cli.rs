//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::SETTINGS;
use crate::dlq;
use crate::recount;

/// Real-time click-through rates: counts impressions and clicks from Kafka per product in event-time windows and stores the
/// results in ClickHouse, with exact results across crashes.
#[derive(Debug, Parser)]
#[command(version, long_version = LONG_VERSION, after_long_help = settings_help(), propagate_version = true)]
pub struct Cli {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands of the binary.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the job until SIGTERM or SIGINT (keeps its group membership, so a restart moves no partitions) or SIGQUIT (leaves the
    /// group, so that other instances take over at once). A second signal ends the process immediately, without data loss.
    ///
    /// Exit code: 0 after a clean stop, 1 if the job failed permanently, 2 if settings, topics or tables are wrong.
    Run(Source),
    /// Check settings, brokers, topics and tables. Prints one line per check, with the problem and its remedy. Consumes no
    /// records and writes nothing.
    ///
    /// Exit code: 0 if every check passed, 2 otherwise.
    Check(Source),
    /// Print the effective settings, each with its description and origin, as a valid settings file. Secrets are omitted.
    ///
    /// Exit code: 0, or 2 if settings are wrong.
    Config(Source),
    /// Check whether a running job is ready: partitions assigned, replay finished, ClickHouse acknowledging rows.
    ///
    /// Exit code: 0 if it is ready, 1 if not; the reasons are printed.
    Probe {
        /// Where the settings are.
        #[command(flatten)]
        source: Source,
        /// Check only whether the process is alive, not whether it is ready.
        #[arg(long)]
        live: bool,
    },
    /// Recount whole windows from the log: every valid event once, regardless of lateness, including redriven events. Safe to
    /// run at any time beside the running job: counts only increase. Windows that are no longer completely in the log, or that
    /// the job may still update, are refused and listed.
    ///
    /// Exit code: 0 if all windows were recounted, 1 on failure (run it again), 2 if settings, topics, tables or times are
    /// wrong, 3 if some windows were refused; the others were recounted.
    Recount {
        /// Where the settings are.
        #[command(flatten)]
        source: Source,
        /// The windows to recount.
        #[command(flatten)]
        options: recount::Options,
    },
    /// Inspect dead letters, and redrive those whose records can still be counted.
    ///
    /// Exit code: 0 if everything was done, 1 on failure (run it again), 2 if settings, topics or tables are wrong, 3 if some
    /// dead letters or windows were skipped, or the dead letter does not exist.
    Dlq {
        /// Where the settings are.
        #[command(flatten)]
        source: Source,
        /// The command for dead letters.
        #[command(subcommand)]
        command: dlq::DlqCommand,
    },
    /// Print a shell completion script: `source <(ctr-pipeline completions bash)`.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the man pages, one per command, to a folder: `ctr-pipeline man ~/.local/share/man/man1`.
    Man {
        /// The folder; it must exist.
        folder: PathBuf,
    },
}

/// The source of the settings.
#[derive(Debug, Args)]
pub struct Source {
    /// The YAML settings file [default: config/application.yml if it exists, otherwise the built-in defaults]. Every setting
    /// can be overridden by an environment variable; `ctr-pipeline --help` lists them.
    #[arg(long, short, env = "CTR_CONFIG", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nreads and writes commits with metadata version 1 and refuses later metadata versions"
);

fn settings_help() -> String {
    let width = SETTINGS.iter().map(|setting| setting.variable().len()).max().unwrap_or_default();
    let mut help = String::from("Environment variables (each overrides the setting in the file):\n");
    for setting in SETTINGS {
        let default = if setting.default.is_empty() { String::new() } else { format!(" [{}]", setting.default) };
        help.push_str(&format!("  {:width$}  {}{default}\n", setting.variable(), setting.key));
    }
    help.push_str(
        "\nconfig/application.yml lists all settings with comments; docs/configuration.md describes each one.",
    );
    help
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_setting() {
        let help = Cli::command().render_long_help().to_string();
        for setting in SETTINGS {
            assert!(help.contains(&setting.variable()), "{}", setting.key);
        }
    }
}
