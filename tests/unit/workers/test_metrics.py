"""Metrics of workers that are in trouble, which no healthy one shows."""

import prometheus_client

from producer.outcome import Outcome
from producer.result import Restored, RunCodeResult, RunTacticsResult, Timing
from tests.metrics import Scrape
from workers.metrics import WorkerCollector
from workers.tally import Tally, WorkerSample


def scraped(tally: Tally, sample: WorkerSample | None) -> Scrape:
    registry = prometheus_client.CollectorRegistry()
    registry.register(WorkerCollector(tally, lambda: sample, worker="w@m", queue="q"))
    return Scrape(prometheus_client.generate_latest(registry).decode())


def test_a_worker_that_hangs_says_so_and_keeps_its_counters() -> None:
    tally = Tally()
    tally.answered("run_code", RunCodeResult(outcome=Outcome.OK), enqueued=True, ran=True)
    found = scraped(tally, None)
    assert next(found.find("leanfleet_worker_responsive")).value == 0
    assert found.value("leanfleet_worker_operations_total") == 1
    assert "leanfleet_worker_slots" not in found.names


def test_a_worker_that_starts_is_described_by_what_is_known() -> None:
    found = scraped(Tally(), WorkerSample(report=None, engine=None, usage={}))
    assert found.value("leanfleet_worker_responsive") == 1
    (info,) = found.find("leanfleet_worker_info")
    assert info.labels["worker"] == "w@m"
    assert info.labels["project"] == ""


def test_every_outcome_is_there_before_it_happens() -> None:
    found = scraped(Tally(), None)
    outcomes = {sample.labels["outcome"] for sample in found.find("leanfleet_worker_operations_total", kind="run_code")}
    assert outcomes == set(Outcome)


def test_what_was_answered_from_memory_or_never_ran_took_no_time_in_lean() -> None:
    tally = Tally()
    timing = Timing(lean_seconds=9.0, queued_seconds=1.0)
    remembered = RunTacticsResult(outcome=Outcome.OK, cached=True, restored=Restored.REPLAY, timing=timing)
    tally.answered("run_tactics", remembered, enqueued=True, ran=True)
    tally.answered("run_code", RunCodeResult(outcome=Outcome.LOST), enqueued=False, ran=False)
    found = scraped(tally, None)
    assert found.value("leanfleet_worker_cached_answers_total", kind="run_tactics") == 1
    assert found.value("leanfleet_worker_lean_seconds_count") == found.value("leanfleet_worker_restores_total") == 0
    assert found.value("leanfleet_worker_queue_seconds_count") == 1
