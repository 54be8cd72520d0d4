"""`leanfleet image` as a user runs it, and what `leanfleet doctor` says of images."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.images.cold import small_disk
from workers.images.criu import Criu
from workers.project import LeanProject

KEY = "a-secret-of-this-fleet"


class CommandLine:
    def __init__(self, folder: Path, project: LeanProject) -> None:
        self.folder = folder
        (folder / "remote").mkdir()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("LEANFLEET_")} | {
            "LEANFLEET_WORKER_BLOB_KEYS": KEY,
            "LEANFLEET_WORKER_IMAGE_DIRECTORY": str(folder / "shelf"),
            "LEANFLEET_STORE_URL": (folder / "remote").as_uri(),
            "LEANFLEET_WORKER_REPL_COMMAND": " ".join(project.command),
            "LEANFLEET_WORKER_ISOLATION": "off",
        }

    def run(self, *arguments: str, expect: int = 0, **environment: str) -> str:
        done = subprocess.run(
            (sys.executable, "-m", "leanfleet", *arguments),
            cwd=self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == expect, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout if expect == 0 else done.stdout + done.stderr


@pytest.fixture
def line(tmp_path: Path, scripted: LeanProject) -> CommandLine:
    return CommandLine(tmp_path, scripted)


@pytest.fixture
def without_criu(tmp_path: Path) -> str:
    """A PATH on which there is no criu."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("unshare", "nsenter", "env"):
        if path := shutil.which(name):
            (folder / name).symlink_to(path)
    return str(folder)


def test_an_image_is_built_pushed_pulled_verified_and_removed(criu: Criu, line: CommandLine) -> None:
    assert criu.version
    whole = line.run("image", "build", "--header", "import Mathlib; import Aesop").strip()
    short = whole[:12]
    assert short in line.run("image", "list")
    assert "import Mathlib; import Aesop" in line.run("image", "list")
    assert line.run("image", "list", "--store") == ""
    line.run("image", "push", short)
    assert "it fits this machine" in line.run("image", "verify", "--store")
    line.run("image", "rm", short)
    assert line.run("image", "list") == ""
    line.run("image", "pull", short)
    assert "it fits this machine" in line.run("image", "verify", short)
    for path in (line.folder / "shelf" / "image-chunks").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    assert "missing or damaged" in line.run("image", "verify", expect=1)
    assert "no signature of this fleet" in line.run(
        "image", "verify", "--store", expect=1, LEANFLEET_WORKER_BLOB_KEYS="a-secret-of-another-fleet"
    )
    line.run("image", "rm", short, "--store")
    assert not [path for path in (line.folder / "remote").rglob("*") if path.is_file()]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_a_broken_push_has_left_is_collected(criu: Criu, line: CommandLine, tmp_path: Path) -> None:
    assert criu.version
    image = line.run("image", "build").strip()
    remote = line.folder / "remote"
    with small_disk(tmp_path / "small") as small:
        elsewhere = small.as_uri()
        assert "No space left" in line.run("image", "push", image, expect=2, LEANFLEET_STORE_URL=elsewhere)
        left = len(files(small))
        assert left
        for arguments, found in ((("1h",), 0), (("0s", "--dry-run"), left), (("0s",), left), (("0s",), 0)):
            said = line.run("image", "gc", "--store", "--older-than", *arguments, LEANFLEET_STORE_URL=elsewhere)
            assert said.startswith(f"0 images and {found} chunks")
        assert not files(small)
    line.run("image", "push", image)
    whole = len(files(remote))
    assert "0 images and 0 chunks" in line.run("image", "gc", "--store", "--older-than", "0s")
    assert len(files(remote)) == whole
    assert "1 images and " in line.run("image", "gc", "--store", "--older-than", "0s", "--images")
    assert not files(remote)


def test_pushing_again_mends_what_was_cut_off(criu: Criu, line: CommandLine) -> None:
    assert criu.version
    image = line.run("image", "build").strip()
    line.run("image", "push", image)
    for path in files(line.folder / "remote" / "image-chunks"):
        path.write_bytes(path.read_bytes()[:-1])
    assert "damaged" in line.run("image", "verify", "--store", expect=1)
    line.run("image", "push", image)
    assert "sound" in line.run("image", "verify", "--store")


def test_an_image_named_twice_is_one(criu: Criu, line: CommandLine) -> None:
    assert criu.version
    image = line.run("image", "build").strip()
    assert "1 images deleted" in line.run("image", "rm", image, image[:8])


def test_images_of_another_toolchain_are_told_apart(criu: Criu, line: CommandLine) -> None:
    assert criu.version
    image = line.run("image", "build").strip()
    assert "another project" not in line.run("image", "list")
    project = line.folder / "project"
    project.mkdir()
    (project / "lean-toolchain").write_text("leanprover/lean4:v4.20.0")
    directory = str(project)
    assert "another project or toolchain" in line.run("image", "list", LEANFLEET_WORKER_PROJECT_DIRECTORY=directory)
    said = line.run("image", "verify", image, LEANFLEET_WORKER_PROJECT_DIRECTORY=directory)
    assert "sound; it is for another project or toolchain" in said


def test_mistakes_are_explained(line: CommandLine, without_criu: str) -> None:
    assert "no criu on the PATH" in line.run("image", "build", expect=2, PATH=without_criu)
    assert "LEANFLEET_WORKER_BLOB_KEYS" in line.run("image", "build", expect=2, LEANFLEET_WORKER_BLOB_KEYS="")
    assert "leanfleet image list" in line.run("image", "rm", "0123456789", expect=2)
    assert "leanfleet image list --store" in line.run("image", "pull", "0123456789", expect=2)
    assert "imports alone" in line.run("image", "build", "--header", "import Init; def x := 1", expect=2)
    assert "is no age" in line.run("image", "gc", "--older-than", "old", expect=2)
    assert "too short" in line.run("image", "push", "a", expect=2)
    assert line.run("image", "list", PATH=without_criu) == ""


def test_a_full_disk_is_an_error_in_words_and_no_half_image(criu: Criu, line: CommandLine, tmp_path: Path) -> None:
    whole = line.run("image", "build").strip()
    line.run("image", "push", whole)
    line.run("image", "rm", whole)
    assert criu.version
    with small_disk(tmp_path / "small") as small:
        for command in (("pull", whole), ("build",)):
            full = line.run("image", *command, expect=2, LEANFLEET_WORKER_IMAGE_DIRECTORY=str(small))
            assert "No space left" in full
            assert line.run("image", "list", LEANFLEET_WORKER_IMAGE_DIRECTORY=str(small)) == ""


def findings(line: CommandLine, **environment: str) -> dict[str, dict[str, str]]:
    said = line.run("doctor", "--json", expect=0, **environment)
    return {finding["subject"]: finding for finding in map(json.loads, said.splitlines())}


def test_the_doctor_freezes_and_thaws(criu: Criu, line: CommandLine) -> None:
    found = findings(line)["process images"]
    assert found["level"] == "fine"
    assert f"CRIU {criu.version} freezes a REPL" in found["found"]
    assert not found.get("advice")


def test_the_doctor_says_why_images_cannot_be_used(line: CommandLine, without_criu: str) -> None:
    found = findings(line, PATH=without_criu)["process images"]
    assert found["found"] == "not used here"
    assert "no criu on the PATH" in found["advice"]
    switched_off = findings(line, PATH=without_criu, LEANFLEET_WORKER_IMAGES="off")["process images"]
    assert "LEANFLEET_WORKER_IMAGES" in switched_off["advice"]
