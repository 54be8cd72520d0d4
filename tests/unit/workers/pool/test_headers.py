"""What is known of a header follows from what was last seen of it, and is forgotten in time."""

import random

import pytest

from producer.errors import HeaderError, ImportDiedError, InvalidInputError, ReplDiedError, ReplStartError
from workers.pool.headers import BAD_HEADER_SECONDS, KNOWN_HEADERS, Headers, normal


@pytest.fixture
def headers() -> Headers:
    return Headers(first_seconds=1.0, most_seconds=8.0, rng=random.Random(1))


@pytest.mark.parametrize("header", ["import A\nimport B", "import  A; import B", "\n import A\n\n import\tB \n"])
def test_headers_that_say_the_same_are_the_same(header: str) -> None:
    assert normal(header) == "import A\nimport B"


def test_the_order_of_imports_is_not_changed() -> None:
    assert normal("import B; import A") == "import B\nimport A"


def test_the_header_asked_for_last_comes_first(headers: Headers) -> None:
    for header in ("a", "b", "c"):
        headers.can_be_imported(header)
    headers.ask_for("a", 0.0)
    assert headers.known(()) == ("a", "c", "b")


def test_a_repl_that_comes_up_is_no_one_who_asks(headers: Headers) -> None:
    headers.can_be_imported("a")
    headers.can_be_imported("b")
    headers.can_be_imported("a")
    assert headers.known(()) == ("b", "a")


def test_a_header_that_was_forgotten_is_known_while_a_repl_has_it(headers: Headers) -> None:
    for number in range(KNOWN_HEADERS + 1):
        headers.can_be_imported(str(number))
    assert "0" not in headers.known(())
    assert headers.known(("0", "1"))[-1] == "0"
    assert len(headers.known(("0", "1"))) == KNOWN_HEADERS + 1


def test_asking_for_an_unknown_header_does_not_make_it_known(headers: Headers) -> None:
    headers.ask_for("a", 0.0)
    assert headers.known(()) == ()


@pytest.mark.parametrize("error", [HeaderError("no such module"), InvalidInputError("not text")])
def test_a_bad_header_is_refused_with_its_error_until_it_is_tried_again(
    headers: Headers, error: HeaderError | InvalidInputError
) -> None:
    headers.can_be_imported("a")
    headers.cannot_be_imported("a", error, 100.0)
    assert headers.known(()) == ()
    with pytest.raises(type(error), match=error.message) as raised:
        headers.ask_for("a", 99.0 + BAD_HEADER_SECONDS)
    assert raised.value is not error  # an error that is raised twice would collect tracebacks
    headers.ask_for("a", 100.0 + BAD_HEADER_SECONDS)


def test_a_header_is_bad_no_more_once_a_repl_has_imported_it(headers: Headers) -> None:
    headers.cannot_be_imported("a", HeaderError("no such module"), 0.0)
    headers.can_be_imported("a")
    headers.ask_for("a", 1.0)
    assert headers.known(()) == ("a",)


def test_starts_are_held_for_longer_with_each_failure(headers: Headers) -> None:
    delays = []
    for expected in range(1, 5):
        count, delay = headers.start_failed("a", ReplStartError("why"), 10.0)
        assert count == expected
        delays.append(delay)
    assert all(most / 2 <= delay <= most for delay, most in zip(delays, (1.0, 2.0, 4.0, 8.0), strict=True))
    assert list(headers.held_until()) == [10.0 + delays[-1]]
    assert headers.held(10.0) == {"a"}
    assert headers.held(10.0 + delays[-1]) == frozenset()


def test_failures_are_in_a_row_only_until_a_repl_comes_up(headers: Headers) -> None:
    headers.start_failed("a", ReplStartError("why"), 0.0)
    headers.start_failed("b", ReplStartError("why"), 0.0)
    headers.can_be_imported("a")
    assert headers.failures("a") is None
    assert headers.failures("b") is not None
    assert headers.are_failing
    assert headers.start_failed("a", ReplStartError("why"), 0.0)[0] == 1


@pytest.mark.parametrize(
    ("last", "kind"), [(ReplDiedError("it fell"), ReplStartError), (ImportDiedError("it fell"), ImportDiedError)]
)
def test_who_waited_in_vain_is_told_how_often_and_why(
    headers: Headers, last: ReplDiedError | ImportDiedError, kind: type[ReplStartError]
) -> None:
    headers.start_failed("a", ReplStartError("first"), 0.0)
    headers.start_failed("a", last, 0.0)
    failures = headers.failures("a")
    assert failures is not None
    summary = failures.summary()
    assert type(summary) is kind
    assert summary.message == "2 starts of a REPL failed in a row, the last because it fell"
