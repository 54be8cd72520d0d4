"""The embedded Lean as a process; its core library is built before the first test, if it must be."""

from collections.abc import Iterator

import pytest

from tests.integration.embedded.repl import Repl
from workers.embedded.build import ensure_core


@pytest.fixture(scope="session", autouse=True)
def _core() -> None:
    ensure_core()


@pytest.fixture
def repl() -> Iterator[Repl]:
    with Repl() as repl:
        yield repl
