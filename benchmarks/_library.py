"""A large core library for the embedded Lean, generated and compiled for one run, so that an import takes its time.

What it stands in for is Mathlib, which is not to be had here. Like it, it is many modules with definitions, classes,
simp lemmas and instances, which an import has to set up; it has no notation and no code, and is smaller.
"""

import concurrent.futures
import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

from workers.embedded.build import CorePaths, ensure_core
from workers.project import LeanProject, embedded_project

_COMPILE_SECONDS = 300.0


def large_project(folder: Path, *, modules: int, declarations: int) -> tuple[LeanProject, int]:
    """The embedded Lean whose `Init` imports `modules` more, and how many bytes all modules have.

    Each has four times `declarations`. They belong to `Init`, since a pickle of the embedded Lean leaves out what is
    behind that header and nothing else. `folder` is to be empty or absent, and is needed as long as the project is.
    """
    project, core = embedded_project(), ensure_core()
    source, compiled = folder / "source", folder / "compiled"
    source.mkdir(parents=True)
    shutil.copytree(core.lean_path, compiled, ignore=shutil.ignore_patterns("*.image", "Init.olean"))
    parts = sorted(f"Init.{path.stem}" for path in (compiled / "Init").glob("*.olean"))
    names = [f"Large{number}" for number in range(modules)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        texts = (_module(name, declarations, imports=parts) for name in names)
        list(threads.map(lambda name, text: _compile(core, source, compiled, name, text), names, texts))
    _compile(core, source, compiled, "Init", _imports([*parts, *names]))
    command = list(project.command)
    command[command.index(str(core.lean_path))] = str(compiled)
    size = sum(path.stat().st_size for path in compiled.rglob("*.olean"))
    return dataclasses.replace(project, command=tuple(command), fingerprint="large"), size


def _imports(modules: list[str]) -> str:
    return "\n".join(["prelude", *(f"import {module}" for module in modules)])


def _module(name: str, declarations: int, *, imports: list[str]) -> str:
    """A definition, a simp lemma about it, a class and an instance of it, so many times."""
    lines = [_imports(imports), f"namespace {name}"]
    for number in range(declarations):
        lines += [
            f"def f{number} (n : Nat) : Nat := n",
            f"@[simp] theorem f{number}_eq (n : Nat) : f{number} n = n := rfl",
            f"class C{number} (n : Nat) : Prop where\n  holds : n = n",
            f"instance (n : Nat) : C{number} (f{number} n) := ⟨rfl⟩",
        ]
    return "\n".join([*lines, f"end {name}"])


def _compile(core: CorePaths, source: Path, compiled: Path, name: str, text: str) -> None:
    path = source / f"{name}.lean"
    path.write_text(text, "utf-8")
    output = compiled / f"{name}.olean"
    words = ["workers.embedded.compile", "lean", str(core.library), "-o", str(output), path.name]
    environ = {**os.environ, "LEAN_PATH": str(compiled), "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-P", "-m", *words], cwd=source, env=environ, check=True, timeout=_COMPILE_SECONDS)
