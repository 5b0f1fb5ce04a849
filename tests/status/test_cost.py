"""What being watched costs. CPU time, not time on a clock: a busy machine changes nothing."""

import time
from pathlib import Path

from stack import Pipeline, Producer, wait_until
from stack.process import Process
from status.exposition import value

STATUS_THREADS = {"status", "cluster-watch"}


def cpu_seconds(process: Process) -> dict[str, float]:
    """CPU time by the name of the thread."""
    found: dict[str, float] = {}
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        found[name] = found.get(name, 0.0) + int((task / "schedstat").read_text().split()[0]) / 1e9
    return found


def test_watching_costs_less_than_a_hundredth_of_a_core_and_no_more_with_many_products(pipeline: Pipeline, producer: Producer) -> None:
    """A page, a scrape and a look at the cluster once a second, while the pipeline reads as fast as it can."""
    pipeline.start_ready()
    before = cpu_seconds(pipeline.process)
    flow = producer.start("both", rate=0, count=200_000, products=100_000)
    looks = 0

    def watched_until_all_is_read() -> bool:
        nonlocal looks
        looks += 1
        pipeline.get("/metrics")
        status = pipeline.get_json("/api/v1/status")
        time.sleep(1)  # as often as a page asks
        return status["ledger"]["consumed"] == 200_000 and looks >= 5

    wait_until(watched_until_all_is_read, 120, "everything is read")
    assert flow.wait(60) == 0
    spent = {name: seconds - before.get(name, 0.0) for name, seconds in cpu_seconds(pipeline.process).items()}
    status_threads = sum(spent.get(name, 0.0) for name in STATUS_THREADS)
    print(f"status threads: {status_threads / looks * 1000:.2f} ms a second, {status_threads:.3f} of {sum(spent.values()):.1f} CPU seconds")
    # At full load the workers use a core each: a hundredth of one core is less than a hundredth of that.
    assert 0 < status_threads < 0.01 * looks, spent

    scrapes = []
    for _ in range(20):
        begun = time.perf_counter()
        exposed = pipeline.get("/metrics")
        scrapes.append(time.perf_counter() - begun)
    print(f"scrape: {min(scrapes) * 1000:.1f} ms at best, {max(scrapes) * 1000:.1f} ms at worst, {len(exposed):,} bytes")
    assert value(exposed, "ctr_records_total", outcome="counted") > 0
    # The quickest of many: what a scrape costs, not what else the machine does.
    assert min(scrapes) < 0.05
