"""Servers for the tests: real ones, started once a session and shared."""

import asyncio
import gc
import io
import os
import signal
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tasks.stack import ports
from tasks.stack.seaweed import Seaweed
from tasks.stack.valkey import Valkey
from tests.needs import need
from tests.rabbitmq import RabbitMQ, find_rabbitmq

# How fast an example runs says nothing on a shared machine. What CI says of a commit does not depend on chance: other
# examples are drawn wherever else the tests run, and more of them.
hypothesis.settings.register_profile(
    "leanfleet",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    max_examples=100 if "CI" in os.environ else 200,
    derandomize="CI" in os.environ,
)
hypothesis.settings.load_profile("leanfleet")


def pytest_configure(config: pytest.Config) -> None:
    # A shell has its background jobs ignore Ctrl-C, and all that tests start, and interrupt, would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if ours := config.getoption("--ports"):
        first, _, last = ours.partition("-")
        ports._RANGE = range(int(first), int(last) + 1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--repl-transcripts", metavar="DIR", help="recorded sessions of the community REPL to check against"
    )
    # Two that look for a free port at the same moment may find the same one.
    parser.addoption("--ports", metavar="FIRST-LAST", default="", help="for servers of tests that run beside others")
    parser.addoption("--lean-repl", metavar="COMMAND", default="", help="a community REPL with all of Lean")
    parser.addoption("--lean-project", metavar="DIR", default=".", help="where it is run")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Say where coroutines wait when a test's time is up: the threads' stacks end in the event loop."""
    try:
        return (yield)
    except pytest.fail.Exception as failure:
        if str(failure).startswith("Timeout"):
            item.add_report_section("call", "asyncio tasks", _waiting_tasks())
        raise


def _waiting_tasks() -> str:
    text = io.StringIO()
    for each in gc.get_objects():
        # By its type: `isinstance` asks what a weak proxy stands for, and raises where that is gone.
        if issubclass(type(each), asyncio.Task) and not each.done():
            each.print_stack(file=text)
    return text.getvalue()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Valkey for the whole session. Use a queue of your own in it, or `flushall` at your start, and never stop it."""
    with Valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A RabbitMQ for the whole session. Use a queue of your own in it, and never stop it."""
    need("rabbitmq", "" if find_rabbitmq() else "RabbitMQ's server is not installed (see .ci/install-rabbitmq)")
    with RabbitMQ(tmp_path_factory.mktemp("rabbitmq")) as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """An S3 server with a bucket for the whole session. Use a prefix of your own in it, and never stop it."""
    with Seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server
