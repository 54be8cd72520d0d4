"""Traces go from whoever asks, through the queue, to the worker: OpenTelemetry's context in the message's headers."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from producer.batch.batches import Batches
from producer.client import Client
from producer.operation import RunCode
from producer.outcome import Outcome
from producer.settings import Settings
from producer.tracing import set_up, working
from tests.integration.client.responder import Responder
from tests.integration.monitoring.conftest import StartMachine
from tests.waiting import DEADLINE_SECONDS, until

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Where this process's spans go: a provider for one test, whereas OpenTelemetry sets one for a process's life."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield exporter
    provider.shutdown()


def finished(exporter: InMemorySpanExporter) -> dict[str, Any]:
    return {span.name: span for span in exporter.get_finished_spans()}


async def test_a_call_is_a_span_whose_context_is_in_its_message(
    settings: Settings, fleet: Client, spans: InMemorySpanExporter
) -> None:
    with Responder(url=settings.broker_url, queue=settings.queue) as responder:
        with trace.get_tracer("loop").start_as_current_span("episode") as episode:
            result = await fleet.run_code("#check 1")
        await until(lambda: "send leanfleet.run_code" in finished(spans), "the call's span has ended")
    call = finished(spans)["send leanfleet.run_code"]
    assert call.kind is trace.SpanKind.PRODUCER
    assert call.parent.span_id == episode.get_span_context().span_id
    assert call.attributes["leanfleet.outcome"] == result.outcome == "ok"
    assert call.attributes["messaging.destination.name"] == settings.queue
    (delivery,) = responder.deliveries
    assert call.attributes["leanfleet.call.id"] == delivery.call_id
    known = f"00-{call.context.trace_id:032x}-{call.context.span_id:016x}-"
    assert delivery.headers["traceparent"].startswith(known)


async def test_a_call_that_is_withdrawn_and_one_that_is_lost_end_their_spans(
    fleet: Client, spans: InMemorySpanExporter
) -> None:
    fleet.submit(RunCode(code="#check 1")).cancel()
    assert (await fleet.run_code("#check 2", deadline_seconds=0.05)).outcome is Outcome.LOST
    await until(lambda: len(spans.get_finished_spans()) == 2, "both have ended")
    withdrawn, lost = sorted(spans.get_finished_spans(), key=lambda span: span.start_time or 0)
    assert (withdrawn.attributes or {})["leanfleet.outcome"] == "withdrawn"
    assert (lost.attributes or {})["leanfleet.outcome"] == "lost"
    assert lost.status.status_code is trace.StatusCode.ERROR


async def test_nothing_is_added_where_nothing_is_traced(settings: Settings, fleet: Client) -> None:
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    with Responder(url=settings.broker_url, queue=settings.queue) as responder:
        call = fleet.submit(RunCode(code="#check 1"))
        await call
    assert call.traced is None
    assert "traceparent" not in responder.deliveries[0].headers


async def test_workers_go_on_with_the_trace_and_link_to_a_batch(
    start_machine: StartMachine,
    settings: Settings,
    fleet: Client,
    spans: InMemorySpanExporter,
    tmp_path: Path,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_TRACES_EXPORTER", "console")
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        machine = await asyncio.to_thread(start_machine)
    assert (await fleet.run_code("%hang", timeout_seconds=0.3)).outcome is Outcome.TIMEOUT
    stored = Settings(broker_url=settings.broker_url, queue=settings.queue, store_url=(tmp_path / "store").as_uri())
    async with Batches(stored) as batches:
        batch = await batches.submit([{"id": "p", "code": "%say proved"}])
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for _ in batches.watch(batch.id, every_seconds=0.05):
                pass

    def theirs() -> list[Any]:
        whole = machine.log().rpartition("\n")[0]  # without a line that it is just writing
        lines = [line for line in whole.splitlines() if line.startswith("{")]
        return [span for line in lines if (span := json.loads(line))["name"].startswith("process leanfleet.")]

    await until(lambda: len(theirs()) == 2, "the worker sent both spans")
    one, of_batch = theirs()
    asked = finished(spans)["send leanfleet.run_code"]
    assert one["context"]["trace_id"] == f"0x{asked.context.trace_id:032x}"
    assert one["parent_id"] == f"0x{asked.context.span_id:016x}"
    assert (one["kind"], one["status"]["status_code"]) == ("SpanKind.CONSUMER", "ERROR")
    said = one["attributes"]
    assert said["leanfleet.outcome"] == "timeout"
    assert said["leanfleet.lean_seconds"] >= 0.3
    assert said["leanfleet.queue_seconds"] >= 0
    assert one["resource"]["attributes"]["service.name"] == "leanfleet-worker"
    submitted = finished(spans)["send leanfleet.batch"]
    assert of_batch["parent_id"] is None
    assert [link["context"]["span_id"] for link in of_batch["links"]] == [f"0x{submitted.context.span_id:016x}"]
    assert of_batch["attributes"]["leanfleet.batch.id"] == batch.id
    # Lines of the log lead to the trace.
    assert f"trace {asked.context.trace_id:032x}]" in machine.log()


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "00-00000000000000000000000000000000-0000000000000000-01",  # an id that is none
        7,
    ],
)
def test_a_header_that_is_none_begins_a_trace_of_its_own(header: object, spans: InMemorySpanExporter) -> None:
    with working("run_code", {"traceparent": header}, "q", is_linked=False) as traced:
        traced.ended("ok")
    (span,) = spans.get_finished_spans()
    assert span.parent is None


def test_what_breaks_down_inside_ends_the_span_all_the_same(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ZeroDivisionError), working("run_code", {"traceparent": PARENT}, "q", is_linked=False):
        raise ZeroDivisionError
    (span,) = spans.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"


def test_an_exporter_that_is_not_installed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(Exception, match=r"leanfleet\[otel\]"):
        set_up("test")
