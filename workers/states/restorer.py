"""Brings a leased REPL to a state, by the plan that `restoring` makes, and remembers there what came up on the way."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from producer.errors import (
    BlobCorruptError,
    BlobMissingError,
    InvalidInputError,
    PoolClosedError,
    ReplError,
    ReplTimeoutError,
    StoreError,
)
from producer.result import Restored
from producer.state import BlobRef, CommandStep, SorryStep, Step, TacticStep, next_id
from workers.lru import LRU
from workers.outcomes import LostStateError, RestoringError, soft_error, tactic_failure
from workers.pool import Handle, WarmREPL
from workers.protocol.adapter import Adapter
from workers.protocol.requests import Command, Tactic, UnpickleProofState
from workers.protocol.responses import CommandResponse, ErrorResponse, TacticResponse
from workers.states.blobs import BlobRefusedError, Blobs
from workers.states.costs import Costs
from workers.states.exchange import handed
from workers.states.keepsakes import is_dear
from workers.states.recipe import Recipe
from workers.states.restoring import Plan, plan

if TYPE_CHECKING:
    from collections import Counter

_REMEMBERED_GOALS = 20_000
# Characters of one state's goals; the REPL is asked for longer ones again.
_MAX_GOALS_LENGTH = 4_000
# A pickle is loaded in milliseconds. One that takes this long is broken, and its steps can be run in the time saved.
_LOAD_SECONDS = 20.0
# It gets as much even where less is left: that the time ran out says nothing about the pickle.
_LEAST_LOAD_SECONDS = 5.0
# A store that takes longer is of no use to somebody who waits for a proof.
_FETCH_SECONDS = 5.0

log = logging.getLogger("leanfleet.states")


@dataclass(kw_only=True)
class Limits:
    """What a REPL may take for one piece of work; the time runs from when this is made."""

    timeout_seconds: float
    memory_bytes: int
    started_at: float = field(default_factory=time.monotonic)

    def restart(self) -> None:
        """Let the time run from now: what the store took, or a bad blob, is not the work's fault."""
        self.started_at = time.monotonic()

    def remaining_seconds(self) -> float:
        """Raise ReplTimeoutError when nothing is left: the work is refused, and the process lives on."""
        left = self.started_at + self.timeout_seconds - time.monotonic()
        if left <= 0:
            raise ReplTimeoutError(f"no time was left of {self.timeout_seconds:g} s after the state was restored")
        return left


class BlobKilledError(Exception):
    """A process ended while it loaded a pickle. The pickle will not be tried again; the state is not lost."""


