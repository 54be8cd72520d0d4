"""A fingerprint changes with what a state depends on, and with nothing else."""

import shutil
from pathlib import Path

import pytest

from producer.errors import SettingsError
from workers.project import open_project, repl_project
from workers.settings import WorkerSettings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A lake project with a REPL's binary in it, as far as the fingerprint looks."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "lean-toolchain").write_text("leanprover/lean4:v4.20.0\n")
    (folder / "lake-manifest.json").write_text('{"packages": []}')
    (folder / "lakefile.toml").write_text('name = "here"')
    binary = folder / "repl"
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    return folder


def fingerprint(folder: Path) -> str:
    return repl_project(["env", "./repl"], folder).fingerprint


@pytest.mark.parametrize("file", ["lean-toolchain", "lake-manifest.json", "lakefile.toml", "repl"])
def test_the_fingerprint_changes_with_toolchain_packages_and_repl(project: Path, file: str) -> None:
    before = fingerprint(project)
    (project / file).write_text("another")
    assert fingerprint(project) != before


def test_the_fingerprint_is_the_same_on_another_machine(project: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(project, elsewhere)
    (elsewhere / "README.md").write_text("what does not matter")
    assert fingerprint(elsewhere) == fingerprint(project)


def test_a_command_that_is_not_there_is_named_in_the_error(project: Path) -> None:
    with pytest.raises(SettingsError, match="no-such-lake"):
        repl_project(["no-such-lake", "env", "./repl"], project)


def test_a_directory_that_is_not_there_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        repl_project(["env"], tmp_path / "nowhere")


def test_an_unknown_adapter_is_refused_with_those_that_are_known(project: Path) -> None:
    with pytest.raises(SettingsError, match="community"):
        repl_project(["env", "./repl"], project, adapter="telepathy")


def test_the_settings_name_command_and_directory(project: Path) -> None:
    opened = open_project(WorkerSettings(repl_command="env './repl' --quiet", project_directory=str(project)))
    assert opened.command == ("env", "./repl", "--quiet")
    assert opened.directory == project
    assert opened.adapter == "community"


def test_a_directory_without_a_command_is_a_mistake(project: Path) -> None:
    with pytest.raises(SettingsError, match="repl_command"):
        open_project(WorkerSettings(project_directory=str(project)))


@pytest.mark.parametrize(
    ("toolchain", "helped"),
    [
        ("leanprover/lean4:v4.9.0", True),
        ("leanprover/lean4:v4.9.0-rc1\n", True),
        ("leanprover/lean4:v4.10.0", False),
        ("leanprover/lean4:v4.33.0-rc2", False),
        ("leanprover/lean4:nightly-2026-01-01", False),
    ],
)
def test_a_repl_that_does_not_flush_is_helped_to(project: Path, toolchain: str, helped: bool) -> None:
    (project / "lean-toolchain").write_text(toolchain)
    command = ("env", "./repl")
    assert repl_project(list(command), project).command == (("stdbuf", "-oL", *command) if helped else command)
    assert repl_project(["stdbuf", "-oL", *command], project).command == ("stdbuf", "-oL", *command)
    assert repl_project(list(command), project, adapter="pantograph").command == command


def test_help_that_is_not_installed_is_asked_for_in_words(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "lean-toolchain").write_text("leanprover/lean4:v4.9.0")
    monkeypatch.setenv("PATH", str(project))
    with pytest.raises(SettingsError, match=r"v4\.10.*coreutils"):
        repl_project([str(project / "repl")], project)


def test_a_project_without_a_toolchain_is_taken_for_a_new_one(project: Path) -> None:
    (project / "lean-toolchain").unlink()
    assert repl_project(["env", "./repl"], project).command == ("env", "./repl")
