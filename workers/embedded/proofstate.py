"""What a tactic runs in: the records of Lean's monads from `TacticM` down to `CoreM`."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING

from workers.embedded import layout
from workers.embedded.abi import Object, field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.embedded.message import Json
    from workers.embedded.runtime import Runtime


@dataclass(frozen=True, kw_only=True, slots=True)
class ProofState:
    """What a tactic runs in. Every field that is an Object is owned by this value, for ever."""

    core_context: Object
    core_state: Object
    meta_context: Object
    meta_state: Object
    term_state: Object
    goals: Object
    """`List MVarId`, and so is `root_goals`: the goals that the whole proof started with."""
    root_goals: Object
    messages: tuple[Json, ...] = dataclass_field(default=())
    """All that Lean said on the way here; it is repeated when the state is pickled."""

    def objects(self) -> tuple[Object, ...]:
        """All of its objects, in the order of `of_objects`; borrowed."""
        return (
            self.core_context,
            self.core_state,
            self.meta_context,
            self.meta_state,
            self.term_state,
            self.goals,
            self.root_goals,
        )

    @classmethod
    def of_objects(cls, objects: Sequence[Object], messages: tuple[Json, ...]) -> ProofState:
        core_context, core_state, meta_context, meta_state, term_state, goals, root_goals = objects
        return cls(
            core_context=core_context,
            core_state=core_state,
            meta_context=meta_context,
            meta_state=meta_state,
            term_state=term_state,
            goals=goals,
            root_goals=root_goals,
            messages=messages,
        )


class References:
    """The mutable part of a proof state while something runs in it."""

    def __init__(self, runtime: Runtime, state: ProofState) -> None:
        keep, new = runtime.lean.keep, runtime.new_reference
        self._runtime = runtime
        settings = runtime.lean.with_fields(
            field(state.core_context, layout.CoreContext.SETTINGS),
            {layout.CoreSettings.INIT_HEARTBEATS: runtime.heartbeats()},
        )
        self.core_context = runtime.lean.with_fields(state.core_context, {layout.CoreContext.SETTINGS: settings})
        self.meta_context = keep(state.meta_context)
        self.core = new(keep(state.core_state))
        self.meta = new(keep(state.meta_state))

    def meta_arguments(self) -> tuple[Object, Object, Object, Object]:
        """The four arguments that every function in MetaM ends with."""
        keep = self._runtime.lean.keep
        return keep(self.meta_context), keep(self.meta), keep(self.core_context), keep(self.core)

    def enter(self, local_context: Object, local_instances: Object) -> None:
        """`withLCtx`: go on in this borrowed local context."""
        runtime, keep = self._runtime, self._runtime.lean.keep
        changes = {
            layout.MetaContext.LOCAL_CONTEXT: keep(local_context),
            layout.MetaContext.LOCAL_INSTANCES: keep(local_instances),
        }
        self.meta_context = runtime.with_fields(self.meta_context, changes)

    def metavariables(self) -> Object:
        """The present `MetavarContext`; owned."""
        runtime = self._runtime
        meta = runtime.read(self.meta)
        metavariables = runtime.lean.keep(field(meta, layout.MetaState.METAVARIABLES))
        runtime.lean.drop(meta)
        return metavariables

    def close(self) -> tuple[Object, Object]:
        """The owned new core and meta states; the references are dropped."""
        runtime = self._runtime
        runtime.lean.drop(self.core_context)
        runtime.lean.drop(self.meta_context)
        return runtime.dereference(self.core), runtime.dereference(self.meta)

    def drop(self) -> None:
        for o in (self.core_context, self.meta_context, self.core, self.meta):
            self._runtime.lean.drop(o)
