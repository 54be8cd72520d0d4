"""Builds the core library once per user and keeps it: a few seconds the first time, milliseconds after that.

The cache is keyed by everything that the result depends on, so nothing in it ever needs to be invalidated. A build
happens in a folder of its own and appears by one rename; readers never see half of one. What is in the cache is checked
before each use, because Lean maps these files into memory and a damaged one would crash it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workers.embedded.errors import CoreBuildError
from workers.embedded.library import LeanLibrary, check_digest, find_library
from workers.embedded.seal import is_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent
_PACKAGE_ROOT = _FOLDER.parents[1]
_SOURCES = _FOLDER / "core"
_GENERATOR = tuple(
    _FOLDER / f"{name}.py" for name in ("build", "categories", "compile", "heap", "mangling", "symbols", "syntax")
)
_MANIFEST = "manifest.json"
_STEP_TIMEOUT_SECONDS = 300.0
# The module that is generated, and what it imports.
_SYNTAX, _SYNTAX_IMPORTS = "Init.Syntax", ("Init.Prelude",)
# Compiled against the new core before it is accepted.
_PROBE = """
theorem probe (p q : Prop) (n : Nat) (h : p ∧ q) : q ∧ p ∧ n + 0 = n := by
  obtain ⟨hp, hq⟩ := h
  exact ⟨hq, hp, by simp⟩
"""


@dataclass(frozen=True, kw_only=True)
class CorePaths:
    """What a process needs to run Lean with the core: the library to load, and the folder to search for modules."""

    library: Path
    lean_path: Path
    key: str


def ensure_core(*, cache_folder: Path | None = None) -> CorePaths:
    """The compiled core, built now if it is not in the cache (blocks for some seconds then; one builder at a time).

    `cache_folder` defaults to `leanfleet` in the user's cache folder (XDG_CACHE_HOME), or in the temporary folder where
    that is not writable. Raises UnsupportedPlatformError, LeanLibraryError, CoreBuildError.
    """
    library = find_library()
    key = core_key(library.expected_sha256)
    root = writable_folder(cache_folder)
    target = root / f"core-{key}"
    if not is_intact(target):
        with _one_builder(root):
            if not is_intact(target):
                _build(library, target)
    _drop_damaged_images(target)
    return CorePaths(library=library.path, lean_path=target, key=key)


def core_key(library_sha256: str) -> str:
    """Names one result: a digest over the library, the core's sources and the code that turns one into the other."""
    digest = hashlib.sha256(library_sha256.encode())
    for path in (*sorted(_SOURCES.rglob("*.lean")), *_GENERATOR):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(_FOLDER)} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:24]


def writable_folder(wanted: Path | None) -> Path:
    """The folder for builds, made if need be. Raises CoreBuildError where it cannot be written to."""
    if wanted is not None:
        if not _try_folder(wanted):
            raise CoreBuildError(
                f"The cache folder {wanted} cannot be written to. Name another one, or make it writable."
            )
        return wanted
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    usual = (base if base.is_absolute() else Path("~/.cache").expanduser()) / "leanfleet"
    if _try_folder(usual):
        return usual
    # Only a folder that nobody else can write to: Lean maps and runs what is in it.
    fallback = Path(tempfile.gettempdir()) / f"leanfleet-{os.getuid()}"
    if not _try_folder(fallback) or fallback.is_symlink() or fallback.stat().st_uid != os.getuid():
        raise CoreBuildError(
            f"Neither {usual} nor {fallback} can be written to. Set XDG_CACHE_HOME to a folder that can."
        )
    _log.warning("%s is not writable: the embedded Lean's core is kept in %s", usual, fallback)
    return fallback


