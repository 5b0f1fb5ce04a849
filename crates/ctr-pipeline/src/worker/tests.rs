//! The driver against librdkafka's mock brokers and a ClickHouse of prepared responses: what no history can show, because
//! the histories of `ctr-simulation` have another driver, and what takes real brokers minutes.

use std::collections::BTreeMap;
use std::thread::JoinHandle;

use rdkafka::ClientConfig;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::DefaultConsumerContext;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::config::Config;
use crate::shutdown::StopKind;
use crate::sink::clickhouse::tests::server_of;
use crate::sink::writer::row_sink;
use crate::source::cluster::ClusterBoard;
use crate::source::end_offsets::{Ends, question_client};
use crate::status::snapshot::{WorkerStatus, WorkerTotals};
use crate::wall_clock::now_ms;

/// Time limit for everything here.
const DEADLINE: Duration = Duration::from_secs(60);

/// ClickHouse acknowledges everything. In the answer to a query this is: no rows.
const TAKES_ALL: &str = "HTTP/1.1 200 OK\nX-ClickHouse-Query-Id: {id}\nX-ClickHouse-Summary: {\"written_rows\":\"1000000\"}\n\
    Content-Length: 0\nConnection: close\n\n";

/// Mock brokers with the three topics, and what a worker shares with its process.
struct Scene {
    brokers: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
    setup: WorkerSetup,
    /// Runs the sink, as long as the scene lasts.
    _runtime: tokio::runtime::Runtime,
}

type Running = JoinHandle<Result<(), WorkerError>>;

impl Scene {
    fn begin() -> Self {
        let brokers = MockCluster::new(3).unwrap();
        for (topic, partitions) in [("impressions", 2), ("clicks", 2), ("letters", 1)] {
            brokers.create_topic(topic, partitions, 3).unwrap();
        }
        let settings = [
            ("CTR_JOB_INSTANCE_ID", "mock"),
            ("CTR_JOB_CHECKPOINT_INTERVAL", "100"),
            ("CTR_JOB_CHECKPOINT_MIN_PAUSE", "0"),
            // A mock group waits nearly this long for members that have left.
            ("KAFKA_SESSION_TIMEOUT_MS", "6000"),
            ("CTR_JOB_SHUTDOWN_TIMEOUT_MS", "5000"),
            ("CLICKHOUSE_BATCH_INTERVAL_MS", "50"),
            ("KAFKA_TOPICS_IMPRESSION", "impressions"),
            ("KAFKA_TOPICS_CLICK", "clicks"),
            ("KAFKA_DLQ_TOPIC", "letters"),
        ];
        let mut env: BTreeMap<String, String> =
            settings.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        env.insert("KAFKA_BOOTSTRAP_SERVERS".to_owned(), brokers.bootstrap_servers());
        env.insert("CLICKHOUSE_URL".to_owned(), server_of(TAKES_ALL));
        let config = Config::from_yaml("", &env).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (rows, writer) = row_sink(&config.clickhouse);
        runtime.spawn(writer.run());
        let topics = Topics(BySide(["impressions".to_owned(), "clicks".to_owned()]));
        let logs = question_client(&config.kafka, Ends::Log).unwrap();
        let setup = WorkerSetup {
            number: 0,
            rules: config.job.rules().unwrap(),
            topics: topics.clone(),
            fire_interval: Duration::from_millis(10),
            rows,
            dead_letters: Arc::new(DeadLetterSink::new(&config.kafka).unwrap()),
            end_offsets: EndOffsets::start(Arc::clone(&logs), topics.clone()).unwrap(),
            facts: FactsSource::new(&config.kafka, topics, logs).unwrap(),
            board: Arc::new(WorkerBoard::new(1)),
            cluster: Arc::new(ClusterBoard::default()),
            shutdown: Shutdown::default(),
            rejoin: Arc::new(AtomicBool::new(false)),
            kafka: config.kafka,
            job: config.job,
        };
        let producer =
            ClientConfig::new().set("bootstrap.servers", brokers.bootstrap_servers()).set("linger.ms", "0").create();
        Self { brokers, producer: producer.unwrap(), setup, _runtime: runtime }
    }

