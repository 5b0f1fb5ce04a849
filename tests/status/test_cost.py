"""What being watched costs. CPU time, not time on a clock: a busy machine changes nothing."""

import time

from stack import Pipeline, Producer, wait_until
from status.exposition import value

def test_watching_costs_less_than_a_hundredth_of_a_core_and_no_more_with_many_products(pipeline: Pipeline, producer: Producer) -> None:
    """A page that asks twice a second, and as many scrapes, while the pipeline reads as fast as it can."""
    pipeline.start_ready()
    begun, before = time.monotonic(), pipeline.status_cpu_seconds()
    flow = producer.start("both", rate=0, count=200_000, products=100_000)
    looks = 0

    def watched_until_all_is_read() -> bool:
        nonlocal looks
        looks += 1
        pipeline.get("/metrics")
        return pipeline.get_json("/api/v1/status")["ledger"]["consumed"] == 200_000 and looks >= 10

    wait_until(watched_until_all_is_read, 120, "everything is read", every=0.5)
    assert flow.wait(60) == 0
    took, spent = time.monotonic() - begun, pipeline.status_cpu_seconds() - before
    print(f"status threads: {spent / took * 1000:.2f} ms a second, {looks} looks")
    # At full load the workers use a core each: a hundredth of one core is less than a hundredth of that.
    assert 0 < spent < 0.01 * took

    scrapes = []
    for _ in range(20):
        begun = time.perf_counter()
        exposed = pipeline.get("/metrics")
        scrapes.append(time.perf_counter() - begun)
    print(f"scrape: {min(scrapes) * 1000:.1f} ms at best, {max(scrapes) * 1000:.1f} ms at worst, {len(exposed):,} bytes")
    assert value(exposed, "ctr_records_total", outcome="counted") > 0
    # The quickest of many: what a scrape costs, not what else the machine does.
    assert min(scrapes) < 0.05
