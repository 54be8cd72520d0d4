"""The core's build for real, in a cache of its own."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.embedded.repl import Repl
from workers.embedded import build
from workers.embedded.build import CorePaths, ensure_core, is_intact
from workers.embedded.errors import CoreBuildError


def test_two_builders_at_once_share_one_build_and_damage_is_repaired(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        first, second = pool.map(_ensure, [tmp_path, tmp_path])
    assert first == second
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build.lock", f"core-{first.key}"]

    olean = first.lean_path / "Init.olean"
    whole = olean.read_bytes()
    built = olean.stat().st_ino
    assert ensure_core(cache_folder=tmp_path) == first
    assert olean.stat().st_ino == built  # from the cache

    os.truncate(olean, len(whole) // 2)
    assert ensure_core(cache_folder=tmp_path) == first
    assert olean.read_bytes() == whole

    with Repl("--library", str(first.library), "--core", str(first.lean_path)) as repl:
        repl.ask(cmd="")
    image = first.lean_path / "base-1.image"
    whole = image.read_bytes()
    assert ensure_core(cache_folder=tmp_path) == first
    assert image.exists()
    image.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    assert ensure_core(cache_folder=tmp_path) == first
    assert not image.exists()  # the next process makes it


def test_a_machine_image_is_made_with_the_core_in_it(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    made = subprocess.run(
        (sys.executable, "-m", "workers.embedded.build"), env=environment, check=True, capture_output=True, text=True
    )
    assert Path(made.stdout.strip()).is_relative_to(tmp_path)
    assert is_intact(Path(made.stdout.strip()))


def _ensure(folder: Path) -> CorePaths:
    return ensure_core(cache_folder=folder)


def test_a_core_that_does_not_compile_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "core"
    (sources / "Init").mkdir(parents=True)
    (sources / "Init.lean").write_text("prelude\nimport Init.Prelude\n")
    (sources / "Init" / "Prelude.lean").write_text("prelude\ndef broken : Missing := 1\n")
    monkeypatch.setattr(build, "_SOURCES", sources)
    monkeypatch.setattr(build, "_FOLDER", tmp_path)
    monkeypatch.setattr(build, "_GENERATOR", ())
    monkeypatch.setattr(build, "_PACKAGE_ROOT", Path(build.__file__).parents[2])
    cache = tmp_path / "cache"
    with pytest.raises(CoreBuildError, match=r"Init/Prelude.lean:2:"):
        ensure_core(cache_folder=cache)
    assert [path.name for path in cache.iterdir()] == ["build.lock"]
