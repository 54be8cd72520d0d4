"""Walking Lean's info trees: where the tactics and the sorries of a command are, and in which context."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workers.embedded import layout
from workers.embedded.abi import UNIT, Object, field, is_scalar, name_parts, tag
from workers.embedded.runtime import Runtime, name_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRUCTURING = frozenset(
    {
        "null",
        "Lean.cdot",
        "Lean.cdotTk",
        "Lean.Parser.Term.byTactic",
        "Lean.Parser.Tactic.tacticSeq",
        "Lean.Parser.Tactic.tacticSeq1Indented",
        "Lean.Parser.Tactic.tactic_<;>_",
        "Lean.Parser.Tactic.paren",
    }
)
"""Kinds of syntax that only combine tactics; the REPL calls all others substantive."""

Path = tuple[Object, ...]
"""The partial contexts from the root of a tree down to a node, borrowed."""


class Node(NamedTuple):
    """An info with the path to it."""

    kind: int
    info: Object
    path: Path


class Place(NamedTuple):
    """A tactic or a term in a tree; borrowed from it."""

    path: Path
    info: Object
    """Its `TacticInfo` or `TermInfo`."""
    is_tactic: bool

    @property
    def syntax(self) -> Object:
        return field(field(self.info, 0), layout.ElabInfo.SYNTAX)


def syntax_kind(syntax: Object) -> str:
    """The kind of a syntax node, `""` for other syntax."""
    return ".".join(map(str, name_parts(field(syntax, 1)))) if tag(syntax) == 1 else ""


class InfoTrees:
    """Finds things in info trees in the order in which the community REPL reports them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        lean = self._lean = runtime.lean
        self._merge = lean.function("l_Lean_Elab_PartialContextInfo_mergeIntoOuter_x3f", 2)
        self._substitute = lean.function("l_Lean_Elab_InfoTree_substitute", 2)
        self._head_info = lean.function("l_Lean_Syntax_getHeadInfo", 1)
        self._position = lean.function("l_Lean_Syntax_getPos_x3f", 2)
        self._end_position = lean.function("l_Lean_Syntax_getTailPos_x3f", 2)
        self._to_position = lean.function("l_Lean_FileMap_toPosition", 2)
        self._sorry_tactic = name_hash(lean.name("Lean", "Parser", "Tactic", "tacticSorry"))
        self._sorry_term = name_hash(lean.name("Lean", "Parser", "Term", "sorry"))

    def substitute(self, tree: Object, assignment: Object) -> Object:
        """The borrowed tree with its holes filled from the borrowed assignment; owned."""
        return self._substitute(self._lean.keep(tree), self._lean.keep(assignment))

    def context(self, path: Path) -> Object | None:
        """The owned `ContextInfo` at the end of a path; None if nothing gives one."""
        lean = self._lean
        merged: Object = UNIT
        for partial in path:
            merged = self._merge(lean.keep(partial), merged)
        if is_scalar(merged):
            return None
        context = lean.keep(field(merged, 0))
        lean.drop(merged)
        return context

    def nodes(self, tree: Object, path: Path = ()) -> Iterator[Node]:
        """All infos of a tree, parents before children, in order."""
        elements = self._runtime.elements
        stack: list[tuple[Object, Path]] = [(tree, path)]
        while stack:
            tree, path = stack.pop()
            constructor = tag(tree)
            while constructor == layout.InfoTree.CONTEXT:
                path = (*path, field(tree, 0))
                tree = field(tree, 1)
                constructor = tag(tree)
            if constructor == layout.InfoTree.NODE:
                info = field(tree, 0)
                yield Node(tag(info), field(info, 0), path)
                children = elements(field(tree, 1))
                stack.extend((child, path) for child in reversed(children))

    def sorries(self, tree: Object) -> list[Place]:
        """The explicit sorries: tactics first and then terms, as the REPL does."""
        elements = self._runtime.elements
        tactics: list[Place] = []
        terms: list[Place] = []
        stack: list[tuple[Object, Path]] = [(tree, ())]
        while stack:
            tree, path = stack.pop()
            while tag(tree) == layout.InfoTree.CONTEXT:
                path = (*path, field(tree, 0))
                tree = field(tree, 1)
            if tag(tree) != layout.InfoTree.NODE:
                continue
            info = field(tree, 0)
            kind = tag(info)
            if kind <= layout.Info.TERM:  # a tactic or a term
                body = field(info, 0)
                syntax = field(field(body, 0), layout.ElabInfo.SYNTAX)
                if tag(syntax) == 1:
                    syntax_hash = name_hash(field(syntax, 1))
                    if kind == layout.Info.TERM and syntax_hash == self._sorry_term:
                        if not is_scalar(field(body, layout.TermInfo.EXPECTED_TYPE)):
                            terms.append(Place(path, body, is_tactic=False))
                    elif kind == layout.Info.TACTIC and syntax_hash == self._sorry_tactic:
                        if not is_scalar(field(body, layout.TacticInfo.GOALS_BEFORE)):
                            tactics.append(Place(path, body, is_tactic=True))
                        continue  # what it expands to holds a sorry term, which is not another one
            children = elements(field(tree, 1))
            stack.extend([(child, path) for child in reversed(children)])
        return tactics + terms

    def steps(self, tree: Object) -> list[Place]:
        """The substantive tactics that stand in the text themselves."""
        found = []
        for kind, info, path in self.nodes(tree):
            if kind == layout.Info.TACTIC:
                place = Place(path, info, is_tactic=True)
                if self.is_original(place.syntax) and self.is_substantive(place.syntax):
                    found.append(place)
        return found

    def root_tactics(self, tree: Object) -> list[Place]:
        """The outermost tactic of each proof."""
        found: list[Place] = []
        stack: list[tuple[Object, Path]] = [(tree, ())]
        while stack:
            tree, path = stack.pop()
            while tag(tree) == layout.InfoTree.CONTEXT:
                path = (*path, field(tree, 0))
                tree = field(tree, 1)
            if tag(tree) != layout.InfoTree.NODE:
                continue
            info = field(tree, 0)
            if tag(info) == layout.Info.TACTIC:
                found.append(Place(path, field(info, 0), is_tactic=True))
                continue
            stack.extend([(child, path) for child in reversed(self._runtime.elements(field(tree, 1)))])
        return found

    # Syntax

    def is_original(self, syntax: Object) -> bool:
        """Whether it stands in the text itself, and does not come from a macro."""
        head = self._head_info(self._lean.keep(syntax))
        original = not is_scalar(head) and tag(head) == 0
        self._lean.drop(head)
        return original

    def is_substantive(self, syntax: Object) -> bool:
        return tag(syntax) == 1 and syntax_kind(syntax) not in _STRUCTURING

    def range(self, syntax: Object, file_map: Object) -> tuple[Object, Object]:
        """The owned `Position`s where the syntax begins and ends; 0 where it has none."""
        lean = self._lean
        start = self._offset(self._position(lean.keep(syntax), UNIT), UNIT)
        end = self._offset(self._end_position(lean.keep(syntax), UNIT), start)
        return (
            self._to_position(lean.keep(file_map), start),
            self._to_position(lean.keep(file_map), end),
        )

    def _offset(self, maybe: Object, otherwise: Object) -> Object:
        return otherwise if is_scalar(maybe) else field(maybe, 0)
