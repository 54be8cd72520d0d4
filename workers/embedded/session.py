"""One REPL session: what each request means, in terms of numbered environments and proof states.

Numbers are dense counters from 0, one for environments and one for proof states, exactly as in the community REPL.
Nothing is forgotten unless a `forget` request says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workers.embedded.abi import field
from workers.embedded.audit import Audits
from workers.embedded.constants import Constants
from workers.embedded.environment import Environments
from workers.embedded.export import Export
from workers.embedded.infotree import InfoTrees
from workers.embedded.message import Json, Messages
from workers.embedded.pickle import PickleError, Pickles
from workers.embedded.proof import Proofs
from workers.embedded.region import Regions, load_image
from workers.embedded.replay import Replay
from workers.embedded.report import Report, Reports
from workers.embedded.runtime import LeanException, Runtime
from workers.embedded.table import ExportError
from workers.embedded.tactic import Tactics
from workers.embedded.treejson import KINDS, TreeJson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.embedded.abi import Object
    from workers.embedded.proofstate import ProofState


class RequestError(Exception):
    """A request that cannot be answered otherwise; its text is the reply's `message`."""


class Session:
    """Answers requests. `handle` never raises for anything that a request can bring about."""

    def __init__(self, runtime: Runtime, image_path: Path, *, only_constants: bool = False) -> None:
        """`image_path` is where the base image is kept, beside the compiled core that it is made of.

        With `only_constants` an unpickled environment has no more than the community REPL's (`Replay`).
        """
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
        self._reports = Reports(runtime, self._trees, self._tactics)
        self._constants = Constants(runtime)
        self._replay = Replay(runtime, self._environments, self._constants) if only_constants else None
        self._constants.check_layout(field(image.root, 1))
        self._audits = Audits(runtime, self._constants)
        self._states: list[Object | None] = []
        self._proof_states: list[ProofState | None] = []
        self._handlers: dict[str, Callable[[Json], Json]] = {
            "command": self._command,
            "tactic": self._tactic,
            "file": self._file,
            "pickle_environment": self._pickle_environment,
            "unpickle_environment": self._unpickle_environment,
            "pickle_proof_state": self._pickle_proof_state,
            "unpickle_proof_state": self._unpickle_proof_state,
            "forget": self._forget,
            "export": self._export,
            "audit": self._audit,
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

    def reset(self) -> None:
        """Forget everything, and number from 0 again."""
        self._forget({"forget": {"envs": range(len(self._states)), "proofStates": range(len(self._proof_states))}})
        self._states.clear()
        self._proof_states.clear()

    # Requests

    def handle(self, name: str, arguments: Json) -> Json:
        """Answer a request of the shape `name` with these fields (see `protocol.SHAPES`)."""
        try:
            return self._handlers[name](arguments)
        except (RequestError, LeanException, PickleError, ExportError) as error:
            return {"message": str(error)}

    def _command(self, arguments: Json) -> Json:
        env: int | None = arguments.get("env")
        state = None if env is None else self._environment(env)
        elaborated = self._environments.run(arguments["cmd"], state)
        trees = elaborated.trees(self._runtime)
        sorries = [self._numbered(self._reports.sorry(place)) for tree in trees for place in self._trees.sorries(tree)]
        if arguments.get("rootGoals"):
            roots = [place for tree in trees for place in self._trees.root_tactics(tree)]
            sorries += [self._numbered(self._reports.root_goals(place)) for place in roots]
        reply: Json = {"messages": elaborated.messages, "sorries": sorries}
        if arguments.get("allTactics"):
            steps = [place for tree in trees for place in self._trees.steps(tree)]
            reply["tactics"] = [self._numbered(self._reports.tactic(place)) for place in steps]
        if (detail := arguments.get("infotree")) in KINDS:
            reply["infotree"] = [node for tree in trees for node in self._tree_json.of_tree(tree, detail)]
        self._runtime.lean.drop(elaborated.info_state)
        return {"env": self._add_environment(elaborated.state), **{key: value for key, value in reply.items() if value}}

    def _tactic(self, arguments: Json) -> Json:
        state = self._proof_state(arguments["proofState"])
        try:
            outcome = self._tactics.run(state, arguments["tactic"])
            with self._runtime.lean.owning() as own:
                # The trees of a tactic that was run on its own lack the context that a command's trees have.
                context = own(outcome.tree_context)
                places = [place for tree in outcome.trees for place in self._trees.sorries(own(tree))]
                placed = [place._replace(path=(context, *place.path)) for place in places]
                reports = [self._reports.sorry_in_tactic(place, state.root_goals) for place in placed]
            sorries = [self._numbered(report) for report in reports]
            reply = self._described(outcome.state, outcome.messages)
        except LeanException as error:
            raise RequestError(f"Lean error:\n{error}") from None
        if sorries:
            reply["sorries"] = sorries
        if outcome.traces:
            reply["traces"] = outcome.traces
        return reply

    def _numbered(self, report: Report) -> Json:
        state, description = report
        return {"proofState": self._add_proof_state(state), **description}

    def _described(self, state: ProofState, messages: Sequence[Json]) -> Json:
        """Number a new proof state and describe it. Raises LeanException."""
        goals, status = self._tactics.goals(state), self._proofs.status(state)
        reply: Json = {"proofState": self._add_proof_state(state), "goals": goals, "proofStatus": status}
        if messages:
            reply["messages"] = list(messages)
        return reply

    def _file(self, arguments: Json) -> Json:
        path = arguments["path"]
        try:
            code = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RequestError(f"{reason} (error code: {error.errno})\n  file: {path}") from None
        except ValueError:  # not UTF-8, or a path that cannot be one
            raise RequestError(f"cannot read {path} as UTF-8 text") from None
        return self._command({**arguments, "cmd": code})

    def _pickle_environment(self, arguments: Json) -> Json:
        self._pickles.save_environment(self._environment(arguments["env"]), arguments["pickleTo"])
        return {"env": arguments["env"]}

    def _unpickle_environment(self, arguments: Json) -> Json:
        state = self._pickles.load_environment(arguments["unpickleEnvFrom"])
        if self._replay is not None:
            state = self._replay.of_constants(state)
        return {"env": self._add_environment(state)}

    def _pickle_proof_state(self, arguments: Json) -> Json:
        state = self._proof_state(arguments["proofState"], "Unknown proof State.")
        self._pickles.save_proof_state(state, arguments["pickleTo"])
        # With a number of its own, as in the community REPL.
        return self._described(self._tactics.share(state), state.messages)

    def _unpickle_proof_state(self, arguments: Json) -> Json:
        if "env" in arguments:  # must exist, but a pickle here brings its own environment
            self._environment(arguments["env"])
        state = self._pickles.load_proof_state(arguments["unpickleProofStateFrom"])
        return self._described(state, state.messages)

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

    def _export(self, arguments: Json) -> Json:
        """Constants as data; `found` says where each name is in the table of names, null where it was not declared.

        `others` are the remaining theorems, if they are wanted.
        """
        wanted = arguments["exportConstants"]
        state, header = self._environment(arguments["env"]), self._environment(wanted["header"])
        export = Export(self._runtime, self._constants, state, header)
        try:
            as_goal = wanted.get("asGoals", False)
            found = [export.take(name, as_goal=as_goal) for name in wanted["names"]]
            others = {"others": export.take_theorems()} if wanted.get("allTheorems", False) else {}
            return {"found": found, **others, "constants": export.tables()}
        finally:
            export.close()

    def _audit(self, arguments: Json) -> Json:
        """What the kernel finds of constants that were exported elsewhere; see `audit`."""
        return self._audits.audit(self._environment(arguments["env"]), arguments["auditConstants"])
