"""The one Lean of this process: started once, checked, with its functions bound by what they do.

Start-up calls what the `lean` command's own `main` calls, in its order, and then makes sure that the library is the
build that `layout` describes: a wrong offset would not fail, it would lie.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from workers.embedded import layout
from workers.embedded.abi import (
    UNIT,
    Lean,
    Object,
    array,
    box,
    field,
    field_count,
    is_scalar,
    scalar_word,
    tag,
    text,
    unbox,
)
from workers.embedded.closure import Closure
from workers.embedded.errors import LeanLibraryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

GIT_HASH = "eb6cafb7290e8bd5f2937522d8d804f58f02bafc"
"""The only build of Lean (4.35.0) whose records `layout` describes."""

FORMAT_WIDTH = 120
"""Lean's default width when a `Format` is printed (`Std.Format.defWidth`)."""

_OLEAN_LEVEL_PRIVATE = 2
_EMPTY_TREE_MAP = box(1)
_LEAN_WORKER_THREADS = 2
_LIBRARY_DESCRIPTOR = 250


def _stable_path(library: Path) -> str:
    """A path of the library that is the same on every Linux machine.

    Saved closures name the library that their code is in by the path under which it was loaded.
    """
    if sys.platform != "linux":
        return str(library)
    descriptor = os.open(library, os.O_RDONLY)
    os.dup2(descriptor, _LIBRARY_DESCRIPTOR, inheritable=False)
    os.close(descriptor)
    return f"/proc/self/fd/{_LIBRARY_DESCRIPTOR}"


class LeanException(Exception):  # noqa: N818 - what Lean calls an exception, not an error of ours
    """An exception thrown in Lean; the text is the one that Lean shows."""


