"""The operations: what can be asked of a fleet. Frozen values, JSON on the wire, refused early when impossible."""

import hashlib
import re
from typing import Literal, Self, get_args

import msgspec

from producer.arguments import check_text, require, shown, texts_of
from producer.errors import InvalidInputError, InvalidTextError
from producer.state import StateRef

DEFAULT_TIMEOUT_SECONDS = 60.0
DEFAULT_MEMORY_BYTES = 4 * 1024**3
DEFAULT_MAX_BYTES = 1_000_000
RECIPE_FACTOR = 16  # the steps of a state, which are of many operations, may have so many times more bytes
# What Lean's own library rests on; everything else must be asked for.
DEFAULT_ALLOWED_AXIOMS = ("propext", "Classical.choice", "Quot.sound")

Strength = Literal["", "kernel", "command", "external"]
_STRENGTHS: tuple[Strength, ...] = get_args(Strength)


class Operation(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
):
    """What all operations have: limits, enforced by killing the REPL process that breaks them.

    `timeout_seconds` counts from when a process begins to work on the operation, restoring its state included, never
    the time in the queue, nor the import of a header that no REPL there has yet: whoever asks first would pay for all,
    and Mathlib from a cold disk takes a minute. A header is imports alone, of the project's own modules, and the worker
    bounds their import by its `start_timeout_seconds`; the client's `deadline_seconds` bounds it all. `memory_bytes` is
    the most that the process may hold in memory. With `fresh` it is run in any case, and not answered from memory where
    the fleet has one.
    """

    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    fresh: bool = False

    @property
    def kind(self) -> str:
        return str(self.__struct_config__.tag)

    @property
    def id(self) -> str:
        """SHA-256, in hex, of what is asked: the canonical JSON without limits, `fresh` and blobs.

        Limits are left out since they do not change a deterministic answer: the same question asked with more patience
        is the same operation, and its attempts belong together.
        """
        asked = {
            name: value.id if isinstance(value, StateRef) else value
            for name, value in msgspec.structs.asdict(self).items()
            if name not in ("timeout_seconds", "memory_bytes", "fresh")
        }
        return hashlib.sha256(msgspec.json.encode({"kind": self.kind, **asked}, order="sorted")).hexdigest()

    @property
    def texts(self) -> tuple[str, ...]:
        """The Lean texts that the caller wrote into this operation."""
        raise NotImplementedError

    @property
    def recipe(self) -> StateRef | None:
        """The state that it begins from, whose steps travel with it."""
        return None

    @property
    def label(self) -> str:
        """A few words for people: logs, Flower."""
        raise NotImplementedError

    def _check(self) -> None:
        """Raise InvalidInputError for arguments of a wrong kind."""
        require("timeout_seconds", self.timeout_seconds, int, float)
        require("memory_bytes", self.memory_bytes, int)
        require("fresh", self.fresh, bool)

    def checked(self, *, max_bytes: int = DEFAULT_MAX_BYTES) -> Self:
        """This operation, when a REPL can be asked it.

        Raises:
            InvalidInputError: a limit is not positive, or an argument is of the wrong kind.
            InvalidTextError: a text holds NUL or other control characters or is not valid Unicode, or the texts are
                larger than `max_bytes` together.
        """
        self._check()
        if not 0 < self.timeout_seconds < float("inf"):
            raise InvalidInputError(f"timeout_seconds must be a positive number, not {self.timeout_seconds!r}")
        if self.memory_bytes <= 0:
            raise InvalidInputError(f"memory_bytes must be positive, not {self.memory_bytes!r}")
        size = 0
        for text in self.texts:
            check_text(text)
            size += len(text) if text.isascii() else len(text.encode())
        if size > max_bytes:
            raise InvalidTextError(
                f"the code has {size:,} bytes and the limit is {max_bytes:,} (LEANFLEET_MAX_OPERATION_BYTES)"
            )
        if self.recipe is not None and (size := self.recipe.text_bytes) > RECIPE_FACTOR * max_bytes:
            raise InvalidTextError(
                f"the state's steps have {size:,} bytes and the limit is {RECIPE_FACTOR * max_bytes:,}: export states "
                "sooner, which leaves their steps in the store, or raise LEANFLEET_MAX_OPERATION_BYTES"
            )
        return self


def require_state(value: object) -> None:
    """Raise InvalidInputError unless it is a state that can be."""
    if not isinstance(value, StateRef):
        raise InvalidInputError(
            f"state must be a StateRef (a result's state, or StateRef.from_json of its JSON), not {shown(value)}"
        )
    value.checked()