def _try_folder(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def is_intact(target: Path) -> bool:
    """Whether `target` is a whole build: each file that its manifest names is there with its digest."""
    try:
        files: dict[str, str] = json.loads((target / _MANIFEST).read_bytes())
        return bool(files) and all(_digest(target / name) == digest for name, digest in files.items())
    except (OSError, ValueError, AttributeError):
        return False


def _drop_damaged_images(target: Path) -> None:
    """The first process makes the base image, and all others map it: it is no part of the build, and damaged like one.

    Raises CoreBuildError where it cannot be deleted.
    """
    for image in target.glob("*.image"):
        try:
            if not is_whole(image.read_bytes()):
                image.unlink(missing_ok=True)  # processes that have it mapped keep it
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CoreBuildError(f"{image} is damaged or cannot be read: delete it ({error.strerror})") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _one_builder(root: Path) -> Iterator[None]:
    """Held while building. The kernel drops it with the process that holds it: a killed builder blocks nobody."""
    with (root / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(library: LeanLibrary, target: Path) -> None:
    check_digest(library)
    for left_over in target.parent.glob(".build-*"):  # of builders that were killed: we hold the lock
        shutil.rmtree(left_over, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".build-", dir=target.parent))
    try:
        source, output = work / "source", work / "output"
        shutil.copytree(_SOURCES, source)
        output.mkdir()
        _compile_all(library.path, source, output)
        manifest = {str(path.relative_to(output)): _digest(path) for path in sorted(output.rglob("*.olean"))}
        (output / _MANIFEST).write_text(json.dumps(manifest, indent=1))
        if target.exists():  # damaged; processes that have it mapped keep their files
            target.rename(work / "damaged")
        output.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _compile_all(library: Path, source: Path, output: Path) -> None:
    environment = {"LEAN_PATH": str(output), "PYTHONPATH": str(_PACKAGE_ROOT)}
    for variable in ("PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR"):
        if variable in os.environ:
            environment[variable] = os.environ[variable]

    def step(*arguments: str) -> str:
        command = [sys.executable, "-P", "-m", "workers.embedded.compile", *arguments]
        try:
            done = subprocess.run(
                command,
                cwd=source,
                env=environment,
                capture_output=True,
                timeout=_STEP_TIMEOUT_SECONDS,
                encoding="utf-8",
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CoreBuildError(
                f"Building the core took more than {_STEP_TIMEOUT_SECONDS:.0f} s: {arguments}"
            ) from None
        if done.returncode != 0:
            raise CoreBuildError(
                f"Building the core failed (exit {done.returncode}): {arguments}\n{(done.stdout + done.stderr)[-4000:]}"
            )
        return done.stdout

    (source / module_file(_SYNTAX)).write_text(step("syntax", str(library), *_SYNTAX_IMPORTS), encoding="utf-8")
    for module in build_order(source):
        compiled = output / module_file(module).with_suffix(".olean")
        compiled.parent.mkdir(parents=True, exist_ok=True)
        step("lean", str(library), "-o", str(compiled), str(module_file(module)))
    probe = source / "Probe.lean"
    probe.write_text(_PROBE, encoding="utf-8")
    if report := step("lean", str(library), probe.name):
        raise CoreBuildError(f"The core library was built but does not work:\n{report[-4000:]}")


def module_file(module: str) -> Path:
    """The source file of a module, relative to the source folder."""
    return Path(*module.split(".")).with_suffix(".lean")


def build_order(source: Path) -> list[str]:
    """The modules under `source`, each after those that it imports; CoreBuildError where there is no such order."""
    imports: dict[str, list[str]] = {}
    for path in sorted(source.rglob("*.lean")):
        module = ".".join(path.relative_to(source).with_suffix("").parts)
        lines = path.read_text(encoding="utf-8").splitlines()
        imports[module] = [line.split()[1] for line in lines if line.startswith("import ")]
    order: list[str] = []
    while len(order) < len(imports):
        ready = [m for m in imports if m not in order and all(needed in order for needed in imports[m])]
        if not ready:
            raise CoreBuildError(
                f"Imports of the core library form a cycle or name no module: {sorted(imports.keys() - set(order))}"
            )
        order += ready
    return order


if __name__ == "__main__":  # as the images of machines and containers are made
    print(ensure_core().lean_path)  # noqa: T201
