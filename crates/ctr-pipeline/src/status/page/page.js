// Refreshes the status every 0.5 s while the page is visible; problems appear within two seconds.

import { bytes, cell, count, duration, field, number, share, spark, table, time, write } from "./draw.js";

const INTERVAL_MS = 500;
// Without a new response for this long, the page is marked as stale.
const STALE_MS = 3000;
const SPARK_POINTS = 120;
const STATES = {
  running: "running", starting: "starting", waiting: "waiting", stuck: "stuck", defect: "defect", gone: "no response",
};

let before = null;
let answeredAt = 0;
const rates = [];
const lags = [];

function deadLetters(report) {
  return Object.values(report.deadLetters.byCode).reduce((sum, records) => sum + records, 0);
}

function perSecond(report, value) {
  if (!before || report.at <= before.at) return null;
  return Math.max(0, (value(report) - value(before)) / ((report.at - before.at) / 1000));
}

function remember(series, value) {
  series.push(value);
  if (series.length > SPARK_POINTS) series.shift();
}

function showState(state, reasons) {
  const badge = document.getElementById("state");
  badge.dataset.state = state;
  write(badge, STATES[state] ?? state);
  document.title = `${state === "running" ? "" : `${STATES[state] ?? state}: `}CTR pipeline`;
  const list = document.getElementById("reasons");
  list.dataset.state = state;
  while (list.children.length > reasons.length) list.lastChild.remove();
  reasons.forEach((reason, index) => {
    const item = list.children[index] ?? list.appendChild(document.createElement("li"));
    write(item, reason);
  });
}

function showTiles(report) {
  const rate = perSecond(report, (one) => one.ledger.consumed);
  if (rate !== null) {
    remember(rates, rate);
    remember(lags, report.lag.records);
    field("rate", count(rate));
    field("deadLetters.recentRate", count(perSecond(report, deadLetters)));
    spark("rate-line", rates);
    spark("lag-line", lags);
  }
  field("instance", report.instance);
  field("version", report.version);
  field("uptime", duration(report.uptimeSeconds));
  field("lag.records", count(report.lag.records));
  field("lag.seconds", duration(report.lag.seconds));
  field("openWindows", count(report.openWindows));
  field("endToEnd.p50", duration(report.sink.endToEnd.p50Seconds));
  field("endToEnd.p99", duration(report.sink.endToEnd.p99Seconds));
  field("sink.lastDurable", duration(report.sink.lastDurableSecondsAgo));
  field("sink.rows", count(report.sink.rows));
  field("checkpoints.age", duration(report.checkpoints.ageSeconds));
  field("checkpoints.completed", count(report.checkpoints.completed));
  field("checkpoints.failed", count(report.checkpoints.failed));
  field("deadLetters.total", count(deadLetters(report)));
  field("deadLetters.share", share(deadLetters(report), report.ledger.consumed));
  const right = report.ledger.difference === 0;
  field("ledger.verdict", right ? "✓ adds up" : "✗ wrong");
  field("ledger.difference", count(report.ledger.difference));
  document.getElementById("ledger-tile").className = right ? "tile good" : "tile bad";
}

function partitionState(partition) {
  if (partition.waitsFor) return cell(`❚❚ waits: ${partition.waitsFor}`, "warn");
  return partition.idle ? cell("○ idle") : cell("● reading", "good");
}

function showPartitions(report) {
  const lines = report.partitions.map((partition) => [
    cell(`${partition.topic}-${partition.partition}`),
    partitionState(partition),
    number(partition.lagRecords),
    number(partition.lagSeconds, duration(partition.lagSeconds)),
    cell(time(partition.watermark)),
    number(partition.position),
    number(partition.endOffset),
    number(partition.lowOffset),
    number(partition.openWindows),
    cell(partition.worker, "n"),
  ]);
  table("partition-table", lines, "no partitions are assigned to this instance");
}

function showLedger(report) {
  const rejected = (ledger) => Object.values(ledger.rejected).reduce((sum, records) => sum + records, 0);
  const accounts = [...report.ledgerByTopic.map((topic) => topic.ledger), report.ledger];
  report.ledgerByTopic.forEach((topic, index) => field(`topic.${index}`, topic.topic));
  const line = (name, value) => [cell(name), ...accounts.map((ledger) => number(value(ledger)))];
  const right = (ledger) => cell(count(ledger.difference), ledger.difference === 0 ? "n good" : "n bad");
  table("ledger-table", [
    line("consumed", (ledger) => ledger.consumed),
    line("counted", (ledger) => ledger.counted),
    line("duplicates", (ledger) => ledger.duplicates),
    line("too late", (ledger) => ledger.tooLate),
    line("rejected", rejected),
    line("replayed", (ledger) => ledger.replayed),
    [cell("difference"), ...accounts.map(right)],
  ]);
}

