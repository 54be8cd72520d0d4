"""Terms and declarations, made by Lean's own constructors: the one way from data to objects that a kernel is given.

Data may come from anywhere. What is not of the right kind raises ValueError or TypeError before an object is made of
it; what is, makes a term that is well formed in memory, whatever nonsense it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.embedded import layout
from workers.embedded.abi import UNIT, Object, box, field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.embedded.runtime import Runtime

Key = tuple[str | int, ...]
"""A name's components."""

# The constructors of `Lean.Level` and of `Lean.Expr`; those that are not named here do not get into an environment.
LEVEL_ZERO, LEVEL_SUCC, LEVEL_MAX, LEVEL_IMAX, LEVEL_PARAM = range(5)
BVAR, SORT, CONST, APP, LAMBDA, FORALL, LET, LITERAL, MDATA, PROJECTION = 0, 3, 4, 5, 6, 7, 8, 9, 10, 11

ABBREVIATION, NO_HINT = -1, -2
"""Beside heights, which are not negative, what a definition's hint can be."""

# The constructors of `Lean.Declaration`.
_AXIOM, _DEFINITION, _THEOREM, _OPAQUE, _INDUCTIVE = 0, 1, 2, 3, 6
_SAFE = b"\1"
_MOST_INDEX = (1 << 20) - 1  # Lean ends the process where a bound variable's index is this or larger
_MOST_SMALL = 1 << 62


def index(value: object) -> Object:
    """A number that counts binders, fields or parameters."""
    if isinstance(value, int) and 0 <= value < _MOST_INDEX:
        return box(value)
    raise ValueError(f"{value!r} counts nothing")


class Terms:
    """Makes names, levels, expressions and declarations. Parts are consumed unless a function says otherwise."""

    def __init__(self, runtime: Runtime) -> None:
        lean = self._lean = runtime.lean
        self.keep = lean.keep
        self.drop = lean.drop
        self.owning = lean.owning
        self.pair = lean.pair
        self._name_string = lean.raw("l_Lean_Name_str___override", 2)
        self._name_number = lean.raw("l_Lean_Name_num___override", 2)
        self.level_zero = lean.constant("l_Lean_levelZero")
        self.level_succ = lean.function("l_Lean_Level_succ___override", 1)
        self.level_max = lean.function("l_Lean_Level_max___override", 2)
        self.level_imax = lean.function("l_Lean_Level_imax___override", 2)
        self.level_param = lean.function("l_Lean_Level_param___override", 1)
        self.bvar = lean.function("l_Lean_Expr_bvar___override", 1)
        self.sort = lean.function("l_Lean_Expr_sort___override", 1)
        self.const = lean.function("l_Lean_Expr_const___override", 2)
        self.app = lean.function("l_Lean_Expr_app___override", 2)
        self._lambda = lean.function("l_Lean_Expr_lam___override", 4)
        self._forall = lean.function("l_Lean_Expr_forallE___override", 4)
        self._let = lean.function("l_Lean_Expr_letE___override", 5)
        self._literal = lean.function("l_Lean_Expr_lit___override", 1)
        self.projection = lean.function("l_Lean_Expr_proj___override", 3)
        self.instantiate_levels = lean.function("l_Lean_Expr_instantiateLevelParams", 3)
        self._big_number = lean.raw_text("lean_cstr_to_nat")

    def name(self, key: Sequence[object]) -> Object:
        o = UNIT
        for part in key:
            if isinstance(part, str):
                part.encode()  # a lone surrogate would become another character, and this name another one's
                o = self._name_string(o, self._lean.string(part))
            elif isinstance(part, int) and 0 <= part < _MOST_SMALL:  # macro scopes are numbers
                o = self._name_number(o, box(part))
            else:
                raise ValueError("a name of an unknown kind")
        return o

    def list_of(self, items: Sequence[Object]) -> Object:
        return self._lean.cons(*items)

    def lambda_(self, type_: Object, body: Object) -> Object:
        return self._lambda(UNIT, type_, body, box(0))

    def forall(self, type_: Object, body: Object) -> Object:
        return self._forall(UNIT, type_, body, box(0))

    def let(self, type_: Object, value: Object, body: Object) -> Object:
        return self._let(UNIT, type_, value, body, box(0))

    def triple(self, one: Object, two: Object, three: Object) -> Object:
        return self._lean.ctor(0, one, two, three)

    def literal(self, kind: object, value: object) -> Object:
        lean = self._lean
        if kind == 1 and isinstance(value, str):
            return self._literal(lean.ctor(1, lean.string(value)))
        if kind == 0 and isinstance(value, int) and 0 <= value < _MOST_SMALL:
            return self._literal(lean.ctor(0, box(value)))
        if kind == 0 and isinstance(value, str) and value.isascii() and value.isdigit():
            return self._literal(lean.ctor(0, self._big_number(value.encode())))
        raise ValueError("a literal of an unknown kind")

    def hints(self, number: object) -> Object:
        if number in (NO_HINT, ABBREVIATION):
            return box(0 if number == NO_HINT else 1)
        if isinstance(number, int) and 0 <= number < 1 << 32:
            return self._lean.ctor(2, scalars=number.to_bytes(4, "little"))
        raise ValueError("a definition's hint of an unknown kind")

    # Declarations

    def signature(self, name: Object, level_names: Object, type_: Object) -> Object:
        """A `ConstantVal`."""
        return self.triple(name, level_names, type_)

    def _alone(self, signature: Object) -> Object:
        """The list of names that are declared together."""
        return self._lean.cons(self.keep(field(signature, layout.ConstantVal.NAME)))

    def axiom(self, signature: Object) -> Object:
        return self._lean.ctor(_AXIOM, self._lean.ctor(0, signature, scalars=b"\0"))

    def definition(self, signature: Object, value: Object, hints: Object) -> Object:
        names = self._alone(signature)
        return self._lean.ctor(_DEFINITION, self._lean.ctor(0, signature, value, hints, names, scalars=_SAFE))

    def theorem(self, signature: Object, value: Object) -> Object:
        names = self._alone(signature)
        return self._lean.ctor(_THEOREM, self._lean.ctor(0, signature, value, names))

    def opaque(self, signature: Object, value: Object) -> Object:
        names = self._alone(signature)
        return self._lean.ctor(_OPAQUE, self._lean.ctor(0, signature, value, names, scalars=b"\0"))

    def inductive(self, level_names: Object, parameters: Object, types: Object) -> Object:
        return self._lean.ctor(_INDUCTIVE, level_names, parameters, types, scalars=b"\0")
