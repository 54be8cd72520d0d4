"""One REPL session: what each request means, in terms of numbered environments and proof states.

Numbers are dense counters from 0, one for environments and one for proof states, exactly as in the community REPL.
Nothing is forgotten unless a `forget` request says so.
"""

from __future__ import annotations


from workers.embedded import layout
from workers.embedded.abi import Object, field
from workers.embedded.environment import Environments
from workers.embedded.infotree import InfoTrees, Sorry
from workers.embedded.message import Json, Messages, position
from workers.embedded.proof import Proofs
from workers.embedded.runtime import LeanException, Runtime
from workers.embedded.tactic import Outcome, ProofState, Tactics
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class RequestError(Exception):
    """A request that cannot be answered otherwise; its text is the reply's `message`."""


class Session:
    """Answers requests. `handle` never raises for anything that a request can bring about."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._messages = Messages(runtime)
        self._trees = InfoTrees(runtime)
        self._environments = Environments(runtime, self._messages)
        self._tactics = Tactics(runtime, self._trees, self._messages)
        self._proofs = Proofs(runtime)
        self._states: list[Object | None] = []
        self._proof_states: list[ProofState | None] = []
        self._handlers: dict[str, Callable[[Json], Json]] = {
            "command": lambda a: self.command(a["cmd"], a.get("env"), a),
            "tactic": lambda a: self.tactic(a["tactic"], a["proofState"]),
            "forget": self._forget,
        }

    # Numbered things

    def _environment(self, number: int) -> Object:
        state = self._states[number] if 0 <= number < len(self._states) else None
        if state is None:
            raise RequestError("Unknown environment.")
        return state

    def _proof_state(self, number: int, unknown: str = "Unknown proof state.") -> ProofState:
        state = self._proof_states[number] if 0 <= number < len(self._proof_states) else None
        if state is None:
            raise RequestError(unknown)
        return state

    def _add_environment(self, state: Object) -> int:
        self._states.append(state)
        return len(self._states) - 1

    def _add_proof_state(self, state: ProofState) -> int:
        self._proof_states.append(state)
        return len(self._proof_states) - 1

    # Requests

    def handle(self, name: str, arguments: Json) -> Json:
        """Answer a request of the shape `name` with these fields (see `protocol.SHAPES`)."""
        try:
            return self._handlers[name](arguments)
        except (RequestError, LeanException) as error:
            return {"message": str(error)}

    def _forget(self, arguments: Json) -> Json:
        """Release environments and proof states for good; numbers that stand for nothing are taken as forgotten."""
        wanted = arguments["forget"]
        forgotten: Json = {"envs": [], "proofStates": []}
        for number in wanted.get("envs", []):
            if number < len(self._states) and (environment := self._states[number]) is not None:
                self._states[number] = None
                self._runtime.lean.drop(environment)
                forgotten["envs"].append(number)
        for number in wanted.get("proofStates", []):
            if number < len(self._proof_states) and (state := self._proof_states[number]) is not None:
                self._proof_states[number] = None
                self._tactics.release(state)
                forgotten["proofStates"].append(number)
        return {"forgotten": forgotten}

    def command(self, cmd: str, env: int | None = None, options: Json | None = None) -> Json:
        state = None if env is None else self._environment(env)
        elaborated = self._environments.run(cmd, state)
        sorries = [
            self._sorry(sorry, with_range=True)
            for tree in elaborated.trees(self._runtime)
            for sorry in self._trees.sorries(tree)
        ]
        reply: Json = {"env": self._add_environment(elaborated.state)}
        if elaborated.messages:
            reply["messages"] = elaborated.messages
        if sorries:
            reply["sorries"] = sorries
        self._runtime.lean.drop(elaborated.info_state)
        return reply

    def _sorry(self, sorry: Sorry, *, with_range: bool, root_goals: Object | None = None) -> Json:
        context = self._trees.context(sorry.path)
        assert context is not None
        state = self._tactics.of_sorry(sorry, context, root_goals)
        goal = "\n".join(self._tactics.goals(state))
        reply: Json = {"proofState": self._add_proof_state(state), "goal": goal}
        if with_range:
            file_map = field(field(context, layout.ContextInfo.COMMAND), layout.CommandContextInfo.FILE_MAP)
            start, end = self._trees.range(sorry.syntax, file_map)
            reply["pos"], reply["endPos"] = position(start), position(end)
            self._runtime.lean.drop(start)
            self._runtime.lean.drop(end)
        self._runtime.lean.drop(context)
        return reply

    def tactic(self, tactic: str, proof_state: int) -> Json:
        state = self._proof_state(proof_state)
        try:
            outcome = self._tactics.run(state, tactic)
            return self._step_reply(outcome.state, outcome)
        except LeanException as error:
            raise RequestError(f"Lean error:\n{error}") from None

    def _step_reply(self, state: ProofState, outcome: Outcome | None = None) -> Json:
        reply: Json = {}
        messages = list(state.messages) if outcome is None else outcome.messages
        if outcome is not None:
            sorries = [
                self._sorry(
                    sorry._replace(path=(outcome.tree_context, *sorry.path)),
                    with_range=False,
                    root_goals=state.root_goals,
                )
                for tree in outcome.trees
                for sorry in self._trees.sorries(tree)
            ]
            if sorries:
                reply["sorries"] = sorries
            if outcome.traces:
                reply["traces"] = outcome.traces
        if messages:
            reply["messages"] = messages
        reply["proofState"] = self._add_proof_state(state)
        reply["goals"] = self._tactics.goals(state)
        try:
            reply["proofStatus"] = self._proofs.status(state)
        except LeanException as error:
            raise RequestError(f"Lean error:\n{error}") from None
        return reply
