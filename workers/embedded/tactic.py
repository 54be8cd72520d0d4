"""Making proof states, and running a tactic in one of them without elaborating anything again.

A step puts a state's records into references, calls `evalTactic` on them as Lean itself would, and takes the new ones
out again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workers.embedded import layout
from workers.embedded.abi import UNIT, Object, box, field, is_scalar, linked_list, tag
from workers.embedded.proofstate import ProofState, References
from workers.embedded.runtime import LeanException, Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.embedded.infotree import InfoTrees, Place
    from workers.embedded.message import Json, Messages

_INPUT = "<input>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A tactic's new state and what it said and left open on the way."""

    state: ProofState
    messages: list[Json]
    traces: list[str]
    tree_context: Object
    """A partial context for `trees`: how things stood before the tactic; owned."""
    trees: list[Object]
    """New info trees, owned."""


class Tactics:
    """Makes proof states and runs tactics in them."""

    def __init__(self, runtime: Runtime, trees: InfoTrees, messages: Messages) -> None:
        self._runtime = runtime
        self._trees = trees
        self._messages = messages
        lean = runtime.lean
        self._run_meta = lean.function("l_Lean_Elab_ContextInfo_runMetaM___redArg", 4)
        self._with_local_instances = lean.function("l_Lean_Meta_withLocalInstancesImp___redArg", 6)
        self._new_goal = lean.function("l_Lean_Meta_mkFreshExprMVar", 7)
        self._parse = lean.function("l_Lean_Parser_runParserCategory", 4)
        self._evaluate = lean.function("l_Lean_Elab_Tactic_evalTactic", 9)
        self._synthesize = lean.function("l_Lean_Elab_Term_synthesizeSyntheticMVarsNoPostponing", 7)
        self._print_goal = lean.function("l_Lean_Meta_ppGoal", 5)
        self._print_tactic = lean.function("l_Lean_PrettyPrinter_ppTactic", 3)
        self._mark_reported = lean.function("l_Lean_MessageLog_markAllReported", 1)
        self._child_names = lean.function("l_Lean_NameGenerator_mkChild", 1)
        self._tactic_category = lean.name("tactic")
        self._tactic_context = lean.ctor(0, UNIT, scalars=b"\1")  # no elaborator yet; error recovery on
        self.term_context = runtime.term_context
        self.term_state = lean.constant("l_Lean_Elab_Term_instInhabitedState_default")

    # Making states

    def of_goals(
        self, context: Object, metavariables: Object, goals: Object, root_goals: Object | None = None
    ) -> ProofState:
        """A state at these goals (a borrowed list) of a borrowed metavariable context, in a borrowed `ContextInfo`.

        Its new names branch off from the context's, so that they cannot meet names of the rest of the command.
        """
        lean = self._runtime.lean
        command = field(context, layout.ContextInfo.COMMAND)
        children = self._child_names(lean.keep(field(command, layout.CommandContextInfo.NAME_GENERATOR)))
        changed = lean.with_fields(
            command,
            {
                layout.CommandContextInfo.METAVARIABLES: lean.keep(metavariables),
                layout.CommandContextInfo.NAME_GENERATOR: lean.keep(field(children, 0)),
            },
        )
        lean.drop(children)
        local_context = self._runtime.no_local_context
        declaration = None
        for goal in linked_list(goals):
            declaration = self._runtime.find_declaration(metavariables, goal)
            break
        if declaration is not None:
            local_context = field(declaration, layout.MetavariableDeclaration.LOCAL_CONTEXT)
        state = self._capture(
            lean.with_fields(context, {layout.ContextInfo.COMMAND: changed}), lean.keep(local_context)
        )
        if declaration is not None:
            lean.drop(declaration)
        return replace(state, goals=lean.keep(goals), root_goals=lean.keep(goals if root_goals is None else root_goals))

    def of_type(
        self, context: Object, local_context: Object, goal_type: Object, root_goals: Object | None = None
    ) -> ProofState:
        """A state whose one goal is a new metavariable of this type; everything borrowed."""
        runtime, lean = self._runtime, self._runtime.lean
        declarations = [
            lean.keep(field(maybe, 0))
            for maybe in runtime.elements(field(local_context, layout.LocalContext.DECLARATIONS))
            if not is_scalar(maybe)
        ]
        state = self._capture(lean.keep(context), lean.keep(local_context), lean.cons(*declarations))
        references = References(runtime, state)
        goal = runtime.eio(
            self._new_goal(lean.some(lean.keep(goal_type)), box(0), UNIT, *references.meta_arguments(), UNIT)
        )
        core_state, meta_state = references.close()
        goals = lean.cons(lean.keep(field(goal, 0)))
        lean.drop(goal)
        return replace(
            state,
            core_state=core_state,
            meta_state=meta_state,
            goals=goals,
            root_goals=lean.keep(goals if root_goals is None else root_goals),
        )

    def _capture(self, context: Object, local_context: Object, declarations: Object | None = None) -> ProofState:
        """The records of a `MetaM` action in an owned `ContextInfo` and local context, without goals yet; with
        `declarations` (an owned list), also their local instances.
        """
        runtime, lean = self._runtime, self._runtime.lean
        seen: list[Object] = []

        def look(meta_context: Object, meta: Object, core_context: Object, core: Object, _world: Object) -> Object:
            if declarations is not None and not seen:
                seen.append(UNIT)
                arguments = (meta_context, meta, core_context, core, UNIT)
                return self._with_local_instances(declarations, runtime.meta_action.object, *arguments)
            seen[:] = [meta_context, runtime.dereference(meta), core_context, runtime.dereference(core)]
            return lean.ctor(0, UNIT)

        run = runtime.meta_action.run
        runtime.eio(run(look, lambda action: self._run_meta(context, local_context, action, UNIT, UNIT)))
        meta_context, meta_state, core_context, core_state = seen
        return ProofState(
            core_context=core_context,
            core_state=core_state,
            meta_context=meta_context,
            meta_state=meta_state,
            term_state=lean.keep(self.term_state),
            goals=UNIT,
            root_goals=UNIT,
        )

    def of_sorry(self, sorry: Place, context: Object, root_goals: Object | None = None) -> ProofState:
        """The state at a sorry; it is borrowed, and so is its `ContextInfo`."""
        if sorry.is_tactic:
            lean = self._runtime.lean
            with lean.owning() as own:
                first = field(field(sorry.info, layout.TacticInfo.GOALS_BEFORE), 0)
                before = field(sorry.info, layout.TacticInfo.METAVARIABLES_BEFORE)
                return self.of_goals(context, before, own(lean.cons(lean.keep(first))), root_goals)
        return self.of_type(
            context,
            field(sorry.info, layout.TermInfo.LOCAL_CONTEXT),
            field(field(sorry.info, layout.TermInfo.EXPECTED_TYPE), 0),
            root_goals,
        )

    def share(self, state: ProofState) -> ProofState:
        """A second owner of the same records, which is released on its own."""
        return ProofState.of_objects(list(map(self._runtime.lean.keep, state.objects())), state.messages)

    def release(self, state: ProofState) -> None:
        """Give a state's records back; it must not be used again."""
        for o in state.objects():
            self._runtime.lean.drop(o)

    # Looking at states

    def goals(self, state: ProofState) -> list[str]:
        """The goals as Lean prints them. Raises LeanException."""
        if is_scalar(state.goals):
            return []
        runtime = self._runtime
        references = References(runtime, state)
        try:
            return [
                runtime.format_text(
                    runtime.eio(self._print_goal(runtime.lean.keep(goal), *references.meta_arguments(), UNIT))
                )
                for goal in linked_list(state.goals)
            ]
        finally:
            references.drop()

    def print_tactic(self, syntax: Object, context: Object) -> str:
        """A tactic's borrowed syntax as Lean lays it out, in a borrowed `ContextInfo`."""
        keep = self._runtime.lean.keep
        try:
            return self.print_in(
                context, self._runtime.no_local_context, lambda meta: self._print_tactic(keep(syntax), *meta[2:])
            )
        except LeanException:
            return "<failed to pretty print>"

    def print_in(self, context: Object, local_context: Object, print_: Callable[[tuple[Object, ...]], Object]) -> str:
        """The text of the `Format` that `print_` makes of a MetaM action's arguments, in a borrowed `ContextInfo`.

        Raises LeanException.
        """
        lean = self._runtime.lean
        state = self._capture(lean.keep(context), lean.keep(local_context))
        references = References(self._runtime, state)
        try:
            return self._runtime.format_text(self._runtime.eio(print_((*references.meta_arguments(), UNIT))))
        finally:
            references.drop()
            self.release(state)

    # Running tactics

    def parse(self, state: ProofState, code: str) -> Object:
        """The owned syntax of a tactic. Raises LeanException with the parser's message."""
        lean = self._runtime.lean
        environment = field(state.core_state, layout.CoreState.ENV)
        parsed = self._parse(
            lean.keep(environment), lean.keep(self._tactic_category), lean.string(code), lean.string(_INPUT)
        )
        value = lean.keep(field(parsed, 0))
        failed = tag(parsed) == 0
        lean.drop(parsed)
        if failed:
            raise LeanException(self._runtime.string(value))
        return value

    def run(self, state: ProofState, code: str) -> Outcome:
        """Run a tactic, or several on lines of their own or between semicolons. Raises LeanException."""
        return self._evaluate_syntax(state, self._parse_block(state, code))

    def _parse_block(self, state: ProofState, code: str) -> Object:
        """The owned syntax of one tactic or several.

        The parser of a single tactic takes a second line for arguments (`intro h` and `exact h` would name three
        hypotheses), so lines are first parsed as the block between parentheses that they would be in a file.
        """
        block = f"(\n{code}\n)"
        if "\n" in code.strip():
            try:
                return self.parse(state, block)
            except LeanException:
                return self.parse(state, code)
        try:
            return self.parse(state, code)
        except LeanException:
            if ";" not in code:
                raise
            return self.parse(state, block)

    def _evaluate_syntax(self, state: ProofState, syntax: Object) -> Outcome:
        runtime, lean = self._runtime, self._runtime.lean
        keep = lean.keep
        references = References(runtime, state)
        term = runtime.new_reference(keep(state.term_state))
        goals = runtime.new_reference(keep(state.goals))
        try:
            term_arguments = keep(self.term_context), keep(term)
            arguments = (*term_arguments, *references.meta_arguments())
            runtime.eio(self._evaluate(syntax, keep(self._tactic_context), keep(goals), *arguments, UNIT))
            arguments = (keep(self.term_context), keep(term), *references.meta_arguments())
            runtime.eio(self._synthesize(box(0), *arguments, UNIT))
        except LeanException:
            references.drop()
            lean.drop(term)
            lean.drop(goals)
            raise
        core_state, meta_state = references.close()
        messages = self._messages.of_log(field(core_state, layout.CoreState.MESSAGES))
        traces = self._traces(field(core_state, layout.CoreState.TRACE_STATE))
        info = field(core_state, layout.CoreState.INFO_STATE)
        assignment = field(info, layout.InfoState.ASSIGNMENT)
        new_trees = [
            self._trees.substitute(tree, assignment) for tree in runtime.elements(field(info, layout.InfoState.TREES))
        ]
        core_state = runtime.with_fields(core_state, self._told(core_state))
        new = ProofState(
            core_context=keep(state.core_context),
            core_state=core_state,
            meta_context=keep(state.meta_context),
            meta_state=meta_state,
            term_state=runtime.dereference(term),
            goals=runtime.dereference(goals),
            root_goals=keep(state.root_goals),
            messages=(*state.messages, *messages),
        )
        return Outcome(
            state=new,
            messages=messages,
            traces=traces,
            tree_context=self._partial_context(state),
            trees=new_trees,
        )

    def _told(self, core_state: Object) -> dict[int, Object]:
        """Changes that forget what was reported already: messages (but not that there were errors), traces, trees."""
        runtime, keep = self._runtime, self._runtime.lean.keep
        return {
            layout.CoreState.MESSAGES: self._mark_reported(keep(field(core_state, layout.CoreState.MESSAGES))),
            layout.CoreState.TRACE_STATE: keep(runtime.no_traces),
            layout.CoreState.INFO_STATE: keep(runtime.recording_info),
            layout.CoreState.SNAPSHOT_TASKS: keep(runtime.empty_array),
        }

    def _traces(self, trace_state: Object) -> list[str]:
        traces = self._runtime.elements(field(trace_state, 0))
        return [self._runtime.message_data_text(field(trace, 1)).strip() for trace in traces]

    def _partial_context(self, state: ProofState) -> Object:
        """`PartialContextInfo.commandCtx` of how things are in a state; owned."""
        keep = self._runtime.lean.keep
        core, settings = state.core_state, field(state.core_context, layout.CoreContext.SETTINGS)
        command = self._runtime.lean.ctor(
            0,
            keep(field(core, layout.CoreState.ENV)),
            UNIT,
            keep(field(settings, layout.CoreSettings.FILE_MAP)),
            keep(field(state.meta_state, layout.MetaState.METAVARIABLES)),
            keep(field(settings, layout.CoreSettings.OPTIONS)),
            keep(field(settings, layout.CoreSettings.NAMESPACE)),
            keep(field(settings, layout.CoreSettings.OPEN_DECLS)),
            keep(field(core, layout.CoreState.NAME_GENERATOR)),
        )
        return self._runtime.lean.ctor(0, command)
