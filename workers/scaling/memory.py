"""What the controller remembers from one look to the next: rates, service times, boots, losses, refusals.

The policy is pure and forgets; this is the whole state beside it. It is plain data, so that the controller can keep it
in Redis and a new leader goes on where the last one fell, and it reads no clock, so that the simulator uses the same.
Times are seconds of any clock that is common to all who read it.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping

import msgspec

from workers.scaling.policy import Decision
from workers.scaling.snapshot import Cohort, Machine, Offer, Service, Snapshot, Want
from workers.telemetry import Usage, bucket_seconds

WINDOW_SECONDS = 30.0
WINDOWS = 20
# Training changes what operations cost: half of what is known is forgotten in this time.
HALF_LIFE_SECONDS = 600.0
TAIL_QUANTILE = 0.99
FORGOTTEN = 1e-6  # operations; less than this is dropped
BOOTS = 20
# One boot in five may be slower than planned with: planning with the slowest would start too many machines.
BOOT_QUANTILE = 0.8
WANTS_SECONDS = 900.0
# A day's worth of loss-free machine-hours stand against the first preemptions that are seen.
PRIOR_MACHINE_HOURS = 24.0
BLOCK_SECONDS = 30.0
MAX_BLOCK_SECONDS = 60.0  # asking costs little, and capacity comes back unannounced


class KindMemory(msgspec.Struct, kw_only=True):
    completed: float = 0.0
    busy_seconds: float = 0.0
    durations: dict[int, float] = {}


class Block(msgspec.Struct, kw_only=True):
    """An offer that refused: how often in a row, and when it may be asked again."""

    failures: int
    until: float


class Memory(msgspec.Struct, kw_only=True):
    """Call `observe` at each look, `snapshot` for the policy, then `decided` with what came out."""

    began_at: float | None = None
    observed_at: float | None = None
    total: float = 0.0  # queued, in flight and completed at the last look
    window: int = 0
    # In each complete window, oldest first. What was before the first look counts as quiet.
    arrivals: list[float] = msgspec.field(default_factory=lambda: [0.0] * WINDOWS)
    # In the window that is not complete. Below zero while completions are not reported yet that have left the queue.
    arriving: float = 0.0
    completing: float = 0.0  # completions in it
    kinds: dict[str, KindMemory] = {}
    boots: list[float] = []
    machine_hours: float = 0.0
    preemptions: float = 0.0
    wants: list[tuple[float, int]] = []
    blocks: dict[str, Block] = {}

    def observe(
        self,
        now: float,
        *,
        waiting: float,
        usage: Mapping[str, Usage],
        machines: int,
        preempted: int = 0,
        boots: Iterable[float] = (),
    ) -> None:
        """Take in one look.

        Args:
            now: when.
            waiting: operations that are queued or in flight.
            usage: what was done by kind since the last look (`running` is not looked at).
            machines: how many exist.
            preempted: machines that were taken away since the last look.
            boots: how long boots took that ended since the last look, in seconds.
        """
        elapsed = 0.0 if self.observed_at is None else max(now - self.observed_at, 0.0)
        completed = sum(each.completed for each in usage.values())
        if self.observed_at is not None:
            self._arrived(now, waiting + completed - self.total, completed)
        else:
            self.began_at = now
            self.window = math.floor(now / WINDOW_SECONDS)
        self.total = waiting
        self._fade(0.5 ** (elapsed / HALF_LIFE_SECONDS))
        for kind, each in usage.items():
            memory = self.kinds.setdefault(kind, KindMemory(durations={}))
            memory.completed += each.completed
            memory.busy_seconds += each.busy_seconds
            for bucket, count in each.durations.items():
                memory.durations[bucket] = memory.durations.get(bucket, 0.0) + count
        self.machine_hours += machines * elapsed / 3600
        self.preemptions += preempted
        self.boots = [*self.boots, *boots][-BOOTS:]
        self.observed_at = now

    def snapshot(
        self,
        now: float,
        *,
        queue: tuple[Cohort, ...],
        in_flight: int,
        machines: tuple[Machine, ...],
        offers: Iterable[Offer],
        assumed_boot_seconds: float,
    ) -> Snapshot:
        """What is seen now, with what is remembered."""
        return Snapshot(
            queue=queue,
            in_flight=in_flight,
            services={kind: _service(memory) for kind, memory in self.kinds.items()},
            arrivals_per_second=tuple(count / WINDOW_SECONDS for count in self.arrivals),
            machines=machines,
            offers=tuple(
                dataclasses.replace(offer, blocked_seconds=self.blocked_seconds(offer.name, now)) for offer in offers
            ),
            boot_seconds=self.boot_seconds(assumed_boot_seconds),
            preemptions_per_machine_hour=self.preemptions / (self.machine_hours + PRIOR_MACHINE_HOURS),
            wants=tuple(Want(age_seconds=now - at, machines=machines) for at, machines in self.wants),
        )

    def waited_seconds(self, now: float, later: float) -> float:
        """How long ago the operation came after which `later` others came, by the arrivals that were seen.

        For brokers and messages that do not say. What came before the first look counts as having come then.
        """
        passed = 0.0
        current = (max(self.arriving, 0.0), max(now - self.window * WINDOW_SECONDS, 0.0))
        for count, span in [current, *((count, WINDOW_SECONDS) for count in reversed(self.arrivals))]:
            if later < count:
                passed += later / count * span
                break
            later -= count
            passed += span
        return min(passed, now - self.began_at) if self.began_at is not None else 0.0

    def decided(self, now: float, decision: Decision) -> None:
        self.wants = [(at, machines) for at, machines in self.wants if now - at < WANTS_SECONDS]
        self.wants.append((now, decision.wanted))

    def boot_seconds(self, assumed: float) -> float:
        """What to plan with; `assumed` until a boot was seen."""
        if not self.boots:
            return assumed
        return sorted(self.boots)[math.ceil(BOOT_QUANTILE * len(self.boots)) - 1]

    def refused(self, now: float, offer: str) -> None:
        """The provider had none of it, or asked for patience: leave it alone, longer each time."""
        failures = self.blocks[offer].failures + 1 if offer in self.blocks else 1
        seconds = min(BLOCK_SECONDS * 2 ** min(failures - 1, 10), MAX_BLOCK_SECONDS)
        self.blocks[offer] = Block(failures=failures, until=now + seconds)

    def granted(self, offer: str) -> None:
        self.blocks.pop(offer, None)

    def blocked_seconds(self, offer: str, now: float) -> float:
        block = self.blocks.get(offer)
        return max(block.until - now, 0.0) if block is not None else 0.0

    def _arrived(self, now: float, count: float, completed: float) -> None:
        """Count what is there more than before, or less: completions are told of some seconds after they were made."""
        self.arriving += count
        self.completing += completed
        passed = math.floor(now / WINDOW_SECONDS) - self.window
        if passed <= 0:
            return
        # All windows since then get their share: a leader that was away for minutes must not see one large burst.
        share = max(self.arriving, 0.0) / passed
        self.arrivals = [*self.arrivals, *[share] * min(passed, WINDOWS)][-WINDOWS:]
        self.window += passed
        # What is missing beyond what can still be reported was purged, or died with its worker.
        self.arriving = max(min(self.arriving, 0.0), -self.completing)
        self.completing = 0.0

    def _fade(self, factor: float) -> None:
        self.machine_hours *= factor
        self.preemptions *= factor
        for memory in self.kinds.values():
            memory.completed *= factor
            memory.busy_seconds *= factor
            memory.durations = {
                bucket: count * factor for bucket, count in memory.durations.items() if count > FORGOTTEN
            }


def _middle_seconds(bucket: int) -> float:
    return (bucket_seconds(bucket - 1) + bucket_seconds(bucket)) / 2


def _service(memory: KindMemory) -> Service:
    ended = sum(memory.durations.values())
    tail, seen = 0.0, 0.0
    for bucket, count in sorted(memory.durations.items()):
        seen += count
        if seen >= TAIL_QUANTILE * ended:
            tail = bucket_seconds(bucket)
            break
    return Service(
        completed=memory.completed,
        busy_seconds=memory.busy_seconds,
        tail_seconds=tail,
        durations={_middle_seconds(bucket): count for bucket, count in memory.durations.items()},
    )
