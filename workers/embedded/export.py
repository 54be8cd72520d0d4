"""Constants as data: what a session declared, in a form that another process can check with its own kernel.

An export is taken from the kernel's environment by reading objects, not by running Lean code: no syntax, no attribute
and no option of the session has a say in it. It holds the constants that were asked for and all that they rest on, down
to what the header brought. What the kernel does not look at (names of bound variables, annotations) is left out.

Tables of names, levels and expressions come first; an entry refers to earlier ones by their places, so that terms keep
their sharing. Nothing in an export is to be trusted: whoever reads one (`audit`) builds every object anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.embedded import layout
from workers.embedded import terms as kinds
from workers.embedded.abi import (
    Object,
    field,
    is_scalar,
    linked_list,
    name_parts,
    scalar_byte,
    tag,
    text,
    unbox,
)
from workers.embedded.table import AXIOM, DEFINITION, GOAL, INDUCTIVE, OPAQUE, THEOREM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.embedded.constants import Constants
    from workers.embedded.message import Json
    from workers.embedded.runtime import Runtime
    from workers.embedded.terms import Key

_SAFE = 1  # of `DefinitionSafety`
_SCALAR_LIMIT = 1 << 32
_PLAIN = frozenset((kinds.APP, kinds.LAMBDA, kinds.FORALL, kinds.LET))

_KINDS = {
    layout.ConstantInfo.AXIOM: AXIOM,
    layout.ConstantInfo.DEFINITION: DEFINITION,
    layout.ConstantInfo.THEOREM: THEOREM,
    layout.ConstantInfo.OPAQUE: OPAQUE,
    layout.ConstantInfo.INDUCTIVE: INDUCTIVE,
}

Entry = tuple[Any, ...]


def _hint_number(hints: Object) -> int:
    """`ReducibilityHints` as a number: a height, or one of two below zero."""
    if is_scalar(hints):
        return kinds.NO_HINT if unbox(hints) == 0 else kinds.ABBREVIATION
    return sum(scalar_byte(hints, place) << 8 * place for place in range(4))


class Export:
    """Gathers the new constants of one `Command.State`: those that its header, a state of its own, does not have."""

    def __init__(self, runtime: Runtime, constants: Constants, state: Object, header: Object) -> None:
        """Both states are borrowed. Use it under `runtime.lean.owning()`."""
        self._runtime = runtime
        self._constants = constants
        self._state = state
        self._environment = constants.kernel(state)
        self._header = constants.kernel(header)
        self._owned: list[Object] = [self._environment, self._header]
        self._names: dict[Key, int] = {}
        self._levels: dict[Entry, int] = {}
        self._expressions: dict[Entry, int] = {}
        self._seen_names: dict[Object, int] = {}
        self._seen: dict[Object, int] = {}
        self._done: set[Key] = set()
        self._constants_out: list[list[Any]] = []
        self._big_number = runtime.lean.function("l_Nat_reprFast", 1)

    def close(self) -> None:
        for o in self._owned:
            self._runtime.lean.drop(o)

    def take(self, words: str, *, as_goal: bool = False) -> int | None:
        """Export the constant called `words`, private or not, with all that it rests on; the place of its name.

        None where the session declared none. With `as_goal` a theorem is exported without its proof.
        """
        name = self._own(self._constants.name(words))
        for candidate in (name, self._own(self._constants.private(self._state, name))):
            if self._new(candidate) is not None:
                self._gather(candidate, as_goal=as_goal)
                return self._name(candidate)
        return None

    def take_theorems(self) -> list[tuple[str, int]]:
        """Export every theorem of the session's that `take` did not; each as it is written, with its name's place."""
        found = []
        for name, info in self._constants.added(self._state):
            if tag(info) == layout.ConstantInfo.THEOREM and tuple(name_parts(name)) not in self._done:
                if self._new(name) is None:
                    continue
                self._gather(self._own(self._runtime.lean.keep(name)), as_goal=False)
                found.append((self._runtime.name_text(name), self._name(name)))
        return found

    def tables(self) -> Json:
        """All that was gathered."""
        return {
            "names": [list(key) for key in self._names],
            "levels": list(self._levels),
            "expressions": list(self._expressions),
            "constants": self._constants_out,
        }

    def _own(self, o: Object) -> Object:
        self._owned.append(o)
        return o

    def _new(self, name: Object) -> Object | None:
        """The constant of that name if the session declared it."""
        info = self._constants.find(self._environment, name)
        return None if info is None or self._constants.find(self._header, name) is not None else info

    # The order: what a constant rests on comes before it

    def _gather(self, root: Object, *, as_goal: bool) -> None:
        """Depth first, without recursion: chains of lemmas may be longer than Python's stack."""
        stack: list[tuple[Key, Iterator[Object], list[Any] | None]] = []

        def enter(name: Object, *, is_goal: bool = False) -> None:
            info = self._new(name)
            if info is None:
                return
            block = self._block(info)
            key = tuple(name_parts(block[0]))
            if key in self._done:
                return
            self._done.add(key)
            needed, parts = self._parts(block, is_goal=is_goal)
            stack.append((key, iter([self._own(name) for name in self._constants.names_in(*needed)]), parts))

        enter(root, is_goal=as_goal)
        while stack:
            _, needs, parts = stack[-1]
            if (needed := next(needs, None)) is not None:
                enter(needed)
                continue
            stack.pop()
            if parts is not None:
                self._constants_out.append(self._written(parts))

    def _block(self, info: Object) -> list[Object]:
        """The names that are declared together with a constant; borrowed. An inductive type brings its constructors."""
        value = field(info, 0)
        match tag(info):
            case layout.ConstantInfo.INDUCTIVE:
                return list(linked_list(field(value, layout.InductiveVal.ALL)))
            case layout.ConstantInfo.CONSTRUCTOR:
                owner = self._constants.find(self._environment, field(value, layout.ConstructorVal.INDUCTIVE))
                return [field(value, layout.ConstructorVal.INDUCTIVE)] if owner is None else self._block(owner)
            case layout.ConstantInfo.RECURSOR:
                return list(linked_list(field(value, layout.RecursorVal.ALL)))
            case _:
                return [field(field(value, 0), layout.ConstantVal.NAME)]

    def _parts(self, block: Sequence[Object], *, is_goal: bool) -> tuple[list[Object], list[Any] | None]:
        """The expressions of a block, and what will be written of it: a kind, then names and expressions by address."""
        info = self._constants.find(self._environment, block[0])
        if info is None or tag(info) not in _KINDS:
            return [], None  # quotients are of the header, or not at all
        value = field(info, 0)
        kind = _KINDS[tag(info)]
        if kind == INDUCTIVE:
            return self._inductive_parts(block, value)
        constant = field(value, 0)
        type_ = field(constant, layout.ConstantVal.TYPE)
        if kind == THEOREM and is_goal:
            return [type_], [GOAL, constant, False]
        if kind == AXIOM:
            return [type_], [AXIOM, constant, bool(scalar_byte(value))]
        body = field(value, 1)
        if kind == DEFINITION:
            hint = _hint_number(field(value, layout.DefinitionVal.HINTS))
            return [type_, body], [DEFINITION, constant, scalar_byte(value) != _SAFE, body, hint]
        return [type_, body], [kind, constant, kind == OPAQUE and bool(scalar_byte(value)), body]

    def _inductive_parts(self, block: Sequence[Object], first: Object) -> tuple[list[Object], list[Any] | None]:
        needed: list[Object] = []
        types: list[list[Any]] = []
        for name in block:
            info = self._constants.find(self._environment, name)
            if info is None or tag(info) != layout.ConstantInfo.INDUCTIVE:
                return [], None
            value = field(info, 0)
            constructors = []
            for constructor in linked_list(field(value, layout.InductiveVal.CONSTRUCTORS)):
                found = self._constants.find(self._environment, constructor)
                if found is None:
                    return [], None
                constructors.append(field(field(found, 0), 0))
            types.append([field(value, 0), constructors])
            needed += [field(each, layout.ConstantVal.TYPE) for each in (field(value, 0), *constructors)]
        parameters = unbox(field(first, layout.InductiveVal.PARAMETERS))
        is_unsafe = bool(scalar_byte(first, layout.InductiveVal.UNSAFE_BYTE))
        return needed, [INDUCTIVE, field(first, 0), is_unsafe, parameters, types]

    def _written(self, parts: list[Any]) -> list[Any]:
        kind, constant, is_unsafe, *rest = parts
        name, levels, type_ = self._signature(constant)
        head = [kind, name, levels, is_unsafe]
        match kind:
            case "inductive":
                parameters, types = rest
                written = [
                    [
                        *self._signature(each)[::2],
                        [list(self._signature(constructor)[::2]) for constructor in constructors],
                    ]
                    for each, constructors in types
                ]
                return [*head, parameters, written]
            case "def":
                return [*head, type_, self._expression(rest[0]), rest[1]]
            case _:
                return [*head, type_, *map(self._expression, rest)]

    def _signature(self, constant: Object) -> tuple[int, list[int], int]:
        """Name, universe parameters and type of a borrowed `ConstantVal`."""
        return (
            self._name(field(constant, layout.ConstantVal.NAME)),
            [self._name(level) for level in linked_list(field(constant, layout.ConstantVal.LEVELS))],
            self._expression(field(constant, layout.ConstantVal.TYPE)),
        )

    # The tables

    def _name(self, name: Object) -> int:
        place = self._seen_names.get(name)
        if place is None:
            place = self._names.setdefault(tuple(name_parts(name)), len(self._names))
            self._seen_names[self._own(self._runtime.lean.keep(name))] = place
        return place

    def _level(self, level: Object) -> int:
        place = self._seen.get(level)
        if place is not None:
            return place
        entry: Entry
        match tag(level):
            case kinds.LEVEL_ZERO:
                entry = (kinds.LEVEL_ZERO,)
            case kinds.LEVEL_PARAM:
                entry = (kinds.LEVEL_PARAM, self._name(field(level, 0)))
            case kinds.LEVEL_SUCC:
                entry = (kinds.LEVEL_SUCC, self._level(field(level, 0)))
            case kind:
                entry = (kind, self._level(field(level, 0)), self._level(field(level, 1)))
        place = self._levels.setdefault(entry, len(self._levels))
        if not is_scalar(level):
            self._seen[level] = place
        return place

    def _expression(self, root: Object) -> int:
        """Children first, without recursion. Addresses stay those of these objects: the environment holds them."""
        seen, table = self._seen, self._expressions
        stack = [root]
        while stack:
            o = stack[-1]
            if o in seen:
                stack.pop()
                continue
            kind = tag(o)
            if kind == kinds.MDATA:
                if (place := seen.get(field(o, 1))) is None:
                    stack.append(field(o, 1))
                else:
                    seen[o] = place
                continue
            children = _children(o, kind)
            places = [seen.get(child) for child in children]
            if None in places:
                stack.extend(child for child, place in zip(children, places, strict=True) if place is None)
                continue
            entry = (kind, *places) if kind in _PLAIN else self._leaf(o, kind, places)
            seen[o] = table.setdefault(entry, len(table))
            stack.pop()
        return seen[root]

    def _leaf(self, o: Object, kind: int, places: list[int | None]) -> Entry:
        match kind:
            case kinds.BVAR:
                return (kinds.BVAR, unbox(field(o, 0)))
            case kinds.SORT:
                return (kinds.SORT, self._level(field(o, 0)))
            case kinds.CONST:
                return (
                    kinds.CONST,
                    self._name(field(o, 0)),
                    *(self._level(level) for level in linked_list(field(o, 1))),
                )
            case kinds.LITERAL:
                return (kinds.LITERAL, *self._literal(field(o, 0)))
            case kinds.PROJECTION:
                return (kinds.PROJECTION, self._name(field(o, 0)), unbox(field(o, 1)), *places)
            case _:  # free and meta variables: no kernel has accepted these
                return (kind,)

    def _literal(self, literal: Object) -> tuple[int, str | int]:
        value = field(literal, 0)
        if tag(literal) == 1:
            return 1, text(value)
        if is_scalar(value) and unbox(value) < _SCALAR_LIMIT:
            return 0, unbox(value)
        # As decimal digits: numbers may be larger than JSON's readers like.
        return 0, self._runtime.string(self._big_number(self._runtime.lean.keep(value)))


def _children(o: Object, kind: int) -> tuple[Object, ...]:
    """The borrowed parts of an expression that are expressions; a binder's name is none."""
    if kind == kinds.APP:
        return field(o, 0), field(o, 1)
    if kind in (kinds.LAMBDA, kinds.FORALL):
        return field(o, 1), field(o, 2)
    if kind == kinds.LET:
        return field(o, 1), field(o, 2), field(o, 3)
    if kind == kinds.PROJECTION:
        return (field(o, 2),)
    return ()
