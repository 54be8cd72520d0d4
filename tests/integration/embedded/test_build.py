"""The core's build for real, in a cache of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.embedded.repl import Repl
from workers.embedded import build
from workers.embedded.build import ensure_core, is_intact
from workers.embedded.errors import CoreBuildError

BUILD = (sys.executable, "-m", "workers.embedded.build")


def test_two_builders_at_once_share_one_build_and_damage_is_repaired(tmp_path: Path) -> None:
    """As machine images are made with the core in them."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    cache = tmp_path / "leanfleet"
    with subprocess.Popen(BUILD, env=environment, stdout=subprocess.PIPE, text=True) as other:
        made = subprocess.run(BUILD, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
        assert (other.communicate()[0], other.returncode) == (made, 0)
    assert is_intact(Path(made.strip()))
    built = (Path(made.strip()) / "Init.olean").stat().st_ino
    first = ensure_core(cache_folder=cache)
    assert first.lean_path == Path(made.strip())
    assert sorted(path.name for path in cache.iterdir()) == ["build.lock", f"core-{first.key}"]

    olean = first.lean_path / "Init.olean"
    whole = olean.read_bytes()
    assert olean.stat().st_ino == built  # from the cache

    os.truncate(olean, len(whole) // 2)
    assert ensure_core(cache_folder=cache) == first
    assert olean.read_bytes() == whole

    with Repl("--library", str(first.library), "--core", str(first.lean_path)) as repl:
        repl.ask(cmd="")
    image = first.lean_path / "base-1.image"
    whole = image.read_bytes()
    assert ensure_core(cache_folder=cache) == first
    assert image.exists()
    image.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    assert ensure_core(cache_folder=cache) == first
    assert not image.exists()  # the next process makes it


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
