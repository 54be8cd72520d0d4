from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.stack.valkey import Valkey


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    with Valkey(tmp_path_factory.mktemp("valkey"), persistent=False) as server:
        yield server


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey for one test alone, which may kill it and start it again: what it holds survives."""
    with Valkey(tmp_path / "valkey") as server:
        yield server
