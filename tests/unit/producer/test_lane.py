import pytest

from producer.errors import InvalidInputError, SettingsError
from producer.lane import PRIORITIES, Lane, as_priority, ring_key
from producer.settings import load_settings


def test_a_lane_is_its_rings_name_and_its_producer() -> None:
    """Scripts make it up from the two, so that rings need not name keys."""
    lane = Lane("q", "bulk", "somebody")
    assert lane.ring == ring_key("q", "bulk")
    assert lane.key == f"{lane.ring}:somebody"


@pytest.mark.parametrize("priority", PRIORITIES)
def test_priorities_are_what_they_are_called(priority: str) -> None:
    assert as_priority(priority) == priority


@pytest.mark.parametrize("given", ["", "high", "Bulk", "9"])
def test_what_is_no_priority_is_refused_with_what_is_one(given: str) -> None:
    with pytest.raises(InvalidInputError, match="interactive, bulk"):
        as_priority(given)


def test_a_setting_that_is_no_priority_is_refused() -> None:
    with pytest.raises(SettingsError, match="priority"):
        load_settings(environ={"LEANFLEET_PRIORITY": "high"})
    settings = load_settings(environ={"LEANFLEET_PRIORITY": "bulk", "LEANFLEET_PRODUCER": "run-17"})
    assert (settings.priority, settings.producer) == ("bulk", "run-17")
