"""A state's whole recipe with the id of every state along it: what restoring works on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import msgspec

from producer.errors import BlobCorruptError, WireError
from producer.state import CommandStep, SorryStep, StateRef, Step, root_id, state_ids


@dataclass(frozen=True)
class Recipe:
    """`steps[i]` leads from depth i to depth i + 1; `ids[i]` is the id of the state at depth i, the header's at 0."""

    header: str
    project: str
    steps: tuple[Step, ...]
    ids: tuple[str, ...]

    @classmethod
    def of(cls, state: StateRef) -> Self:
        """The recipe of a state that carries all of its steps."""
        if state.prefix is not None:
            raise ValueError("the first steps are in the store: expand the state first")
        ids = state_ids(root_id(state.project, state.header), state.steps)
        return cls(header=state.header, project=state.project, steps=state.steps, ids=tuple(ids))

    @property
    def depth(self) -> int:
        return len(self.steps)

    @cached_property
    def base_depth(self) -> int:
        """The depth of the environment that the proof state lives in; for an environment its own depth.

        It is the one from *before* the command that left the sorry: what the same command defines is not in it.
        """
        for index, step in enumerate(self.steps):
            if isinstance(step, SorryStep):
                return index - 1
        return self.depth

    def can_go_on_from(self, depth: int) -> bool:
        """Whether the steps after `depth` can be run when only that state is there.

        A hole is a part of the reply to the step that left it, so that step has to be run again as well.
        """
        return depth == self.depth or not isinstance(self.steps[depth], SorryStep)

    def state(self, depth: int | None = None) -> StateRef:
        """The state at `depth`, the last one by default."""
        return StateRef(header=self.header, project=self.project, steps=self.steps[:depth])

    def is_environment(self, depth: int) -> bool:
        return depth == 0 or isinstance(self.steps[depth - 1], CommandStep)


def encode_recipe(state: StateRef) -> bytes:
    """The form in which a recipe is stored: the state's own JSON, without hints."""
    return msgspec.json.encode(msgspec.structs.replace(state, prefix=None, blob=None))


def decode_recipe(stored: bytes) -> StateRef:
    """What `encode_recipe` wrote. Raises BlobCorruptError."""
    try:
        return StateRef.from_json(stored)
    except WireError as error:
        raise BlobCorruptError(f"a stored recipe cannot be read: {error.message}") from error


def expand(state: StateRef, before: StateRef) -> StateRef:
    """`state` with the steps that its prefix stands for put back: those of the stored recipe `before`.

    Raises:
        BlobCorruptError: `before` is not the recipe that the prefix speaks of.
    """
    prefix = state.prefix
    if prefix is None:
        return state
    if before.prefix is not None or (before.id, before.depth, before.kind) != (prefix.id, prefix.steps, prefix.kind):
        raise BlobCorruptError(f"the stored recipe {prefix.sha256[:12]} leads to another state than {prefix.id[:12]}")
    # They are no part of what the id of a cut state is made from, and decide who may run it.
    if (before.project, before.header) != (state.project, state.header):
        raise BlobCorruptError(
            f"the stored recipe {prefix.sha256[:12]} is of another project or header than the state says"
        )
    return msgspec.structs.replace(before, steps=before.steps + state.steps, blob=state.blob)
