"""Log lines that name what they belong to."""

import asyncio
import contextvars
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from producer.envelope import BatchPlace
from producer.logs import JsonLogFormatter, Scope, dress, within
from producer.operation import RunCode

CODE = RunCode(code="#check 1")


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(stream: io.StringIO) -> Iterator[logging.Logger]:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLogFormatter())
    yield from _logger(handler)


@pytest.fixture
def plain(stream: io.StringIO) -> Iterator[logging.Logger]:
    handler = logging.StreamHandler(stream)
    dress(handler, "text", "%(levelname)s %(message)s%(ids)s")
    yield from _logger(handler)


def _logger(handler: logging.Handler) -> Iterator[logging.Logger]:
    logger = logging.getLogger("leanfleet.test_logs")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger
    logger.removeHandler(handler)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def scope() -> Scope:
    batch = BatchPlace(id="abcdef123456", attempt=2, place=33)
    return Scope(call_id="abcdef123456.2.33", operation=CODE, batch=batch, worker="w1@host", trace_id="00ff")


def test_a_line_names_what_it_was_written_in_the_course_of(stream: io.StringIO, logger: logging.Logger) -> None:
    with within(scope()):
        logger.warning("a %s", "word")
    logger.info("afterwards")
    first, second = lines(stream)
    assert {name: first[name] for name in first.keys() - {"time", "pid"}} == {
        "level": "warning",
        "logger": "leanfleet.test_logs",
        "message": "a word",
        "call_id": "abcdef123456.2.33",
        "operation_id": CODE.id,
        "operation": "run_code",
        "batch_id": "abcdef123456",
        "attempt": 2,
        "place": 33,
        "worker": "w1@host",
        "trace_id": "00ff",
    }
    assert set(second) == {"time", "level", "logger", "message", "pid"}


def test_text_ends_with_the_ids_in_brackets(stream: io.StringIO, plain: logging.Logger) -> None:
    with within(scope()):
        plain.warning("a word")
    plain.warning("afterwards")
    assert stream.getvalue().splitlines() == [
        "WARNING a word [call abcdef123456.2.33 batch abcdef123456 trace 00ff]",
        "WARNING afterwards",
    ]


def test_a_line_may_bring_ids_itself(stream: io.StringIO, logger: logging.Logger) -> None:
    logger.info("sent again", extra={"batch_id": "abcdef123456"})
    assert lines(stream)[0]["batch_id"] == "abcdef123456"


async def test_two_operations_at_once_keep_their_ids_apart(stream: io.StringIO, logger: logging.Logger) -> None:
    async def carry_out(call_id: str) -> None:
        with within(Scope(call_id=call_id)):
            await asyncio.sleep(0)
            logger.info("half way")
            await asyncio.gather(asyncio.to_thread(logger.info, "in a thread"))

    await asyncio.gather(*(carry_out(f"call{number}") for number in range(5)))
    found = [(line["message"], line["call_id"]) for line in lines(stream)]
    assert sorted(found) == sorted((m, f"call{n}") for n in range(5) for m in ("half way", "in a thread"))


async def test_what_begins_in_a_context_of_its_own_belongs_to_nothing(
    stream: io.StringIO, logger: logging.Logger
) -> None:
    async def look() -> None:
        logger.info("a look")

    with within(scope()):
        await asyncio.get_running_loop().create_task(look(), context=contextvars.Context())
    assert "call_id" not in lines(stream)[0]


def test_a_traceback_stays_on_its_line(stream: io.StringIO, logger: logging.Logger) -> None:
    try:
        int("no good")
    except ValueError:
        logger.exception("it failed")
    (line,) = lines(stream)
    assert line["traceback"].endswith("with base 10: 'no good'")


def test_what_is_no_text_is_legible_all_the_same(stream: io.StringIO, logger: logging.Logger) -> None:
    with within(Scope(operation=RunCode(code="\ud800"))):
        logger.info("said %s", "\ud800")
    (line,) = lines(stream)
    assert line["message"] == "said \\ud800"