def first_line(text: str, width: int = 60) -> str:
    """The first line that says something, shortened: for labels."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= width else line[: width - 1] + "…"


# What a text is about, as people who read it would say; looked for in its beginning only, since labels must be cheap.
_THEOREM = re.compile(
    r"^[ \t]*(?:@\[[^\]\n]*\]\s*|(?:private|protected|nonrec)\s+)*((?:theorem|lemma|example)\b.*)", re.MULTILINE
)
_PREAMBLE = ("import ", "open ", "set_option ", "universe ", "variable ", "namespace ", "section", "--", "/-")
_LABEL_CHARACTERS = 2000


def headline(text: str) -> str:
    """The line that names the first theorem, else the first one after imports and the like, shortened."""
    if (found := _THEOREM.search(text, 0, _LABEL_CHARACTERS)) is not None:
        return first_line(found[1])
    lines = text[:_LABEL_CHARACTERS].splitlines()
    return first_line(next((line for line in lines if line.strip() and not line.lstrip().startswith(_PREAMBLE)), text))


class RunCode(Operation, frozen=True, kw_only=True, tag="run_code"):
    """Elaborate Lean commands, in the environment `state` or, without one, after the imports that they begin with."""

    code: str
    state: StateRef | None = None

    @property
    def recipe(self) -> StateRef | None:
        return self.state

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.code,)

    @property
    def label(self) -> str:
        return headline(self.code)

    def _check(self) -> None:
        super()._check()
        require("code", self.code, str)
        if self.state is None:
            return
        require_state(self.state)
        if self.state.kind != "environment":
            raise InvalidInputError(f"code runs in an environment, and this is a {self.state}: use run_tactics")


class RunTactics(Operation, frozen=True, kw_only=True, tag="run_tactics"):
    """Try each of the tactics on the proof state `state`, independently of the others.

    The time limit holds for each tactic; one that breaks it does not take the others with it.
    """

    state: StateRef
    tactics: tuple[str, ...]

    @property
    def recipe(self) -> StateRef | None:
        return self.state

    @property
    def texts(self) -> tuple[str, ...]:
        return self.tactics

    @property
    def label(self) -> str:
        head = first_line(self.tactics[0]) if self.tactics else "nothing"
        return head if len(self.tactics) <= 1 else f"{head} (+{len(self.tactics) - 1})"

    def _check(self) -> None:
        super()._check()
        require_state(self.state)
        if not texts_of("tactics", self.tactics):
            raise InvalidInputError("run_tactics needs at least one tactic")
        if self.state.kind != "proof_state":
            raise InvalidInputError(f"run_tactics needs a proof state, and this is an {self.state}")


class ExportState(Operation, frozen=True, kw_only=True, tag="export_state"):
    """Put a proof state's pickle into the store and give back a reference that knows its blob."""

    state: StateRef

    def _check(self) -> None:
        super()._check()
        require_state(self.state)

    @property
    def recipe(self) -> StateRef | None:
        return self.state

    @property
    def texts(self) -> tuple[str, ...]:
        return ()

    @property
    def label(self) -> str:
        return str(self.state)


class ImportState(Operation, frozen=True, kw_only=True, tag="import_state"):
    """Restore a state on a worker, so that it is warm there, and say what its goals are."""

    state: StateRef

    def _check(self) -> None:
        super()._check()
        require_state(self.state)

    @property
    def recipe(self) -> StateRef | None:
        return self.state

    @property
    def texts(self) -> tuple[str, ...]:
        return ()

    @property
    def label(self) -> str:
        return str(self.state)


class VerifyProof(Operation, frozen=True, kw_only=True, tag="verify_proof"):
    """Decide whether `proof` proves `statement`, by what the kernel thinks of it and not by what its text looks like.

    Both are whole texts. The statement ends in the theorem with `sorry` for its proof, and may define before what it
    needs; the proof declares a theorem of the same name, whatever else it declares. They share their imports: a proof
    without any has the statement's. Without a statement, every theorem that the text declares by name must be proved.

    `theorem` names the one that is meant; empty: the last one of the statement. A proof may rest on the
    `allowed_axioms` alone. `strength` is what the check must at least withstand (docs/verdicts.md): "kernel",
    "command", "external", or empty for the strongest that the worker's REPL can do.

    The time limit holds for each of the processes that take part: statement, proof, and audit.
    """

    proof: str
    statement: str = ""
    theorem: str = ""
    allowed_axioms: tuple[str, ...] = DEFAULT_ALLOWED_AXIOMS
    strength: Strength = ""

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.statement, self.proof, self.theorem)

    @property
    def label(self) -> str:
        return first_line(self.theorem) or headline(self.statement or self.proof)

    def _check(self) -> None:
        super()._check()
        for name, text in (("statement", self.statement), ("proof", self.proof), ("theorem", self.theorem)):
            require(name, text, str)
        if self.strength not in _STRENGTHS:
            raise InvalidInputError(f"strength must be one of {_STRENGTHS}, not {shown(self.strength)}")
        if self.theorem and not self.statement:
            raise InvalidInputError(f"theorem {self.theorem!r} is named, and there is no statement that declares it")
        for axiom in texts_of("allowed_axioms", self.allowed_axioms):
            check_text(axiom)


AnyOperation = RunCode | RunTactics | ExportState | ImportState | VerifyProof

OPERATIONS: dict[str, type[AnyOperation]] = {
    str(each.__struct_config__.tag): each for each in (RunCode, RunTactics, ExportState, ImportState, VerifyProof)
}
