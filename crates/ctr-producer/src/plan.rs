//! The plan of a run: the options checked against each other, with every default filled in.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::error::ErrorKind;
use clap::{CommandFactory, Error};
use ctr_domain::rules::{Deduplication, Rules};
use ctr_domain::timestamp;
use ctr_domain::window::WindowSize;

use crate::cli::{Cli, Command, DeduplicationOption, Options, TruthOptions};
use crate::faults::{Delays, Faults};
use crate::generator::{self, CLICK_PROBABILITIES, EventTime};
use crate::record::Stream;

/// Default impressions per second, which a laptop can handle.
const DEFAULT_RATE: f64 = 1_000.0;
/// Default clicks per second of a producer of only clicks.
const DEFAULT_CLICK_RATE: f64 = 400.0;

/// librdkafka's maximum linger.
const LONGEST_LINGER: Duration = Duration::from_secs(15 * 60);

/// librdkafka properties that the producer depends on, and why they cannot be set.
const RESERVED_PROPERTIES: [(&str, &str); 3] = [
    ("bootstrap.servers", "use --bootstrap-servers"),
    ("delivery.report.only.error", "the producer counts every acknowledgement"),
    ("transactional.id", "this producer does not use transactions"),
];
/// Other values of these allow records to be reordered or written twice, so the truth would be unknown.
const RESERVED_WITH_TRUTH: [&str; 4] =
    ["acks", "enable.idempotence", "max.in.flight", "max.in.flight.requests.per.connection"];

/// The target topics and how to reach them.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// In librdkafka's format.
    pub(crate) bootstrap_servers: String,
    /// By [`Stream::index`].
    pub(crate) topics: [String; 2],
    /// librdkafka properties, applied after our own.
    pub(crate) properties: Vec<(String, String)>,
    /// Whether records have no key.
    pub(crate) unkeyed: bool,
    /// How long a record may wait to be batched with others of its partition.
    pub(crate) linger: Duration,
}

/// A run of the producer.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The streams it sends.
    pub(crate) streams: Vec<Stream>,
    /// The target.
    pub(crate) connection: Connection,
    /// The events to generate.
    pub(crate) events: generator::Settings,
    /// Records per second, all streams together; `None`: unlimited.
    pub(crate) rate: Option<f64>,
    /// Records after which it ends.
    pub(crate) count: Option<u64>,
    /// Time after which it ends.
    pub(crate) duration: Option<Duration>,
    /// The file for the truth.
    pub(crate) truth: Option<PathBuf>,
}

impl Plan {
    /// Creates the plan from the command line.
    ///
    /// # Errors
    /// Wrong usage: contradictory options.
    pub(crate) fn new(cli: Cli) -> Result<Self, Error> {
        match cli.command {
            Command::Impressions(options) => Self::of(options, vec![Stream::Impressions], None),
            Command::Clicks(options) => Self::of(options, vec![Stream::Clicks], None),
            Command::Both { options, click_rate } => Self::of(options, Stream::ALL.to_vec(), click_rate),
        }
    }

    fn of(options: Options, streams: Vec<Stream>, click_rate: Option<f64>) -> Result<Self, Error> {
        let traffic = &options.traffic;
        let (rate, click_share) = rates(&streams, traffic.rate, click_rate, traffic.products)?;
        let rules = rules(&options.truth)?;
        let events = generator::Settings {
            seed: traffic.seed.unwrap_or_else(rand::random),
            click_share,
            products: traffic.products,
            users: traffic.users,
            faults: faults(&options)?,
            event_time: event_time(&options, rate, &rules)?,
            disorder_ms: millis(options.faults.disorder),
            keyed: !options.kafka.unkeyed,
            event_ids: traffic.event_ids,
            rules,
        };
        Ok(Self {
            streams,
            events,
            rate,
            count: traffic.count,
            duration: traffic.duration,
            truth: options.truth.truth.clone(),
            connection: connection(options)?,
        })
    }

    /// The rates of impressions and clicks as text.
    pub(crate) fn pace(&self) -> String {
        match (self.rate, self.streams.as_slice()) {
            (None, _) => "at an unlimited rate".to_owned(),
            (Some(rate), [_]) => format!("{rate:.6} events/s"),
            (Some(rate), _) => {
                let clicks = rate * self.events.click_share;
                format!("{:.1} impressions/s and {clicks:.1} clicks/s", rate - clicks)
            }
        }
    }
}

fn usage(message: impl std::fmt::Display) -> Error {
    Cli::command().error(ErrorKind::ValueValidation, message)
}

