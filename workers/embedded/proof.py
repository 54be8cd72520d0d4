"""Whether the proof that led to a state is a proof: the term behind it is given to Lean's kernel.

The verdict is the community REPL's `proofStatus`. It speaks about one sorry's term alone: whoever accepts proofs must
elaborate the whole theorem again in a fresh environment.
"""

from __future__ import annotations

from workers.embedded import layout
from workers.embedded.abi import UNIT, Object, array, box, field, is_scalar, linked_list, tag, unbox
from workers.embedded.proofstate import ProofState, References
from workers.embedded.runtime import Runtime, name_hash

COMPLETED = "Completed"
OPEN_GOALS = "Incomplete: open goals remain"
SORRY = "Incomplete: contains sorry"

_DEFINITION, _SAFE, _OPAQUE_HINTS = 1, b"\1", UNIT


class Proofs:
    """Judges proof states."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        lean = runtime.lean
        self._assignment = lean.function("l_Lean_MetavarContext_getExprAssignmentCore_x3f", 2)
        self._instantiate = lean.raw("lean_instantiate_expr_mvars", 2)
        self._infer_type = lean.function("l_Lean_Meta_inferType", 5)
        self._is_equal = lean.function("l_Lean_Meta_isDefEq", 6)
        self._lambda = lean.function("l_Lean_Meta_mkLambdaFVars", 11)
        self._variables_in = lean.raw("l_Lean_collectFVars", 2)
        self._levels_in = lean.raw("l_Lean_collectLevelParams", 2)
        self._no_variables = lean.constant("l_Lean_CollectFVars_instInhabitedState_default")
        self._no_levels = lean.constant("l_Lean_CollectLevelParams_instInhabitedState")
        self._variable = lean.raw("l_Lean_Expr_fvar___override", 1)
        self._has_variable = lean.function("l_Lean_Expr_hasFVar", 1)
        self._has_metavariable = lean.function("l_Lean_Expr_hasExprMVar", 1)
        self._has_level_metavariable = lean.function("l_Lean_Expr_hasLevelMVar", 1)
        self._has_sorry = lean.function("l_Lean_Expr_hasSorry", 1)
        self._print = lean.function("l_Lean_Expr_dbgToString", 1)
        self._levels_to_parameters = lean.function("l_Lean_Elab_Term_levelMVarToParam", 8)
        self._kernel_environment = lean.raw("lean_elab_environment_to_kernel_env", 1)
        self._add_declaration = lean.function("l_Lean_Kernel_Environment_addDecl", 4)
        self._kernel_message = lean.function("l_Lean_Kernel_Exception_toMessageData", 2)

    def status(self, state: ProofState) -> str:
        """The proof status of a state."""
        if not is_scalar(state.goals):
            return OPEN_GOALS
        roots = list(linked_list(state.root_goals))
        if len(roots) != 1:
            return "Not verified: more than one initial goal"
        references = References(self._runtime, state)
        try:
            return self._check(state, roots[0], references)
        finally:
            references.drop()

    def _check(self, state: ProofState, goal: Object, references: References) -> str:
        runtime, lean = self._runtime, self._runtime.lean
        keep = lean.keep
        with lean.owning() as own:
            metavariables = own(references.metavariables())
            declaration = runtime.find_declaration(metavariables, goal)
            assigned = own(self._assignment(keep(metavariables), keep(goal)))
            if declaration is None or is_scalar(assigned):
                return "Error: Goal not assigned"
            own(declaration)
            local_context = field(declaration, layout.MetavariableDeclaration.LOCAL_CONTEXT)
            references.enter(local_context, field(declaration, layout.MetavariableDeclaration.LOCAL_INSTANCES))
            proof = own(self._instantiated(field(assigned, 0), references))
            goal_type = own(self._instantiated(field(declaration, layout.MetavariableDeclaration.TYPE), references))
            proved = own(self._type(proof, references))
            arguments = references.meta_arguments()
            if not unbox(runtime.eio(self._is_equal(keep(proved), keep(goal_type), *arguments, UNIT))):
                return f"Error: proof has type {self._text(proved)} but root goal has type {self._text(goal_type)}"
            proof = own(self._closed(proof, local_context, references))
            if unbox(self._has_level_metavariable(keep(proof))):
                proof = own(self._with_level_parameters(proof, state, references))
            if unbox(self._has_metavariable(keep(proof))):
                return "Incomplete: contains metavariable(s)"
            error = self._kernel_error(proof, own(self._type(proof, references)), state)
            if error is not None:
                return f"Error: kernel type check failed: {error}"
            return SORRY if unbox(self._has_sorry(keep(proof))) else COMPLETED

    def _text(self, expression: Object) -> str:
        return self._runtime.string(self._print(self._runtime.lean.keep(expression)))

    def _instantiated(self, expression: Object, references: References) -> Object:
        """A borrowed expression with its assigned metavariables replaced; owned."""
        lean = self._runtime.lean
        pair = self._instantiate(references.metavariables(), lean.keep(expression))
        result = lean.keep(field(pair, 1))
        lean.drop(pair)
        return result

    def _type(self, expression: Object, references: References) -> Object:
        """The owned type of a borrowed expression. Raises LeanException."""
        runtime, lean = self._runtime, self._runtime.lean
        with lean.owning() as own:
            inferred = self._infer_type(lean.keep(expression), *references.meta_arguments(), UNIT)
            return self._instantiated(own(runtime.eio(inferred)), references)

    def _closed(self, proof: Object, local_context: Object, references: References) -> Object:
        """The borrowed proof abstracted over the hypotheses that it uses, as often as their types bring new ones;
        owned. Raises LeanException.
        """
        runtime, lean = self._runtime, self._runtime.lean
        lean.keep(proof)
        while unbox(self._has_variable(lean.keep(proof))):
            variables = self._hypotheses_in(proof, local_context)
            if not variables:
                break
            with lean.owning() as own:
                abstracted = self._lambda(
                    runtime.array_of_list(lean.cons(*variables)),
                    proof,
                    box(0),  # usedOnly
                    box(1),  # usedLetOnly
                    box(0),  # etaReduce
                    box(1),  # generalizeNondepLet
                    box(1),  # binderInfoForMVars: implicit
                    *references.meta_arguments(),
                    UNIT,
                )
                proof = self._instantiated(own(runtime.eio(abstracted)), references)
        return proof

    def _hypotheses_in(self, proof: Object, local_context: Object) -> list[Object]:
        """The owned variables of a local context that a borrowed proof mentions, in order."""
        runtime, lean = self._runtime, self._runtime.lean
        found = self._variables_in(lean.keep(self._no_variables), lean.keep(proof))
        used = {name_hash(variable) for variable in array(field(found, 2))}
        lean.drop(found)
        variables = []
        for maybe in runtime.elements(field(local_context, layout.LocalContext.DECLARATIONS)):
            if is_scalar(maybe):
                continue
            hypothesis = field(maybe, 0)
            if not layout.is_implementation_detail(hypothesis) and name_hash(field(hypothesis, 1)) in used:
                variables.append(self._variable(lean.keep(field(hypothesis, 1))))
        return variables

    def _with_level_parameters(self, proof: Object, state: ProofState, references: References) -> Object:
        """The borrowed proof with its open universe levels made parameters, as at a declaration's end; owned."""
        runtime, keep = self._runtime, self._runtime.lean.keep
        term = runtime.new_reference(keep(state.term_state))
        arguments = (keep(runtime.term_context), term, *references.meta_arguments())
        return runtime.eio(self._levels_to_parameters(keep(proof), runtime.never.object, *arguments, UNIT))

    def _kernel_error(self, proof: Object, proved: Object, state: ProofState) -> str | None:
        """What the kernel has against this definition, if anything; both borrowed."""
        runtime, lean = self._runtime, self._runtime.lean
        keep = lean.keep
        levels = self._levels_in(self._levels_in(keep(self._no_levels), keep(proved)), keep(proof))
        parameters = lean.cons(*(keep(level) for level in array(field(levels, 2))))
        lean.drop(levels)
        constant = lean.ctor(0, UNIT, parameters, keep(proved))
        definition = lean.ctor(0, constant, keep(proof), _OPAQUE_HINTS, lean.cons(UNIT), scalars=_SAFE)
        environment = self._kernel_environment(keep(field(state.core_state, layout.CoreState.ENV)))
        options = field(field(state.core_context, layout.CoreContext.SETTINGS), layout.CoreSettings.OPTIONS)
        result = self._add_declaration(environment, keep(options), lean.ctor(_DEFINITION, definition), UNIT)
        try:
            if tag(result) == 1:
                return None
            return runtime.message_data_text(self._kernel_message(keep(field(result, 0)), keep(options)))
        finally:
            lean.drop(result)
