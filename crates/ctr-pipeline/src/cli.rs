//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::SETTINGS;
use crate::{dlq, recount};

/// Real-time click-through rates: counts impressions and clicks from Kafka per product in event-time windows, and keeps the
/// results in ClickHouse, exact through any crash.
#[derive(Debug, Parser)]
#[command(version, long_version = LONG_VERSION, after_long_help = settings_help(), propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the binary can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the job until SIGTERM or SIGINT (keeps its place in the group, so that a restart moves nothing) or SIGQUIT (leaves
    /// the group, so that other instances take over at once). A second signal ends it at once; nothing is lost by that.
    ///
    /// Exit code: 0 after a clean stop, 1 if the job failed for good, 2 if settings, topics or tables are wrong.
    Run(Source),
    /// Look whether everything the job needs is there: settings, brokers, topics, tables. A line each, with what is wrong
    /// and how to mend it. Reads nothing, writes nothing.
    ///
    /// Exit code: 0 if all is well, 2 if not.
    Check(Source),
    /// Print the settings as they are in force, each with what it does and where it comes from, as a file that can be used.
    /// Secrets are left out.
    ///
    /// Exit code: 0, or 2 if settings are wrong.
    Config(Source),
    /// Ask a running job whether it is ready: partitions assigned, replay over, ClickHouse acknowledging.
    ///
    /// Exit code: 0 if it is, 1 if not, with the reasons.
    Probe {
        /// Where the settings are.
        #[command(flatten)]
        source: Source,
        /// Ask only whether the process is alive, not whether it is ready.
        #[arg(long)]
        live: bool,
    },
    /// Count whole windows again from the log: every valid event, whatever its lateness, redriven ones included, each once. Safe
    /// beside the running job and at any moment: rows only grow. Windows that are not wholly in the log any more, or that the
    /// job may still count, are refused by name.
    ///
    /// Exit code: 0 if all windows were counted, 1 if it failed (run it again), 2 if settings, topics, tables or times are
    /// wrong, 3 if windows were refused; the others are done.
    Recount {
        /// Where the settings are.
        #[command(flatten)]
        source: Source,
        /// Which windows.
        #[command(flatten)]
        options: recount::Options,
    },
    /// Look at the records that could not be counted, and put those back that can be counted after all.
    ///
    /// Exit code: 0 if all was done, 1 if it failed (run it again), 2 if settings, topics or tables are wrong, 3 if letters or
    /// windows had to be left, or there is no such letter.
    Dlq {
        /// Where the settings are.
        #[command(flatten)]
        source: Source,
        /// What to do with them.
        #[command(subcommand)]
        command: dlq::Command,
    },
    /// Print what makes a shell complete the commands and options: `source <(ctr-pipeline completions bash)`.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the man pages, one for each command, into a folder: `ctr-pipeline man ~/.local/share/man/man1`.
    Man {
        /// The folder; it must exist.
        folder: PathBuf,
    },
}

/// Where the settings are.
#[derive(Debug, Args)]
pub struct Source {
    /// The YAML file of the settings [default: config/application.yml if that exists, else the built-in defaults]. Every
    /// setting can be overridden by an environment variable; `ctr-pipeline --help` lists them.
    #[arg(long, short, env = "CTR_CONFIG", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
}

const LONG_VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nreads and writes commits with metadata version 1; a later version of the metadata is refused, never guessed at"
);

fn settings_help() -> String {
    let width = SETTINGS.iter().map(|setting| setting.variable().len()).max().unwrap_or_default();
    let mut help = String::from("Environment variables (each overrides the setting of the file):\n");
    for setting in SETTINGS {
        let default = if setting.default.is_empty() { String::new() } else { format!(" [{}]", setting.default) };
        help.push_str(&format!("  {:width$}  {}{default}\n", setting.variable(), setting.key));
    }
    help.push_str(
        "\nA commented file with all settings: config/application.yml. What each does: docs/configuration.md.",
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
