import pytest

from producer.errors import SettingsError
from tasks.redelivery.keeper import LeaseClock
from tasks.redelivery.poison import Bounces, too_many_deaths, too_many_losses
from tasks.redelivery.settings import RedeliverySettings

SETTINGS = RedeliverySettings(max_repl_deaths=3, max_worker_losses=6)


def test_the_third_death_and_the_sixth_loss_are_the_last() -> None:
    assert [too_many_deaths(count, SETTINGS) for count in (1, 2, 3)] == [False, False, True]
    assert [too_many_losses(count, SETTINGS) for count in (0, 5, 6)] == [False, False, True]


def test_an_operation_that_died_here_goes_to_others_until_there_is_nobody_else() -> None:
    bounces = Bounces(most=2)
    bounces.died_here("a")
    assert [bounces.is_for_others("a") for _ in range(4)] == [True, True, False, False]
    assert not bounces.is_for_others("b")


def test_only_so_many_operations_are_remembered() -> None:
    bounces = Bounces(remembered=2)
    for name in "abc":
        bounces.died_here(name)
    assert [bounces.is_for_others(name) for name in "abc"] == [False, True, True]


@pytest.mark.parametrize(
    "wrong",
    [
        {"lease_seconds": 0.5},
        {"max_lease_seconds": 10.0},
        {"grace_seconds": -1.0},
        {"max_repl_deaths": 0},
        {"max_worker_losses": 0},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        RedeliverySettings(**wrong)  # type: ignore[arg-type] # numbers of either kind


def test_a_lease_is_renewed_until_its_delivery_was_held_for_too_long() -> None:
    now = 0.0
    clock = LeaseClock(max_seconds=10, clock=lambda: now)
    assert clock.renewable(["a"]) == (["a"], [])
    now = 6
    assert clock.renewable(["a", "b"]) == (["a", "b"], [])
    now = 11
    assert clock.renewable(["a", "b"]) == (["b"], ["a"])
    # Acknowledged and delivered again, it begins anew.
    assert clock.renewable(["b"]) == (["b"], [])
    assert clock.renewable(["a", "b"]) == (["a", "b"], [])
