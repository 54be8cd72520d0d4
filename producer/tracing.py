"""OpenTelemetry's trace context, from whoever asks to the worker that carries it out: W3C's headers in the message.

Nothing here imports OpenTelemetry: a program that traces has loaded it and set a provider, and one that has not pays a
look into a dictionary for each call. Wire format: https://www.w3.org/TR/trace-context/.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from producer.errors import SettingsError
from producer.operation import AnyOperation
from producer.result import AnyResult

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

NAME = "leanfleet"
HEADERS = ("traceparent", "tracestate")
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def active() -> "Tracer | None":
    """Our tracer; None where nobody has set a provider that would take its spans."""
    api: Any = sys.modules.get("opentelemetry.trace")
    # Asking for the provider where there is none costs it a look into the environment: half of what a call costs.
    if api is None or getattr(api, "_TRACER_PROVIDER", api) is None:
        return None
    provider = api.get_tracer_provider()
    if isinstance(provider, (api.ProxyTracerProvider, api.NoOpTracerProvider)):
        return None
    return provider.get_tracer(NAME)


class Untraced:
    """In the place of a span where nothing is traced."""

    __slots__ = ()

    @property
    def trace_id(self) -> str:
        """In hexadecimal digits, for log lines."""
        return ""

    def ended(self, outcome: str, *, reason: str = "", is_failure: bool = False, **attributes: Any) -> None:
        """End the span, with how it went; a failure is an error in the eyes of whoever looks at traces."""


class Traced(Untraced):
    """A span that is open; `headers` are what a message carries of it."""

    __slots__ = ("headers", "span")

    def __init__(self, span: "Span") -> None:
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415 - see above
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self.span = span
        self.headers: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(self.headers, context=set_span_in_context(span))

    @property
    def trace_id(self) -> str:
        return f"{self.span.get_span_context().trace_id:032x}"

    def ended(self, outcome: str, *, reason: str = "", is_failure: bool = False, **attributes: Any) -> None:
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - as above

        self.span.set_attributes({"leanfleet.outcome": outcome, **_named(attributes)})
        if is_failure:
            self.span.set_status(Status(StatusCode.ERROR, reason or outcome))
        self.span.end()


def begin_call(operation: AnyOperation, call_id: str, queue: str) -> Traced | None:
    """The span of a call, from now until its answer; None where nothing is traced."""
    if (tracer := active()) is None:
        return None
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - as above

    attributes = _messaging("send", queue) | _named({"kind": operation.kind, "call.id": call_id})
    return Traced(tracer.start_span(f"send {NAME}.{operation.kind}", kind=SpanKind.PRODUCER, attributes=attributes))


def end_call(traced: Traced, result: AnyResult) -> None:
    """The answer is here."""
    timing = result.timing
    traced.ended(
        result.outcome,
        reason=result.reason,
        is_failure=not result.outcome.is_deterministic,
        worker=result.worker,
        queue_seconds=timing.queued_seconds,
        lean_seconds=timing.lean_seconds,
    )


@contextmanager
def publishing(batch_id: str, attempt: int, queue: str) -> Iterator[Mapping[str, str]]:
    """The span of putting a batch into the queue; gives what its messages carry, for workers to link to."""
    if (tracer := active()) is None:
        yield {}
        return
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - as above

    attributes = _messaging("send", queue) | _named({"batch.id": batch_id, "batch.attempt": attempt})
    with tracer.start_as_current_span(f"send {NAME}.batch", kind=SpanKind.PRODUCER, attributes=attributes) as span:
        yield Traced(span).headers


@contextmanager
def working(
    kind: str, headers: Mapping[str, Any], queue: str, *, is_linked: bool, **attributes: Any
) -> Iterator[Untraced]:
    """The span of carrying an operation out, current inside the block.

    Args:
        kind: the operation's.
        headers: of the message.
        queue: where it was taken from.
        is_linked: whether the span only points to that of whoever asked, and is not its child: a batch's may have ended
            a week ago.
        attributes: what else is known already.
    """
    if (tracer := active()) is None:
        yield Untraced()
        return
    from opentelemetry.context import Context  # noqa: PLC0415 - as above
    from opentelemetry.trace import Link, SpanKind, get_current_span, use_span  # noqa: PLC0415 - as above

    asked = extracted(headers)
    there = get_current_span(asked).get_span_context()
    span = tracer.start_span(
        f"process {NAME}.{kind}",
        context=Context() if is_linked else asked,
        kind=SpanKind.CONSUMER,
        attributes=_messaging("process", queue) | _named({"kind": kind, **attributes}),
        links=[Link(there)] if is_linked and there.is_valid else [],
    )
    with use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False):
        try:
            yield Traced(span)
        finally:
            if span.is_recording():  # what is no end of an operation: a worker that breaks down
                span.end()


def extracted(headers: Mapping[str, Any]) -> "Context":
    """The context that a message carries; an empty one where it carries none, or one that is none."""
    from opentelemetry.context import Context  # noqa: PLC0415 - as above
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    carrier = {name: value for name in HEADERS if isinstance(value := headers.get(name), str)}
    return TraceContextTextMapPropagator().extract(carrier, context=Context())


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{NAME}.{name}": value for name, value in attributes.items() if value not in ("", None)}


def _messaging(action: str, queue: str) -> dict[str, Any]:
    # https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
    return {
        "messaging.system": "celery",
        "messaging.operation.type": action,
        "messaging.operation.name": action,
        "messaging.destination.name": queue,
    }


def set_up(service: str) -> None:
    """For a program of ours: send spans where OpenTelemetry's own variables say, if they say so.

    `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector; `OTEL_TRACES_EXPORTER` may be `otlp`, `console` or `none`. A
    provider that is set already, as `opentelemetry-instrument` does, is left alone.

    Raises:
        SettingsError: spans are asked for, and what sends them is not installed, or unknown.
    """
    exporter = exporter_of_environment()
    if not exporter or active() is not None:
        return
    send = require(exporter)
    from opentelemetry import trace  # noqa: PLC0415 - an extra
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    is_named = "OTEL_SERVICE_NAME" in os.environ or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if is_named else {"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(send))
    trace.set_tracer_provider(provider)


def exporter_of_environment() -> str:
    """`otlp`, `console`, or empty where nothing is to be sent. Raise SettingsError for another one."""
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "otlp" if any(map(os.environ.get, _ENDPOINTS)) else "none")
    if exporter in ("none", "") or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    if exporter not in ("otlp", "console"):
        raise SettingsError(f"OTEL_TRACES_EXPORTER must be otlp, console or none, not {exporter!r}")
    return exporter


def require(exporter: str) -> "SpanExporter":
    """The exporter of this name. Raise SettingsError when it is not installed."""
    try:
        if exporter == "console":
            from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415 - an extra

            return ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: span.to_json(indent=None) + "\n")
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - as above

        return OTLPSpanExporter()
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"traces need {error.name}, which is not installed: pip install 'leanfleet[otel]', "
            "or unset OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_ENDPOINT"
        ) from error
