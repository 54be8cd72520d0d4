"""The public name: producer's API, and one `leanfleet` command joined from what each package brings.

Importing it loads what a training loop needs and nothing more; the command line is put together in `main`.
"""

import errno
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, NamedTuple

from producer.api import *  # noqa: F403 - its `__all__` is the public API
from producer.api import LeanFleetError, Settings, __all__, __version__  # noqa: F401
from producer.console import INTERRUPTED, end_at_interrupts, raise_interrupts

if TYPE_CHECKING:
    import typer

    from producer.commands.joined import LocalFleet

_COULD_NOT_RUN = 2
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class _Part(NamedTuple):
    """A package whose commands are there when its dependencies are, and else tell how to get them.

    Each command is a module of its name, with a function of its name, or with an `app` of several commands.
    """

    package: str
    extra: str
    needs: tuple[str, ...]  # without these nothing of it is of use, though a command may import them only when it runs
    commands: tuple[str, ...]


_TASKS = _Part(
    "tasks", "local", ("celery",), ("up", "worker", "doctor", "demo", "dead", "drain", "status", "flower", "broker")
)
_PARTS = (
    _Part("producer", "", (), ("check", "batch")),
    _TASKS,
    _Part("workers", "worker", ("psutil",), ("autoscale", "simulate", "image", "states")),
)


class _MissingPartError(LeanFleetError):
    """A command needs a package that is not installed."""


def _load(part: _Part, module: str) -> ModuleType:
    """`module` of a part.

    Raises:
        _MissingPartError: it or something that it needs is not installed, or another package hides it.
    """
    # Looked for before it is imported: a training repository may well have a `tasks` of its own on the path.
    spec = importlib.util.find_spec(part.package)
    here = Path(__file__).resolve().parent
    if spec is None or here not in (Path(place).resolve().parent for place in spec.submodule_search_locations or ()):
        found = "is not installed" if spec is None else f"is hidden by {spec.origin}"
        raise _MissingPartError(f"leanfleet's package {part.package!r} {found}")
    for name in part.needs:
        if importlib.util.find_spec(name) is None:
            raise _not_installed(name, part.extra)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name == module:
            raise _MissingPartError(f"{module} is not in this installation") from error
        raise _explained(error, part.extra) from error


def _explained(error: ModuleNotFoundError, extra: str) -> Exception:
    """What to do about a module that is missing; one of our own is no matter of installing."""
    if error.name is None or error.name.partition(".")[0] in ("producer", "workers", "tasks"):
        return error
    return _not_installed(error.name, extra)


def _not_installed(name: str, extra: str) -> _MissingPartError:
    return _MissingPartError(f"this needs {name}, which is not installed: pip install 'leanfleet[{extra}]'")


def _wanted(words: Sequence[str]) -> tuple[_Part, ...]:
    """What a command line needs: the command that it begins with, or everything to show what there is.

    Importing all of it takes as long again as most commands do.
    """
    for part in _PARTS:
        if words and words[0] in part.commands:
            return (part._replace(commands=(words[0],)),)
    return _PARTS


def _commands(part: _Part) -> "typer.Typer":
    import typer  # noqa: PLC0415 - for the command line alone

    app = typer.Typer()
    for name in part.commands:
        try:
            found = vars(_load(part, f"{part.package}.commands.{name}"))
        except _MissingPartError as error:
            if name == "doctor":
                from producer.commands.doctor import doctor  # noqa: PLC0415 - as above

                app.command()(doctor)  # what there is can be looked at all the same
                continue
            app.command(
                name,
                help=f"(not available here) {error.message}",
                context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
                add_help_option=False,
            )(_refusal(name, error.message))
            continue
        if isinstance(group := found.get("app"), typer.Typer):
            app.add_typer(group, name=name)
        else:
            app.command(name, context_settings=found.get("CONTEXT_SETTINGS"))(found[name])
    return app


def _refusal(name: str, message: str) -> Callable[[], None]:
    def refuse() -> None:
        raise _MissingPartError(f"`leanfleet {name}` is not available: {message}")

    return refuse


def _local_fleet(settings: Settings) -> AbstractContextManager[Settings]:
    start: LocalFleet = _load(_TASKS, "tasks.stack.fleet").local_fleet
    return start(settings)


def main() -> None:
    """Run the command line; the process exits with the command's code."""
    end_at_interrupts()
    try:
        _main()
    except KeyboardInterrupt:  # that no command takes for its own affair
        sys.exit(INTERRUPTED)


def _main() -> None:
    import typer  # noqa: PLC0415 - for the command line alone

    from producer.commands.joined import Joined  # noqa: PLC0415

    app = typer.Typer(
        name="leanfleet",
        help="Run Lean 4 REPL operations on a fleet of cheap, preemptible machines.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # boxes break the lines of longer explanations, and are noise in a log
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    def show_version(value: bool) -> None:
        if value:
            typer.echo(f"leanfleet {__version__}")
            raise typer.Exit

    @app.callback()
    def _options(
        *,
        version: Annotated[
            bool, typer.Option("--version", is_eager=True, callback=show_version, help="Show it and exit.")
        ] = False,
    ) -> None:
        """Nothing: the option does it all."""

    try:
        for part in _wanted(sys.argv[1:]):
            app.add_typer(_commands(part))
        raise_interrupts()
        try:
            app(obj=Joined(local_fleet=_local_fleet))
        except ModuleNotFoundError as error:  # commands import what is heavy when they run
            raise _explained(error, "local") from error
    except LeanFleetError as error:
        sys.stderr.write(f"error: {error.message}\n")
        sys.exit(_COULD_NOT_RUN)
    except BrokenPipeError:
        _drop_output()  # whoever read it has seen enough (`| head`)
        sys.exit(1)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        _drop_output()
        sys.stderr.write(f"error: the output cannot be written: {error.strerror}\n")
        sys.exit(_COULD_NOT_RUN)


def _drop_output() -> None:
    """Python must not try to flush the rest at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
