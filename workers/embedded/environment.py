"""Environments: running commands in them, and the headers that they start from."""

from __future__ import annotations

from dataclasses import dataclass

from workers.embedded import layout
from workers.embedded.abi import UNIT, Object, array, box, field, name_parts, scalar_byte
from workers.embedded.message import Json, Messages, position
from workers.embedded.runtime import LeanException, Runtime

_INPUT = "<input>"


@dataclass(frozen=True, kw_only=True, slots=True)
class Elaborated:
    """What came of running commands; both objects are owned."""

    state: Object
    """The `Command.State` to go on from, without messages and info trees."""
    info_state: Object
    """The info trees of this run."""
    messages: list[Json]

    def trees(self, runtime: Runtime) -> list[Object]:
        """The info trees of this run, one per command; borrowed."""
        return list(runtime.elements(field(self.info_state, layout.InfoState.TREES)))


def _header_key(imports: Object) -> tuple[object, ...]:
    """What tells one header's imports (a borrowed `Array Import`) from another's.

    A module that is named again changes nothing: behind `import Init` is the environment of an empty header.
    """
    keys = ((*name_parts(field(item, 0)), *(scalar_byte(item, i) for i in range(3))) for item in array(imports))
    return tuple(dict.fromkeys(keys))


class Environments:
    """Runs Lean commands on command states, which are never changed."""

    def __init__(self, runtime: Runtime, messages: Messages, base: Object) -> None:
        """`base` is the borrowed pair of the usual header's imports and environment (`Runtime.base`)."""
        self._runtime = runtime
        self._messages = messages
        lean = runtime.lean
        self._input_context = lean.function("l_Lean_Parser_mkInputContext___redArg", 4)
        self._process = lean.function("l_Lean_Elab_IO_processCommands", 3)
        self._parse_header = lean.function("l_Lean_Parser_parseHeader", 1)
        self._header_imports = lean.function("l_Lean_Elab_HeaderSyntax_imports", 2)
        self._header_start = lean.function("l_Lean_Elab_HeaderSyntax_startPos", 1)
        self._empty_environment = lean.function("l_Lean_mkEmptyEnvironment", 1)
        self._to_position = lean.function("l_Lean_FileMap_toPosition", 2)
        self._start = lean.ctor(0, box(0), scalars=b"\0")
        self._imported = {_header_key(field(base, 0)): field(base, 1)}

    def run(self, code: str, state: Object | None) -> Elaborated:
        """Elaborate commands in a borrowed `Command.State`, or behind their own header when there is none."""
        lean = self._runtime.lean
        # Lean's own normalisation, done here since positions count characters behind it.
        code = code.replace("\r\n", "\n")
        source = lean.string(code)
        size = len(code.encode("utf-8", "replace"))
        input_context = self._input_context(source, lean.string(_INPUT), box(0), box(size))
        if state is not None:
            return self._elaborate(input_context, lean.keep(self._start), lean.keep(state), [])
        header_state, parser_state, messages = self._header(input_context)
        return self._elaborate(input_context, parser_state, header_state, messages)

    def _elaborate(
        self, input_context: Object, parser_state: Object, state: Object, messages: list[Json]
    ) -> Elaborated:
        runtime, lean = self._runtime, self._runtime.lean
        frontend = runtime.io(self._process(input_context, parser_state, state, UNIT))
        final = field(frontend, layout.FrontendState.COMMAND_STATE)
        messages = messages + self._messages.of_log(field(final, layout.CommandState.MESSAGES))
        info_state = lean.keep(field(final, layout.CommandState.INFO_STATE))
        kept = lean.with_fields(
            final,
            {
                layout.CommandState.MESSAGES: lean.keep(runtime.no_messages),
                layout.CommandState.INFO_STATE: lean.keep(runtime.recording_info),
                layout.CommandState.SNAPSHOT_TASKS: lean.keep(runtime.empty_array),
            },
        )
        lean.drop(frontend)
        return Elaborated(state=kept, info_state=info_state, messages=messages)

    def _header(self, input_context: Object) -> tuple[Object, Object, list[Json]]:
        """The owned state behind the input's header, the owned parser state there, and the header's messages."""
        runtime, lean = self._runtime, self._runtime.lean
        parsed = runtime.io(self._parse_header(lean.keep(input_context), UNIT))
        syntax, rest = field(parsed, 0), field(parsed, 1)
        parser_state, log = lean.keep(field(rest, 0)), field(rest, 1)
        messages = self._messages.of_log(log)
        try:
            environment = self.imported(self._header_imports(lean.keep(syntax), box(1)))
        except LeanException as error:
            # As Lean's `processHeader`: a message at the header, and nothing is imported.
            environment = runtime.io(self._empty_environment(box(0), UNIT))
            start = self._to_position(lean.keep(field(input_context, 2)), self._header_start(lean.keep(syntax)))
            failure = {"severity": "error", "pos": position(start), "endPos": None, "data": str(error).strip()}
            messages.append(failure)
        state = runtime.command_state(environment)
        lean.drop(parsed)
        return state, parser_state, messages

    def imported(self, imports: Object) -> Object:
        """The owned environment behind an owned `Array Import`, which is imported once. Raises LeanException."""
        lean = self._runtime.lean
        key = _header_key(imports)
        environment = self._imported.get(key)
        if environment is None:
            environment = self._imported[key] = self._runtime.import_modules(imports)
        else:
            lean.drop(imports)
        return lean.keep(environment)
