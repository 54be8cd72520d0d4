"""Log lines that can be found again: each names the operation, call and batch in whose course it was written.

What is known of the moment is in a context variable, which asyncio hands on to what a task begins; formatters put it
into the line. Loggers, and who calls them, know nothing of that. Ids are only worked out for lines that are written.
"""

import contextvars
import datetime as dt
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from producer.envelope import BatchPlace
from producer.errors import LeanFleetError
from producer.operation import AnyOperation

TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s%(ids)s"

# What a line may carry, in this order; a record may bring any of these itself, by `extra`.
_IDS = ("call_id", "operation_id", "operation", "batch_id", "attempt", "place", "worker", "trace_id")
# Of these, what a line for people shows: the others follow from them, or are the same in the whole log.
_SHOWN = ("call_id", "batch_id", "trace_id")

_encoder = msgspec.json.Encoder(enc_hook=repr)


class Scope(msgspec.Struct, kw_only=True):
    """In the course of what something happens. `operation` may become known later."""

    call_id: str = ""
    operation: AnyOperation | None = None
    batch: BatchPlace | None = None
    batch_id: str = ""  # where it is about the whole of it
    worker: str = ""
    trace_id: str = ""

    def ids(self) -> dict[str, Any]:
        """Those that are known, by name."""
        found: dict[str, Any] = {
            "call_id": self.call_id,
            "batch_id": self.batch_id,
            "worker": self.worker,
            "trace_id": self.trace_id,
        }
        if self.operation is not None:
            found["operation"] = self.operation.kind
            try:
                found["operation_id"] = self.operation.id
            except (LeanFleetError, UnicodeEncodeError):  # a text that has no canonical form; it is refused elsewhere
                found["operation_id"] = ""
        if self.batch is not None:
            found |= {"batch_id": self.batch.id, "attempt": self.batch.attempt, "place": self.batch.place}
        return {name: value for name, value in found.items() if value != ""}


_scope: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("leanfleet_scope", default=None)


@contextmanager
def within(scope: Scope) -> Iterator[Scope]:
    """Have every line that is written inside the block, and in what it begins, carry these ids."""
    token = _scope.set(scope)
    try:
        yield scope
    finally:
        _scope.reset(token)


def ids_of(record: logging.LogRecord) -> dict[str, Any]:
    """What is known of the moment at which `record` is formatted, and what it brings itself."""
    scope = _scope.get()
    known = {} if scope is None else scope.ids()
    known |= {name: value for name in _IDS if (value := getattr(record, name, "")) != ""}
    return {name: known[name] for name in _IDS if name in known}


class JsonLogFormatter(logging.Formatter):
    """A line of JSON for each record: time, level, logger, message, the ids that are known, and a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **ids_of(record),
            "pid": os.getpid(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return _text(line)


def _text(line: Mapping[str, Any]) -> str:
    try:
        return _encoder.encode(line).decode()
    except UnicodeEncodeError:  # a message that quotes what is no text
        return _encoder.encode({name: _legible(value) for name, value in line.items()}).decode()


def _legible(value: Any) -> Any:
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value


class AddIds(logging.Filter):
    """For a handler whose format has `%(ids)s`: the ids in brackets, or nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        found = ids_of(record)
        shown = " ".join(f"{name.removesuffix('_id')} {found[name]}" for name in _SHOWN if name in found)
        record.ids = f" [{shown}]" if shown else ""
        return True


def dress(handler: logging.Handler, log_format: str, text_format: str = TEXT_FORMAT) -> None:
    """Have a handler write lines of JSON (`log_format` is `json`), or text for people that ends with the ids."""
    if log_format == "json":
        handler.setFormatter(JsonLogFormatter())
    else:
        handler.addFilter(AddIds())
        handler.setFormatter(logging.Formatter(text_format))


def log_to_stderr(level: int, log_format: str) -> None:
    """For a program of ours: everything from `level` on goes to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    dress(handler, log_format)
    logging.basicConfig(level=level, handlers=[handler])