/// The total rate of all streams (`None`: unlimited), and the clicks' share of it.
fn rates(
    streams: &[Stream],
    rate: Option<f64>,
    click_rate: Option<f64>,
    products: u32,
) -> Result<(Option<f64>, f64), Error> {
    let bounded = |rate: f64| (rate > 0.0).then_some(rate);
    match streams {
        [Stream::Impressions] => return Ok((bounded(rate.unwrap_or(DEFAULT_RATE)), 0.0)),
        [Stream::Clicks] => return Ok((bounded(rate.unwrap_or(DEFAULT_CLICK_RATE)), 1.0)),
        _ => {}
    }
    let rate = rate.unwrap_or(DEFAULT_RATE);
    match click_rate {
        None => {
            let clicks = mean_click_probability(products);
            Ok((bounded(rate * (1.0 + clicks)), clicks / (1.0 + clicks)))
        }
        Some(_) if rate <= 0.0 => {
            Err(usage("--click-rate requires a --rate above 0: at an unlimited rate, clicks follow the impressions"))
        }
        Some(clicks) => Ok((Some(rate + clicks), clicks / (rate + clicks))),
    }
}

/// The mean over all products, which are shown equally often.
fn mean_click_probability(products: u32) -> f64 {
    let probabilities = CLICK_PROBABILITIES.iter().cycle().take(products as usize);
    probabilities.sum::<f64>() / f64::from(products)
}

fn rules(options: &TruthOptions) -> Result<Rules, Error> {
    let window_size =
        WindowSize::from_ms(options.window_size_ms).ok_or_else(|| usage("--window-size-ms must be above 0"))?;
    Ok(Rules {
        window_size,
        max_out_of_orderness_ms: options.max_out_of_orderness_ms,
        allowed_lateness_ms: options.allowed_lateness_ms,
        max_future_skew_ms: options.max_future_skew_ms,
        deduplication: match options.deduplication {
            DeduplicationOption::Off => Deduplication::Off,
            DeduplicationOption::EventId => Deduplication::EventId,
        },
        ..Rules::default()
    })
}

fn faults(options: &Options) -> Result<Faults, Error> {
    let given = &options.faults;
    let faults = Faults {
        late: given.late,
        too_late: given.too_late,
        duplicates: given.duplicates,
        bad: given.bad,
        future: given.future,
    };
    // Rounding: ten times 0.1 is not exactly 1.
    if faults.total() > 1.0 + 1e-9 {
        let together = faults.total() * 100.0;
        return Err(usage(format!(
            "the shares of --late, --too-late, --duplicates, --bad and --future add up to {together:.1}%, more than 100%"
        )));
    }
    Ok(faults)
}

fn event_time(options: &Options, rate: Option<f64>, rules: &Rules) -> Result<EventTime, Error> {
    let span = options.time.span.map(millis);
    let step = match (span, options.traffic.count, rate) {
        #[allow(clippy::cast_precision_loss, reason = "milliseconds within two centuries, and a count of records")]
        (Some(span), Some(count), _) => span as f64 / count.max(1) as f64,
        (None, _, Some(rate)) => 1_000.0 / rate,
        (_, _, None) if options.time.start_time.is_some() => {
            return Err(usage(
                "--start-time requires --span and --count, or a --rate above 0, to determine how time advances",
            ));
        }
        _ => return Ok(EventTime::Wall),
    };
    let start = match (options.time.start_time, span) {
        (Some(start), _) => start,
        (None, Some(span)) => now_ms().saturating_sub(span),
        (None, None) => return Ok(EventTime::Wall),
    };
    let furthest_behind = Delays::new(rules).longest().saturating_add(millis(options.faults.disorder));
    if start.saturating_sub(furthest_behind) < timestamp::DEFAULT_MIN_MS
        || start.saturating_add(span.unwrap_or_default()) >= timestamp::END_MS
    {
        return Err(usage("--start-time, --span and --disorder exceed the range of valid event times, 2000 to 2199"));
    }
    Ok(EventTime::MadeUp { start, step })
}

