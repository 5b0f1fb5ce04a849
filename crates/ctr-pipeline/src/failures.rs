//! The table of failures: who can fix each, what the pipeline does, and which metrics and alerts show it. The runbook,
//! the alerts and `docs/failures.md` follow from it; `tests/failures_reference.rs` checks that they agree.

/// The scope of a failure: everything outside it continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One record.
    Record,
    /// One partition, or the pair it belongs to.
    Partition,
    /// A topic.
    Topic,
    /// A worker.
    Worker,
    /// ClickHouse, or another server at its address.
    ClickHouse,
    /// The brokers.
    Kafka,
    /// The configuration of this process.
    Settings,
    /// The process and its environment.
    Process,
}

/// Who can fix it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The owner of the producer.
    Producer,
    /// The operator of brokers and topics.
    KafkaOperator,
    /// The operator of ClickHouse.
    ClickHouseOperator,
    /// The operator of this process.
    Operator,
    /// Nobody: it is temporary.
    Nobody,
    /// The developers: a defect of the pipeline.
    Ours,
}

/// What the pipeline does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Writes a dead letter; continues with the next record.
    Letter,
    /// Counts and logs it; continues.
    Count,
    /// Waits as long as necessary, and resumes by itself.
    Wait,
    /// Restarts the worker from its last commit a limited number of times, then exits with 1.
    Restart,
    /// Exits with this code.
    End(u8),
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Failure {
    /// Its scope.
    pub scope: Scope,
    /// Its name: a dead letter's code, a reason's label, or a few words.
    pub name: &'static str,
    /// What happened.
    pub what: &'static str,
    /// Who can fix it.
    pub fault: Fault,
    /// What the pipeline does.
    pub action: Action,
    /// The metric that shows it; none if it ends the process.
    pub metric: Option<&'static str>,
    /// The alert, if there is one; its name is also the section of the runbook.
    pub alert: Option<&'static str>,
}

const fn row(scope: Scope, name: &'static str, fault: Fault, action: Action, what: &'static str) -> Failure {
    Failure { scope, name, what, fault, action, metric: None, alert: None }
}

impl Failure {
    const fn seen(self, metric: &'static str, alert: &'static str) -> Self {
        Self { metric: Some(metric), alert: Some(alert), ..self }
    }
}

const fn letter(code: &'static str, what: &'static str) -> Failure {
    row(Scope::Record, code, Fault::Producer, Action::Letter, what)
        .seen("ctr_dead_letters_total", "CtrDeadLettersRising")
}

const fn clickhouse(kind: &'static str, what: &'static str) -> Failure {
    row(Scope::ClickHouse, kind, Fault::ClickHouseOperator, Action::Wait, what)
        .seen("ctr_sink_failing", "CtrSinkFailing")
}

const fn waiting(label: &'static str, fault: Fault, what: &'static str) -> Failure {
    row(Scope::Partition, label, fault, Action::Wait, what).seen("ctr_partition_waiting", "CtrPartitionWaiting")
}

const fn settings(name: &'static str, what: &'static str) -> Failure {
    row(Scope::Settings, name, Fault::Operator, Action::End(2), what)
}

