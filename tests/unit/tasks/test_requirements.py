import pytest

from producer.requirements import Level, ServerFacts, judge_server, parse_version
from tasks.requirements import judge_packages

GOOD = ServerFacts(product="Valkey", version=(9, 1, 2), maxmemory_policy="noeviction", append_only=True)


def worst(facts: ServerFacts) -> Level:
    levels = {finding.level for finding in judge_server(facts)}
    return Level.ERROR if Level.ERROR in levels else Level.WARNING if Level.WARNING in levels else Level.FINE


def test_a_server_as_it_should_be_is_fine() -> None:
    assert worst(GOOD) is Level.FINE


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({"product": "Redis", "version": (6, 0, 16)}, Level.ERROR),  # has no BLMOVE
        ({"product": "Redis", "version": (6, 2, 0)}, Level.FINE),
        ({"role": "slave"}, Level.ERROR),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory_bytes": 10**9}, Level.ERROR),
        ({"maxmemory_policy": "allkeys-lru"}, Level.WARNING),  # nothing is evicted without a limit
        ({"maxmemory_policy": ""}, Level.WARNING),  # a managed server that does not tell
        ({"is_cluster": True}, Level.ERROR),
        ({"append_only": False}, Level.WARNING),
        ({"append_only": False, "snapshots": True}, Level.WARNING),
    ],
)
def test_what_would_lose_operations_is_refused_and_what_could_is_a_warning(
    facts: dict[str, object], level: Level
) -> None:
    changed = ServerFacts(**{**{name: getattr(GOOD, name) for name in GOOD.__struct_fields__}, **facts})
    assert worst(changed) is level
    assert all(finding.advice for finding in judge_server(changed) if finding.level is not Level.FINE)


@pytest.mark.parametrize(
    ("text", "version"),
    [("9.1.2", (9, 1, 2)), ("7.0.15-debian", (7, 0, 15)), ("unknown", (0,)), ("255.255.255", (255,) * 3)],
)
def test_versions_are_read(text: str, version: tuple[int, ...]) -> None:
    assert parse_version(text) == version


def test_an_old_celery_or_kombu_is_refused() -> None:
    assert [each.level for each in judge_packages({"celery": "5.7.0", "kombu": "5.6.2"})] == [Level.FINE, Level.ERROR]
