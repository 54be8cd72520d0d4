"""What a client has done, for a training loop's log and for Prometheus, without a library for either."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from producer.histogram import Histogram
from producer.outcome import Outcome
from producer.result import AnyResult

_FAILURES = frozenset(Outcome) - {Outcome.OK, Outcome.LEAN_ERROR}


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientStats:
    """A client at one moment. Counters run since it was made; `text` is the same for Prometheus.

    `outcomes` counts by kind and outcome. `withdrawn` were cancelled by the caller, `resent` were published again since
    no answer came. Latencies are as the caller saw them, and upper bounds of their histogram's buckets.
    """

    in_flight: int
    unsent: int
    submitted: int
    resent: int
    withdrawn: int
    outcomes: Mapping[tuple[str, str], int]
    median_seconds: float
    p95_seconds: float
    p99_seconds: float
    buckets: tuple[tuple[str, int], ...]
    total_seconds: float

    @property
    def completed(self) -> int:
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        """How many ended otherwise than with Lean's answer."""
        return sum(count for (_, outcome), count in self.outcomes.items() if outcome in _FAILURES)

    def text(self, labels: Mapping[str, str] | None = None) -> str:
        """In Prometheus' text format, version 0.0.4: for a textfile collector, a push gateway, or a page of your own.

        Args:
            labels: added to every sample, to tell loops apart: `{"run": "7b-sft"}`.
        """
        common = dict(labels or {})
        by_outcome = [({"kind": kind, "outcome": outcome}, n) for (kind, outcome), n in sorted(self.outcomes.items())]
        name = "leanfleet_client_operation_seconds"
        seconds: list[tuple[str, Mapping[str, str], float]] = [
            *((f"{name}_bucket", {"le": bound}, count) for bound, count in self.buckets),
            (f"{name}_sum", {}, self.total_seconds),
            (f"{name}_count", {}, self.buckets[-1][1]),
        ]
        return "".join(
            (
                _gauge(
                    "leanfleet_client_in_flight_operations", "Calls that wait for their result", self.in_flight, common
                ),
                _gauge("leanfleet_client_unsent_operations", "Of these, not yet published", self.unsent, common),
                _counter("leanfleet_client_submitted_operations", "Calls made", [({}, self.submitted)], common),
                _counter("leanfleet_client_resent_operations", "Published again", [({}, self.resent)], common),
                _counter("leanfleet_client_withdrawn_operations", "Cancelled calls", [({}, self.withdrawn)], common),
                _counter("leanfleet_client_operations", "Results by kind and outcome", by_outcome, common),
                _family(name, "From submission to result", "histogram", seconds, common),
            )
        )


class ClientCounters:
    """What a client counts as it goes: about a microsecond for each result. Belongs to the client's event loop."""

    __slots__ = ("latency", "outcomes", "resent", "submitted", "withdrawn")

    def __init__(self) -> None:
        self.submitted = 0
        self.resent = 0
        self.withdrawn = 0
        self.outcomes: dict[tuple[str, str], int] = {}
        self.latency = Histogram()

    def ended(self, kind: str, result: AnyResult) -> None:
        """A call has its result."""
        key = (kind, result.outcome)
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
        self.latency.add(result.timing.total_seconds)

    def stats(self, *, in_flight: int, unsent: int) -> ClientStats:
        return ClientStats(
            in_flight=in_flight,
            unsent=unsent,
            submitted=self.submitted,
            resent=self.resent,
            withdrawn=self.withdrawn,
            outcomes=dict(self.outcomes),
            median_seconds=self.latency.quantile(0.5),
            p95_seconds=self.latency.quantile(0.95),
            p99_seconds=self.latency.quantile(0.99),
            buckets=tuple(self.latency.cumulative()),
            total_seconds=self.latency.total_seconds,
        )


def _gauge(name: str, text: str, value: float, common: Mapping[str, str]) -> str:
    return _family(name, text, "gauge", [(name, {}, value)], common)


def _counter(
    name: str, text: str, samples: Iterable[tuple[Mapping[str, str], float]], common: Mapping[str, str]
) -> str:
    named = f"{name}_total"
    return _family(named, text, "counter", [(named, labels, value) for labels, value in samples], common)


def _family(
    name: str,
    text: str,
    kind: str,
    samples: Iterable[tuple[str, Mapping[str, str], float]],
    common: Mapping[str, str],
) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for sample, labels, value in samples:
        words = ",".join(f'{label}="{_escaped(each)}"' for label, each in {**common, **labels}.items())
        lines.append(f"{sample}{{{words}}} {value}" if words else f"{sample} {value}")
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
