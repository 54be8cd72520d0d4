"""What only some machines have: tests that need it skip with the reason, except where it must be there."""

import os

import pytest

# Names, separated by commas, of what CI provides: a test that cannot find it there fails instead of skipping.
PROVIDED = "LEANFLEET_TESTS_MUST_HAVE"


def need(name: str, problem: str) -> None:
    """Skip the test with `problem`, or fail it where `name` must be there. Empty: all is well."""
    if not problem:
        return
    if name in os.environ.get(PROVIDED, "").split(","):
        pytest.fail(f"{name} must be here and is not: {problem}", pytrace=False)
    pytest.skip(problem)
