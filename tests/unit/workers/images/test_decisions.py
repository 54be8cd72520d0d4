"""When an image is used, when it fits, and by what files are known."""

import os
from pathlib import Path

import msgspec
import pytest

from workers.images.criu import find_criu
from workers.images.errors import ImageRefusedError, ImagesUnavailableError
from workers.images.image import Stamp, stamped, stamps
from workers.images.machine import Machine, this_machine
from workers.images.manifest import FORMAT, Manifest, digest
from workers.images.stock import prefers_image

HERE = Machine(architecture="x86_64", kernel="6.1.0", criu="4.1.1", page_bytes=4096, cpu_flags=("avx", "sse"))


@pytest.mark.parametrize(
    ("start", "thaw", "preferred"),
    [(None, None, True), (3.0, None, True), (None, 0.5, True), (3.0, 0.5, True), (0.5, 3.0, False), (1.0, 0.95, False)],
)
def test_an_image_is_used_where_that_was_measured_to_be_quicker_or_is_not_known(
    start: float | None, thaw: float | None, preferred: bool
) -> None:
    assert prefers_image(start, thaw) is preferred


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"cpu_flags": ("avx", "avx512f", "sse")}, ""),
        ({"criu": "4.9"}, ""),
        ({"cpu_flags": ("sse",)}, "lacks avx"),
        ({"kernel": "6.1.1"}, "kernel 6.1.0"),
        ({"page_bytes": 65536}, "page_bytes 4096"),
        ({"criu": "5.0"}, "CRIU 4.1.1"),
    ],
)
def test_an_image_fits_a_machine_that_has_all_that_it_was_made_with(changes: dict[str, object], words: str) -> None:
    misfit = HERE.misfit(msgspec.structs.replace(HERE, **changes))
    assert words in misfit
    assert bool(misfit) is bool(words)


def test_the_processors_flags_are_read_once(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: sse avx hypervisor\n\nprocessor\t: 1\nflags\t\t: other\n")
    assert this_machine("4.1.1", cpuinfo=cpuinfo).cpu_flags == ("avx", "sse")
    assert this_machine("4.1.1", cpuinfo=tmp_path / "none").cpu_flags == ()


def test_a_file_that_was_written_to_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = stamped(path)
    assert isinstance(before, Stamp)
    os.utime(path, ns=(0, before.modified_ns + 1))
    assert stamped(path) != before
    path.unlink()
    assert stamped(path) is None
    assert stamps([path]) == {}


def test_samples_tell_files_apart_by_their_ends_and_places_between(tmp_path: Path) -> None:
    path = tmp_path / "file"
    data = bytearray(os.urandom(1_000_000))
    path.write_bytes(data)
    before = digest(path, whole=False)
    assert before == digest(path, whole=False)
    assert before != digest(path, whole=True)
    for place in (0, len(data) - 1):
        data[place] ^= 1
        path.write_bytes(data)
        assert digest(path, whole=False) != before
        data[place] ^= 1


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"\xff", b'{"format": 99}'])
def test_what_is_no_manifest_is_refused(data: bytes) -> None:
    with pytest.raises(ImageRefusedError):
        Manifest.from_json(data, expected_id="0" * 64)
    assert FORMAT == 1


def program(folder: Path, version: str, *, works: bool = True) -> str:
    criu = folder / "criu"
    criu.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && {{ echo "Version: {version}"; exit; }}\n'
        f'echo "Error (cr-check.c:1): no ptrace" >&2; exit {0 if works else 1}\n'
    )
    criu.chmod(0o755)
    return str(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets that far")
@pytest.mark.parametrize("version", ["3.17.1", "4.1", "4.0.9", "something"])
def test_an_old_criu_is_refused(tmp_path: Path, version: str) -> None:
    with pytest.raises(ImagesUnavailableError, match="too old"):
        find_criu(program(tmp_path, version))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets that far")
def test_a_criu_that_may_not_work_says_why(tmp_path: Path) -> None:
    with pytest.raises(ImagesUnavailableError, match="no ptrace"):
        find_criu(program(tmp_path, "4.1.1", works=False))
    assert find_criu(program(tmp_path, "4.2")).version == "4.2"


def test_no_criu_is_no_images(tmp_path: Path) -> None:
    with pytest.raises(ImagesUnavailableError, match="no criu on the PATH"):
        find_criu(str(tmp_path))
