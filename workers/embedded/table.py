"""An export's constants as objects, built from data that nobody vouches for.

Every entry is checked as it is read: its kind, the number of its parts, that places lie in their table. What is meant
by all that is left to the kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers.embedded import terms as kinds
from workers.embedded.abi import UNIT, Object
from workers.embedded.terms import Key, Terms, index

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

AXIOM, DEFINITION, THEOREM, OPAQUE, INDUCTIVE, GOAL = "axiom", "def", "theorem", "opaque", "inductive", "goal"
"""Kinds of constants in an export. A goal is a theorem without its proof: a statement."""


class ExportError(Exception):
    """Data that are no export; the text says what is wrong."""


class RejectedError(Exception):
    """A constant that is not accepted; the text names it and says why."""


def written(key: Key) -> str:
    """A name as people write it, as far as they would."""
    return ".".join(map(str, key))


@dataclass(kw_only=True)
class Constant:
    """One entry of an export: objects that its table owns. An inductive type stands for its whole block."""

    kind: str
    names: list[Key]
    name: Object
    levels: list[Object]
    """Its universe parameters, as levels; `level_names` are the same as a list of names."""
    level_names: Object
    expressions: list[Object]
    """All that it mentions."""
    type: Object = UNIT
    value: Object = UNIT
    parameters: int = 0
    members: list[tuple[Key, Object, Object]] = field(default_factory=list)
    """Of an inductive block: types and constructors with their types, in order."""
    declaration: Callable[[], Object] | None = None
    """Makes an owned `Declaration`; a goal has none."""

    @property
    def all_names(self) -> list[Key]:
        return [*self.names, *(key for key, _, _ in self.members)]


class Table:
    """All of an export."""

    def __init__(self, terms: Terms, data: Any, own: Callable[[Object], Object]) -> None:
        """`own` takes what is made, to drop it when it is of no more use.

        Raises:
            ExportError: `data` are no export.
            RejectedError: a constant is unsafe, which no proof may rest on.
        """
        self._terms = terms
        self._own = own
        self._makers: dict[int, Callable[..., Object]] = {
            kinds.APP: self._app,
            kinds.CONST: self._const,
            kinds.BVAR: lambda number: terms.bvar(index(number)),
            # Python's own functions: they refuse a wrong number of parts, which the library's could not.
            kinds.LAMBDA: lambda *of: terms.lambda_(*self._kept(of)),
            kinds.FORALL: lambda *of: terms.forall(*self._kept(of)),
            kinds.LET: lambda *of: terms.let(*self._kept(of)),
            kinds.SORT: lambda level: terms.sort(terms.keep(self._levels[level])),
            kinds.LITERAL: terms.literal,
            kinds.PROJECTION: self._projection,
        }
        self._level_makers: dict[int, Callable[..., Object]] = {
            kinds.LEVEL_ZERO: lambda: terms.keep(terms.level_zero),
            kinds.LEVEL_SUCC: lambda of: terms.level_succ(terms.keep(self._levels[of])),
            kinds.LEVEL_MAX: lambda *of: terms.level_max(*self._kept_levels(of)),
            kinds.LEVEL_IMAX: lambda *of: terms.level_imax(*self._kept_levels(of)),
            kinds.LEVEL_PARAM: lambda name: terms.level_param(terms.keep(self._names[name])),
        }
        try:
            self.keys: list[Key] = [tuple(parts) for parts in data["names"]]
            self._names = [own(terms.name(key)) for key in self.keys]
            self._levels: list[Object] = []
            for kind, *parts in data["levels"]:
                self._levels.append(own(self._level_makers[kind](*parts)))
            self._expressions: list[Object] = []
            for kind, *parts in data["expressions"]:
                self._expressions.append(own(self._makers[kind](*parts)))
            self.constants = [self._constant(*entry) for entry in data["constants"]]
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise ExportError(f"no export of constants: {type(error).__name__}: {error}") from None

    def _kept(self, places: Sequence[int]) -> list[Object]:
        return [self._terms.keep(self._expressions[place]) for place in places]

    def _kept_levels(self, places: Sequence[int]) -> list[Object]:
        one, other = places  # each function of the library must get the number of arguments that it takes
        return [self._terms.keep(self._levels[one]), self._terms.keep(self._levels[other])]

    def _app(self, function: int, argument: int) -> Object:
        keep, made = self._terms.keep, self._expressions
        return self._terms.app(keep(made[function]), keep(made[argument]))

    def _const(self, name: int, *levels: int) -> Object:
        keep = self._terms.keep
        listed = self._terms.list_of([keep(self._levels[level]) for level in levels])
        return self._terms.const(keep(self._names[name]), listed)

    def _projection(self, structure: int, number: object, of: int) -> Object:
        keep = self._terms.keep
        return self._terms.projection(keep(self._names[structure]), index(number), keep(self._expressions[of]))

    def _constant(self, kind: str, name: int, levels: list[int], is_unsafe: object, *rest: Any) -> Constant:
        terms, keep = self._terms, self._terms.keep
        if is_unsafe is not False:
            raise RejectedError(f"{written(self.keys[name])} is unsafe")
        constant = Constant(
            kind=kind,
            names=[self.keys[name]],
            name=self._names[name],
            levels=[self._own(terms.level_param(keep(self._names[level]))) for level in levels],
            level_names=self._own(terms.list_of([keep(self._names[level]) for level in levels])),
            expressions=[],
        )
        if kind == INDUCTIVE:
            self._read_inductive(constant, *rest)
        else:
            self._read_plain(constant, *rest)
        return constant

    def _read_plain(self, constant: Constant, type_: int, value: int | None = None, hint: object = None) -> None:
        terms, keep, kind = self._terms, self._terms.keep, constant.kind
        has_value = kind in (DEFINITION, THEOREM, OPAQUE)
        if (value is not None) is not has_value or (hint is not None) is not (kind == DEFINITION):
            raise ValueError(f"{written(constant.names[0])} does not have the parts of its kind")
        constant.type = self._expressions[type_]
        constant.expressions = [constant.type]
        if value is not None:
            constant.value = self._expressions[value]
            constant.expressions.append(constant.value)

        def signature() -> Object:
            return terms.signature(keep(constant.name), keep(constant.level_names), keep(constant.type))

        match kind:
            case "axiom":
                constant.declaration = lambda: terms.axiom(signature())
            case "def":
                hints = self._own(terms.hints(hint))
                constant.declaration = lambda: terms.definition(signature(), keep(constant.value), keep(hints))
            case "theorem":
                constant.declaration = lambda: terms.theorem(signature(), keep(constant.value))
            case "opaque":
                constant.declaration = lambda: terms.opaque(signature(), keep(constant.value))
            case "goal":
                pass
            case _:
                raise ValueError("a constant of an unknown kind")

    def _read_inductive(self, constant: Constant, parameters: object, types: list[Any]) -> None:
        terms, keep = self._terms, self._terms.keep
        number = index(parameters)
        if not types or self.keys[types[0][0]] != constant.names[0]:
            raise ValueError(f"{written(constant.names[0])} is not the first type of its block")
        built = []
        for name, type_, constructors in types:
            pairs = [(name, type_), *((each, of) for each, of in constructors)]
            constant.members += [(self.keys[n], self._names[n], self._expressions[e]) for n, e in pairs]
            listed = [terms.pair(keep(self._names[n]), keep(self._expressions[e])) for n, e in pairs[1:]]
            built.append(terms.triple(keep(self._names[name]), keep(self._expressions[type_]), terms.list_of(listed)))
        listing = self._own(terms.list_of(built))
        constant.parameters = number
        constant.names = [self.keys[type_[0]] for type_ in types]
        constant.expressions = [expression for _, _, expression in constant.members]
        constant.declaration = lambda: terms.inductive(keep(constant.level_names), number, keep(listing))
