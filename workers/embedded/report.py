"""What a reply says of one sorry or one tactic in an info tree, and the proof state that goes with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.embedded import layout
from workers.embedded.abi import Object, array, field, is_scalar, linked_list
from workers.embedded.message import Json, position
from workers.embedded.runtime import LeanException, Runtime, name_hash

if TYPE_CHECKING:
    from workers.embedded.infotree import InfoTrees, Place
    from workers.embedded.proofstate import ProofState
    from workers.embedded.tactic import Tactics

Report = tuple["ProofState", Json]
"""A new proof state, and what a reply says of it besides its number."""


class Reports:
    """Describes places. Raises LeanException where Lean cannot print something."""

    def __init__(self, runtime: Runtime, trees: InfoTrees, tactics: Tactics) -> None:
        self._runtime = runtime
        self._trees = trees
        self._tactics = tactics
        self._assignment = runtime.lean.function("l_Lean_MetavarContext_getExprAssignmentCore_x3f", 2)
        self._constants_in = runtime.lean.function("l_Lean_Expr_getUsedConstants", 1)

    def sorry(self, sorry: Place) -> Report:
        """A sorry in a command, with its range."""
        with self._runtime.lean.owning() as own:
            context = own(self._context(sorry))
            state = self._tactics.of_sorry(sorry, context)
            start, end = self._range(sorry, context)
            return state, {"goal": self._sorry_goal(state), "pos": start, "endPos": end}

    def sorry_in_tactic(self, sorry: Place, root_goals: Object) -> Report:
        """A sorry in a tactic that was run on its own: there is no text for a range. `root_goals` are borrowed."""
        with self._runtime.lean.owning() as own:
            state = self._tactics.of_sorry(sorry, own(self._context(sorry)), root_goals)
            return state, {"goal": self._sorry_goal(state)}

    def root_goals(self, tactic: Place) -> Report:
        """The goals that a proof starts with, as if they were a sorry; the range is empty."""
        with self._runtime.lean.owning() as own:
            context = own(self._context(tactic))
            state = self._before(tactic, context)
            start, _ = self._range(tactic, context)
            return state, {"goal": self._goals(state), "pos": start, "endPos": start}

    def tactic(self, tactic: Place) -> Report:
        """A tactic in a command; its state is the one before it."""
        with self._runtime.lean.owning() as own:
            context = own(self._context(tactic))
            state = self._before(tactic, context)
            start, end = self._range(tactic, context)
            return state, {
                "goals": self._goals(state),
                "tactic": self._tactics.print_tactic(tactic.syntax, context),
                "pos": start,
                "endPos": end,
                "usedConstants": self._used_constants(tactic.info),
            }

    def _context(self, place: Place) -> Object:
        """The owned `ContextInfo` of a place."""
        context = self._trees.context(place.path)
        if context is None:  # Lean puts every info under the context of its command
            raise LeanException("No `ContextInfo` available.")
        return context

    def _before(self, tactic: Place, context: Object) -> ProofState:
        """The state before a tactic; its root goals are its own, as in the community REPL."""
        metavariables = field(tactic.info, layout.TacticInfo.METAVARIABLES_BEFORE)
        return self._tactics.of_goals(context, metavariables, field(tactic.info, layout.TacticInfo.GOALS_BEFORE))

    def _sorry_goal(self, state: ProofState) -> str:
        return "\n".join(self._tactics.goals(state))

    def _goals(self, state: ProofState) -> str:
        return self._sorry_goal(state).strip() or "no goals"

    def _range(self, place: Place, context: Object) -> tuple[Json, Json]:
        file_map = field(field(context, layout.ContextInfo.COMMAND), layout.CommandContextInfo.FILE_MAP)
        with self._runtime.lean.owning() as own:
            start, end = map(own, self._trees.range(place.syntax, file_map))
            return position(start), position(end)

    def _used_constants(self, info: Object) -> list[str]:
        """The constants in the terms that a tactic gave its goals, in the order of Lean's `NameSet`."""
        runtime, keep = self._runtime, self._runtime.lean.keep
        after = field(info, layout.TacticInfo.METAVARIABLES_AFTER)
        names: dict[int, str] = {}
        for goal in linked_list(field(info, layout.TacticInfo.GOALS_BEFORE)):
            with runtime.lean.owning() as own:
                assigned = own(self._assignment(keep(after), keep(goal)))
                if not is_scalar(assigned):
                    used = array(own(self._constants_in(keep(field(assigned, 0)))))
                    names |= {name_hash(name): runtime.name_text(name) for name in used}
        return [names[key] for key in sorted(names)]
