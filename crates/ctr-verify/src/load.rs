//! `ctr-verify load`: concurrent clients run the queries of people and dashboards against ClickHouse for a time, and report
//! throughput and latencies.

mod histogram;
mod queries;

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ctr_pipeline::config::Config;
use serde::Serialize;

use crate::cli::LoadArgs;
use crate::clickhouse::ClickHouse;
use crate::progress::{Progress, rate};
use histogram::Latencies;
use queries::{QUERIES, Query};

pub(crate) use queries::Group;

/// Runs the load and prints the report. False if a query failed.
///
/// # Errors
/// If ClickHouse does not respond at all.
pub(crate) fn run(config: &Config, args: &LoadArgs) -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let queries = chosen(args)?;
    let clickhouse = ClickHouse::new(&config.clickhouse);
    let report = runtime.block_on(async {
        clickhouse.all::<u8>("SELECT 1").await?;
        ask_all(&clickhouse, args, &queries).await
    })?;
    let text = if args.json { serde_json::to_string_pretty(&report)? } else { report.text() };
    writeln!(io::stdout(), "{}", text.trim_end())?;
    Ok(report.refused == 0)
}

fn chosen(args: &LoadArgs) -> anyhow::Result<Vec<&'static Query>> {
    let in_group = |query: &&Query| args.group.is_none_or(|group| group == query.group);
    let named = |query: &&Query| args.query.as_ref().is_none_or(|name| name == query.name);
    let queries: Vec<_> = QUERIES.iter().filter(in_group).filter(named).collect();
    if queries.is_empty() {
        let names: Vec<_> = QUERIES.iter().filter(in_group).map(|query| query.name).collect();
        anyhow::bail!("--query: unknown name; the queries are: {}", names.join(", "));
    }
    Ok(queries)
}

/// The result of the load.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LoadReport {
    clients: u16,
    seconds: f64,
    answers: u64,
    refused: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_refusal: Option<String>,
    answers_per_second: f64,
    #[serde(flatten)]
    latencies: Latencies,
    queries: Vec<QueryReport>,
}

/// The result of one query.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct QueryReport {
    group: &'static str,
    name: &'static str,
    #[serde(flatten)]
    latencies: Latencies,
}

/// The results of one client: the latency of each response, by query.
#[derive(Default)]
struct Seen {
    latencies: Vec<Vec<Duration>>,
    refused: u64,
    first_refusal: Option<String>,
}

async fn ask_all(clickhouse: &ClickHouse, args: &LoadArgs, queries: &[&'static Query]) -> anyhow::Result<LoadReport> {
    let (begun, end) = (Instant::now(), Instant::now() + Duration::from_secs(args.seconds));
    let clients: Vec<_> = (0..args.clients)
        .map(|client| tokio::spawn(ask_until(end, clickhouse.clone(), queries.to_vec(), usize::from(client))))
        .collect();
    let progress = tokio::spawn(async move {
        let mut progress = Progress::begin("seconds elapsed");
        while Instant::now() < end {
            progress.show(begun.elapsed().as_secs());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        progress.end();
    });
    let mut all = Seen { latencies: vec![Vec::new(); queries.len()], ..Seen::default() };
    for client in clients {
        let seen = client.await.context("a client panicked")?;
        for (all, of_client) in all.latencies.iter_mut().zip(seen.latencies) {
            all.extend(of_client);
        }
        all.refused += seen.refused;
        all.first_refusal = all.first_refusal.or(seen.first_refusal);
    }
    progress.await.context("the progress line panicked")?;
    Ok(LoadReport::of(args.clients, begun.elapsed(), all, queries))
}

/// One client: runs one query after another, each client starting with a different one. The first client runs each query at
/// least once, regardless of the time.
async fn ask_until(end: Instant, clickhouse: ClickHouse, queries: Vec<&'static Query>, client: usize) -> Seen {
    let mut seen = Seen { latencies: vec![Vec::new(); queries.len()], ..Seen::default() };
    let least = if client == 0 { queries.len() } else { 0 };
    for (asked, index) in (0..queries.len()).cycle().skip(client % queries.len()).enumerate() {
        let begun = Instant::now();
        if begun >= end && asked >= least {
            break;
        }
        match clickhouse.answer_length(queries[index].sql).await {
            Ok(_) => seen.latencies[index].push(begun.elapsed()),
            Err(error) => {
                seen.refused += 1;
                seen.first_refusal.get_or_insert_with(|| format!("{}: {error:#}", queries[index].name));
                // Connections to a stopped server fail at once: do not busy-wait.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    seen
}

impl LoadReport {
    fn of(clients: u16, took: Duration, seen: Seen, queries: &[&'static Query]) -> Self {
        let all: Vec<_> = seen.latencies.iter().flatten().copied().collect();
        let answers = all.len() as u64;
        let each = queries.iter().zip(seen.latencies).map(|(query, latencies)| QueryReport {
            group: query.group.name(),
            name: query.name,
            latencies: Latencies::of(latencies),
        });
        Self {
            clients,
            seconds: took.as_secs_f64(),
            answers,
            refused: seen.refused,
            first_refusal: seen.first_refusal,
            answers_per_second: rate(answers, took),
            latencies: Latencies::of(all),
            queries: each.collect(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} clients, {:.0} s: {} responses, {:.1}/s, {} failed\n\n{:<12}{:<34}{}\n",
            self.clients,
            self.seconds,
            self.answers,
            self.answers_per_second,
            self.refused,
            "",
            "",
            Latencies::heading()
        );
        for query in &self.queries {
            text.push_str(&format!("{:<12}{:<34}{}\n", query.group, query.name, query.latencies.row()));
        }
        text.push_str(&format!("{:<46}{}\n\n{}", "all", self.latencies.row(), self.latencies.histogram()));
        if let Some(refusal) = &self.first_refusal {
            text.push_str(&format!("first failure: {refusal}\n"));
        }
        text
    }
}