fn connection(options: Options) -> Result<Connection, Error> {
    let kafka = options.kafka;
    if kafka.impression_topic == kafka.click_topic {
        return Err(usage(format!(
            "impressions and clicks must have different topics, both are `{}`",
            kafka.click_topic
        )));
    }
    if kafka.linger > LONGEST_LINGER {
        return Err(usage(format!(
            "--linger must be at most {} minutes, which is librdkafka's limit",
            LONGEST_LINGER.as_secs() / 60
        )));
    }
    for (key, _) in &kafka.properties {
        if let Some((_, why)) = RESERVED_PROPERTIES.iter().find(|(reserved, _)| reserved == key) {
            return Err(usage(format!("--property {key} cannot be set: {why}")));
        }
        if options.truth.truth.is_some() && RESERVED_WITH_TRUTH.contains(&key.as_str()) {
            return Err(usage(format!(
                "--property {key} cannot be set with --truth, which requires a known order of the log"
            )));
        }
    }
    Ok(Connection {
        bootstrap_servers: kafka.bootstrap_servers,
        topics: [kafka.impression_topic, kafka.click_topic],
        properties: kafka.properties,
        unkeyed: kafka.unkeyed,
        linger: kafka.linger,
    })
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The wall clock, epoch ms.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn plan(arguments: &str) -> Result<Plan, Error> {
        Plan::new(Cli::try_parse_from(format!("ctr-producer {arguments}").split_whitespace())?)
    }

    #[test]
    fn clicks_follow_impressions_as_often_as_products_are_clicked() {
        let both = plan("both --rate 1000").unwrap();
        assert!((both.rate.unwrap() - 1_460.0).abs() < 1e-6);
        assert!((both.events.click_share - 0.46 / 1.46).abs() < 1e-9);
        let seven = plan("both --rate 0 --products 7").unwrap();
        assert_eq!(seven.rate, None);
        let clicks = (2.3 + 1.4) / 7.0;
        assert!((seven.events.click_share - clicks / (1.0 + clicks)).abs() < 1e-9);
        let given = plan("both --rate 300 --click-rate 100").unwrap();
        assert_eq!((given.rate, given.events.click_share), (Some(400.0), 0.25));
    }

    #[test]
    fn one_stream_has_the_whole_rate() {
        let impressions = plan("impressions").unwrap();
        assert_eq!((impressions.rate, impressions.events.click_share), (Some(1_000.0), 0.0));
        let clicks = plan("clicks").unwrap();
        assert_eq!((clicks.rate, clicks.events.click_share), (Some(400.0), 1.0));
        assert_eq!(clicks.streams, [Stream::Clicks]);
        assert!(plan("clicks --click-rate 5").is_err());
    }

    #[test]
    fn made_up_time_advances_by_span_or_rate() {
        let start = 1_700_000_000_000;
        let of = |arguments: &str| plan(arguments).unwrap().events.event_time;
        assert_eq!(
            of("both --count 1000 --span 10s --start-time 1700000000000"),
            EventTime::MadeUp { start, step: 10.0 }
        );
        assert_eq!(of("clicks --rate 100 --start-time 2023-11-14T22:13:20Z"), EventTime::MadeUp { start, step: 10.0 });
        assert_eq!(of("both --count 1000"), EventTime::Wall);
        let EventTime::MadeUp { start, step } = of("both --rate 0 --count 1000 --span 1h") else { panic!("made up") };
        assert!((now_ms() - 3_600_000 - start).abs() < 60_000);
        assert_eq!(step, 3_600.0);
    }

    #[test]
    fn contradictions_are_wrong_usage() {
        for (arguments, named) in [
            ("both --rate 0 --click-rate 5", "--click-rate"),
            ("both --late 60% --bad 41%", "--bad"),
            ("both --span 10s", "--count"),
            ("both --rate 0 --start-time 1700000000000", "--start-time"),
            ("both --start-time 11000", "--start-time"),
            ("both --start-time 946684810000", "--start-time"),
            ("both --start-time 2199-12-31T00:00:00Z --count 5 --span 2d", "--span"),
            ("both --impression-topic a --click-topic a", "`a`"),
            ("both --property bootstrap.servers=x", "bootstrap.servers"),
            ("both --property acks=1 --truth t", "acks"),
            ("both --linger 10", "--linger"),
            ("both --linger 16m", "--linger"),
            ("both --products 0", "--products"),
            ("both --window-size-ms 0", "--window-size-ms"),
            ("both --rate=-5", "--rate"),
        ] {
            let error = plan(arguments).expect_err(arguments);
            assert_eq!(error.exit_code(), 2, "{arguments}");
            assert!(error.to_string().contains(named), "{arguments}: {error}");
        }
        assert!(plan("both --property acks=1 --late 50% --bad 50%").is_ok());
    }

    /// The original's 10 ms is a request for nearly every event at the rates of the demonstration.
    #[test]
    fn records_wait_for_each_other_unless_told_otherwise() {
        assert_eq!(plan("both").unwrap().connection.linger, Duration::from_secs(1));
        assert_eq!(plan("both --linger 10ms").unwrap().connection.linger, Duration::from_millis(10));
        assert_eq!(plan("both --linger 0ms").unwrap().connection.linger, Duration::ZERO);
    }

    #[test]
    fn a_random_seed_is_another_each_time() {
        assert_ne!(plan("both").unwrap().events.seed, plan("both").unwrap().events.seed);
        assert_eq!(plan("both --seed 7").unwrap().events.seed, 7);
    }
}
