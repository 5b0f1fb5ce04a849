"""`./scripts/setup.sh --docker` from a copy of the checkout, and what its user types next."""

import re

from containers.engine import say
from containers.stack import STAYING, ContainerStack

QUERIES = (
    "SELECT count() FROM default.ctr_results_raw",
    "SELECT * FROM default.ctr_latest_view ORDER BY window_end DESC LIMIT 10",
    "SELECT product_id, window_minute, avgMerge(avg_ctr) AS avg_ctr FROM default.ctr_ml_view WHERE window_minute >= now64(3) - INTERVAL 10 MINUTE "
    "GROUP BY product_id, window_minute ORDER BY product_id, window_minute LIMIT 20",
)


def test_setup_ends_with_rows_and_may_be_run_again(session_stack: ContainerStack) -> None:
    first = session_stack.setup()
    assert first.startswith("mode: docker (requested)")
    for step in ("images built", "brokers and ClickHouse healthy", "topics created", "schema applied", "pipeline deployed", "producers started",
                 "first new row in ctr_latest_view"):
        assert re.search(rf"^ +[\d.]+ s  {re.escape(step)}$", first, re.MULTILINE), first
    assert session_stack.rows() > 0
    before = {name: session_stack.container(name) for name in STAYING}
    again = session_stack.setup()
    assert "The stack is running." in again
    assert {name: session_stack.container(name) for name in STAYING} == before, "what is up to date is left as it is"
    say(first)


def test_the_queries_of_the_readme_by_docker_compose_exec(stack: ContainerStack) -> None:
    count, latest, minutes = (stack.query(query) for query in QUERIES)
    assert int(count) > 0
    assert latest.splitlines() and all(len(line.split("\t")) >= 5 for line in latest.splitlines())
    assert minutes.splitlines() and all(0 <= float(line.split("\t")[2]) for line in minutes.splitlines())


def test_the_queries_that_setup_names_by_our_own_client(stack: ContainerStack) -> None:
    for query in QUERIES:
        assert stack.must("clickhouse-client.sh", "--query", query)


def test_what_was_sent_is_what_is_counted(stack: ContainerStack) -> None:
    stack.wait_for_more_rows()
    stack.reconcile()


def test_setup_names_what_is_missing_before_it_changes_anything(stack: ContainerStack) -> None:
    """A real engine, whose memory and folder are asked for."""
    done = stack.script("setup.sh", "--docker", "--no-superset", COMPOSE_PROJECT_NAME="another", CLICKHOUSE_USER="somebody")
    assert done.returncode == 2, done.stdout
    assert "ports that cannot be used" in done.stdout and f"port {stack.ports['KAFKA1_PORT']} (KAFKA1_PORT) is taken" in done.stdout
    assert "CLICKHOUSE_USER is somebody" in done.stdout
    assert stack.engine("ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project=another") == ""
