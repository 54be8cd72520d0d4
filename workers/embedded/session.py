"""One REPL session: what each request means, in terms of numbered environments and proof states.

Numbers are dense counters from 0, one for environments and one for proof states, exactly as in the community REPL.
Nothing is forgotten unless a `forget` request says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workers.embedded import layout
from workers.embedded.abi import Object, array, field, is_scalar, linked_list
from workers.embedded.environment import Environments
from workers.embedded.infotree import InfoTrees, Place
from workers.embedded.infotree import Path as TreePath
from workers.embedded.message import Json, Messages, position
from workers.embedded.pickle import PickleError, Pickles
from workers.embedded.proof import Proofs
from workers.embedded.region import Regions, load_image
from workers.embedded.runtime import LeanException, Runtime, name_hash
from workers.embedded.tactic import Outcome, ProofState, Tactics
from workers.embedded.treejson import KINDS, TreeJson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class RequestError(Exception):
    """A request that cannot be answered otherwise; its text is the reply's `message`."""


class Session:
    """Answers requests. `handle` never raises for anything that a request can bring about."""

    def __init__(self, runtime: Runtime, image_path: Path) -> None:
        """`image_path` is where the base image is kept, beside the compiled core that it is made of."""
        self._runtime = runtime
        regions = Regions(runtime)
        image = load_image(runtime, regions, image_path)
        self._pickles = Pickles(runtime, regions, image)
        self._messages = Messages(runtime)
        self._trees = InfoTrees(runtime)
        self._environments = Environments(runtime, self._messages, image.root)
        self._tactics = Tactics(runtime, self._trees, self._messages)
        self._proofs = Proofs(runtime)
        self._tree_json = TreeJson(runtime, self._trees, self._tactics)
        self._assignment = runtime.lean.function("l_Lean_MetavarContext_getExprAssignmentCore_x3f", 2)
        self._constants_in = runtime.lean.function("l_Lean_Expr_getUsedConstants", 1)
        self._states: list[Object | None] = []
        self._proof_states: list[ProofState | None] = []
        self._handlers: dict[str, Callable[[Json], Json]] = {
            "command": lambda a: self.command(a["cmd"], a.get("env"), a),
            "tactic": lambda a: self.tactic(a["tactic"], a["proofState"]),
            "file": self._file,
            "pickle_environment": self._pickle_environment,
            "unpickle_environment": self._unpickle_environment,
            "pickle_proof_state": self._pickle_proof_state,
            "unpickle_proof_state": self._unpickle_proof_state,
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
        except (RequestError, LeanException, PickleError) as error:
            return {"message": str(error)}

    def _file(self, arguments: Json) -> Json:
        path = arguments["path"]
        try:
            code = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RequestError(f"{reason} (error code: {error.errno})\n  file: {path}") from None
        except ValueError:  # not UTF-8, or a path that cannot be one
            raise RequestError(f"cannot read {path} as UTF-8 text") from None
        return self.command(code, arguments.get("env"), arguments)

    def _pickle_environment(self, arguments: Json) -> Json:
        self._pickles.save_environment(self._environment(arguments["env"]), arguments["pickleTo"])
        return {"env": arguments["env"]}

    def _unpickle_environment(self, arguments: Json) -> Json:
        return {"env": self._add_environment(self._pickles.load_environment(arguments["unpickleEnvFrom"]))}

    def _pickle_proof_state(self, arguments: Json) -> Json:
        state = self._proof_state(arguments["proofState"], "Unknown proof State.")
        self._pickles.save_proof_state(state, arguments["pickleTo"])
        return self._state_reply(
            self._tactics.share(state), state.messages
        )  # with a number of its own, as in the community REPL

    def _unpickle_proof_state(self, arguments: Json) -> Json:
        if "env" in arguments:  # must exist, but a pickle here brings its own environment
            self._environment(arguments["env"])
        state = self._pickles.load_proof_state(arguments["unpickleProofStateFrom"])
        return self._state_reply(state, state.messages)

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
        """Run commands in an environment, or behind their own header; `options` as in the request."""
        state = None if env is None else self._environment(env)
        elaborated = self._environments.run(cmd, state)
        trees = elaborated.trees(self._runtime)
        options = options or {}
        sorries = [self._sorry(sorry, with_range=True) for tree in trees for sorry in self._trees.sorries(tree)]
        if options.get("rootGoals"):
            sorries += [self._root_goals(step) for tree in trees for step in self._trees.root_tactics(tree)]
        reply: Json = {"messages": elaborated.messages, "sorries": sorries}
        if options.get("allTactics"):
            reply["tactics"] = [self._tactic_step(step) for tree in trees for step in self._trees.steps(tree)]
        if (detail := options.get("infotree")) in KINDS:
            reply["infotree"] = [node for tree in trees for node in self._tree_json.of_tree(tree, detail)]
        self._runtime.lean.drop(elaborated.info_state)
        return {"env": self._add_environment(elaborated.state), **{key: value for key, value in reply.items() if value}}

    def _step_state(self, step: Place, context: Object) -> ProofState:
        """The state before a tactic; its root goals are its own, as in the community REPL."""
        before = field(step.info, layout.TacticInfo.METAVARIABLES_BEFORE)
        return self._tactics.of_goals(context, before, field(step.info, layout.TacticInfo.GOALS_BEFORE))

    def _step_range(self, step: Place, context: Object) -> tuple[Json, Json]:
        file_map = field(field(context, layout.ContextInfo.COMMAND), layout.CommandContextInfo.FILE_MAP)
        return self._range(step.syntax, file_map)

    def _range(self, syntax: Object, file_map: Object) -> tuple[Json, Json]:
        start, end = self._trees.range(syntax, file_map)
        positions = position(start), position(end)
        self._runtime.lean.drop(start)
        self._runtime.lean.drop(end)
        return positions

    def _step_goals(self, state: ProofState) -> str:
        return "\n".join(self._tactics.goals(state)).strip() or "no goals"

    def _root_goals(self, step: Place) -> Json:
        """The goals that a proof starts with, as if it were a sorry; its range is empty."""
        context = self._context(step.path)
        state = self._step_state(step, context)
        goals = self._step_goals(state)
        start, _end = self._step_range(step, context)
        self._runtime.lean.drop(context)
        return {"proofState": self._add_proof_state(state), "goal": goals, "pos": start, "endPos": start}

    def _tactic_step(self, step: Place) -> Json:
        context = self._context(step.path)
        state = self._step_state(step, context)
        goals = self._step_goals(state)
        start, end = self._step_range(step, context)
        reply: Json = {
            "goals": goals,
            "tactic": self._tactics.print_tactic(step.syntax, context),
            "pos": start,
            "endPos": end,
            "usedConstants": self._used_constants(step.info),
            "proofState": self._add_proof_state(state),
        }
        self._runtime.lean.drop(context)
        return reply

    def _used_constants(self, info: Object) -> list[str]:
        """The constants in the terms that a tactic gave its goals, in the order of Lean's `NameSet`."""
        runtime, keep = self._runtime, self._runtime.lean.keep
        after = field(info, layout.TacticInfo.METAVARIABLES_AFTER)
        names: dict[int, str] = {}
        for goal in linked_list(field(info, layout.TacticInfo.GOALS_BEFORE)):
            assigned = self._assignment(keep(after), keep(goal))
            if is_scalar(assigned):
                continue
            used = self._constants_in(keep(field(assigned, 0)))
            names |= {name_hash(name): runtime.name_text(name) for name in array(used)}
            runtime.lean.drop(used)
            runtime.lean.drop(assigned)
        return [names[key] for key in sorted(names)]

    def _context(self, path: TreePath) -> Object:
        context = self._trees.context(path)
        if context is None:  # Lean puts every info under the context of its command
            raise LeanException("No `ContextInfo` available.")
        return context

    def _sorry(self, sorry: Place, *, with_range: bool, root_goals: Object | None = None) -> Json:
        context = self._context(sorry.path)
        state = self._tactics.of_sorry(sorry, context, root_goals)
        goal = "\n".join(self._tactics.goals(state))
        reply: Json = {"proofState": self._add_proof_state(state), "goal": goal}
        if with_range:
            file_map = field(field(context, layout.ContextInfo.COMMAND), layout.CommandContextInfo.FILE_MAP)
            reply["pos"], reply["endPos"] = self._range(sorry.syntax, file_map)
        self._runtime.lean.drop(context)
        return reply

    def tactic(self, tactic: str, proof_state: int) -> Json:
        """Run a tactic in a proof state. Raises RequestError."""
        state = self._proof_state(proof_state)
        try:
            outcome = self._tactics.run(state, tactic)
            try:
                sorries = [
                    self._sorry(self._placed(sorry, outcome), with_range=False, root_goals=state.root_goals)
                    for tree in outcome.trees
                    for sorry in self._trees.sorries(tree)
                ]
            finally:
                for o in (outcome.tree_context, *outcome.trees):
                    self._runtime.lean.drop(o)
            reply = self._state_reply(outcome.state, outcome.messages)
        except LeanException as error:
            raise RequestError(f"Lean error:\n{error}") from None
        if sorries:
            reply["sorries"] = sorries
        if outcome.traces:
            reply["traces"] = outcome.traces
        return reply

    def _placed(self, sorry: Place, outcome: Outcome) -> Place:
        """A tactic's own trees lack the context that a command's trees have."""
        return sorry._replace(path=(outcome.tree_context, *sorry.path))

    def _state_reply(self, state: ProofState, messages: Sequence[Json]) -> Json:
        """Number a new proof state and describe it. Raises LeanException."""
        goals, status = self._tactics.goals(state), self._proofs.status(state)
        reply: Json = {"proofState": self._add_proof_state(state), "goals": goals, "proofStatus": status}
        if messages:
            reply["messages"] = list(messages)
        return reply
