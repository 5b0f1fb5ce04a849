//! What can be asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::values;

/// Simulates ad impressions and clicks, and knows what must be counted of them.
///
/// Sends events as users of a shop would cause them to Kafka, keyed by product. Any part of the traffic can be late,
/// too late, sent twice, broken, or from a clock that runs ahead. With --truth it writes down what each product and
/// window must count in the end, and which records must be dead letters.
///
/// SIGINT and SIGTERM stop it cleanly: what was sent is flushed, statistics and truth are written. Exit codes: 0 all is
/// in Kafka, 1 it is not, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "ctr-producer", version, max_term_width = 120)]
#[command(after_help = "\
Examples:
  ctr-producer both                                 1,000 impressions/s and their clicks, until Ctrl-C
  ctr-producer clicks --rate 50 --duration 5m
  ctr-producer both --rate 0 --count 1000000 --start-time 2026-01-01T00:00:00Z --span 10m --seed 7
                                                    ten minutes of made-up events at once, always the same
  ctr-producer both --count 100000 --late 5% --too-late 1% --bad 1% --truth truth.jsonl")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which events to send.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send impressions: products shown to users
    Impressions(Options),
    /// Send clicks, of each product as often as its users click it
    Clicks(Options),
    /// Send impressions and, evenly among them, clicks
    Both {
        #[command(flatten)]
        options: Options,
        /// Clicks per second [default: --rate times the mean click probability of the products, 0.46 for five]
        #[arg(long, value_name = "EVENTS/S", value_parser = values::rate, help_heading = "Traffic")]
        click_rate: Option<f64>,
    },
}

/// What all commands take.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) kafka: KafkaOptions,
    #[command(flatten)]
    pub(crate) traffic: TrafficOptions,
    #[command(flatten)]
    pub(crate) faults: FaultOptions,
    #[command(flatten)]
    pub(crate) time: TimeOptions,
    #[command(flatten)]
    pub(crate) truth: TruthOptions,
}

/// Where to send to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub(crate) struct KafkaOptions {
    /// Brokers to ask for the others, as host:port,host:port
    #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS", default_value = "127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094")]
    pub(crate) bootstrap_servers: String,
    /// Topic of the impressions; it must exist
    #[arg(long, env = "IMPRESSION_TOPIC", default_value = "impressions")]
    pub(crate) impression_topic: String,
    /// Topic of the clicks; it must exist
    #[arg(long, env = "CLICK_TOPIC", default_value = "clicks")]
    pub(crate) click_topic: String,
    /// Send events without a key, spread over the partitions, instead of keyed by product
    #[arg(long)]
    pub(crate) unkeyed: bool,
    /// How long a record may wait for others to go with it in one request, such as 10ms, the original's. Shorter waits
    /// cost the brokers more: each request is replicated by itself
    #[arg(long, value_name = "DURATION", env = "PRODUCER_LINGER", default_value = "300ms", value_parser = values::duration)]
    pub(crate) linger: Duration,
    /// A setting for librdkafka, such as security.protocol=ssl or compression.type=zstd; may be given often, or with commas
    #[arg(
        long = "property",
        env = "KAFKA_PROPERTIES",
        hide_env_values = true,
        value_name = "KEY=VALUE",
        value_delimiter = ',',
        value_parser = values::property
    )]
    pub(crate) properties: Vec<(String, String)>,
}

/// How much, how fast, by whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Traffic")]
pub(crate) struct TrafficOptions {
    /// Events per second, 0 for as fast as it can; for `both`: impressions [default: 1000, for clicks 400]
    #[arg(long, value_name = "EVENTS/S", value_parser = values::rate)]
    pub(crate) rate: Option<f64>,
    /// Stop after so many records, both streams together [default: no end]
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Stop after so much time, such as 30s or 5m [default: no end]
    #[arg(long, value_parser = values::duration)]
    pub(crate) duration: Option<Duration>,
    /// Number of products: product1 to productN, shown equally often, clicked with 0.8, 0.6, 0.4, 0.3, 0.2 and so on
    /// again
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) products: u32,
    /// Number of users: user1 to userN
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) users: u32,
    /// Number that decides everything that is random: the same seed and options make the same events [default: random,
    /// and printed]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Give each event an event_id; a duplicate repeats it
    #[arg(long)]
    pub(crate) event_ids: bool,
}

