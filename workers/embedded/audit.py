"""Judging constants that another process declared: everything is built anew here and given to this process's kernel.

The process that audits has imported a header and elaborates nothing. What comes from outside are numbers and texts
(`export`); they become objects by Lean's own constructors, so that the worst they can be is terms that the kernel
refuses. What is found does not depend on the syntax, the attributes, the options or the memory of the process that they
came from.

Where a statement is given, its own definitions come first. A constant that the candidate declares under the name of one
of these must be it: of the same kind, and equal by the kernel's definitional equality. Comparisons are declarations
that the kernel accepts exactly if both sides are equal, so that nothing but its checking of declarations is relied on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.embedded import layout
from workers.embedded.abi import UNIT, Object, box, field, linked_list, name_parts, tag
from workers.embedded.table import (
    AXIOM,
    DEFINITION,
    GOAL,
    INDUCTIVE,
    OPAQUE,
    THEOREM,
    Constant,
    ExportError,
    RejectedError,
    Table,
    written,
)
from workers.embedded.terms import Key, Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.embedded.constants import Constants
    from workers.embedded.message import Json
    from workers.embedded.runtime import Runtime

_COMPARISON: Key = ("_leanfleet", "comparison")

# What the kernel evaluates by itself, by name alone (`src/kernel/type_checker.cpp`): numbers with its own arithmetic,
# literals of strings, and native code. Declared with another meaning, each of them proves anything. What the library
# declares nobody else can; what it lacks is nobody's to declare.
KERNELS_OWN: frozenset[Key] = frozenset(
    [
        *(("Nat", word) for word in ("zero", "succ", "pred", "add", "sub", "mul", "pow", "gcd", "div", "mod", "log2")),
        *(("Nat", word) for word in ("beq", "ble", "land", "lor", "xor", "bitwise", "shiftLeft", "shiftRight")),
        *(("String", word) for word in ("mk", "ofList", "ofByteArray")),
        *(("Char", word) for word in ("mk", "ofNat")),
        *(("Lean", word) for word in ("reduceBool", "reduceNat")),
        *((word,) for word in ("Nat", "String", "Char", "List", "Bool", "Eq", "Quot", "eagerReduce")),
        *(("List", word) for word in ("nil", "cons")),
        *(("Bool", word) for word in ("true", "false")),
        *(("Quot", word) for word in ("mk", "lift", "ind")),
    ]
)
_RECURSOR = re.compile(r"rec(_\d+)?")


class MismatchError(Exception):
    """A constant is not the statement's; the text says which, and in what."""


class Audits:
    """Answers audit requests. It keeps what it has learnt of a header's constants, and nothing of a request."""

    def __init__(self, runtime: Runtime, constants: Constants) -> None:
        self._runtime = runtime
        self.constants = constants
        self.terms = Terms(runtime)
        self._add = runtime.lean.function("l_Lean_Kernel_Environment_addDecl", 4)
        self._message = runtime.lean.function("l_Lean_Kernel_Exception_toMessageData", 2)
        self._headers: dict[Object, dict[Key, tuple[tuple[Key, Object], ...] | None]] = {}

    def audit(self, header: Object, data: Json) -> Json:
        """What the kernel finds of an export, in the environment of a borrowed `Command.State`.

        `theorems` are the names to look at, each with where the export says it is; `candidate` is the export, and
        `statement` may be that of a goal, which is then the only theorem.

        Raises:
            ExportError: one of them is no export. Whoever sent it is broken, or not what it should be.
        """
        environments = _Environments(self, self.constants.kernel(header))
        try:
            return _Audit(self, environments, data).findings()
        except RejectedError as error:
            return {"rejected": str(error)}
        except MismatchError as error:
            return {"mismatch": str(error)}
        finally:
            environments.close()

    def add(self, environment: Object, declaration: Object) -> tuple[Object | None, str]:
        """The owned environment with an owned declaration, or None and what the kernel has against it."""
        runtime = self._runtime
        # Without options: `debug.skipKernelTC` is one.
        result = self._add(self.terms.keep(environment), self.terms.keep(runtime.options), declaration, UNIT)
        try:
            if tag(result) == 1:
                return self.terms.keep(field(result, 0)), ""
            reason = self._message(self.terms.keep(field(result, 0)), self.terms.keep(runtime.options))
            text = runtime.message_data_text(reason)
            runtime.lean.drop(reason)
            return None, text
        finally:
            runtime.lean.drop(result)

    def names_in(self, expressions: Sequence[Object]) -> list[tuple[Key, Object]]:
        """The constants in borrowed expressions, with their owned names."""
        return [(tuple(name_parts(name)), name) for name in self.constants.names_in(*expressions)]

    def header_needs(self, header: Object, key: Key, name: Object) -> tuple[tuple[Key, Object], ...] | None:
        """What a constant of the header rests on, or None where it is an axiom; remembered.

        Raises:
            RejectedError: the header has no such constant, so that nothing is known of it.
        """
        known = self._headers.get(header)
        if known is None:
            known = self._headers[self.terms.keep(header)] = {}  # kept: no other environment gets its address
        if key not in known:
            info = self.constants.find(header, name)
            if info is None:
                raise RejectedError(f"{written(key)} is declared nowhere")
            known[key] = self._needs(info)
        return known[key]

    def _needs(self, info: Object) -> tuple[tuple[Key, Object], ...] | None:
        value = field(info, 0)
        kind = tag(info)
        if kind == layout.ConstantInfo.AXIOM:
            return None
        expressions = [field(field(value, 0), layout.ConstantVal.TYPE)]
        names: list[Object] = []
        if kind in (layout.ConstantInfo.DEFINITION, layout.ConstantInfo.THEOREM, layout.ConstantInfo.OPAQUE):
            expressions.append(field(value, 1))
        elif kind == layout.ConstantInfo.INDUCTIVE:
            names += linked_list(field(value, layout.InductiveVal.CONSTRUCTORS))
        own = [(tuple(name_parts(name)), name) for name in names]
        return tuple(dict([*self.names_in(expressions), *own]).items())


