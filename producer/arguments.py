"""What a caller handed in, when it is of the wrong kind: said in words, since no type checker was asked."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from producer.errors import InvalidInputError, InvalidTextError

# JSON can carry them, yet no Lean source has them and some REPLs stop reading at a NUL.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")

_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "True or False"}


def require(name: str, value: object, *kinds: type) -> None:
    """Raise InvalidInputError unless the argument `name` is of one of these kinds; True and False are no numbers."""
    if isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool)):
        return
    wanted = _NAMES.get(kinds[-1], f"a {kinds[-1].__name__}")
    raise InvalidInputError(f"{name} must be {wanted}, not {shown(value)}")


def texts_of(name: str, given: Any) -> tuple[str, ...]:
    """The argument `name` as a tuple; InvalidInputError where it is none of strings."""
    if isinstance(given, str | bytes):
        raise InvalidInputError(f"{name} must be a list of strings: pass [{shown(given, kind=False)}]")
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise InvalidInputError(f"{name} must be a list of strings, not {shown(given)}")
    texts = tuple(given)
    for place, text in enumerate(texts):
        require(f"{name}[{place}]", text, str)
    return texts


def shown(value: Any, *, kind: bool = True) -> str:
    """A value for a message: its beginning, and of what type it is."""
    text = repr(value)
    text = text if len(text) <= 60 else text[:59] + "…"  # noqa: PLR2004 - enough to find it
    return f"{text} ({type(value).__name__})" if kind else text


def check_text(text: str) -> None:
    """Raise InvalidTextError for a text that no Lean file could be."""
    if (found := _CONTROL.search(text)) is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise InvalidTextError(f"control character U+{ord(found[0]):04X} in line {line}: Lean source cannot hold it")
    if not text.isascii() and (found := _LONE_SURROGATE.search(text)) is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise InvalidTextError(f"lone surrogate U+{ord(found[0]):04X} in line {line}: the text is not valid Unicode")


def require_text(name: str, value: object) -> None:
    """Raise InvalidInputError unless the argument `name` is a text, and one that a Lean file could be."""
    require(name, value, str)
    try:
        check_text(str(value))
    except InvalidTextError as error:
        raise InvalidTextError(f"{name}: {error.message}") from None
