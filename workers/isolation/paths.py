"""Which files a REPL needs and which it must not see, found out on this machine."""

import os
import shutil
import stat
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from producer.settings import DEFAULT_FILE, PREFIX
from workers.isolation.policy import Limits, Policy

# Programs and libraries of the system, and what the C library reads on its own account. Not /etc as a whole: services
# keep their credentials there.
SYSTEM = tuple(
    map(
        Path,
        (
            "/usr",
            "/bin",
            "/sbin",
            "/lib",
            "/lib32",
            "/lib64",
            "/nix/store",
            "/etc/alternatives",
            "/etc/group",
            "/etc/ld.so.cache",
            "/etc/ld.so.conf",
            "/etc/ld.so.conf.d",
            "/etc/localtime",
            "/etc/nsswitch.conf",
            "/etc/passwd",
            "/sys/devices/system/cpu",
        ),
    )
)

# In a folder that a REPL reads: the fleet's settings, and where people keep tokens.
_SECRET_NAMES = (DEFAULT_FILE, ".env", ".git", ".netrc")

_OURS = Path(__file__).resolve().parents[2]


def policy_for(
    command: tuple[str, ...],
    directory: Path | None,
    *,
    environ: Mapping[str, str],
    more_readable: Iterable[Path] = (),
    hidden: Iterable[Path] = (),
    freezable: bool = False,
    limits: Limits | None = None,
) -> Policy:
    """What a REPL of this command needs.

    Args:
        command: the REPL's command line. Files and folders that it names are readable.
        directory: its working directory, a Lake project as a rule.
        environ: of the worker, for the search path and the toolchains' places.
        more_readable: what the operator allows besides.
        hidden: files and folders that no REPL may see, wherever they are.
        freezable: see `Policy`.
        limits: see `Limits`.
    """
    wanted = [*SYSTEM, *_program_folders(command[0], environ), *more_readable, *_own_code()]
    wanted += _named_paths(command, directory, environ)
    broad = {Path("/"), Path(environ.get("HOME", "/"))}
    if directory is not None and directory not in broad:  # a worker that was started at home, and no project
        wanted.append(directory)
    if elan := environ.get("ELAN_HOME") or (environ.get("HOME") and str(Path(environ["HOME"], ".elan"))):
        wanted.append(Path(elan))
    for name in ("LEAN_PATH", "LEAN_SRC_PATH", "LEAN_SYSROOT", "LD_LIBRARY_PATH"):
        wanted += [Path(entry) for entry in environ.get(name, "").split(":") if entry]
    readable = _outermost(_present(wanted))
    secret = {path.absolute() for path in hidden}
    if named := environ.get(PREFIX + "CONFIG"):
        secret.add(Path(named).absolute())
    secret.update(root / name for root in {*readable, *([directory] if directory else [])} for name in _SECRET_NAMES)
    kept_back = _outermost(
        path for path in secret if path.exists() and any(path.is_relative_to(root) for root in readable)
    )
    return Policy(
        readable=readable,
        hidden_files=tuple(path for path in kept_back if not path.is_dir()),
        hidden_folders=tuple(path for path in kept_back if path.is_dir()),
        exposed=tuple(path for root in readable for path in around(root, kept_back)),
        listable=(_OURS,),
        closed_to_others=tuple(path for path in readable if not _is_open_to_others(path)),
        beneath_closed=tuple(path for path in readable if not all(map(_is_passable, path.resolve().parents))),
        freezable=freezable,
        limits=limits or Limits(),
    )


def around(root: Path, hidden: Collection[Path]) -> tuple[Path, ...]:
    """What is left of `root` without `hidden`, as the fewest paths that exist now and hold nothing of it."""
    if root in hidden:
        return ()
    if not any(path.is_relative_to(root) for path in hidden):
        return (root,)
    return tuple(path for child in sorted(root.iterdir()) for path in around(child, hidden))


def _program_folders(program: str, environ: Mapping[str, str]) -> list[Path]:
    """Where a program lies, at each hop of the links that lead to it, with the libraries beside it."""
    found = shutil.which(program, path=environ.get("PATH"))
    folders: list[Path] = []
    path = Path(found or program).absolute()
    for _ in range(40):  # the kernel's own limit
        folder = path.parent
        with_libraries = folder.name == "bin" and (folder.parent / "lib").is_dir()
        is_broad = folder.parent in (Path("/"), Path(environ.get("HOME", "/")))
        folders.append(folder.parent if with_libraries and not is_broad else folder)
        if not path.is_symlink():
            break
        path = folder / path.readlink()
    folders.append(Path(os.path.realpath(path)).parent)
    return folders


def _named_paths(command: tuple[str, ...], directory: Path | None, environ: Mapping[str, str]) -> list[Path]:
    """What a command's arguments name, such as the REPL in `lake env /opt/repl/repl`; nothing so broad as a home."""
    named = [Path(word) if directory is None else directory / word for word in command if "/" in word]
    return [path for path in named if path.is_absolute() and path not in (Path("/"), Path(environ.get("HOME", "/")))]


def _own_code() -> list[Path]:
    """This package and the Python that runs it: both the launcher and the embedded Lean are Python programs."""
    packages = [_OURS / name for name in ("workers", "producer")]
    # An editable install has its packages beside the project's own files, which a REPL need not see.
    return [*packages, Path(sys.prefix), Path(sys.base_prefix), Path(os.path.realpath(sys.executable)).parent]


def _present(paths: Iterable[Path]) -> list[Path]:
    """Those that exist, as named and as resolved: programs use both."""
    return [path for named in paths if named.exists() for path in (named.absolute(), named.resolve())]


def _outermost(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Without those that lie in another one, outer ones first."""
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda path: (len(path.parts), path)):
        if not any(path.is_relative_to(outer) for outer in kept):
            kept.append(path)
    return tuple(kept)


def _is_open_to_others(path: Path) -> bool:
    mode = path.stat().st_mode
    needed = stat.S_IROTH | stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
    return mode & needed == needed


def _is_passable(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)