    /// Sends records to one partition, and waits until they are there.
    fn send(&self, topic: &str, partition: i32, values: &[String]) {
        for value in values {
            let record = BaseRecord::<str, str>::to(topic).partition(partition).payload(value);
            self.producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(DEADLINE).unwrap();
    }

    /// One window of both topics in each partition, and an event that ends it: six counted records in each.
    fn send_a_window(&self) {
        let now = now_ms();
        for partition in 0..2 {
            for (topic, kind) in [("impressions", "impression"), ("clicks", "click")] {
                let early = (0..5).map(|number| event(kind, now - 60_000 + number));
                self.send(topic, partition, &early.chain([event(kind, now)]).collect::<Vec<_>>());
            }
        }
    }

    fn start(&self) -> Running {
        let setup = self.setup.clone();
        std::thread::spawn(|| Worker::join(setup)?.run())
    }

    /// What the worker says of itself, once that is as expected.
    fn wait(&self, what: &str, is_so: impl Fn(&WorkerStatus) -> bool) -> WorkerStatus {
        let begun = Instant::now();
        loop {
            let place = self.setup.board.read().remove(0);
            match place.status {
                Some(status) if is_so(&status) => return status,
                status => assert!(begun.elapsed() < DEADLINE, "waited in vain until {what}: {status:?}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The low offsets that the group has committed for the partitions of the impressions.
    fn committed(&self) -> Vec<i64> {
        let consumer: BaseConsumer<DefaultConsumerContext> = ClientConfig::new()
            .set("bootstrap.servers", self.brokers.bootstrap_servers())
            .set("group.id", &self.setup.kafka.group_id)
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_range("impressions", 0, 1);
        let list = consumer.committed_offsets(list, DEADLINE).unwrap();
        list.elements().iter().filter_map(|element| element.offset().to_raw()).collect()
    }

    /// Stops it. It leaves the group: mock brokers know no static members, and would let its successor wait.
    fn stop(&self, worker: Running) -> WorkerTotals {
        self.setup.shutdown.request(StopKind::Leave);
        worker.join().unwrap().unwrap();
        self.setup.board.read()[0].totals()
    }
}

fn event(kind: &str, at: i64) -> String {
    format!(r#"{{"event_type":"{kind}","product_id":"p","user_id":"u","timestamp":{at}}}"#)
}

fn counted(status: &WorkerStatus) -> u64 {
    status.totals.ledger().counted
}

#[test]
fn records_are_counted_written_and_committed_and_the_next_worker_goes_on_there() {
    let mut scene = Scene::begin();
    scene.send_a_window();
    let worker = scene.start();
    scene.wait("everything is counted and committed", |status| {
        counted(status) == 24 && status.partitions.iter().all(|partition| partition.low_offset == Some(5))
    });
    let totals = scene.stop(worker);
    assert_eq!((totals.ledger().consumed, totals.ledger().difference()), (24, 0));
    assert_eq!(scene.setup.rows.state().rows(), 2, "a row for each partition");
    // The window that is still open begins with the last record.
    assert_eq!(scene.committed(), [5, 5]);

    scene.setup.shutdown = Shutdown::default();
    let worker = scene.start();
    scene.wait("the open window is read again", |status| status.joined && status.replaying == 0);
    let totals = scene.stop(worker);
    assert_eq!((totals.ledger().counted, totals.ledger().replayed), (0, 4));
}

#[test]
fn a_record_that_bypasses_the_queues_ends_the_worker_by_name() {
    let scene = Scene::begin();
    scene.send("clicks", 1, &[event("click", now_ms())]);
    let mut worker = Worker::join(scene.setup.clone()).unwrap();
    worker.consumer.unsubscribe();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("clicks", 1, rdkafka::Offset::Beginning).unwrap();
    worker.consumer.assign(&list).unwrap();
    let begun = Instant::now();
    let error = loop {
        assert!(begun.elapsed() < DEADLINE, "the record was lost in silence");
        if let Err(error) = worker.round(false) {
            break error;
        }
    };
    assert!(matches!(&error, WorkerError::Stray { topic, partition: 1, offset: 0 } if topic == "clicks"), "{error}");
    assert!(!error.is_fatal(), "a restart reads the record where it belongs");
}

#[test]
fn commits_that_the_coordinator_refuses_are_made_again() {
    let scene = Scene::begin();
    scene.send_a_window();
    scene.brokers.request_errors(
        RDKafkaApiKey::OffsetCommit,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED; 3],
    );
    let worker = scene.start();
    let status = scene.wait("a commit is kept", |status| status.totals.checkpoints_completed > 0);
    assert!(status.totals.checkpoints_failed > 0, "{status:?}");
    assert_eq!(scene.stop(worker).ledger().counted, 24);
    assert_eq!(scene.committed(), [5, 5]);
}

#[test]
fn another_process_with_the_same_name_ends_the_worker_for_good() {
    let scene = Scene::begin();
    let worker = scene.start();
    scene.wait("it has joined", |status| status.joined);
    scene.brokers.request_errors(RDKafkaApiKey::Heartbeat, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID; 20]);
    let error = worker.join().unwrap().unwrap_err();
    assert!(matches!(&error, WorkerError::Fenced(name) if name == "mock-0"), "{error}");
    assert!(error.is_fatal());
}

#[test]
fn facts_that_nobody_tells_are_asked_for_again_and_a_stop_is_heard_meanwhile() {
    let scene = Scene::begin();
    scene.send_a_window();
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    scene.brokers.request_errors(RDKafkaApiKey::OffsetFetch, &[refusal; 2]);
    let worker = scene.start();
    scene.wait("it has asked again", |status| counted(status) == 24);
    assert_eq!(scene.stop(worker).ledger().difference(), 0);

    let other = Scene::begin();
    other.brokers.request_errors(RDKafkaApiKey::OffsetFetch, &[refusal; 1_000]);
    let worker = other.start();
    other.wait("it is a member", |status| !status.joined);
    let begun = Instant::now();
    other.stop(worker);
    assert!(begun.elapsed() < other.setup.job.shutdown_timeout, "the stop waited for the facts");
}

#[test]
fn a_dead_letter_that_is_too_large_is_cut_and_one_that_is_refused_is_sent_again() {
    let scene = Scene::begin();
    scene.send("impressions", 0, &["no JSON".to_owned(), "x".repeat(20_000)]);
    scene.brokers.request_errors(
        RDKafkaApiKey::Produce,
        &[
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        ],
    );
    let worker = scene.start();
    let status = scene.wait("both are written", |status| status.totals.letters_written == 2);
    assert!(!status.letters.failing, "{status:?}");
    assert_eq!(scene.stop(worker).ledger().rejected_total(), 2);
}

#[test]
fn while_dead_letters_cannot_be_written_the_reason_is_shown_and_nothing_is_committed_beyond_them() {
    let scene = Scene::begin();
    scene.send("impressions", 0, &["no JSON".to_owned()]);
    scene
        .brokers
        .request_errors(RDKafkaApiKey::Produce, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED; 1_000]);
    let worker = scene.start();
    let status = scene.wait("it says that they fail", |status| status.letters.failing);
    assert!(
        status.partitions.iter().all(|partition| partition.waits_for == Some(WaitReason::DeadLetters)),
        "{status:?}"
    );
    assert!(scene.committed().iter().all(|offset| *offset <= 0), "{:?}", scene.committed());
    scene.brokers.clear_request_errors(RDKafkaApiKey::Produce);
    scene.wait("it is written", |status| status.totals.letters_written == 1 && !status.letters.failing);
    scene.stop(worker);
    assert_eq!(scene.committed()[0], 1);
}

#[test]
fn brokers_that_are_away_for_a_while_are_waited_for() {
    let scene = Scene::begin();
    let worker = scene.start();
    scene.wait("it has joined", |status| status.joined);
    for broker in 1..=3 {
        scene.brokers.broker_down(broker).unwrap();
    }
    let asked = scene.producer.client().fetch_metadata(None, Duration::from_millis(500));
    assert!(asked.is_err(), "the brokers are away");
    for broker in 1..=3 {
        scene.brokers.broker_up(broker).unwrap();
    }
    scene.send_a_window();
    scene.wait("everything is counted", |status| counted(status) == 24);
    assert_eq!(scene.stop(worker).ledger().difference(), 0);
}
