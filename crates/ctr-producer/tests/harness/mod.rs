//! Mock brokers with the two topics, and the producer as a process.

use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::Value;
use tempfile::TempDir;

/// Time limit for everything here.
const DEADLINE: Duration = Duration::from_secs(60);

/// Three brokers, the topics `impressions` and `clicks`.
pub(crate) struct Brokers {
    pub(crate) cluster: MockCluster<'static, DefaultProducerContext>,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Read {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
}

impl Brokers {
    pub(crate) const PARTITIONS: i32 = 3;

    pub(crate) fn start() -> Self {
        let cluster = MockCluster::new(3).unwrap();
        for topic in ["impressions", "clicks"] {
            cluster.create_topic(topic, Self::PARTITIONS, 3).unwrap();
        }
        Self { cluster }
    }

    /// Every record of both topics, by topic, partition and offset.
    pub(crate) fn read_all(&self) -> Vec<Read> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.bootstrap_servers())
            .set("group.id", "reader")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        for topic in ["impressions", "clicks"] {
            for partition in 0..Self::PARTITIONS {
                list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
            }
        }
        consumer.assign(&list).unwrap();
        let (mut records, mut ends, started) = (Vec::new(), 0, Instant::now());
        while ends < list.count() {
            assert!(started.elapsed() < DEADLINE, "the topics have no end");
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => records.push(Read {
                    topic: message.topic().to_owned(),
                    partition: message.partition(),
                    offset: message.offset(),
                    key: message.key().map(<[u8]>::to_vec),
                    payload: message.payload().map(<[u8]>::to_vec),
                }),
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => ends += 1,
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        }
        records.sort_by(|a, b| (&a.topic, a.partition, a.offset).cmp(&(&b.topic, b.partition, b.offset)));
        records
    }

    pub(crate) fn wait_for_records(&self, count: usize) {
        let started = Instant::now();
        while self.read_all().len() < count {
            assert!(started.elapsed() < DEADLINE, "{count} records did not arrive");
        }
    }
}

/// A port on which nothing listens.
pub(crate) fn unused_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A running producer. `TRUTH` in its arguments is replaced with a file in a separate folder.
pub(crate) struct Producer {
    child: Running,
    stderr: Receiver<String>,
    said: Vec<String>,
    folder: TempDir,
}

/// A process that does not outlive the test, however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has exited, or cannot be killed, no longer matters to a finished test.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A producer that has exited.
pub(crate) struct Run {
    code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    folder: TempDir,
}

impl Producer {
    pub(crate) fn start(brokers: &Brokers, arguments: &str) -> Self {
        Self::with_servers(&brokers.cluster.bootstrap_servers(), arguments)
    }

    pub(crate) fn with_servers(servers: &str, arguments: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let truth = folder.path().join("truth.jsonl");
        let arguments = arguments.replace("TRUTH", truth.to_str().unwrap());
        let mut child = Command::new(env!("CARGO_BIN_EXE_ctr-producer"))
            .args(arguments.split_whitespace())
            .env("KAFKA_BOOTSTRAP_SERVERS", servers)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, stderr) = mpsc::channel();
        let pipe = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        Self { child: Running(child), stderr, said: Vec::new(), folder }
    }

    /// The first line about an error.
    pub(crate) fn wait_for_error(&mut self, at_most: Duration) -> String {
        let started = Instant::now();
        loop {
            let line = self.stderr.recv_timeout(at_most.saturating_sub(started.elapsed())).expect("no error was told");
            self.said.push(line.clone());
            if line.contains("error") {
                return line;
            }
        }
    }

    pub(crate) fn signal(&mut self, signal: &str) {
        let id = self.child.0.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
    }

    pub(crate) fn wait(self) -> Run {
        self.wait_at_most(DEADLINE)
    }

    pub(crate) fn wait_at_most(mut self, at_most: Duration) -> Run {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.0.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < at_most, "still running after {at_most:?}: {:?}", self.said);
            thread::sleep(Duration::from_millis(10));
        };
        let mut stdout = String::new();
        self.child.0.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        self.said.extend(self.stderr.iter());
        Run { code: status.code(), stdout, stderr: self.said.join("\n"), folder: self.folder }
    }
}

impl Run {
    pub(crate) fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stderr, self.stdout);
    }

    pub(crate) fn truth_path(&self) -> PathBuf {
        self.folder.path().join("truth.jsonl")
    }

    pub(crate) fn truth(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.truth_path()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A number from the statistics at the end.
    pub(crate) fn statistic(&self, name: &str) -> u64 {
        let line = self.stdout.lines().find(|line| line.starts_with(name)).expect(&self.stdout);
        line.split_whitespace().last().unwrap().parse().unwrap()
    }
}