class _Comparisons:
    """Declarations that are right exactly if two things are equal."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def renamed(self, expression: Object, constant: Constant, levels: Sequence[Object]) -> Object:
        """A borrowed expression of `constant` with other universe parameters in their places; owned."""
        terms, keep = self._terms, self._terms.keep
        listed = terms.list_of([keep(level) for level in levels])
        return terms.instantiate_levels(keep(expression), keep(constant.level_names), listed)

    def same_type(self, statement: Constant, name: Object, type_: Object) -> Object:
        """An owned declaration that is right if the declared constant `name` has this type; all borrowed, with the
        statement's universe parameters.
        """
        terms, keep = self._terms, self._terms.keep
        constant = terms.const(keep(name), terms.list_of([keep(level) for level in statement.levels]))
        return terms.definition(self._signature(statement, keep(type_)), constant, box(0))

    def same_value(self, statement: Constant, value: Object) -> Object:
        """An owned theorem that is right if the value equals the statement's: what holds of one holds of the other."""
        terms, keep = self._terms, self._terms.keep
        predicate = terms.forall(keep(statement.type), terms.sort(keep(terms.level_zero)))
        holds = terms.app(terms.bvar(box(0)), keep(statement.value))
        holds_too = terms.app(terms.bvar(box(1)), keep(value))
        proof = terms.lambda_(keep(predicate), terms.lambda_(keep(holds), terms.bvar(box(0))))
        type_ = terms.forall(predicate, terms.forall(holds, holds_too))
        return terms.theorem(self._signature(statement, type_), proof)

    def _signature(self, statement: Constant, type_: Object) -> Object:
        terms = self._terms
        return terms.signature(terms.name(_COMPARISON), terms.keep(statement.level_names), type_)


class _Environments:
    """The kernel's environment as it grows in one audit."""

    def __init__(self, audits: Audits, header: Object) -> None:
        self._audits = audits
        self.header = header
        self._owned = [header]

    @property
    def now(self) -> Object:
        return self._owned[-1]

    def close(self) -> None:
        for environment in self._owned:
            self._audits.terms.drop(environment)

    def add(self, constant: Constant) -> None:
        """Raises RejectedError."""
        if constant.declaration is None:
            return
        for name in constant.all_names:
            if name in KERNELS_OWN:
                raise RejectedError(f"{written(name)} has a meaning of the kernel's own, and cannot be given another")
        environment, reason = self._audits.add(self.now, constant.declaration())
        if environment is None:
            raise RejectedError(f"{written(constant.names[0])}: {reason}")
        self._owned.append(environment)

    def accepts(self, declaration: Object) -> bool:
        """Whether the kernel accepts an owned declaration, which is not kept."""
        environment, _ = self._audits.add(self.now, declaration)
        if environment is not None:
            self._audits.terms.drop(environment)
        return environment is not None


