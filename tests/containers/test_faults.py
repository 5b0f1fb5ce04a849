"""Containers that are killed or stopped while events flow: nothing is lost and nothing counted twice."""

import os
import signal

from containers.stack import ContainerStack, seconds_of
from stack.process import wait_until


def kill(stack: ContainerStack, *services: str) -> None:
    """SIGKILL by `docker kill`, and the start that it takes: to the engine this is a stop by hand, so `restart` does not act."""
    for service in services:
        stack.engine("kill", stack.container(service))
    wait_until(lambda: all(not stack.is_running(service) for service in services), 30, f"the end of {services}", every=0.2)


def test_killed_and_counted_to_the_last_event(stack: ContainerStack) -> None:
    """Each alone, then three at once; the comparison at the end is of the whole log."""
    for services in (("ctr-pipeline",), ("kafka2",), ("clickhouse",), ("clickhouse", "kafka1", "ctr-pipeline")):
        kill(stack, *services)
        done = stack.compose("up", "--detach", "--no-deps", "--wait", "--wait-timeout", "240", *services)
        assert done.returncode == 0, f"{services}: {done.stderr}"
        stack.wait_for_health("ctr-pipeline", "healthy")
        stack.wait_for_more_rows(90)
    stack.reconcile()


def test_a_process_that_dies_is_started_again_by_the_engine(stack: ContainerStack) -> None:
    before = stack.state("ctr-pipeline")
    # From outside of the container, as the kernel would: not a stop by hand.
    os.kill(before["Pid"], signal.SIGKILL)
    wait_until(lambda: stack.state("ctr-pipeline")["Running"] and stack.state("ctr-pipeline")["Pid"] != before["Pid"], 60, "started again", every=0.5)
    stack.wait_for_health("ctr-pipeline", "healthy")


def test_without_clickhouse_the_pipeline_is_unhealthy_and_comes_back_by_itself(stack: ContainerStack) -> None:
    stack.wait_for_health("ctr-pipeline", "healthy")
    identity = stack.state("ctr-pipeline")["StartedAt"]
    stack.compose("stop", "clickhouse")
    assert stack.state("clickhouse")["ExitCode"] == 0
    stack.wait_for_health("ctr-pipeline", "unhealthy", 180)
    said = stack.script("status.sh", "--docker")
    assert said.returncode == 1 and "ClickHouse does not answer" in said.stdout and "no row" not in said.stdout, said.stdout
    stack.compose("start", "clickhouse")
    stack.wait_for_health("clickhouse", "healthy")
    stack.wait_for_health("ctr-pipeline", "healthy", 120)
    assert stack.state("ctr-pipeline")["StartedAt"] == identity, "it was not started again"
    stack.reconcile()


def test_the_stack_stops_within_its_grace_and_comes_up_again(stack: ContainerStack) -> None:
    took = seconds_of(lambda: stack.compose("stop", "ctr-pipeline", "impression-producer", "click-producer"))
    assert took < 40, f"{took:.0f} s: something was killed at the end of its grace period"
    stack.compose("stop")
    codes = {name: stack.state(name)["ExitCode"] for name in ("ctr-pipeline", "impression-producer", "click-producer", "clickhouse")}
    assert set(codes.values()) == {0}, codes
    # A JVM ends a SIGTERM with 128 + 15, after it has closed its logs.
    assert {stack.state(f"kafka{n}")["ExitCode"] for n in (1, 2, 3)} <= {0, 143}
    up = stack.compose("up", "--detach", "--wait", "--wait-timeout", "240", "ctr-pipeline", "impression-producer", "click-producer", "kafka-ui")
    assert up.returncode == 0, up.stderr
    stack.wait_for_more_rows(90)
    stack.reconcile()
