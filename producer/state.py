"""References to Lean states: the recipe is the truth, a blob is only a cache for it.

A `StateRef` says how a state comes about: the project, the header that is imported, and the steps after it. Any worker
of that project can restore it from nothing else. It names no host and needs no lookup, so it can be kept in a replay
buffer, logged, or sent to another machine as JSON.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Literal, Self, get_args

import msgspec

from producer.arguments import require, require_text, shown
from producer.errors import InvalidInputError, InvalidTextError, WireError
from producer.header import is_header
from producer.unreadable import UNREADABLE

VERSION = 1

Kind = Literal["environment", "proof_state"]
Encoding = Literal["", "zstd"]
_KINDS = get_args(Kind)
_ENCODINGS = get_args(Encoding)

_SHA256 = re.compile(r"[0-9a-f]{64}")


class CommandStep(msgspec.Struct, frozen=True, array_like=True, tag="c", forbid_unknown_fields=True):
    """Lean commands were elaborated: from one environment to the next."""

    code: str


class SorryStep(msgspec.Struct, frozen=True, array_like=True, tag="s", forbid_unknown_fields=True):
    """One of the holes that the last step left, by its position in the reply: into a proof state."""

    index: int


class TacticStep(msgspec.Struct, frozen=True, array_like=True, tag="t", forbid_unknown_fields=True):
    """A tactic was run: from one proof state to the next."""

    tactic: str


Step = CommandStep | SorryStep | TacticStep


class BlobRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A stored pickle that stands for the first `steps` steps of a recipe."""

    sha256: str  # of the stored bytes, and their name in the store
    size_bytes: int
    steps: int
    encoding: Encoding = ""
    unpacked_bytes: int = 0  # with an encoding: the pickle's own size
    signature: str = ""  # HMAC by the fleet's key over what the blob stands for; workers refuse others


