#!/usr/bin/env bash
# Measures the pipeline against a bare consumer and its peers, on separate brokers and a separate engine.
set -euo pipefail

# shellcheck source=lib/workshop.sh
source "$(dirname "$0")/lib/workshop.sh"

USAGE="usage: ./scripts/bench.sh [throughput] [--events N] [--products N] [--rounds N] [--parallelism N] [--property NAME=VALUE]...
                                       [--peers] [--no-memory]
       ./scripts/bench.sh latency [--rates N,N...] [--highest] [--seconds N]
       ./scripts/bench.sh scaling [--curves NAME,NAME...] [--whole | --values N,N...]
       ./scripts/bench.sh memory [--events N] [--products N] [--rounds N]
       ./scripts/bench.sh starts [--starts N] [--rate N]
       ./scripts/bench.sh rebalance [--instances N] [--rounds N] [--rolling N] [--rate N] [--session-timeout-ms N]
       ./scripts/bench.sh operations [--events N] [--products N] [--rounds N]
       ./scripts/bench.sh history [--rows N,N...] [--products N] [--clients N] [--seconds N]
       ./scripts/bench.sh footprint [--seconds N]

  throughput   time to read an existing log, compared with a bare consumer and, with --peers, with Flink, Kafka Streams and ClickHouse
  latency      time until results are durable and visible, at real-time rates
  scaling      cost per event as events, products, partitions, threads, instances and late events grow
  memory       memory versus speed: the same log with smaller and larger queues
  starts       time from the start of the process to the first counted record, as a new group and as a returning member
  rebalance    how long nothing is read when one of twelve instances joins, leaves, is restarted or killed, or all are (15 minutes)
  operations   cost of monitoring the pipeline, verifying its results and recounting them
  history      query latency of ClickHouse as months of results accumulate
  footprint    resource usage of the running stack by service (start it with setup.sh --local)

  --events N             records in the log (2000000 for a quick run; the published figures use 6000000)
  --products N           products in it (100; history: 100000)
  --rounds N             rounds; in each, every reader reads the whole log, or every command processes it (3; rebalance: 5 of each kind)
  --parallelism N        threads of every reader (2)
  --property NAME=VALUE  a librdkafka property for the pipeline and the bare consumer; can be repeated
  --peers                also a Flink job, tuned and as in the original, a Kafka Streams application, and ClickHouse's own Kafka engine
                         with views, each cold and warm: several minutes more per round, 175 MB of jars from Maven Central the first time
  --no-memory            skip the runs with 5 and with 100,000 products
  --rates N,N...         events per second, one rate after the other (1000,100000)
  --highest              also find the highest rate at which all events are sent and the lag stays flat for 60 s (takes minutes)
  --seconds N            duration of a rate (70), of a query (20), or of watching the stack (60)
  --curves NAME,NAME...  events, products, partitions, threads, instances, late share (all; about 10 minutes)
  --whole                the published curves, up to 100 M events and 1 M products: half an hour, 10 GB of disk, 4 GB of memory
  --values N,N...        custom values for one curve
  --starts N             starts of each kind (5)
  --rate N               impressions per second during the starts (5000) and the rebalances (400)
  --instances N          instances of one worker, and partitions of each topic (12)
  --rolling N            rolling restarts of all of them (3)
  --session-timeout-ms N kafka.session-timeout-ms of the instances (15000)
  --rows N,N...          raw rows, one size after the other (1000000,10000000)
  --clients N            number of concurrent clients (8)
  --results FOLDER       folder for JSON, Markdown and pictures (bench/results)
  -h, --help             this text

Starts the brokers and the engine it needs on free ports, with data in a temporary folder (TMPDIR; 75 MB per 1 M events,
removed afterwards), and prints medians, spread and ratios. docs/performance.md explains them. Linux only.
Exit code 0: measured, and all counts were correct; 1: failure; 2: wrong usage."

benchmark=throughput
case "${1:-}" in throughput | latency | scaling | memory | starts | rebalance | operations | history | footprint) benchmark="$1" && shift ;; esac
check_options " --events --products --rounds --parallelism --property --results --rates --seconds --curves --values --starts --rate --instances --rolling --session-timeout-ms --rows --clients " \
    " --peers --no-memory --highest --whole " "$@"
[ "$(uname)" = Linux ] || fail "CPU time and memory are read from Linux's /proc: run this on Linux"

if [ "$benchmark" = footprint ]; then
    # It observes the running stack, so nothing is built.
    cd "$CHECKOUT"
    install_python "$CHECKOUT/tests/requirements.txt"
else
    prepare_workshop
    [[ " $* " != *" --peers "* ]] || "$CHECKOUT/bench/peers/build.sh"
    cargo build --release --locked --quiet -p ctr-pipeline --example bare_consumer
fi
install_python "$CHECKOUT/bench/requirements.txt"
PYTHONPATH="$CHECKOUT/tests" exec "$VENV/bin/python" "$CHECKOUT/bench/$benchmark.py" "$@"
