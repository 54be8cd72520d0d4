import json
import logging
import os
import stat
import tempfile
from pathlib import Path

import pytest

from workers.embedded import build
from workers.embedded.build import build_order, core_key, is_intact, writable_folder
from workers.embedded.errors import CoreBuildError


def test_each_module_is_compiled_after_what_it_imports(tmp_path: Path) -> None:
    (tmp_path / "Init").mkdir()
    (tmp_path / "Init.lean").write_text("prelude\nimport Init.B\nimport Init.A\n")
    (tmp_path / "Init/A.lean").write_text("prelude\nimport Init.B\n")
    (tmp_path / "Init/B.lean").write_text("prelude\n")
    assert build_order(tmp_path) == ["Init.B", "Init.A", "Init"]


@pytest.mark.parametrize("imported", ["A", "Missing"])  # itself, and a module that is not there
def test_imports_without_an_order_are_named(tmp_path: Path, imported: str) -> None:
    (tmp_path / "A.lean").write_text(f"import {imported}\n")
    with pytest.raises(CoreBuildError, match=r"\['A'\]"):
        build_order(tmp_path)


def test_the_key_tells_builds_of_other_inputs_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "core" / "Init.lean"
    source.parent.mkdir()
    source.write_text("prelude")
    generator = tmp_path / "syntax.py"
    generator.write_text("")
    monkeypatch.setattr(build, "_FOLDER", tmp_path)
    monkeypatch.setattr(build, "_SOURCES", source.parent)
    monkeypatch.setattr(build, "_GENERATOR", (generator,))
    keys = [core_key("one library"), core_key("another library")]
    source.write_text("prelude\n")
    keys.append(core_key("one library"))
    generator.write_text("pass")
    keys.append(core_key("one library"))
    assert len(set(keys)) == 4
    assert core_key("one library") == keys[-1]


def _build_in(folder: Path) -> Path:
    folder.mkdir()
    (folder / "Init.olean").write_bytes(b"compiled")
    digest = build._digest(folder / "Init.olean")
    (folder / "manifest.json").write_text(json.dumps({"Init.olean": digest}))
    return folder


def test_a_whole_build_is_intact(tmp_path: Path) -> None:
    assert is_intact(_build_in(tmp_path / "core"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "Init.olean").write_bytes(b"compi"),  # cut short
        lambda folder: (folder / "Init.olean").write_bytes(b"compileD"),  # one bit
        lambda folder: (folder / "Init.olean").unlink(),
        lambda folder: (folder / "manifest.json").unlink(),
        lambda folder: (folder / "manifest.json").write_text("{"),
        lambda folder: (folder / "manifest.json").write_text("{}"),  # nothing in it
        lambda folder: (folder / "manifest.json").write_text("[]"),
    ],
)
def test_damage_is_noticed(tmp_path: Path, damage: object) -> None:
    folder = _build_in(tmp_path / "core")
    assert callable(damage)
    damage(folder)
    assert not is_intact(folder)


def test_the_cache_is_in_the_user_s_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert writable_folder(None) == tmp_path / "leanfleet"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert writable_folder(None) == tmp_path / "home/.cache/leanfleet"


def test_a_relative_cache_setting_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert writable_folder(None) == tmp_path / ".cache/leanfleet"


def test_a_read_only_home_falls_back_to_the_temporary_folder_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "a file where the home should be"  # refuses even root
    home.write_text("")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    with caplog.at_level(logging.WARNING):
        found = writable_folder(None)
    assert found == tmp_path / f"leanfleet-{os.getuid()}"
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    assert "not writable" in caplog.text


def test_a_temporary_folder_laid_by_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.write_text("")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"leanfleet-{os.getuid()}").symlink_to(elsewhere)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    with pytest.raises(CoreBuildError, match="Set XDG_CACHE_HOME"):
        writable_folder(None)


def test_a_folder_that_was_asked_for_and_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CoreBuildError, match="Name another one"):
        writable_folder(tmp_path / "file" / "cache")
