#!/usr/bin/env bash
# Measures the pipeline beside a bare consumer and its peers, on brokers and an engine of its own.
set -euo pipefail

# shellcheck source=lib/workshop.sh
source "$(dirname "$0")/lib/workshop.sh"

USAGE="usage: ./scripts/bench.sh [throughput] [--events N] [--products N] [--rounds N] [--parallelism N] [--property NAME=VALUE]...
                                       [--peers] [--no-memory]
       ./scripts/bench.sh latency [--rates N,N...] [--highest] [--seconds N]
       ./scripts/bench.sh scaling [--curves NAME,NAME...] [--whole | --values N,N...]
       ./scripts/bench.sh memory [--events N] [--products N] [--rounds N]
       ./scripts/bench.sh starts [--starts N] [--rate N]
       ./scripts/bench.sh operations [--events N] [--products N] [--rounds N]
       ./scripts/bench.sh history [--rows N,N...] [--products N] [--clients N] [--seconds N]
       ./scripts/bench.sh footprint [--seconds N]

  throughput   how fast a log that is there is read, beside a bare consumer and, with --peers, beside Flink and Kafka Streams
  latency      how soon results are durable and visible, at rates in real time
  scaling      what an event costs as events, products, partitions, threads, instances and late events grow
  memory       memory against speed: the same log with smaller and larger queues
  starts       how soon after the start of its process the pipeline counts, as a new group and as a member that comes back
  operations   what it costs to watch the pipeline, to check its results and to count them again
  history      how quickly ClickHouse answers as months of results gather
  footprint    what the stack that runs takes of the machine, service by service (setup.sh --local has started it)

  --events N             records of the log (2000000, for a quick look; the published figures have 6000000)
  --products N           products in it (100; history: 100000)
  --rounds N             rounds: in each, every reader reads the whole log, or every command goes over it (3)
  --parallelism N        threads of every reader (2)
  --property NAME=VALUE  a property of librdkafka for the pipeline and the bare consumer; may be given often
  --peers                also a Flink job, tuned and as the original has it, and a Kafka Streams application, each fresh and
                         warm: minutes more a round, and 175 MB of jars from Maven Central the first time
  --no-memory            leave out the runs with 5 and with 100,000 products
  --rates N,N...         events a second, one rate after the other (1000,100000)
  --highest              also the highest rate at which all events are sent and the lag stays flat for 60 s: minutes of looking for it
  --seconds N            how long a rate is kept (70), a question is asked (20), or a stack is watched (60)
  --curves NAME,NAME...  events, products, partitions, threads, instances, late share (all; a look of some 10 minutes)
  --whole                the published curves, up to 100 M events and 1 M products: half an hour, 10 GB of disk, 4 GB of memory
  --values N,N...        for one curve, values of your own
  --starts N             starts of each kind (5)
  --rate N               impressions a second meanwhile (5000)
  --rows N,N...          raw rows, one size after the other (1000000,10000000)
  --clients N            clients that ask at once (8)
  --results FOLDER       where JSON, Markdown and pictures go (bench/results)
  -h, --help             this text

Starts what it needs of three brokers and an engine on free ports with their data in a temporary folder (TMPDIR; 75 MB
for 1 M events, gone afterwards), and prints medians, spread and ratios. docs/performance.md says how to read them. Linux only.
Exit code 0: measured, and all counts were right; 1: not; 2: wrong usage."

benchmark=throughput
case "${1:-}" in throughput | latency | scaling | memory | starts | operations | history | footprint) benchmark="$1" && shift ;; esac
check_options " --events --products --rounds --parallelism --property --results --rates --seconds --curves --values --starts --rate --rows --clients " \
    " --peers --no-memory --highest --whole " "$@"
[ "$(uname)" = Linux ] || fail "CPU time and memory are read as Linux shows them: run this on Linux"

prepare_workshop
install_python "$CHECKOUT/bench/requirements.txt"
[[ " $* " != *" --peers "* ]] || "$CHECKOUT/bench/peers/build.sh"
cargo build --release --locked --quiet -p ctr-pipeline --example bare_consumer
PYTHONPATH="$CHECKOUT/tests" exec "$VENV/bin/python" "$CHECKOUT/bench/$benchmark.py" "$@"
