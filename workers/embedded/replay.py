"""Environments from constants alone, as the community REPL unpickles them: nothing else of a session comes back.

Its REPL for this version of Lean puts the constants of a pickle into the environment behind the pickle's imports, by
the function that is used here, and leaves out what is unsafe or partial. Notation, instances, simp sets and attributes
do not come along; the scopes do (options, variables, what is open).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.embedded import layout
from workers.embedded.abi import Object, field, unbox

if TYPE_CHECKING:
    from workers.embedded.constants import Constants
    from workers.embedded.environment import Environments
    from workers.embedded.runtime import Runtime


class Replay:
    """Makes `Command.State`s out of the constants of others."""

    def __init__(self, runtime: Runtime, environments: Environments, constants: Constants) -> None:
        self._runtime = runtime
        self._constants = constants
        self._environments = environments
        lean = runtime.lean
        self._imports = lean.function("l_Lean_Environment_imports", 1)
        self._is_unsafe = lean.function("l_Lean_ConstantInfo_isUnsafe", 1)
        self._is_partial = lean.function("l_Lean_ConstantInfo_isPartial", 1)
        self._add = lean.raw("lake_environment_add", 2)

    def of_constants(self, state: Object) -> Object:
        """The constants and scopes of a borrowed state behind what it imports; owned. Raises LeanException."""
        runtime, keep = self._runtime, self._runtime.lean.keep
        environment = field(state, layout.CommandState.ENV)
        replayed = self._environments.imported(self._imports(keep(environment)))
        for _, info in self._constants.added(state):
            if not unbox(self._is_unsafe(keep(info))) and not unbox(self._is_partial(keep(info))):
                replayed = self._add(replayed, keep(info))
        scopes = {layout.CommandState.SCOPES: keep(field(state, layout.CommandState.SCOPES))}
        return runtime.with_fields(runtime.command_state(replayed), scopes)