class _Audit:
    """One audit, from data to findings."""

    def __init__(self, audits: Audits, environments: _Environments, data: Json) -> None:
        self._audits = audits
        self._comparisons = _Comparisons(audits.terms)
        self._environments = environments
        self._data = data
        self._declared: dict[Key, Constant] = {}
        self._statement: dict[Key, Constant] = {}
        self._goal: Constant | None = None

    def findings(self) -> Json:
        with self._audits.terms.owning() as own:
            if (statement := self._data.get("statement")) is not None:
                self._take_statement(Table(self._audits.terms, statement, own))
            candidate = Table(self._audits.terms, self._data["candidate"], own)
            for constant in candidate.constants:
                self._take(constant)
            return self._theorems(candidate)

    def _take_statement(self, table: Table) -> None:
        for constant in table.constants:
            if constant.kind == GOAL:
                self._goal = constant
                continue
            self._environments.add(constant)
            for name in constant.all_names:
                self._statement[name] = self._declared[name] = constant
        if self._goal is None:
            raise ExportError("a statement without a goal")

    def _take(self, constant: Constant) -> None:
        if constant.kind == GOAL:
            raise ExportError("a goal where its proof should be")
        if (requested := self._statement.get(constant.names[0])) is not None:
            self._compare(constant, requested)
            return
        self._environments.add(constant)
        for name in constant.all_names:
            self._declared[name] = constant

    # Being the same

    def _compare(self, constant: Constant, requested: Constant) -> None:
        """Raises MismatchError unless a candidate's constant is the statement's of that name."""
        name = written(constant.names[0])
        if constant.kind != requested.kind:
            raise MismatchError(f"{name} is {_a(constant.kind)} and {_a(requested.kind)} in the statement")
        if len(constant.levels) != len(requested.levels):
            raise MismatchError(f"{name} has other universe levels than in the statement")
        if constant.kind == INDUCTIVE:
            ours = [key for key, _, _ in requested.members]
            if [key for key, _, _ in constant.members] != ours or constant.parameters != requested.parameters:
                raise MismatchError(f"{name} has other constructors than in the statement")
            pairs = [(declared, type_) for _, declared, type_ in constant.members]
        else:
            pairs = [(constant.name, constant.type)]
        with self._audits.terms.owning() as own:
            for declared, type_ in pairs:
                renamed = own(self._comparisons.renamed(type_, constant, requested.levels))
                if not self._environments.accepts(self._comparisons.same_type(requested, declared, renamed)):
                    raise MismatchError(f"{name} has another type than in the statement")
            if constant.kind in (DEFINITION, OPAQUE):
                renamed = own(self._comparisons.renamed(constant.value, constant, requested.levels))
                if not self._environments.accepts(self._comparisons.same_value(requested, renamed)):
                    raise MismatchError(f"{name} is defined otherwise than in the statement")

    def _compare_goal(self, constant: Constant, goal: Constant) -> None:
        """The goal must be what the declared theorem proves. Raises MismatchError."""
        name = written(goal.names[0])
        if len(constant.levels) != len(goal.levels):
            raise MismatchError(f"{name} has other universe levels than the statement")
        if not self._environments.accepts(self._comparisons.same_type(goal, constant.name, goal.type)):
            raise MismatchError(f"{name} proves something else than the statement")

    # What was found

    def _theorems(self, candidate: Table) -> Json:
        found: list[Json] = []
        wanted: list[tuple[str, int | None]] = [(words, place) for words, place in self._data["theorems"]]
        if self._goal is not None:
            wanted = wanted[:1]
        for words, place in wanted:
            try:
                constant = None if place is None else self._declared.get(candidate.keys[place])
            except (IndexError, TypeError):
                raise ExportError("a theorem at a place where no name is") from None
            if constant is None:
                found.append({"name": words, "kind": ""})
                continue
            if self._goal is not None and constant.kind == THEOREM:
                if constant.names != self._goal.names:  # a private one of that name, say
                    found.append({"name": words, "kind": ""})
                    continue
                self._compare_goal(constant, self._goal)
            found.append({"name": words, "kind": constant.kind, **self._axioms(constant)})
        return {"theorems": found}

    def _axioms(self, root: Constant) -> Json:
        """The axioms that a constant rests on, and which of them the candidate declared itself."""
        with self._audits.terms.owning() as own:
            return self._axioms_found(root, own)

    def _eliminated_by(self, key: Key) -> Constant | None:
        """The inductive block whose recursor has this name: the kernel made it, so that no export says it."""
        *of, last = key
        constant = self._declared.get(tuple(of))
        is_recursor = isinstance(last, str) and _RECURSOR.fullmatch(last) is not None
        return constant if is_recursor and constant is not None and constant.kind == INDUCTIVE else None

    def _axioms_found(self, root: Constant, own_name: Callable[[Object], Object]) -> Json:
        header, audits = self._environments.header, self._audits
        axioms: set[Key] = set()
        own: set[Key] = set()
        seen: set[Key] = set()
        todo: list[tuple[Key, Object]] = [(root.names[0], root.name)]
        while todo:
            key, name = todo.pop()
            if key in seen:
                continue
            seen.add(key)
            constant = self._declared.get(key) or self._eliminated_by(key)
            if constant is None:
                needs = audits.header_needs(header, key, name)
                if needs is None:
                    axioms.add(key)
                else:
                    todo.extend(needs)
                continue
            if constant.kind == AXIOM:
                axioms.add(key)
                if key not in self._statement:
                    own.add(key)
            needed = audits.names_in(constant.expressions)
            todo.extend((key, own_name(name)) for key, name in needed)
        return {"axioms": sorted(map(written, axioms)), "declared": sorted(map(written, own))}


def _a(kind: str) -> str:
    words = {DEFINITION: "a definition", THEOREM: "a theorem", INDUCTIVE: "an inductive type"}
    return words.get(kind, f"an {kind}")