class Restorer:
    """One for all REPLs of a worker. `counts` holds how states were restored and why blobs were of no use."""

    def __init__(self, blobs: Blobs, costs: Costs, counts: "Counter[str]", *, adapter: Adapter) -> None:
        """`adapter` is that of the REPLs that will be handed in."""
        self._adapter = adapter
        self._blobs = blobs
        self._costs = costs
        self._counts = counts
        self._goals: LRU[str, tuple[str, ...]] = LRU(_REMEMBERED_GOALS)

    def goals(self, state_id: str) -> tuple[str, ...] | None:
        """The goals of a proof state that was seen on this worker, as far as they are remembered."""
        return self._goals.get(state_id)

    async def restore(
        self, repl: WarmREPL, recipe: Recipe, blob: BlobRef | None, limits: Limits
    ) -> tuple[Handle, Restored]:
        """The state in this process, and the way in which it came there.

        Raises:
            BlobKilledError: a pickle ended the process; try again on another one.
            RestoringError: a step failed that is a part of the recipe.
            LostStateError: the process does not know what it was remembered to have.
            ReplError: the process broke a limit or ended.
        """
        blobs = self._usable(recipe, [blob] if blob is not None else [])
        chosen = plan(recipe, warm=repl.states, blobs=blobs, costs=self._costs)
        if not blobs and self._is_worth_a_look(chosen):
            blobs = self._usable(recipe, await self._announced(recipe))
            limits.restart()
            chosen = plan(recipe, warm=repl.states, blobs=blobs, costs=self._costs)
        while chosen.blob is not None:
            handle = await self._from_blob(repl, recipe, chosen, chosen.blob, limits)
            if handle is not None:
                break
            limits.restart()
            blobs = [other for other in blobs if other is not chosen.blob]
            chosen = plan(recipe, warm=repl.states, blobs=blobs, costs=self._costs)
        else:
            handle = await self._run(repl, recipe, chosen.start, recipe.depth, limits)
        self._counts[f"restored_{chosen.way}"] += 1
        return handle, chosen.way

    # Blobs

    def _usable(self, recipe: Recipe, blobs: Sequence[BlobRef]) -> list[BlobRef]:
        if not self._blobs.can_load or (recipe.base_depth > 0 and not self._adapter.loads_onto_commands):
            return []
        return [
            blob
            for blob in blobs
            if blob.steps <= recipe.depth and not self._blobs.is_distrusted(blob, recipe.ids[blob.steps])
        ]

    def _is_worth_a_look(self, without: Plan) -> bool:
        """Whether asking the store for pickles could pay; it never does for cheap steps, which are most."""
        return self._blobs.can_look and is_dear(
            without.seconds, fetch_seconds=self._costs.fetch_seconds, load_seconds=self._costs.load_seconds
        )

    async def _announced(self, recipe: Recipe) -> list[BlobRef]:
        # Of the last states only: a search goes on near where it was, and each look is a request.
        depths = [depth for depth in range(recipe.depth, recipe.base_depth, -1) if recipe.can_go_on_from(depth)][:3]
        depths = [depth for depth in depths if not recipe.is_environment(depth)]
        return await self._blobs.find({depth: recipe.ids[depth] for depth in depths})

    async def _from_blob(
        self, repl: WarmREPL, recipe: Recipe, chosen: Plan, blob: BlobRef, limits: Limits
    ) -> Handle | None:
        """Load the blob and run what comes after it. None when it is of no use, and nothing of it is in the process."""
        state_id = recipe.ids[blob.steps]
        try:
            path = await self._blobs.fetch(blob, state_id, timeout_seconds=_FETCH_SECONDS)
        except StoreError as error:
            self._fall_back(blob, state_id, _REASONS.get(type(error), "unavailable"), error.message)
            return None
        limits.restart()
        environment = await self._run(repl, recipe, chosen.environment_start, recipe.base_depth, limits)
        started = time.monotonic()
        timeout_seconds = max(_LEAST_LOAD_SECONDS, min(_LOAD_SECONDS, limits.remaining_seconds()))
        try:
            async with handed(path, repl.folder) as readable:
                request = UnpickleProofState(path=readable, environment=number_of(environment))
                response = await repl.send(request, timeout_seconds=timeout_seconds, memory_bytes=limits.memory_bytes)
        except (InvalidInputError, OSError) as error:  # evicted from the cache just now, or the disk is full
            self._fall_back(blob, state_id, "unreadable", str(error))
            return None
        except PoolClosedError:
            raise
        except ReplError as error:
            self._fall_back(blob, state_id, "killed", error.message)
            raise BlobKilledError from error
        if isinstance(response, ErrorResponse):
            self._fall_back(blob, state_id, "rejected", response.message)
            return None
        self._costs.add_load(time.monotonic() - started)
        handle = self.remember(repl, state_id, response, tells_goals=self._adapter.tells_loaded_goals)
        try:
            return await self._run(repl, recipe, blob.steps, recipe.depth, limits, first=handle)
        except RestoringError as error:
            # The recipe knows whether it is the step or the blob; until then nothing that came of it is believed.
            repl.states.clear()
            for each in recipe.ids[blob.steps :]:
                self._goals.pop(each, None)
            self._fall_back(blob, state_id, "rejected", error.message)
            return None

    def _fall_back(self, blob: BlobRef, state_id: str, reason: str, details: str) -> None:
        self._counts[f"fallback_{reason}"] += 1
        log.warning("state %s is restored from its recipe, its blob is %s: %s", state_id[:12], reason, details)
        if reason not in _PASSING:
            self._blobs.distrust(blob, state_id)

    # Steps

    async def _run(
        self,
        repl: WarmREPL,
        recipe: Recipe,
        start: int,
        end: int,
        limits: Limits,
        *,
        first: Handle | None = None,
    ) -> Handle:
        """Run the steps from depth `start` to depth `end`; the state at `start` is in the process."""
        handle = first if first is not None else self._known(repl, recipe.ids[start], is_root=start == 0)
        depth = start
        while depth < end:
            step, leads_to = recipe.steps[depth], recipe.ids[depth + 1]
            started = time.monotonic()
            try:
                holes = await self._run_step(repl, handle, step, leads_to, limits)
            except RestoringError as error:
                raise error.with_context(f"step {depth} of the state's recipe, run again") from None
            self._costs.add_step(step, leads_to, time.monotonic() - started)
            handle, depth = holes.after, depth + 1
            if depth < end and isinstance(hole := recipe.steps[depth], SorryStep):
                if hole.index >= len(holes.sorries):
                    raise RestoringError(
                        f"step {depth - 1} left {len(holes.sorries)} sorries when it was run again, and sorry "
                        f"{hole.index} is needed"
                    )
                handle, depth = holes.sorries[hole.index], depth + 1
                if handle.number < 0:
                    raise RestoringError(f"the REPL made no proof state for sorry {hole.index} of step {depth - 2}")
        return handle

    def _known(self, repl: WarmREPL, state_id: str, *, is_root: bool) -> Handle:
        if is_root:
            # A REPL without a number for its imports takes commands without one.
            return Handle("environment", -1 if repl.environment is None else repl.environment)
        return repl.states[state_id]

    async def _run_step(self, repl: WarmREPL, handle: Handle, step: Step, leads_to: str, limits: Limits) -> "_Holes":
        match step:
            case CommandStep(code):
                response: CommandResponse | TacticResponse | ErrorResponse = await repl.send(
                    Command(code=code, environment=number_of(handle)),
                    timeout_seconds=limits.remaining_seconds(),
                    memory_bytes=limits.memory_bytes,
                )
                reason = soft_error(response) if isinstance(response, ErrorResponse) else ""
            case TacticStep(tactic):
                response = await repl.send(
                    Tactic(tactic=tactic, proof_state=handle.number),
                    timeout_seconds=limits.remaining_seconds(),
                    memory_bytes=limits.memory_bytes,
                )
                reason = tactic_failure(response)
            case SorryStep():
                raise RestoringError("a sorry that no step has left")
        if isinstance(response, ErrorResponse):
            raise_if_lost(response)
        if reason or isinstance(response, ErrorResponse):
            raise RestoringError(f"it failed: {reason}")
        return _Holes(self.remember(repl, leads_to, response), self.sorry_handles(response))

    def remember(
        self, repl: WarmREPL, state_id: str, response: CommandResponse | TacticResponse, *, tells_goals: bool = True
    ) -> Handle:
        """Note the state that a reply speaks of, and those of its sorries, as being in this process."""
        if isinstance(response, CommandResponse):
            handle = Handle("environment", response.environment)
        else:
            handle = Handle("proof_state", response.proof_state)
            if tells_goals:
                self._remember_goals(state_id, response.goals)
        for index, sorry in enumerate(response.sorries):
            if sorry.proof_state is not None:
                sorry_id = next_id(state_id, SorryStep(index))
                repl.states[sorry_id] = Handle("proof_state", sorry.proof_state)
                self._remember_goals(sorry_id, (sorry.goal,))
        repl.states[state_id] = handle
        return handle

    def _remember_goals(self, state_id: str, goals: tuple[str, ...]) -> None:
        if sum(map(len, goals)) <= _MAX_GOALS_LENGTH:
            self._goals[state_id] = goals

    @staticmethod
    def sorry_handles(response: CommandResponse | TacticResponse) -> list[Handle]:
        return [Handle("proof_state", -1 if s.proof_state is None else s.proof_state) for s in response.sorries]


@dataclass(frozen=True)
class _Holes:
    """What a step led to, and the proof states of the sorries that it left."""

    after: Handle
    sorries: list[Handle]


# Not the blob's fault: it may be tried again.
_PASSING = ("unavailable", "unreadable")

_REASONS: Mapping[type[StoreError], str] = {
    BlobMissingError: "missing",
    BlobCorruptError: "corrupt",
    BlobRefusedError: "refused",
}


def number_of(handle: Handle) -> int | None:
    """The number to send: None for the environment of a REPL that has its imports from the start."""
    return None if handle.number < 0 else handle.number


def raise_if_lost(response: ErrorResponse) -> None:
    """Raise LostStateError when the process does not know the state that it was asked about."""
    if response.is_unknown_state:
        raise LostStateError(f"a REPL does not know a state that it gave out: {response.message}")
