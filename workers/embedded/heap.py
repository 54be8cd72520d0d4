"""Looks at the parsers inside a started Lean library, following no address that is not known to be readable.

A parser that Lean's library makes by `syntax` or `notation` is an object of type `Lean.ParserDescr`, held by a global
variable. Object layout (`lean.h`): an 8-byte header (int32 reference count, uint16 size, uint8 number of fields, uint8
tag), then the fields, 8 bytes each; a string's bytes begin at 32 and end with a zero byte.
"""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from workers.embedded.mangling import mangle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from workers.embedded.mangling import Name
    from workers.embedded.symbols import Symbol

_WORD = 8
_STRING_TAG = 249
_STRING_BYTES = 32
_ANONYMOUS = 1  # `Lean.Name.anonymous`, a scalar
_NAME_STR, _NAME_FIELDS = 1, 2
# The largest object read is a trailing node; a readable range must reach as far from an object's start.
_LONGEST = 64


class Tag(IntEnum):
    """The constructors of `Lean.ParserDescr` in Lean 4.35, in the order of its declaration."""

    CONST = 0
    UNARY = 1
    BINARY = 2
    NODE = 3
    TRAILING_NODE = 4
    SYMBOL = 5
    NON_RESERVED_SYMBOL = 6
    CAT = 7
    PARSER = 8
    NODE_WITH_ANTIQUOT = 9
    SEP_BY = 10
    SEP_BY_1 = 11
    UNICODE_SYMBOL = 12


_FIELD_COUNTS = (1, 2, 3, 3, 4, 1, 1, 2, 1, 3, 3, 3, 2)
_CHILDREN = {
    Tag.UNARY: (1,),
    Tag.BINARY: (1, 2),
    Tag.NODE: (2,),
    Tag.TRAILING_NODE: (3,),
    Tag.NODE_WITH_ANTIQUOT: (2,),
    Tag.SEP_BY: (0, 2),
    Tag.SEP_BY_1: (0, 2),
}
_NAME_FIELD = {Tag.NODE: 0, Tag.TRAILING_NODE: 0, Tag.NODE_WITH_ANTIQUOT: 1}


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """One parser of the library."""

    name: Name
    trailing: bool  # continues a term that was read already, as an infix operator does
    auxiliary: bool  # in no category: only named by other parsers
    parsers: frozenset[Name]  # those that it names
    parts: frozenset[Name]  # auxiliary parsers that are copied into it; what prints the syntax looks them up by name


class Heap:
    """The objects of the Lean library at `path`, which is started in this process."""

    def __init__(self, path: Path) -> None:
        self._library = ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
        self._library.lean_initialize()
        ranges = sorted(_readable_ranges())
        self._starts = [start for start, _ in ranges]
        self._ends = [end for _, end in ranges]

    def descriptors(self, symbols: Iterable[Symbol]) -> dict[Name, Descriptor]:
        """All parsers that are held by a global variable of their own name."""
        found: dict[Name, Descriptor] = {}
        for symbol in symbols:
            if not symbol.is_data or not symbol.name.startswith("l_"):
                continue
            variable = ctypes.addressof(ctypes.c_uint64.in_dll(self._library, symbol.name))
            descriptor = self._descriptor(_word(variable))
            if descriptor is not None and mangle(descriptor.name) == symbol.name:
                found[descriptor.name] = descriptor
        return found

    def _descriptor(self, address: int) -> Descriptor | None:
        tag = self._descriptor_tag(address)
        if tag is None or tag not in _NAME_FIELD:
            return None
        name = self._name(_fields(address)[_NAME_FIELD[tag]])
        parsers: set[Name] = set()
        parts: set[Name] = set()
        if not name or not self._collect(address, parsers, parts):
            return None
        return Descriptor(
            name=name,
            trailing=tag == Tag.TRAILING_NODE,
            auxiliary=tag == Tag.NODE_WITH_ANTIQUOT,
            parsers=frozenset(parsers),
            parts=frozenset(parts - {name}),
        )

    def _collect(self, address: int, parsers: set[Name], parts: set[Name]) -> bool:
        """Adds what the description at `address` names and contains; False where it is not a description after all."""
        tag = self._descriptor_tag(address)
        if tag is None:
            return False
        fields = _fields(address)
        if tag in (Tag.PARSER, Tag.NODE_WITH_ANTIQUOT):
            name = self._name(fields[0 if tag == Tag.PARSER else _NAME_FIELD[tag]])
            if name is None:
                return False
            (parsers if tag == Tag.PARSER else parts).add(name)
        return all(self._collect(fields[index], parsers, parts) for index in _CHILDREN.get(tag, ()))

    def _descriptor_tag(self, address: int) -> Tag | None:
        if not self._readable(address) or _tag(address) >= len(_FIELD_COUNTS):
            return None
        tag = Tag(_tag(address))
        return tag if _field_count(address) == _FIELD_COUNTS[tag] else None

    def _name(self, address: int) -> Name | None:
        components: list[str] = []
        while address != _ANONYMOUS:
            if not self._readable(address) or (_tag(address), _field_count(address)) != (_NAME_STR, _NAME_FIELDS):
                return None
            address, text = _fields(address)
            if not self._readable(text) or _tag(text) != _STRING_TAG:
                return None
            components.append(ctypes.string_at(text + _STRING_BYTES).decode())
        return tuple(reversed(components))

    def _readable(self, address: int) -> bool:
        if address % _WORD or address == 0:
            return False
        index = bisect_right(self._starts, address) - 1
        return index >= 0 and address + _LONGEST <= self._ends[index]


def _readable_ranges() -> Iterator[tuple[int, int]]:
    for line in Path("/proc/self/maps").read_text().splitlines():
        bounds, permissions = line.split()[:2]
        if permissions.startswith("r"):
            start, end = bounds.split("-")
            yield int(start, 16), int(end, 16)


def _word(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def _tag(address: int) -> int:
    return _word(address) >> 56


def _field_count(address: int) -> int:
    return (_word(address) >> 48) & 0xFF


def _fields(address: int) -> list[int]:
    return [_word(address + _WORD * (index + 1)) for index in range(_field_count(address))]
