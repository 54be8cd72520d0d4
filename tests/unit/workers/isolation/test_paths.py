"""What a REPL may read is what it needs, and nothing that holds a secret."""

import sys
from pathlib import Path

import pytest

from workers.isolation.paths import around, policy_for
from workers.isolation.policy import Policy


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "project" / ".lake").mkdir(parents=True)
    (tmp_path / "project" / ".git").mkdir()
    for name in ("Main.lean", "leanfleet.toml", ".env"):
        (tmp_path / "project" / name).touch()
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").touch()
    return tmp_path


def reaches(policy: Policy, path: Path) -> bool:
    """Whether the policy lets a REPL read `path`."""
    hidden = (*policy.hidden_files, *policy.hidden_folders)
    return any(path.is_relative_to(root) for root in policy.readable) and not any(
        path.is_relative_to(cover) for cover in hidden
    )


def exposed(policy: Policy, path: Path) -> bool:
    return any(path.is_relative_to(root) for root in policy.exposed)


def policy(home: Path, *command: str, **environ: str) -> Policy:
    return policy_for(command, home / "project", environ={"HOME": str(home), "PATH": "/usr/bin", **environ})


def test_the_project_is_readable_and_the_home_around_it_is_not(home: Path) -> None:
    found = policy(home, "sh")
    for ask in (reaches, exposed):
        assert ask(found, home / "project" / "Main.lean")
        assert ask(found, home / "project" / ".lake" / "build")
        assert not ask(found, home / ".aws" / "credentials")


def test_secrets_inside_of_the_project_are_hidden(home: Path) -> None:
    found = policy(home, "sh")
    for name in ("leanfleet.toml", ".env", ".git/config"):
        for ask in (reaches, exposed):
            assert not ask(found, home / "project" / name)


def test_a_settings_file_of_another_name_is_hidden_too(home: Path) -> None:
    path = home / "project" / "fleet.toml"
    path.touch()
    assert reaches(policy(home, "sh"), path)
    assert not reaches(policy(home, "sh", LEANFLEET_CONFIG=str(path)), path)


def test_what_the_command_names_is_readable(home: Path) -> None:
    repl = home / "tools" / "repl"
    repl.parent.mkdir()
    repl.touch()
    found = policy(home, "lake", "env", str(repl))
    assert reaches(found, repl)
    assert not reaches(found, repl.parent / "other")


def test_a_command_that_names_the_home_does_not_open_it(home: Path) -> None:
    assert not reaches(policy(home, "sh", "--home", f"{home}/"), home / ".aws" / "credentials")


def test_a_worker_that_was_started_at_home_does_not_open_it(home: Path) -> None:
    found = policy_for(("sh",), home, environ={"HOME": str(home), "PATH": "/usr/bin"})
    assert not reaches(found, home / ".aws" / "credentials")
    assert not exposed(found, home / ".aws" / "credentials")


def test_the_program_is_found_through_all_links(home: Path) -> None:
    toolchain = home / "toolchains" / "v4" / "bin"
    toolchain.mkdir(parents=True)
    (toolchain.parent / "lib").mkdir()
    (toolchain / "lean").touch(mode=0o755)
    (home / "bin").mkdir()
    (home / "bin" / "lean").symlink_to(toolchain / "lean")
    found = policy(home, "lean", PATH=str(home / "bin"))
    assert reaches(found, toolchain / "lean")
    assert reaches(found, toolchain.parent / "lib" / "Init.olean")
    assert not reaches(found, home / ".aws" / "credentials")


def test_elans_toolchains_are_readable(home: Path) -> None:
    (home / ".elan" / "toolchains").mkdir(parents=True)
    assert reaches(policy(home, "lake"), home / ".elan" / "toolchains")


def test_the_python_that_runs_us_is_readable_and_the_source_tree_around_us_is_not(home: Path) -> None:
    found = policy(home, "sh")
    assert reaches(found, Path(sys.prefix) / "lib")
    root = Path(__file__).parents[4]
    if not root.is_relative_to(sys.prefix):
        assert reaches(found, root / "workers" / "__init__.py")
        assert not reaches(found, root / "pyproject.toml")


def test_around_keeps_every_sibling_of_what_is_hidden(tmp_path: Path) -> None:
    for name in ("a/b/secret", "a/b/plain", "a/other", "top"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    kept = around(tmp_path, [tmp_path / "a" / "b" / "secret"])
    assert set(kept) == {tmp_path / "a" / "b" / "plain", tmp_path / "a" / "other", tmp_path / "top"}
    assert around(tmp_path, []) == (tmp_path,)
    assert around(tmp_path, [tmp_path]) == ()
