"""Every verb of scripts/ with --docker, on the stack."""

import json
import time
import urllib.request

import pytest

from containers.stack import STAYING, ContainerStack
from stack.process import wait_until


def test_status_says_that_all_is_up(stack: ContainerStack) -> None:
    stack.wait_for_more_rows()
    said = stack.must("status.sh", "--docker")
    lines = {line.split()[0]: line.split()[1] for line in said.splitlines()[2:] if len(line.split()) > 2}
    assert {lines[name] for name in STAYING} == {"up"} and lines["data"] == "up" and lines["superset"] == "off", said


def test_topics_and_schema_may_be_made_again(stack: ContainerStack) -> None:
    said = stack.must("create-topics.sh", "--docker")
    assert said.count("exists, set to") == 3
    done = stack.compose("run", "--rm", "-T", "clickhouse-init")
    assert done.returncode == 0 and "database default is ready" in done.stdout, done.stderr


def test_probe_asks_the_job_that_runs(stack: ContainerStack) -> None:
    assert stack.script("ctr-pipeline.sh", "--docker", "probe").returncode == 0


def test_commands_run_with_the_settings_of_the_job(stack: ContainerStack) -> None:
    stack.must("ctr-pipeline.sh", "--docker", "check")
    stack.must("ctr-pipeline.sh", "--docker", "dlq", "stats")
    assert "recount" in stack.must("ctr-pipeline.sh", "--docker", "recount", "--help")


def test_producers_and_job_stop_and_start(stack: ContainerStack) -> None:
    stack.must("stop-producers.sh", "--docker")
    assert not stack.is_running("click-producer") and stack.state("click-producer")["ExitCode"] == 0
    stack.must("stop-job.sh", "--docker")
    state = stack.state("ctr-pipeline")
    assert (state["Running"], state["ExitCode"], state["OOMKilled"]) == (False, 0, False), "SIGTERM reached it: it is process 1"
    said = stack.script("ctr-pipeline.sh", "--docker", "probe")
    assert said.returncode != 0 and "is not running" in said.stdout
    stack.must("deploy-job.sh", "--docker")
    assert stack.health("ctr-pipeline") == "healthy"
    stack.must("stop-job.sh", "--docker", "--leave")
    assert stack.state("ctr-pipeline")["ExitCode"] == 0
    stack.must("deploy-flink-job.sh", "--docker")
    stack.must("start-producers.sh", "--docker")
    stack.wait_for_more_rows()


@pytest.mark.parametrize("service", STAYING)
def test_logs_of_every_service(stack: ContainerStack, service: str) -> None:
    assert "Picked up _JAVA_OPTIONS" not in stack.must("logs.sh", "--docker", service)


def test_a_letter_is_mended_by_a_program(stack: ContainerStack) -> None:
    """README's `dlq redrive --mend 'sed ...'`: the pipeline's image has no shell to run it in."""
    event = json.dumps({"event_type": "tap", "product_id": "shoe", "timestamp": int(time.time() * 1000)}, separators=(",", ":"))
    send = f"echo '{event}' | /opt/kafka/bin/kafka-console-producer.sh --bootstrap-server kafka1:29092 --topic impressions"
    done = stack.compose("exec", "-T", "kafka1", "sh", "-c", send)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: "INVALID_EVENT_TYPE" in stack.must("ctr-pipeline.sh", "--docker", "dlq", "stats"), 60, "a dead letter", every=2)
    said = stack.must("ctr-pipeline.sh", "--docker", "dlq", "redrive", "--code", "INVALID_EVENT_TYPE", "--mend", 's="$(cat)"; echo "$s" | sed s/tap/impression/')
    assert "1 would be redriven" in said, said


def test_the_job_answers_on_its_published_port(stack: ContainerStack) -> None:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{stack.ports['PIPELINE_PORT']}/readyz", timeout=5) as answer:
        assert answer.status == 200


def test_an_override_file_counts_in_scripts_as_by_hand(stack: ContainerStack) -> None:
    override = stack.checkout / "docker-compose.override.yml"
    override.write_text("services: {click-producer: {environment: {OVERRIDDEN: 'yes'}}}\n")
    try:
        stack.must("start-producers.sh", "--docker")
        assert "OVERRIDDEN=yes" in stack.inspect("click-producer")["Config"]["Env"]
    finally:
        override.unlink()
    stack.must("start-producers.sh", "--docker")
    assert "OVERRIDDEN=yes" not in stack.inspect("click-producer")["Config"]["Env"]
