"""No secret of the worker is in the environment of a REPL."""

from pathlib import Path

import pytest

from producer.errors import SettingsError
from workers.isolation.environment import repl_environment

HOME = Path("/tmp/repl-1")  # noqa: S108 - a name only: nothing is written there

WORKER = {
    "PATH": "/usr/bin",
    "HOME": "/home/worker",
    "LEAN_PATH": "/lean",
    "LEANFLEET_BROKER_URL": "rediss://worker:secret@broker",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/secret",
    "GOOGLE_APPLICATION_CREDENTIALS": "/secret.json",
    "CELERY_BROKER_URL": "redis://:secret@broker",
    "SSH_AUTH_SOCK": "/run/secret",
    "PYTHONPATH": "/somewhere",
    "LD_PRELOAD": "/somewhere.so",
}


def test_only_what_is_named_reaches_the_repl() -> None:
    environment = repl_environment(WORKER, home=HOME)
    assert environment == {
        "PATH": "/usr/bin",
        "LEAN_PATH": "/lean",
        "HOME": str(HOME),
        "TMPDIR": str(HOME),
        "UV_USE_IO_URING": "0",
    }


def test_the_operator_can_pass_on_more_by_name() -> None:
    assert repl_environment(WORKER, home=HOME, passed_on=["PYTHONPATH"])["PYTHONPATH"] == "/somewhere"


@pytest.mark.parametrize("name", ["LEANFLEET_BROKER_URL", "leanfleet_broker_url"])
def test_the_fleets_own_variables_cannot_be_passed_on(name: str) -> None:
    with pytest.raises(SettingsError, match="may not be passed on"):
        repl_environment(WORKER, home=HOME, passed_on=[name])


def test_a_toolchain_beneath_the_home_directory_is_still_found(tmp_path: Path) -> None:
    (tmp_path / ".elan").mkdir()
    environment = repl_environment({"HOME": str(tmp_path)}, home=HOME)
    assert environment["ELAN_HOME"] == str(tmp_path / ".elan")
    assert environment["HOME"] == str(HOME)


def test_nothing_moves_the_home_out_of_the_private_folder() -> None:
    environment = repl_environment(WORKER, home=HOME, passed_on=["HOME", "TMPDIR"], extra={"HOME": "/root"})
    assert environment["HOME"] == environment["TMPDIR"] == str(HOME)