/// What goes wrong, as shares of the traffic.
#[derive(Debug, Args)]
#[command(next_help_heading = "Faults (shares of the traffic: 0.05 or 5%)")]
pub(crate) struct FaultOptions {
    /// Events behind the watermark, most of which still count
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    pub(crate) late: f64,
    /// Events so far behind (30 s to 120 s) that no window takes them any more
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    pub(crate) too_late: f64,
    /// Events sent a second time, byte for byte
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    pub(crate) duplicates: f64,
    /// Records that are no valid events; they take turns through every rule that can be broken
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    pub(crate) bad: f64,
    /// Events days ahead (with made-up event time: after 2150, whatever the brokers' clock says)
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    pub(crate) future: f64,
    /// Shuffle event times: an event happens up to so much before its turn
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = values::duration)]
    pub(crate) disorder: Duration,
}

/// Made-up event time.
#[derive(Debug, Args)]
#[command(next_help_heading = "Event time")]
pub(crate) struct TimeOptions {
    /// Make up event times, from this one on: RFC 3339 or epoch ms; they advance by --span, else by --rate
    /// [default: the clock]
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) start_time: Option<i64>,
    /// Spread --count events over so much made-up event time, such as 10m [without --start-time: the span until now]
    #[arg(long, value_name = "DURATION", requires = "count", value_parser = values::duration)]
    pub(crate) span: Option<Duration>,
}

/// What must be counted, and by which rules. The environment variables are the pipeline's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Truth (the rules must be those of the pipeline)")]
pub(crate) struct TruthOptions {
    /// Write what each product and window must count, and which records must be dead letters, as JSON lines, at the
    /// end. Holds where nobody else writes to the topics, from their first record on
    #[arg(long, value_name = "FILE")]
    pub(crate) truth: Option<PathBuf>,
    /// Length of a window, in ms
    #[arg(long, value_name = "MS", env = "CTR_JOB_WINDOW_SIZE_MS", default_value_t = 10_000,
          value_parser = clap::value_parser!(i64).range(1..=MOST_MS))]
    pub(crate) window_size_ms: i64,
    /// How far the watermark stays behind the newest event, in ms
    #[arg(long, value_name = "MS", env = "CTR_JOB_MAX_OUT_OF_ORDERNESS_MS", default_value_t = 2_000,
          value_parser = clap::value_parser!(i64).range(0..=MOST_MS))]
    pub(crate) max_out_of_orderness_ms: i64,
    /// How long after its end a window takes events, in ms of event time
    #[arg(long, value_name = "MS", env = "CTR_JOB_ALLOWED_LATENESS_MS", default_value_t = 5_000,
          value_parser = clap::value_parser!(i64).range(0..=MOST_MS))]
    pub(crate) allowed_lateness_ms: i64,
    /// How far an event may be ahead of the brokers' clock, in ms
    #[arg(long, value_name = "MS", env = "CTR_JOB_MAX_FUTURE_SKEW_MS", default_value_t = 300_000,
          value_parser = clap::value_parser!(i64).range(0..=MOST_SKEW_MS))]
    pub(crate) max_future_skew_ms: i64,
    /// Whether an event_id counts once per window and partition, or each record counts
    #[arg(long, env = "CTR_JOB_DEDUPLICATION", default_value = "off")]
    pub(crate) deduplication: DeduplicationOption,
}

/// The most that a rule may be set to: 365 days.
const MOST_MS: i64 = 365 * 86_400_000;

/// A hundred years: brokers of tests may have a clock that stands still in 1970, and event times begin in 2000.
const MOST_SKEW_MS: i64 = 100 * 365 * 86_400_000;

/// The values of `--deduplication`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DeduplicationOption {
    /// Each record counts, also one sent twice
    Off,
    /// An event_id counts once per window and partition
    EventId,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    /// The truth is only true by the rules of the pipeline.
    #[test]
    fn rules_default_to_the_pipelines() {
        let cli = Cli::try_parse_from(["ctr-producer", "both"]).unwrap();
        let Command::Both { options, click_rate: None } = cli.command else { panic!("not both") };
        let rules = ctr_domain::rules::Rules::default();
        assert_eq!(options.truth.window_size_ms, rules.window_size.ms());
        assert_eq!(options.truth.max_out_of_orderness_ms, rules.max_out_of_orderness_ms);
        assert_eq!(options.truth.allowed_lateness_ms, rules.allowed_lateness_ms);
        assert_eq!(options.truth.max_future_skew_ms, rules.max_future_skew_ms);
        assert!(matches!(options.truth.deduplication, DeduplicationOption::Off));
    }
}
