"""Constants of the kernel's environments: finding them, and what they mention."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.embedded import layout
from workers.embedded.abi import Object, array, field, is_scalar, tag
from workers.embedded.errors import LeanLibraryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.embedded.runtime import Runtime

_SAMPLES: tuple[tuple[str, int, type[layout.Record]], ...] = (
    ("propext", layout.ConstantInfo.AXIOM, layout.AxiomVal),
    ("id", layout.ConstantInfo.DEFINITION, layout.DefinitionVal),
    ("Nat.le_refl", layout.ConstantInfo.THEOREM, layout.TheoremVal),
    ("Nat", layout.ConstantInfo.INDUCTIVE, layout.InductiveVal),
    ("Nat.succ", layout.ConstantInfo.CONSTRUCTOR, layout.ConstructorVal),
    ("Nat.rec", layout.ConstantInfo.RECURSOR, layout.RecursorVal),
)


class Constants:
    """Looks constants up in kernel environments."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        lean = runtime.lean
        self._kernel_environment = lean.raw("lean_elab_environment_to_kernel_env", 1)
        self._find = lean.raw("lean_environment_find", 2)  # exported by Lean itself, hence it consumes
        self._used = lean.function("l_Lean_Expr_getUsedConstants", 1)
        self._staged = lean.function("l_Lean_Environment_constants", 1)
        self._listed = lean.raw("l_Lean_PersistentHashMap_toArray___redArg", 1)
        self._to_name = lean.function("l_String_toName", 1)
        self._main_module = lean.function("l_Lean_Environment_mainModule", 1)
        self._private = lean.function("l_Lean_mkPrivateNameCore", 2)

    def check_layout(self, environment: Object) -> None:
        """Raise LeanLibraryError unless constants of a borrowed core `Environment` look as they should."""
        lean = self._runtime.lean
        kernel = self._kernel_environment(lean.keep(environment))
        with lean.owning() as own:
            for words, kind, record in _SAMPLES:
                info = self.find(kernel, own(self.name(words)))
                if info is None or tag(info) != kind:
                    raise LeanLibraryError(f"{words} is not in the core library as a constant of kind {kind}")
                self._runtime.check_layout(record, field(info, 0))
                self._runtime.check_layout(layout.ConstantVal, field(field(info, 0), 0))
        lean.drop(kernel)

    def kernel(self, state: Object) -> Object:
        """The owned kernel environment of a borrowed `Command.State`; waits for proofs that are still elaborated."""
        return self._kernel_environment(self._runtime.lean.keep(field(state, layout.CommandState.ENV)))

    def name(self, words: str) -> Object:
        """The owned name that is written as `words`; the anonymous one where they are none."""
        return self._to_name(self._runtime.lean.string(words))

    def private(self, state: Object, name: Object) -> Object:
        """The owned name that a private declaration of this name has in a `Command.State`; both borrowed."""
        keep = self._runtime.lean.keep
        module = self._main_module(keep(field(state, layout.CommandState.ENV)))
        return self._private(module, keep(name))

    def find(self, environment: Object, name: Object) -> Object | None:
        """A `ConstantInfo`, borrowed from the environment; arguments are borrowed."""
        lean = self._runtime.lean
        found = self._find(lean.keep(environment), lean.keep(name))
        if is_scalar(found):
            return None
        info = field(found, 0)
        lean.drop(found)
        return info

    def added(self, state: Object) -> Iterator[tuple[Object, Object]]:
        """What a borrowed `Command.State` has beside its imports: names, each with its `ConstantInfo`; borrowed."""
        lean = self._runtime.lean
        constants = self._staged(lean.keep(field(state, layout.CommandState.ENV)))
        listed = self._listed(lean.keep(field(constants, layout.StagedMap.NEW)))
        try:
            for pair in array(listed):
                yield field(pair, 0), field(pair, 1)
        finally:
            lean.drop(listed)
            lean.drop(constants)

    def names_in(self, *expressions: Object) -> list[Object]:
        """The owned names of the constants in borrowed expressions, with repetitions."""
        lean = self._runtime.lean
        names = []
        for expression in expressions:
            found = self._used(lean.keep(expression))
            names += [lean.keep(name) for name in array(found)]
            lean.drop(found)
        return names