class PrefixRef(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first `steps` steps of a recipe that is too long to travel, kept in the store."""

    id: str  # of the state after these steps: what is found in the store must lead to it
    steps: int
    kind: Kind
    sha256: str  # of the stored recipe


class StateRef(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An environment or a proof state, as the steps that lead to it.

    `project` is the fingerprint of the Lean project that the steps were run in, or empty where none was run yet. Where
    there is a `prefix`, `steps` are those after it.
    """

    header: str = ""
    steps: tuple[Step, ...] = ()
    project: str = ""
    prefix: PrefixRef | None = None
    blob: BlobRef | None = None
    v: int = VERSION

    @property
    def id(self) -> str:
        """SHA-256, in hex: the last link of the chain of hashes in `state_ids`.

        Neither the blob nor where the recipe was cut goes into it: with or without them, it is the same state.
        """
        start = root_id(self.project, self.header) if self.prefix is None else self.prefix.id
        for step in self.steps:
            start = next_id(start, step)
        return start

    @property
    def text_bytes(self) -> int:
        """How much text its steps hold."""
        texts = (step.code if isinstance(step, CommandStep) else getattr(step, "tactic", "") for step in self.steps)
        return sum(len(text) if text.isascii() else len(text.encode()) for text in texts)

    @property
    def depth(self) -> int:
        """How many steps lead to this state from the header."""
        return len(self.steps) + (0 if self.prefix is None else self.prefix.steps)

    @property
    def kind(self) -> Kind:
        if self.steps:
            return "environment" if isinstance(self.steps[-1], CommandStep) else "proof_state"
        return "environment" if self.prefix is None else self.prefix.kind

    def then(self, *steps: Step) -> Self:
        """The state after further steps."""
        return msgspec.structs.replace(self, steps=(*self.steps, *steps))

    def in_project(self, project: str) -> Self:
        """This state, for workers of `project` where no project was named yet."""
        return self if self.project or self.prefix is not None else msgspec.structs.replace(self, project=project)

    def checked(self) -> Self:
        """This reference, when its steps can follow one another.

        Raises:
            InvalidInputError: a field is of the wrong kind, the version is not one that is known here, the steps are in
                an impossible order, or a number in it cannot be.
            InvalidTextError: a text could be none of Lean's, or the header is not only imports: it is run before any
                limit of an operation holds.
        """
        _check_kinds(self)
        if self.v != VERSION:
            raise InvalidInputError(f"a state of version {self.v}, and this is version {VERSION}: upgrade leanfleet")
        if not is_header(self.header):
            raise InvalidTextError(
                f"the state's header is {self.header[:60]!r}: it holds imports alone, one a line and without comments; "
                "run anything else as code"
            )
        _check_hints(self)
        at: str = "header" if self.prefix is None else f"after {self.prefix.kind}"
        for number, step in enumerate(self.steps):
            if type(step) not in _FOLLOWERS[at]:
                raise InvalidInputError(f"step {number} of the state is a {type(step).__name__}, which cannot be there")
            if isinstance(step, SorryStep):
                require(f"the index of step {number}", step.index, int)
                if step.index < 0:
                    raise InvalidInputError(f"step {number} of the state names sorry {step.index}: they count from 0")
            elif isinstance(step, CommandStep):
                require_text(f"the code of step {number}", step.code)
            else:
                require_text(f"the tactic of step {number}", step.tactic)
            at = type(step).__name__
        return self

    def to_json(self) -> str:
        """One line of text, for logs and replay buffers."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The state that `to_json` wrote.

        Raises:
            WireError: the text is not a state, or of a version that is not known here.
        """
        try:
            return msgspec.json.decode(text, type=cls).checked()
        except (*UNREADABLE, InvalidInputError) as error:
            raise WireError(f"not a state: {error}") from error

    def __str__(self) -> str:
        return f"{self.kind} {self.id[:12]} ({self.depth} steps)"


def _check_kinds(state: StateRef) -> None:
    """Raise InvalidInputError for a field of the wrong kind, that of a step excepted."""
    require("the state's header", state.header, str)
    require_text("the state's project", state.project)
    require("the state's v", state.v, int)
    require("the state's steps", state.steps, tuple)
    if (prefix := state.prefix) is not None:
        require("the state's prefix", prefix, PrefixRef)
        for name in ("id", "sha256"):
            require(f"the prefix's {name}", getattr(prefix, name), str)
        require("the prefix's steps", prefix.steps, int)
        if prefix.kind not in _KINDS:
            raise InvalidInputError(f"the prefix's kind must be one of {_KINDS}, not {shown(prefix.kind)}")
    if (blob := state.blob) is not None:
        require("the state's blob", blob, BlobRef)
        for name in ("sha256", "signature"):
            require_text(f"the blob's {name}", getattr(blob, name))
        for name in ("size_bytes", "steps", "unpacked_bytes"):
            require(f"the blob's {name}", getattr(blob, name), int)
        if blob.encoding not in _ENCODINGS:
            raise InvalidInputError(f"the blob's encoding must be one of {_ENCODINGS}, not {shown(blob.encoding)}")


def _check_hints(state: StateRef) -> None:
    if (prefix := state.prefix) is not None:
        if not _SHA256.fullmatch(prefix.id) or not _SHA256.fullmatch(prefix.sha256):
            raise InvalidInputError("the state's prefix needs SHA-256s of 64 hexadecimal digits as id and sha256")
        if prefix.steps <= 0:
            raise InvalidInputError(f"the state's prefix stands for {prefix.steps} steps: they count from 1")
    if (blob := state.blob) is not None:
        if not 0 < blob.steps <= state.depth:
            raise InvalidInputError(f"the state's blob stands for {blob.steps} of its {state.depth} steps")
        if not _SHA256.fullmatch(blob.sha256):
            raise InvalidInputError(f"the state's blob is named {blob.sha256[:80]!r}, which is no SHA-256 in hex")
        if blob.size_bytes < 0 or blob.unpacked_bytes < 0:
            raise InvalidInputError("the state's blob has fewer than 0 bytes")


# Which steps can come after what. A proof state never leads back to an environment.
_FOLLOWERS: dict[str, tuple[type[Step], ...]] = {
    "header": (CommandStep,),
    "after environment": (CommandStep, SorryStep),
    "after proof_state": (TacticStep, SorryStep),
    "CommandStep": (CommandStep, SorryStep),
    "SorryStep": (TacticStep,),
    "TacticStep": (TacticStep, SorryStep),
}


def netstrings(*parts: str) -> bytes:
    """Each part as its length in bytes, a colon, its UTF-8 and a comma: no two lists of parts give the same bytes.

    JSON would not do: what it escapes, and how, differs from one library to the next.
    """
    encoded = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(b"%d:%b," % (len(part), part) for part in encoded)


def _digest(*parts: str) -> str:
    return hashlib.sha256(netstrings(*parts)).hexdigest()


def root_id(project: str, header: str) -> str:
    """The id of the environment after the imports of `header`."""
    return _digest("leanfleet-state", str(VERSION), project, header)


def next_id(before: str, step: Step) -> str:
    """The id of the state that `step` leads to from the state `before`."""
    if isinstance(step, TacticStep):
        kind, text = b"t", step.tactic
    elif isinstance(step, CommandStep):
        kind, text = b"c", step.code
    else:
        kind, text = b"s", str(step.index)
    # `netstrings` in one go: a worker does this for each step of each state that it is asked about.
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.sha256(b"64:%b,1:%b,%d:%b," % (before.encode(), kind, len(data), data)).hexdigest()


def state_ids(start: str, steps: Iterable[Step]) -> list[str]:
    """The ids of all states along `steps`, the one they start from first.

    A chain, and not one hash over everything: an ancestor's id costs nothing more, and a state keeps its id when its
    first steps are moved into the store.
    """
    ids = [start]
    for step in steps:
        ids.append(next_id(ids[-1], step))
    return ids