/// All failures.
pub const FAILURES: &[Failure] = &[
    letter("TOMBSTONE", "no payload"),
    letter("EMPTY_PAYLOAD", "an empty payload"),
    letter("NOT_UTF8", "bytes that are not UTF-8 text"),
    letter("INVALID_JSON", "text that is not JSON"),
    letter("NOT_AN_OBJECT", "JSON that is not an object"),
    letter("MISSING_EVENT_TYPE", "`event_type` is missing"),
    letter("INVALID_EVENT_TYPE", "`event_type` is neither an impression nor a click"),
    letter("MISSING_PRODUCT_ID", "`product_id` is missing"),
    letter("INVALID_PRODUCT_ID", "`product_id` is not text, is blank, or is too long"),
    letter("MISSING_TIMESTAMP", "`timestamp` is missing"),
    letter("INVALID_TIMESTAMP", "`timestamp` is outside the accepted range"),
    letter("INVALID_FIELD", "another field is invalid"),
    letter("FUTURE_TIMESTAMP", "the event is ahead of its record's Kafka timestamp"),
    letter("TOO_LATE", "the window of the event is closed"),
    waiting("sink_unavailable", Fault::ClickHouseOperator, "ClickHouse does not accept rows: reading is paused"),
    waiting("sink_full", Fault::ClickHouseOperator, "rows arrive faster than ClickHouse accepts them"),
    waiting("dead_letters", Fault::KafkaOperator, "dead letters cannot be written"),
    waiting("dead_letters_full", Fault::KafkaOperator, "dead letters arrive faster than Kafka accepts them"),
    waiting("drift", Fault::Nobody, "the partition is far ahead of the other topic, which has unread records"),
    waiting(
        "unreadable",
        Fault::Producer,
        "a batch cannot be decompressed or is damaged; other partitions are read, and this one is retried every 10 minutes",
    ),
    waiting("stopping", Fault::Nobody, "the worker is stopping: what it has read is written and committed"),
    row(
        Scope::Partition,
        "log cut",
        Fault::KafkaOperator,
        Action::Count,
        "retention removed records before they were counted",
    )
    .seen("ctr_records_lost_total", "CtrRecordsLost"),
    row(
        Scope::Topic,
        "open transaction",
        Fault::Producer,
        Action::Wait,
        "a transaction is open: records behind its start cannot be read yet, and their windows wait",
    )
    .seen("ctr_partition_held_back_records", "CtrOpenTransaction"),
    row(
        Scope::Topic,
        "timestamp type",
        Fault::Operator,
        Action::End(2),
        "the timestamps are the producers' own, or the topic's configuration cannot be read",
    ),
    row(
        Scope::Worker,
        "no checkpoint",
        Fault::KafkaOperator,
        Action::Wait,
        "nothing is committed, because of dead letters or the group's coordinator",
    )
    .seen("ctr_checkpoint_age_seconds", "CtrCheckpointAge"),
    row(Scope::Worker, "failed", Fault::Ours, Action::Restart, "an unexpected error, or a panic")
        .seen("ctr_worker_restarts_total", "CtrRestarting"),
    row(Scope::Worker, "ledger", Fault::Ours, Action::Count, "a record is not accounted for")
        .seen("ctr_ledger_difference_records", "CtrLedgerNotZero"),
    clickhouse("unreachable", "no connection, or the connection broke"),
    clickhouse("slow", "no response in time: `clickhouse.request-timeout-ms`, up to eight times that"),
    clickhouse(
        "not_clickhouse",
        "another program answers at `clickhouse.url`: none of its responses acknowledges a row",
    ),
    clickhouse("login", "the login is refused: `clickhouse.user`, `clickhouse.password`"),
    clickhouse("right", "`clickhouse.user` may not insert or read"),
    clickhouse("database", "`clickhouse.database` does not exist"),
    clickhouse("table", "the results table has changed; the reason names the column and both types"),
    clickhouse("refused", "another exception, with ClickHouse's message"),
    row(
        Scope::ClickHouse,
        "beyond retention",
        Fault::Nobody,
        Action::Count,
        "rows of windows older than the table's retention: accepted and dropped",
    )
    .seen("ctr_rows_beyond_retention_total", "CtrRowsBeyondRetention"),
    row(
        Scope::Kafka,
        "brokers away",
        Fault::KafkaOperator,
        Action::Wait,
        "no broker responds; reading resumes when one does",
    )
    .seen("ctr_partition_lag_records", "CtrNoProgress"),
    row(Scope::Kafka, "dead letters refused", Fault::KafkaOperator, Action::Wait, "their topic is missing or full")
        .seen("ctr_dead_letters_failing", "CtrDeadLettersFailing"),
    settings("a value", "an unknown key or an invalid value; all are listed at once"),
    settings("kafka.properties", "a property that a client refuses or that would break exactness, by name"),
    settings("instance-id", "another process uses the same one: this process was fenced twice within ten minutes"),
    settings("schema at the start", "a table or a view is missing or different from what is required"),
    row(
        Scope::Process,
        "log lines lost",
        Fault::Operator,
        Action::Count,
        "standard error is not read, or the log folder is full",
    )
    .seen("ctr_log_lines_lost_total", "CtrLogLinesLost"),
    row(
        Scope::Process,
        "stopped",
        Fault::Operator,
        Action::Count,
        "the process was suspended: SIGSTOP, a paused container, no CPU",
    )
    .seen("ctr_process_stopped_seconds_total", "CtrProcessStopped"),
    row(Scope::Process, "down", Fault::Operator, Action::Wait, "the process is not running; the log keeps the records")
        .seen("process_start_time_seconds", "CtrJobDown"),
    row(
        Scope::Process,
        "behind",
        Fault::Operator,
        Action::Wait,
        "records arrive faster than they are read: results are delayed, none is lost",
    )
    .seen("ctr_partition_lag_seconds", "CtrEventTimeLag"),
];

impl Scope {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Partition => "partition",
            Self::Topic => "topic",
            Self::Worker => "worker",
            Self::ClickHouse => "ClickHouse",
            Self::Kafka => "Kafka",
            Self::Settings => "settings",
            Self::Process => "process",
        }
    }
}

impl Fault {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Producer => "the producer",
            Self::KafkaOperator => "the operator of Kafka",
            Self::ClickHouseOperator => "the operator of ClickHouse",
            Self::Operator => "the operator of the job",
            Self::Nobody => "nobody",
            Self::Ours => "a defect",
        }
    }
}

impl Action {
    /// For people.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Letter => "dead letter".to_owned(),
            Self::Count => "counted, continues".to_owned(),
            Self::Wait => "waits, resumes by itself".to_owned(),
            Self::Restart => "worker restarts, then exit 1".to_owned(),
            Self::End(code) => format!("exit {code}"),
        }
    }
}
