"""No secret of the worker is in the environment of a REPL."""

from pathlib import Path

import pytest

from producer.errors import SettingsError
from workers.isolation.environment import at_home, passed_on

WORKER = {
    "PATH": "/usr/bin",
    "HOME": "/home/worker",
    "LEAN_PATH": "/lean",
    "LEANFLEET_BROKER_URL": "rediss://worker:secret@broker",
    "LAKE_CACHE_KEY": "secret",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/secret",
    "GOOGLE_APPLICATION_CREDENTIALS": "/secret.json",
    "CELERY_BROKER_URL": "redis://:secret@broker",
    "SSH_AUTH_SOCK": "/run/secret",
    "PYTHONPATH": "/somewhere",
    "LD_PRELOAD": "/somewhere.so",
}


def test_only_what_is_named_reaches_the_repl() -> None:
    assert passed_on(WORKER) == {"PATH": "/usr/bin", "LEAN_PATH": "/lean", "UV_USE_IO_URING": "0"}


def test_the_operator_can_pass_on_more_by_name() -> None:
    assert passed_on(WORKER, ["PYTHONPATH"])["PYTHONPATH"] == "/somewhere"


@pytest.mark.parametrize("name", ["LEANFLEET_BROKER_URL", "leanfleet_broker_url"])
def test_the_fleets_own_variables_cannot_be_passed_on(name: str) -> None:
    with pytest.raises(SettingsError, match="may not be passed on"):
        passed_on(WORKER, [name])


def test_a_toolchain_beneath_the_home_directory_is_still_found(tmp_path: Path) -> None:
    (tmp_path / ".elan").mkdir()
    assert passed_on({"HOME": str(tmp_path)})["ELAN_HOME"] == str(tmp_path / ".elan")


def test_home_and_temporary_files_are_in_the_private_folder(tmp_path: Path) -> None:
    environment = at_home(passed_on(WORKER, ["HOME", "TMPDIR"]), tmp_path)
    assert environment["HOME"] == environment["TMPDIR"] == str(tmp_path)
