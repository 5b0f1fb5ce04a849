"""What only tells about the work never stops it: a log that nobody reads, visitors who say nothing, a log folder that is full."""

import fcntl
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from stack import Database, Kafka, Pipeline, Producer, Topics, wait_until

F_SETPIPE_SZ = 1031


def metric(pipeline: Pipeline, name: str) -> float:
    values = re.findall(rf"^{re.escape(name)} ([0-9.e+]+)$", pipeline.get("/metrics"), re.MULTILINE)
    return float(values[0]) if values else 0.0


def test_a_log_that_nobody_reads_stops_nothing(make_pipeline: Callable[..., Pipeline], producer: Producer, database: Database):
    """F30: standard error is a pipe without a reader; the work goes on, lines are counted, and a stop works."""
    # Kafka's client says everything: hundreds of lines a second, more than wait.
    pipeline = make_pipeline(settings={"logging.level": "trace", "kafka.properties": "debug=all"})
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
    process = subprocess.Popen(pipeline._command("run"), env=pipeline._environment(), stderr=writing, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: pipeline.status_code("/readyz") == 200, 60, "it is ready")
        flow = producer.start("both", rate=2_000)
        wait_until(lambda: metric(pipeline, 'ctr_log_lines_lost_total{log="console"}') > 0, 60, "lines are dropped and counted")
        rows = pipeline.get_json("/api/v1/status")["sink"]["rows"]
        wait_until(lambda: pipeline.get_json("/api/v1/status")["sink"]["rows"] > rows, 60, "rows are written all the same")
        flow.kill()
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(reading)
        os.close(writing)


def test_idle_visitors_take_nothing_from_the_work(make_pipeline: Callable[..., Pipeline], producer: Producer, database: Database):
    """F31: more idle connections than descriptors; the status answers and rows are written."""
    pipeline = make_pipeline()
    command = ["bash", "-c", 'ulimit -n 256; exec "$@"', "bash", *pipeline._command("run")]
    process = subprocess.Popen(command, env=pipeline._environment(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    visitors = []
    try:
        wait_until(lambda: pipeline.status_code("/readyz") == 200, 60, "it is ready")
        visitors = [socket.create_connection(("127.0.0.1", pipeline.port)) for _ in range(300)]
        assert pipeline.status_code("/healthz") == 200
        flow = producer.start("both", rate=500)
        wait_until(lambda: database.windows(), 60, "rows are written")
        assert metric(pipeline, "process_open_fds") < 200
        assert metric(pipeline, "ctr_status_visitors_turned_away_total") >= 200
        log = (Path(pipeline.settings["logging.directory"]) / "ctr-pipeline.log").read_text()
        assert log.count("the limit of open files is low") == 1, log
        flow.kill()
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        for visitor in visitors:
            visitor.close()


def test_rows_beyond_retention_are_counted_and_left_out_of_a_recount(make_pipeline: Callable[..., Pipeline], kafka: Kafka, topics: Topics, engine):
    """F8: events of 40 days ago, and a table that keeps 30."""
    database = engine.fresh_database([("RAW_TTL_DAYS", "30")])
    pipeline = make_pipeline(settings={"clickhouse.database": database.name}).start_ready()
    old = int(time.time() * 1000) - 40 * 24 * 3_600_000
    for step in range(4):
        event = f'{{"event_type":"view","product_id":"p","timestamp":{old + step * 10_000}}}'.encode()
        kafka.produce(topics.impressions, [(None, event)], partition=0)
        kafka.produce(topics.clicks, [(None, event.replace(b"view", b"click"))], partition=0)
    wait_until(lambda: metric(pipeline, "ctr_rows_beyond_retention_total") >= 1, 60, "the rows are counted by their name")
    assert pipeline.process.log.read_text().count("rows are beyond retention") == 1
    assert pipeline.stop() == 0
    start = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(old / 1000 - 60))
    end = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(old / 1000 + 120))
    for _ in range(2):
        code, said = pipeline.ask("recount", "--from", start, "--to", end)
        assert code == 0 and "0 were missing" in said and "beyond retention" in said, said


def test_a_full_log_folder_is_said_once(make_pipeline: Callable[..., Pipeline], tmp_path: Path):
    """F26: nothing can be written to the log file."""
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "ctr-pipeline.log").symlink_to("/dev/full")
    pipeline = make_pipeline(settings={"logging.directory": str(folder)}).start_ready()
    wait_until(lambda: metric(pipeline, 'ctr_log_lines_lost_total{log="unwritten"}') > 0, 30, "lines are counted")
    assert pipeline.process.tail(500).count("cannot write the log file") == 1
    assert pipeline.stop() == 0
