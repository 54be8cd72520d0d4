"""Info trees as JSON, for the request option `infotree`.

The shapes are the community REPL's: every node has `kind`, `node` and `children`; terms, commands and tactics have a
`node` with details, the others null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers.embedded import layout
from workers.embedded.abi import UNIT, Object, array, field, fields, is_scalar, scalar_byte, tag
from workers.embedded.message import Json, position

if TYPE_CHECKING:
    from workers.embedded.infotree import InfoTrees, Path
    from workers.embedded.runtime import Runtime
    from workers.embedded.tactic import Tactics

KINDS = ("full", "tactics", "original", "substantive")
"""What can be asked for; anything else is as good as nothing, as in the community REPL."""

_UNPRINTABLE = "failed to pretty print term (use 'set_option pp.rawOnError true' for raw representation)"
_IS_BINDER_BYTE = 0


class TreeJson:
    """Turns info trees into JSON. Raises LeanException where Lean fails to print something."""

    def __init__(self, runtime: Runtime, trees: InfoTrees, tactics: Tactics) -> None:
        self._runtime = runtime
        self._trees = trees
        self._tactics = tactics
        lean = runtime.lean
        self._print_syntax = lean.function("l_Lean_Elab_ContextInfo_ppSyntax", 3)
        self._print_expression = lean.function("l_Lean_Meta_ppExpr", 5)
        self._kind = lean.function("l_Lean_Syntax_getKind", 1)

    def of_tree(self, tree: Object, detail: str) -> list[Json]:
        """The borrowed tree with only what `detail` (one of KINDS) asks for."""
        return self._forest(tree, (), detail)

    def _forest(self, tree: Object, path: Path, detail: str) -> list[Json]:
        while tag(tree) == layout.InfoTree.CONTEXT:
            path, tree = (*path, field(tree, 0)), field(tree, 1)
        if tag(tree) == layout.InfoTree.HOLE:
            return [self._hole(field(tree, 0), path)] if detail == "full" else []
        info = field(tree, 0)
        children = [
            node for child in self._runtime.elements(field(tree, 1)) for node in self._forest(child, path, detail)
        ]
        if not self._wanted(info, detail):
            return children
        return [{"kind": layout.Info.NAMES[tag(info)], "node": self._node(info, path), "children": children}]

    def _wanted(self, info: Object, detail: str) -> bool:
        if detail == "full":
            return True
        if tag(info) != layout.Info.TACTIC:
            return False
        syntax = field(field(field(info, 0), 0), layout.ElabInfo.SYNTAX)
        if detail == "original":
            return self._trees.is_original(syntax)
        return detail == "tactics" or self._trees.is_substantive(syntax)

    def _hole(self, goal: Object, path: Path) -> Json:
        lean = self._runtime.lean
        context = self._trees.context(path)
        if context is None:
            return {"goalState": ""}
        metavariables = field(field(context, layout.ContextInfo.COMMAND), layout.CommandContextInfo.METAVARIABLES)
        with lean.owning() as own:
            goals = self._goals(own(context), metavariables, own(lean.cons(lean.keep(goal))))
        return {"goalState": goals[0]}

    def _goals(self, context: Object, metavariables: Object, goals: Object) -> list[str]:
        """Goals (a list of them) of a metavariable context as text; everything borrowed."""
        if is_scalar(goals):
            return []
        state = self._tactics.of_goals(context, metavariables, goals)
        try:
            return self._tactics.goals(state)
        finally:
            self._tactics.release(state)

    def _node(self, info: Object, path: Path) -> Json | None:
        kind, body = tag(info), field(info, 0)
        if kind not in (layout.Info.TACTIC, layout.Info.TERM, layout.Info.COMMAND):
            return None
        context = self._trees.context(path)
        if context is None:
            return None
        try:
            if kind == layout.Info.TACTIC:
                return self._tactic(body, context)
            if kind == layout.Info.TERM:
                return self._term(body, context)
            return {
                "elaborator": self._elaborator(body),
                "stx": self._syntax(field(body, layout.ElabInfo.SYNTAX), context, self._runtime.no_local_context),
            }
        finally:
            self._runtime.lean.drop(context)

    def _tactic(self, info: Object, context: Object) -> Json:
        syntax = field(field(info, 0), layout.ElabInfo.SYNTAX)
        stx = self._syntax_shape(syntax, context)
        stx["pp"] = self._tactics.print_tactic(syntax, context)

        return {
            "name": self._runtime.name_text(field(syntax, 1)) if tag(syntax) == 1 else None,
            "stx": stx,
            "goalsBefore": self._goals(context, *fields(info)[layout.TacticInfo.METAVARIABLES_BEFORE :][:2]),
            "goalsAfter": self._goals(context, *fields(info)[layout.TacticInfo.METAVARIABLES_AFTER :][:2]),
        }

    def _term(self, info: Object, context: Object) -> Json:
        local_context = field(info, layout.TermInfo.LOCAL_CONTEXT)
        elab = field(info, layout.TermInfo.ELAB)
        node: Json = {
            "elaborator": self._elaborator(elab),
            "stx": self._syntax(field(elab, layout.ElabInfo.SYNTAX), context, local_context),
            "expr": self._expression(field(info, layout.TermInfo.EXPR), context, local_context),
            "isBinder": bool(scalar_byte(info, _IS_BINDER_BYTE)),
        }
        expected = field(info, layout.TermInfo.EXPECTED_TYPE)
        if not is_scalar(expected):
            node["expectedType"] = self._expression(field(expected, 0), context, local_context)
        return node

    def _elaborator(self, elab: Object) -> str | None:
        name = field(elab, layout.ElabInfo.ELABORATOR)
        return None if is_scalar(name) else self._runtime.name_text(name)

    def _expression(self, expression: Object, context: Object, local_context: Object) -> str:
        return self._tactics.print_in(
            context,
            local_context,
            lambda arguments: self._print_expression(self._runtime.lean.keep(expression), *arguments),
        )

    def _syntax(self, syntax: Object, context: Object, local_context: Object) -> Json:
        lean = self._runtime.lean
        printed = self._runtime.format_text(
            self._print_syntax(lean.keep(context), lean.keep(local_context), lean.keep(syntax), UNIT)
        )
        shape = self._syntax_shape(syntax, context)
        shape["pp"] = None if printed == _UNPRINTABLE else printed
        return shape

    def _syntax_shape(self, syntax: Object, context: Object) -> dict[str, Any]:
        lean = self._runtime.lean
        file_map = field(field(context, layout.ContextInfo.COMMAND), layout.CommandContextInfo.FILE_MAP)
        start, end = self._trees.range(syntax, file_map)
        shape = {
            "range": {
                "synthetic": not self._trees.is_original(syntax),
                "start": position(start),
                "finish": position(end),
            },
            "kind": self._kind_text(syntax),
            "argKinds": [self._kind_text(part) for part in array(field(syntax, 2))] if tag(syntax) == 1 else [],
        }
        lean.drop(start)
        lean.drop(end)
        return shape

    def _kind_text(self, syntax: Object) -> str:
        kind = self._kind(self._runtime.lean.keep(syntax))
        text = self._runtime.name_text(kind)
        self._runtime.lean.drop(kind)
        return text
