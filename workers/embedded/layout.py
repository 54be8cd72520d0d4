"""Where the fields of Lean's own records lie, written down once.

Each class names the *object* fields of one Lean structure in their order in memory, which is their order of
declaration without scalar fields (`Bool`, enumerations, `UInt64`, `USize` lie behind the objects). A structure with a
single field is that field itself (`Tactic.State` is its list of goals, `MVarId` its name). They are the records of
Lean 4.35.0 and of no other build: `Runtime` compares `FIELDS` with a real object of each kind at every start and
refuses to go on when they differ, since a wrong offset would fail silently.
"""

from __future__ import annotations

from workers.embedded.abi import Object, scalar_byte


class Record:
    """A Lean structure: `FIELDS` object fields, and the index of each that is used here."""

    FIELDS: int


class CommandState(Record):
    """`Lean.Elab.Command.State` (Lean/Elab/Command.lean)."""

    FIELDS = 13
    ENV, MESSAGES, SCOPES = 0, 1, 2
    INFO_STATE, TRACE_STATE, SNAPSHOT_TASKS = 8, 9, 10


class FrontendState(Record):
    """`Lean.Elab.Frontend.State` (Lean/Elab/Frontend.lean)."""

    FIELDS = 4
    COMMAND_STATE = 0


class CoreContext(Record):
    """`Lean.Core.Context` (Lean/CoreM.lean): what changes often lies outside, the rest in field 0."""

    FIELDS = 3
    SETTINGS = 0


class CoreSettings(Record):
    """The part of `Lean.Core.Context` that seldom changes."""

    FIELDS = 12
    FILE_MAP, OPTIONS, NAMESPACE, OPEN_DECLS, INIT_HEARTBEATS = 1, 2, 4, 5, 6


class CoreState(Record):
    """`Lean.Core.State` (Lean/CoreM.lean)."""

    FIELDS = 9
    ENV, NAME_GENERATOR = 0, 2
    TRACE_STATE, CACHE, MESSAGES, INFO_STATE, SNAPSHOT_TASKS = 4, 5, 6, 7, 8


class MetaContext(Record):
    """`Lean.Meta.Context` (Lean/Meta/Basic.lean)."""

    FIELDS = 7
    LOCAL_CONTEXT, LOCAL_INSTANCES = 2, 3


class MetaState(Record):
    """`Lean.Meta.State` (Lean/Meta/Basic.lean)."""

    FIELDS = 5
    METAVARIABLES, CACHE = 0, 1


class MetavariableDeclaration(Record):
    """`Lean.MetavarDecl` (Lean/MetavarContext.lean)."""

    FIELDS = 7
    LOCAL_CONTEXT, TYPE, LOCAL_INSTANCES = 1, 2, 4


class LocalContext(Record):
    """`Lean.LocalContext` (Lean/LocalContext.lean)."""

    FIELDS = 3
    DECLARATIONS = 1


class CommandContextInfo(Record):
    """`Lean.Elab.CommandContextInfo` (Lean/Elab/InfoTree/Types.lean)."""

    FIELDS = 8
    ENV, COMMAND_ENV, FILE_MAP, METAVARIABLES, OPTIONS, NAMESPACE, OPEN_DECLS, NAME_GENERATOR = range(8)


class ContextInfo(Record):
    """`Lean.Elab.ContextInfo` (Lean/Elab/InfoTree/Types.lean)."""

    FIELDS = 3
    COMMAND = 0


class InfoState(Record):
    """`Lean.Elab.InfoState` (Lean/Elab/InfoTree/Types.lean)."""

    FIELDS = 3
    ASSIGNMENT, TREES = 0, 2


class InfoTree:
    """The constructors of `Lean.Elab.InfoTree`, with two, two and one fields."""

    CONTEXT, NODE, HOLE = range(3)


class Info:
    """The constructors of `Lean.Elab.Info` by name, in order; each has one field."""

    NAMES = (
        "TacticInfo",
        "TermInfo",
        "PartialTermInfo",
        "CommmandInfo",  # with three m, as the community REPL writes it
        "MacroExpansionInfo",
        "OptionInfo",
        "ErrorNameInfo",
        "FieldInfo",
        "CompletionInfo",
        "UserWidgetInfo",
        "CustomInfo",
        "FVarAliasInfo",
        "FieldRedeclInfo",
        "DelabTermInfo",
        "ChoiceInfo",
        "DocInfo",
        "DocElabInfo",
    )
    TACTIC, TERM, COMMAND = 0, 1, 3


class ElabInfo(Record):
    """`Lean.Elab.ElabInfo`: field 0 of most infos."""

    FIELDS = 2
    ELABORATOR, SYNTAX = 0, 1


class TacticInfo(Record):
    """`Lean.Elab.TacticInfo`."""

    FIELDS = 5
    ELAB, METAVARIABLES_BEFORE, GOALS_BEFORE, METAVARIABLES_AFTER, GOALS_AFTER = range(5)


class TermInfo(Record):
    """`Lean.Elab.TermInfo`."""

    FIELDS = 4
    ELAB, LOCAL_CONTEXT, EXPECTED_TYPE, EXPR = range(4)


class Message(Record):
    """`Lean.Message` (Lean/Message.lean); its scalar bytes are keepFullRange, severity, isSilent."""

    FIELDS = 5
    POSITION, END_POSITION, DATA = 1, 2, 4
    SEVERITY_BYTE = 1
    SEVERITIES = ("info", "warning", "error")


class PersistentArray(Record):
    """`Lean.PersistentArray`: up to 32 elements lie in the tail alone."""

    FIELDS = 4
    TAIL, SIZE = 1, 2


class StagedMap(Record):
    """`Lean.SMap`: what was imported, and what came after."""

    FIELDS = 2
    NEW = 1


class ConstantInfo:
    """The constructors of `Lean.ConstantInfo` (Lean/Declaration.lean); each has one field, whose field 0 is a
    `ConstantVal`.
    """

    AXIOM, DEFINITION, THEOREM, OPAQUE, QUOTIENT, INDUCTIVE, CONSTRUCTOR, RECURSOR = range(8)


class ConstantVal(Record):
    """`Lean.ConstantVal`."""

    FIELDS = 3
    NAME, LEVELS, TYPE = 0, 1, 2


class AxiomVal(Record):
    """`Lean.AxiomVal`; its scalar byte is isUnsafe."""

    FIELDS = 1


class TheoremVal(Record):
    """`Lean.TheoremVal`."""

    FIELDS = 3
    VALUE = 1


class DefinitionVal(Record):
    """`Lean.DefinitionVal`; its scalar byte is the safety."""

    FIELDS = 4
    VALUE, HINTS = 1, 2


class InductiveVal(Record):
    """`Lean.InductiveVal`; its scalar bytes are isRec, isUnsafe, isReflexive."""

    FIELDS = 6
    PARAMETERS, ALL, CONSTRUCTORS = 1, 3, 4
    UNSAFE_BYTE = 1


class ConstructorVal(Record):
    """`Lean.ConstructorVal`."""

    FIELDS = 5
    INDUCTIVE = 1


class RecursorVal(Record):
    """`Lean.RecursorVal`."""

    FIELDS = 7
    ALL = 1


def is_implementation_detail(declaration: Object) -> bool:
    """Whether a `LocalDecl` is hidden from users (kinds `implDetail` and `auxDecl`)."""
    # cdecl: index, fvarId, userName, type | binder info, kind. ldecl: …, value | nondep, kind.
    return scalar_byte(declaration, 1) != 0