class Runtime:
    """Lean, initialised, with `lean_path` as its search path.

    Raises `LeanLibraryError` if the library is another build, `OSError` if it cannot be loaded. Make it once per
    process, on the thread that will use it.
    """

    def __init__(self, library: Path, lean_path: Path) -> None:
        self._lean_path = lean_path
        try:
            self._start(library, lean_path)
        except AttributeError as error:
            raise LeanLibraryError(f"{library} lacks a symbol of Lean 4.35.0: {error}") from None

    def _start(self, library: Path, lean_path: Path) -> None:
        self.library = _stable_path(library)
        lean = self.lean = Lean(self.library)
        lean.raw("lean_initialize", 0)()
        lean.raw("lean_io_mark_end_initialization", 0)()
        lean.raw("lean_init_task_manager_using", 1)(_LEAN_WORKER_THREADS)
        git_hash = text(lean.constant("l_Lean_githash"))
        if git_hash != GIT_HASH:
            raise LeanLibraryError(f"{library} is Lean of commit {git_hash}, and not {GIT_HASH} (4.35.0)")
        self._bind()
        self._search(str(lean_path))

    def _search(self, folder: str) -> None:
        """Let Lean search this folder for modules, and no other."""
        lean = self.lean
        swap = lean.raw("lean_st_ref_swap", 2)
        lean.drop(swap(lean.constant("l_Lean_searchPathRef"), lean.cons(lean.string(folder))))

    def _bind(self) -> None:
        lean = self.lean
        self.array_of_list = lean.raw("lean_array_mk", 1)
        self.new_reference = lean.raw("lean_st_mk_ref", 1)
        self._dereference = lean.raw("lean_st_ref_get", 1)
        self._heartbeats = lean.raw("lean_io_get_num_heartbeats", 0)
        self._io_error_text = lean.raw("lean_io_error_to_string", 1)
        self._message_data_text = lean.function("l_Lean_MessageData_toString", 1)
        self._persistent_array = lean.function("l_Lean_PersistentArray_toArray___redArg", 1)
        self._pretty = lean.function("l_Std_Format_pretty", 4)
        self._name_text = lean.raw("l_Lean_Name_instToString___lam__0", 1)
        self._find_declaration = lean.function("l_Lean_MetavarContext_findDecl_x3f", 2)
        self._allow_initializers = lean.raw("lean_enable_initializer_execution", 0)
        self._import_modules = lean.function("l_Lean_importModules", 8)
        self._make_state = lean.function("l_Lean_Elab_Command_mkState", 3)
        self.options = lean.constant("l_Lean_Options_empty")
        self.no_messages = lean.constant("l_Lean_instInhabitedMessageLog_default")
        self.no_traces = lean.constant("l_Lean_instInhabitedTraceState_default")
        self.no_local_context = lean.constant("l_Lean_instInhabitedLocalContext_default")
        self.no_file_map = lean.constant("l_Lean_instInhabitedFileMap_default")
        self.empty_array = self.array_of_list(UNIT)
        self.quiet_info = lean.constant("l_Lean_Elab_instInhabitedInfoState_default")
        # The default is not to record; a session records always, since sorries are found in the info trees.
        trees = [lean.keep(part) for part in (field(self.quiet_info, i) for i in range(layout.InfoState.FIELDS))]
        self.recording_info = lean.ctor(0, *trees, scalars=b"\1")
        self.meta_action = Closure(lean, 5)
        self.command_action = Closure(lean, 3)
        self.term_action = Closure(lean, 7)
        self.never = Closure(lean, 1, lambda _: box(0))
        self.term_context = self._capture_term_context()

    def _capture_term_context(self) -> Object:
        """The `Term.Context` of a command outside of any section, which is the default one; owned.

        On the way every record whose offsets are used is compared with `layout`.
        """
        lean = self.lean
        make_input = lean.function("l_Lean_Parser_mkInputContext___redArg", 4)
        process = lean.function("l_Lean_Elab_IO_processCommands", 3)
        run_command = lean.function("l_Lean_Elab_Frontend_runCommandElabM___redArg", 3)
        lift_term = lean.function("l_Lean_Elab_Command_liftTermElabM___redArg", 3)
        empty_environment = lean.function("l_Lean_mkEmptyEnvironment", 1)
        environment = self.io(empty_environment(box(0), UNIT))
        input_context = make_input(lean.string(""), lean.string(""), box(0), box(0))
        start = lean.ctor(0, box(0), scalars=b"\0")
        frontend = self.io(process(lean.keep(input_context), start, self.command_state(environment), UNIT))
        self.check_layout(layout.FrontendState, frontend)
        self.check_layout(layout.CommandState, field(frontend, layout.FrontendState.COMMAND_STATE))
        self.check_layout(layout.InfoState, self.quiet_info)
        self.check_layout(layout.LocalContext, self.no_local_context)
        captured: list[Object] = []

        def look_at_term(*arguments: Object) -> Object:
            captured.extend(arguments)
            return lean.ctor(0, UNIT)

        def lift(action: Object) -> Object:
            def look_at_command(context: Object, state: Object, _world: Object) -> Object:
                return lift_term(action, context, state, UNIT)

            return self.command_action.run(
                look_at_command,
                lambda command: run_command(command, input_context, self.new_reference(frontend), UNIT),
            )

        self.io(self.term_action.run(look_at_term, lift))
        term_context, _, meta_context, meta, core_context, core, _ = captured
        self.check_layout(layout.MetaContext, meta_context)
        self.check_layout(layout.MetaState, self.dereference(meta))
        self.check_layout(layout.CoreContext, core_context)
        self.check_layout(layout.CoreSettings, field(core_context, layout.CoreContext.SETTINGS))
        self.check_layout(layout.CoreState, self.dereference(core))
        return term_context

    # Results of monadic functions

    def io(self, result: Object) -> Object:
        """The owned value of an owned `IO` result. Raises LeanException."""
        if tag(result) == 1:
            error = self.lean.keep(field(result, 0))
            self.lean.drop(result)
            raise LeanException(self.string(self._io_error_text(error)))
        return self._value(result)

    def eio(self, result: Object) -> Object:
        """The owned value of an owned `EIO Exception` result (CoreM and all above it). Raises LeanException."""
        if tag(result) == 1:
            message = self.exception_text(field(result, 0))
            self.lean.drop(result)
            raise LeanException(message)
        return self._value(result)

    def _value(self, result: Object) -> Object:
        value = self.lean.keep(field(result, 0))
        self.lean.drop(result)
        return value

    def exception_text(self, exception: Object) -> str:
        """What `Core.CoreM.toIO` makes of a borrowed `Lean.Exception`."""
        if tag(exception) == 1:
            return f"internal exception #{unbox(field(exception, 0))}"
        return self.message_data_text(field(exception, 1))

    def read(self, reference: Object) -> Object:
        """The owned value of a borrowed `IO.Ref`."""
        return self._dereference(reference)

    def dereference(self, reference: Object) -> Object:
        """The owned value of an owned `IO.Ref`, which is dropped."""
        value = self._dereference(reference)
        self.lean.drop(reference)
        return value

    # Text

    def string(self, o: Object) -> str:
        """The value of an owned `String`."""
        value = text(o)
        self.lean.drop(o)
        return value

    def message_data_text(self, data: Object) -> str:
        return self.string(self._message_data_text(self.lean.keep(data), UNIT))

    def format_text(self, formatted: Object) -> str:
        """`toString` of an owned `Format`."""
        return self.string(self._pretty(formatted, box(FORMAT_WIDTH), box(0), box(0)))

    def name_text(self, name: Object) -> str:
        """`toString` of a borrowed `Name`, escaped with «» where Lean needs it."""
        return self.string(self._name_text(self.lean.keep(name)))

    # Collections

    def elements(self, persistent: Object) -> Sequence[Object]:
        """The elements of a `PersistentArray`; borrowed."""
        tail = array(field(persistent, layout.PersistentArray.TAIL))
        if len(tail) == unbox(field(persistent, layout.PersistentArray.SIZE)):
            return tail
        flat = self._persistent_array(self.lean.keep(persistent))
        elements = array(flat)
        self.lean.drop(flat)  # its elements live on in the persistent array
        return elements

    def find_declaration(self, metavariables: Object, goal: Object) -> Object | None:
        """The `MetavarDecl` of a goal in a `MetavarContext`; owned."""
        lean = self.lean
        found = self._find_declaration(lean.keep(metavariables), lean.keep(goal))
        return None if is_scalar(found) else self._value(found)

    # Environments and states

    def import_modules(self, imports: Object) -> Object:
        """The `Environment` with these modules (an owned `Array Import`). Raises LeanException with Lean's text."""
        lean = self.lean
        self._allow_initializers()  # it does not outlast the end of initialisation
        return self.io(
            self._import_modules(
                imports,
                lean.keep(self.options),
                box(0),  # trust level
                lean.keep(self.empty_array),  # plugins
                box(1),  # mark as persistent: it lives as long as the process
                box(1),  # load environment extensions
                box(_OLEAN_LEVEL_PRIVATE),
                _EMPTY_TREE_MAP,  # where to find modules that are not on the search path
                UNIT,
                UNIT,
            )
        )

    def base(self) -> Object:
        """The environment behind the header `import Init` as an owned pair of its imports and itself.

        No path of this machine gets into it, since it becomes the base image. Raises LeanException.
        """
        lean = self.lean
        parse_header = lean.function("l_Lean_Parser_parseHeader", 1)
        header_imports = lean.function("l_Lean_Elab_HeaderSyntax_imports", 2)
        make_input = lean.function("l_Lean_Parser_mkInputContext___redArg", 4)
        parsed = self.io(parse_header(make_input(lean.string(""), lean.string(""), box(0), box(0)), UNIT))
        imports = header_imports(lean.keep(field(parsed, 0)), box(1))
        here = os.open(".", os.O_RDONLY)
        os.chdir(self._lean_path)
        self._search(".")
        try:
            return lean.pair(lean.keep(imports), self.import_modules(imports))
        finally:
            os.fchdir(here)
            os.close(here)
            self._search(str(self._lean_path))

    def command_state(self, environment: Object) -> Object:
        """`Command.mkState`: the state before the first command, recording info trees. Takes an owned environment."""
        lean = self.lean
        state = self._make_state(environment, lean.keep(self.no_messages), lean.keep(self.options))
        return self.with_fields(state, {layout.CommandState.INFO_STATE: lean.keep(self.recording_info)})

    def with_fields(self, o: Object, changes: dict[int, Object]) -> Object:
        """Like `Lean.with_fields`, consuming `o`."""
        changed = self.lean.with_fields(o, changes)
        self.lean.drop(o)
        return changed

    def heartbeats(self) -> Object:
        return self._heartbeats()

    def check_layout(self, record: type[layout.Record], o: Object) -> None:
        """Raise LeanLibraryError unless `o` has as many object fields as the record should have."""
        if field_count(o) != record.FIELDS:
            raise LeanLibraryError(f"{record.__name__} has {field_count(o)} fields and not {record.FIELDS}")


def name_hash(name: Object) -> int:
    """Lean keeps a hash in every Name; equal names have equal hashes."""
    return scalar_word(name) if not name & 1 else 1723
