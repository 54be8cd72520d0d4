from pathlib import Path

import pytest

from producer.errors import SettingsError
from producer.keys import batch_key, producer_id, reply_key
from producer.settings import TABLES, Settings, load_settings, unknown_variables, user_of, without_password
from tasks.commands.doctor import _kinds
from workers.settings import WorkerSettings


def test_defaults_need_no_file_and_no_environment(tmp_path: Path) -> None:
    assert load_settings(environ={}, directory=tmp_path) == Settings()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "leanfleet.toml").write_text('queue = "from-file"\ntimeout_seconds = 5\n')

    settings = load_settings(environ={"LEANFLEET_QUEUE": "from-environment"}, directory=tmp_path)

    assert (settings.queue, settings.timeout_seconds) == ("from-environment", 5.0)


def test_a_number_in_the_environment_is_text_and_becomes_a_number(tmp_path: Path) -> None:
    assert load_settings(environ={"LEANFLEET_MEMORY_BYTES": "1024"}, directory=tmp_path).memory_bytes == 1024


def test_another_parts_table_is_not_this_parts_business(tmp_path: Path) -> None:
    (tmp_path / "leanfleet.toml").write_text("[worker]\nrepls = 4\n")

    assert load_settings(environ={}, directory=tmp_path) == Settings()


@pytest.mark.parametrize(
    ("toml", "environ", "named"),
    [
        ("queu = 'x'", {}, "queu"),  # misspelt
        ("[workrs]\nsize = 3", {}, "unknown table 'workrs'.*worker, machine"),
        ("timeout_seconds = 'soon'", {}, "timeout_seconds"),  # wrong type
        ("queue = ", {}, "leanfleet.toml"),  # not TOML
        ("", {"LEANFLEET_CONFIG": "absent.toml"}, "absent.toml"),  # named, but not there
        ("", {"LEANFLEET_MEMORY_BYTES": "much"}, "memory_bytes"),
        ("", {"LEANFLEET_PRIORITY": "high"}, "priority.*'interactive', 'bulk'"),
    ],
)
def test_a_bad_setting_is_named(tmp_path: Path, toml: str, environ: dict[str, str], named: str) -> None:
    (tmp_path / "leanfleet.toml").write_text(toml)

    with pytest.raises(SettingsError, match=named):
        load_settings(environ=environ, directory=tmp_path)


def test_a_variable_that_sets_nothing_is_named_with_the_one_that_is_meant() -> None:
    environ = {
        "LEANFLEET_PRIORTY": "bulk",
        "LEANFLEET_QUEUE": "q",
        "LEANFLEET_CONFIG": "c.toml",
        "LEANFLEET_XYZZY": "",
        "LEANFLEET_WORKER_SISE": "3",
        "PATH": "/bin",
    }
    assert unknown_variables({"": Settings}, environ) == {
        "LEANFLEET_PRIORTY": "LEANFLEET_PRIORITY",
        "LEANFLEET_XYZZY": "",
    }
    both = unknown_variables({"": Settings, "worker": WorkerSettings}, environ)
    assert both["LEANFLEET_WORKER_SISE"] == "LEANFLEET_WORKER_SIZE"


def test_every_table_that_a_file_may_have_is_known_to_the_doctor() -> None:
    assert set(_kinds()) == {"", *TABLES}


def test_replies_need_a_redis_beside_another_broker() -> None:
    with pytest.raises(SettingsError, match=r"LEANFLEET_RESULT_URL") as caught:
        _ = Settings(broker_url="amqp://fleet:secret@host//").reply_url

    assert "secret" not in str(caught.value)
    assert Settings(broker_url="amqp://host//", result_url="redis://r").reply_url == "redis://r"


def test_passwords_are_not_for_logs() -> None:
    assert without_password("redis://user:secret@host:1/0") == "redis://user:***@host:1/0"
    assert without_password("redis://host:1/0") == "redis://host:1/0"


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://user:secret@one:26379;sentinel://:secret@two:26379/0?master_name=m",
        "redis://:sec/ret@host:6379/0",  # not percent-encoded, as it should be
        "redis://:sec@ret@host:6379/0",
        "redis://host:6379/0?username=fleet&password=secret",
        "amqp://fleet:sec[ret@host//",
        "amqps://fleet:sec#ret@one//;amqps://fleet:secret@two//",
    ],
)
def test_no_way_to_write_a_password_shows_it(url: str) -> None:
    shown = without_password(url)

    assert "sec" not in shown
    assert "ret" not in shown
    assert "***" in shown


def test_settings_show_no_secrets() -> None:
    settings = Settings(broker_url="redis://fleet:secret@host", result_url="redis://:secret@host")
    assert "secret" not in repr(settings)
    assert "***@host" in repr(settings)
    worker = WorkerSettings(blob_keys="secret,other")
    assert "secret" not in repr(worker)
    assert "secret" not in str(worker.__rich_repr__())


def test_an_address_that_is_none_is_refused_without_quoting_it() -> None:
    with pytest.raises(SettingsError, match="broker_url is no address") as caught:
        Settings(broker_url="redis://:sec[ret@host")

    assert "sec[ret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_users_keys_begin_with_its_name() -> None:
    assert user_of("redis://alice:secret@host:1/0") == "alice"
    assert user_of("sentinel://al%20ice:x@a:1;sentinel://al%20ice:x@b:1/0?master_name=m") == "al ice"
    assert user_of("redis://host") == user_of("redis://:secret@host") == ""
    assert reply_key(producer_id("alice", "x")) == "leanfleet:reply:alice:x"
    assert batch_key("b", 1, "alice") == "leanfleet:batch:alice:b:1"
    assert batch_key("b", 1) == "leanfleet:batch:b:1"
    assert batch_key("b", 1, "alice", "t") == "leanfleet:batch:alice:b:1:t"


def test_a_folder_that_cannot_be_looked_into_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read the settings file"):
        load_settings(environ={}, directory=tmp_path / ("x" * 300))
