"""Settings of a worker come from the environment, and impossible ones are refused by name."""

import inspect

import pytest

from producer.errors import SettingsError
from producer.settings import load_section
from tasks.commands.flower import flower
from workers.settings import PoolSettings, WorkerSettings, usable_cores


def load(**environ: str) -> WorkerSettings:
    return load_section(
        "worker", WorkerSettings, environ={f"LEANFLEET_WORKER_{k.upper()}": v for k, v in environ.items()}
    )


def test_a_pool_is_as_large_as_there_are_cores_unless_it_is_said() -> None:
    assert PoolSettings().repls == usable_cores()
    assert load(size="3", spares="0").repls == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", "-1"),
        ("recycle_uses", "-1"),
        ("start_timeout_seconds", "0"),
        ("stderr_tail_bytes", "0"),
        ("isolation_processes", "-1"),
    ],
)
def test_an_impossible_number_is_refused_by_name(field: str, value: str) -> None:
    with pytest.raises(SettingsError, match=field):
        load(**{field: value})


@pytest.mark.parametrize("name", ["repl", "verify"])
def test_half_a_quotation_is_no_command_line(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}_command is no command line"):
        getattr(load(**{f"{name}_command": "lake 'env"}), f"{name}_words")


def test_metrics_and_flower_are_for_this_computer_alone_unless_it_is_said() -> None:
    assert load().metrics_address == "127.0.0.1"
    assert inspect.signature(flower).parameters["address"].default == "127.0.0.1"
