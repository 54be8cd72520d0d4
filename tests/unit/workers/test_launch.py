"""A REPL learns of its machine what it needs, and nothing that is secret."""

from workers.launch import Launch, scrubbed


def test_credentials_and_our_own_settings_do_not_reach_a_repl() -> None:
    environ = {
        "PATH": "/usr/bin",
        "HOME": "/home/lean",
        "ELAN_HOME": "/home/lean/.elan",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "LEANFLEET_BROKER_URL": "redis://:secret@broker",
        "CELERY_BROKER_URL": "redis://:secret@broker",
        "LD_PRELOAD": "/somewhere.so",
    }
    assert scrubbed(environ) == {"PATH": "/usr/bin", "HOME": "/home/lean", "ELAN_HOME": "/home/lean/.elan"}


def test_an_environment_is_not_shown() -> None:
    assert "secret" not in repr(Launch(command=("repl",), environment={"TOKEN": "secret"}))
