"""A client's own statistics and their text, as Prometheus' parser reads it."""

import pytest

from producer.histogram import BOUNDS_SECONDS, Histogram
from producer.outcome import Outcome
from producer.result import RunCodeResult, Timing
from producer.stats import ClientCounters
from tests.metrics import Scrape


def result(outcome: Outcome, seconds: float) -> RunCodeResult:
    return RunCodeResult(outcome=outcome, timing=Timing(total_seconds=seconds))


def test_text_says_what_the_numbers_say() -> None:
    counters = ClientCounters()
    counters.submitted = 7
    for seconds in (0.002, 0.2, 700.0):
        counters.ended("run_code", result(Outcome.OK, seconds))
    counters.ended("run_code", result(Outcome.TIMEOUT, 0.2))
    stats = counters.stats(in_flight=3, unsent=1)
    assert (stats.completed, stats.failed) == (4, 1)
    assert stats.median_seconds == 0.3
    assert stats.p99_seconds == float("inf")
    found = Scrape(stats.text({"run": 'a "quoted"\\\nname'}))
    assert {sample.labels["run"] for sample in found.samples} == {'a "quoted"\\\nname'}
    assert found.value("leanfleet_client_in_flight_operations") == 3
    assert found.value("leanfleet_client_submitted_operations_total") == 7
    assert found.value("leanfleet_client_operations_total", outcome="ok") == 3
    assert found.value("leanfleet_client_operations_total", outcome="timeout", kind="run_code") == 1
    assert found.value("leanfleet_client_operation_seconds_bucket", le="0.3") == 3
    assert found.value("leanfleet_client_operation_seconds_bucket", le="+Inf") == 4
    assert found.value("leanfleet_client_operation_seconds_count") == 4
    assert found.value("leanfleet_client_operation_seconds_sum") == pytest.approx(700.402)


def test_a_client_that_has_done_nothing_has_text_too() -> None:
    stats = ClientCounters().stats(in_flight=0, unsent=0)
    assert (stats.completed, stats.median_seconds) == (0, 0.0)
    assert Scrape(stats.text()).value("leanfleet_client_operation_seconds_count") == 0


def test_a_duration_on_a_bound_belongs_below_it() -> None:
    histogram = Histogram()
    for bound in BOUNDS_SECONDS:
        histogram.add(bound)
    assert [count for _, count in histogram.cumulative()] == [*range(1, len(BOUNDS_SECONDS) + 1), len(BOUNDS_SECONDS)]
