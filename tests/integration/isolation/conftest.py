"""One arena for every kind of fence."""

import sys
from collections.abc import Iterator

import pytest

from tests.integration.isolation.arena import KINDS, Arena, open_arena


@pytest.fixture(params=KINDS)
def arena(request: pytest.FixtureRequest) -> Iterator[Arena]:
    if sys.platform != "linux":
        pytest.skip("fences are Linux's")
    with open_arena(request.param) as opened:
        yield opened