function showSink(report) {
  const { sink } = report;
  const acknowledges = sink.available ? cell("yes", "n good") : cell("no", "n bad");
  table("sink-table", [
    [cell("available"), acknowledges],
    [cell("request pending for"), sink.unansweredSeconds > 1 ? cell(duration(sink.unansweredSeconds), "n warn") : number(0, "0 s")],
    [cell("rows acknowledged"), number(sink.rows)],
    [cell("batches acknowledged"), number(sink.batches)],
    [cell("inserts retried"), number(sink.retries)],
    [cell("rows not acknowledged"), number(sink.bufferedBytes, bytes(sink.bufferedBytes))],
    [cell("insert, median"), cell(duration(sink.insert.p50Seconds), "n")],
    [cell("insert, 99 %"), cell(duration(sink.insert.p99Seconds), "n")],
    [cell("windows fired on time"), number(report.windowsOnTime)],
    [cell("windows fired again, late"), number(report.windowsLate)],
  ]);
  const { lastError } = sink;
  const said = lastError ? `Last error, ${duration(lastError.secondsAgo)} ago: ${lastError.error}` : "No errors since the start.";
  write(document.getElementById("sink-error"), said);
}

function showLetters(report) {
  const codes = Object.entries(report.deadLetters.byCode).filter(([, records]) => records > 0);
  codes.sort(([, a], [, b]) => b - a);
  const summary = [
    [cell("acknowledged by the dead letter topic"), number(report.deadLetters.written)],
    [cell("waiting"), number(report.deadLetters.waiting)],
  ];
  table("code-table", [...codes.map(([code, records]) => [cell(code), number(records)]), ...summary]);
  const letters = report.deadLetters.recent.map((letter) => [
    cell(time(letter.readAt)), cell(`${letter.topic}-${letter.partition} at ${letter.offset}`), cell(letter.code), cell(letter.message, "long"),
  ]);
  table("letter-table", letters);
}

function showCheckpoints(report) {
  const lines = report.checkpoints.recent.map((checkpoint) => [
    checkpoint.completed ? cell("✓ completed", "good") : cell("✗ failed", "bad"),
    cell(duration(checkpoint.secondsAgo), "n"), cell(checkpoint.worker, "n"), number(checkpoint.pairs),
    cell(duration(checkpoint.durationSeconds), "n"), number(checkpoint.deadLettersSeconds, duration(checkpoint.deadLettersSeconds)),
    number(checkpoint.brokerSeconds, duration(checkpoint.brokerSeconds)),
  ]);
  table("checkpoint-table", lines);
}

function showWorkers(report) {
  const state = (worker) => {
    if (!worker.joined) return cell("waiting for its partitions", "warn");
    return worker.replaying > 0 ? cell(`replaying ${worker.replaying} pairs`, "warn") : cell("working", "good");
  };
  table("worker-table", report.workers.map((worker) => [
    cell(worker.worker), state(worker), cell(worker.checkpointWaitsFor ?? "–"), number(worker.restarts),
    cell(worker.lastFailure ? `${duration(worker.lastFailureSecondsAgo)} ago: ${worker.lastFailure}` : "–", "long"),
  ]));
  table("pause-table", report.pauses.map((pause) => [cell(pause.text), number(pause.seconds, duration(pause.seconds))]));
}

function showGroup(report) {
  field("group.name", report.group.name);
  field("group.state", report.group.state || "not known yet");
  const own = (member) => member.startsWith(`${report.instance}-`);
  const assignment = (member) => member.assignment.map(({ topic, partitions }) => `${topic} ${ranges(partitions)}`).join(", ");
  table("group-table", report.group.members.map((member) => [
    cell(own(member.member) ? `▸ ${member.member}` : member.member), cell(member.host), cell(assignment(member) || "none", "long"),
  ]), "not known yet");
  const topics = report.topics.flatMap(({ name, partitions }) => partitions.map(({ start, end }, index) => [
    cell(name), cell(index, "n"), number(start), number(end), number(end === null || start === null ? null : end - start),
  ]));
  table("topic-table", topics, "not known yet");
}

/** Numbers with runs joined: 0–2, 5. */
function ranges(numbers) {
  const runs = [];
  for (const one of numbers) {
    const last = runs.at(-1);
    if (last && last[1] === one - 1) last[1] = one;
    else runs.push([one, one]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(", ");
}

function show(report) {
  for (const part of [showTiles, showPartitions, showLedger, showSink, showLetters, showCheckpoints, showWorkers, showGroup]) part(report);
  showState(report.state, report.reasons);
  document.body.dataset.at = report.at;
  before = report;
}

async function answer(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(STALE_MS) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

async function look() {
  if (!document.hidden) {
    try {
      show(await answer("/api/v1/status"));
      answeredAt = Date.now();
    } catch (error) {
      console.warn("no status", error);
    }
    showFreshness();
  }
  setTimeout(look, INTERVAL_MS);
}

function showFreshness() {
  const old = Date.now() - answeredAt > STALE_MS;
  document.body.classList.toggle("stale", old);
  if (!old) {
    write(document.getElementById("freshness"), `live, ${time(answeredAt).slice(0, 8)} UTC`);
  } else {
    const since = answeredAt ? ` since ${time(answeredAt).slice(0, -4)} UTC` : "";
    write(document.getElementById("freshness"), "not live");
    showState("gone", [`The pipeline has not responded${since}. The page shows its last status.`]);
  }
}

async function showSettings() {
  const { settings } = await answer("/api/v1/config");
  table("setting-table", settings.map(({ key, value, origin }) => [cell(key), cell(value || "(empty)", "long"), cell(origin)]));
}

document.getElementById("settings").addEventListener("toggle", (event) => {
  if (event.target.open) showSettings().catch((error) => console.warn("no settings", error));
});
look();
