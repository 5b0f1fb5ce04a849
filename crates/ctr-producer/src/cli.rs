//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::values;

/// Simulates ad impressions and clicks, and computes the expected counts.
///
/// Sends shop traffic to Kafka, keyed by product. Any share of the events can be late, too late, duplicated, invalid, or in the
/// future. With --truth it writes the expected final counts of each product and window, and the records that must become dead
/// letters.
///
/// SIGINT and SIGTERM stop it cleanly: sent records are flushed, statistics and truth are written. Exit codes: 0 all records
/// are in Kafka, 1 some are not, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "ctr-producer", version, max_term_width = 120)]
#[command(after_help = "\
Examples:
  ctr-producer both                                 1,000 impressions/s and their clicks, until Ctrl-C
  ctr-producer clicks --rate 50 --duration 5m
  ctr-producer both --rate 0 --count 1000000 --start-time 2026-01-01T00:00:00Z --span 10m --seed 7
                                                    ten minutes of simulated event time at once, reproducibly
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
    /// Send clicks, distributed by the click probability of each product
    Clicks(Options),
    /// Send impressions, with clicks spread evenly among them
    Both {
        #[command(flatten)]
        options: Options,
        /// Clicks per second [default: --rate times the mean click probability of the products, 0.46 for five]
        #[arg(long, value_name = "EVENTS/S", value_parser = values::rate, help_heading = "Traffic")]
        click_rate: Option<f64>,
    },
}

/// The options of all commands.
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

/// The target topics.
#[derive(Debug, Args)]
#[command(next_help_heading = "Kafka")]
pub(crate) struct KafkaOptions {
    /// Bootstrap brokers as host:port,host:port
    #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS", default_value = "127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094")]
    pub(crate) bootstrap_servers: String,
    /// Topic of the impressions; it must exist
    #[arg(long, env = "IMPRESSION_TOPIC", default_value = "impressions")]
    pub(crate) impression_topic: String,
    /// Topic of the clicks; it must exist
    #[arg(long, env = "CLICK_TOPIC", default_value = "clicks")]
    pub(crate) click_topic: String,
    /// Send records without a key, spread over all partitions, instead of keyed by product
    #[arg(long)]
    pub(crate) unkeyed: bool,
    /// How long a record may wait to be batched with others in one request; the original uses 10ms. A shorter linger
    /// increases the brokers' load, because each request is replicated separately
    #[arg(long, value_name = "DURATION", env = "PRODUCER_LINGER", default_value = "1s", value_parser = values::duration)]
    pub(crate) linger: Duration,
    /// A librdkafka property, such as security.protocol=ssl or compression.type=zstd; repeat it, or separate with commas
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

/// Volume and rate of the traffic.
#[derive(Debug, Args)]
#[command(next_help_heading = "Traffic")]
pub(crate) struct TrafficOptions {
    /// Events per second, 0 for unlimited; for `both`: impressions [default: 1000, for clicks 400]
    #[arg(long, value_name = "EVENTS/S", value_parser = values::rate)]
    pub(crate) rate: Option<f64>,
    /// Stop after this many records, both streams together [default: unlimited]
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    /// Stop after this duration, such as 30s or 5m [default: unlimited]
    #[arg(long, value_parser = values::duration)]
    pub(crate) duration: Option<Duration>,
    /// Number of products: product1 to productN, shown equally often; click probabilities repeat 0.8, 0.6, 0.4, 0.3, 0.2
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) products: u32,
    /// Number of users: user1 to userN
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) users: u32,
    /// Seed of the random numbers: the same seed and options produce the same events [default: random, and printed]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Add an event_id to each event; a duplicate repeats it
    #[arg(long)]
    pub(crate) event_ids: bool,
}

/// Injected faults, as shares of the traffic.
#[derive(Debug, Args)]
#[command(next_help_heading = "Faults (shares of the traffic: 0.05 or 5%)")]
pub(crate) struct FaultOptions {
    /// Events behind the watermark, most of which are still counted
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    pub(crate) late: f64,
    /// Events so far behind (30 s to 120 s) that their windows are closed
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    pub(crate) too_late: f64,
    /// Events sent a second time, byte for byte
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    pub(crate) duplicates: f64,
    /// Invalid records, which cycle through every validation rule
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    pub(crate) bad: f64,
    /// Events days in the future (with simulated event time: after 2150, regardless of the brokers' clock)
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = values::share)]
    pub(crate) future: f64,
    /// Shuffle event times: each is moved back by up to this duration
    #[arg(long, value_name = "DURATION", default_value = "0ms", value_parser = values::duration)]
    pub(crate) disorder: Duration,
}

/// Simulated event time.
#[derive(Debug, Args)]
#[command(next_help_heading = "Event time")]
pub(crate) struct TimeOptions {
    /// Simulate event times from this one on: RFC 3339 or epoch ms; they advance by --span, otherwise by --rate
    /// [default: the wall clock]
    #[arg(long, value_name = "TIME", value_parser = values::time)]
    pub(crate) start_time: Option<i64>,
    /// Spread --count events over this simulated event time, such as 10m [without --start-time: ending now]
    #[arg(long, value_name = "DURATION", requires = "count", value_parser = values::duration)]
    pub(crate) span: Option<Duration>,
}

/// The expected counts and the rules for them. The environment variables are the pipeline's.
#[derive(Debug, Args)]
#[command(next_help_heading = "Truth (the rules must match the pipeline's settings)")]
pub(crate) struct TruthOptions {
    /// At the end, write the expected counts of each product and window, and the records that must become dead letters,
    /// as JSON lines. Valid if nothing else has written or writes to the topics
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
    /// How long after its end a window accepts events, in ms of event time
    #[arg(long, value_name = "MS", env = "CTR_JOB_ALLOWED_LATENESS_MS", default_value_t = 5_000,
          value_parser = clap::value_parser!(i64).range(0..=MOST_MS))]
    pub(crate) allowed_lateness_ms: i64,
    /// How far an event may be ahead of the brokers' clock, in ms
    #[arg(long, value_name = "MS", env = "CTR_JOB_MAX_FUTURE_SKEW_MS", default_value_t = 300_000,
          value_parser = clap::value_parser!(i64).range(0..=MOST_SKEW_MS))]
    pub(crate) max_future_skew_ms: i64,
    /// Whether an event_id is counted once per window and partition, or every record is counted
    #[arg(long, env = "CTR_JOB_DEDUPLICATION", default_value = "off")]
    pub(crate) deduplication: DeduplicationOption,
}

/// Maximum value of a rule: 365 days.
const MOST_MS: i64 = 365 * 86_400_000;

/// A hundred years: test brokers may have a clock fixed in 1970, and event times begin in 2000.
const MOST_SKEW_MS: i64 = 100 * 365 * 86_400_000;

/// The values of `--deduplication`.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum DeduplicationOption {
    /// Every record is counted, including duplicates
    Off,
    /// An event_id is counted once per window and partition
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
