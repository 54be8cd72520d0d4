"""Lean objects as they lie in memory: reading them, making them, and who owns them.

Everything the embedded Lean does is a call into the compiled Lean library with the addresses of Lean objects.
In Python an object is an `Object`: a plain `int`, either the address of a heap object or, when odd, a *scalar*
(a small `Nat`, a `Bool`, or a constructor without fields) shifted left by one.

**Layout** (lean.h of Lean 4.35, 64-bit). A heap object begins with an 8-byte header: reference count (int32),
size (uint16), number of object fields (uint8), tag (uint8). A constructor's object fields follow, 8 bytes each in
order of declaration, then its scalar fields, largest first. Arrays hold their size at +8 and elements from +24;
strings their byte size (with the final NUL) at +8 and bytes from +32; closures their code at +8.

**Ownership** is decided by three rules, so that no call site has to think:

1. Every function is bound through its `___boxed` twin if it has one (`Lean.function`). Such a function *consumes*
   every argument, takes and returns scalars boxed, and gives back an owned result.
2. A field that was read (`field`, `fields`, `array`, …) is *borrowed*: it lives as long as the object it was read
   from. `keep` it before it is given to a function or stored in a new object.
3. Functions that make objects (`ctor`, `with_fields`, `string`, …) consume their parts and return an owned object.

Forgetting `drop` leaks, which is harmless: nothing that a session made is ever freed anyway. Forgetting `keep` frees
an object that is still in use, which is not: when in doubt, `keep`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Object = int
"""The address of a Lean object, or an odd number for a scalar."""

Function = Callable[..., Object]

UNIT: Object = 1
"""`()`, `none`, `[]`, `Name.anonymous`, `0` and `false` alike: the scalar 0."""

TAG_CLOSURE, TAG_ARRAY, TAG_STRING, TAG_MPZ = 245, 246, 249, 250

# The whole address space as one array: reading a word costs an index instead of a new ctypes object.
_WORDS = (ctypes.c_uint64 * (1 << 44)).from_address(0)
_INT32 = (ctypes.c_int32 * (1 << 45)).from_address(0)
_BYTES = (ctypes.c_uint8 * (1 << 47)).from_address(0)


def box(value: int) -> Object:
    """A small natural number, a Bool or an enumeration's value as an object."""
    return value << 1 | 1


def unbox(o: Object) -> int:
    return o >> 1


def is_scalar(o: Object) -> bool:
    return bool(o & 1)


def tag(o: Object) -> int:
    """The constructor's index, counting from 0 in order of declaration."""
    return o >> 1 if o & 1 else _BYTES[o + 7]


def field(o: Object, index: int) -> Object:
    """Field `index` of a constructor object; borrowed."""
    return _WORDS[(o >> 3) + 1 + index]


def field_count(o: Object) -> int:
    return 0 if o & 1 else _BYTES[o + 6]


def fields(o: Object) -> list[Object]:
    """All object fields of a constructor object; borrowed."""
    start = (o >> 3) + 1
    return _WORDS[start : start + _BYTES[o + 6]]


def scalar_byte(o: Object, offset: int = 0) -> int:
    """A one-byte scalar field, `offset` bytes behind the object fields."""
    return _BYTES[o + 8 + 8 * _BYTES[o + 6] + offset]


def scalar_word(o: Object) -> int:
    """The first 8-byte scalar field (of a Name: its hash)."""
    return _WORDS[(o >> 3) + 1 + _BYTES[o + 6]]


def array(o: Object) -> list[Object]:
    """The elements of an `Array`; borrowed."""
    start = (o >> 3) + 3
    return _WORDS[start : start + _WORDS[(o >> 3) + 1]]


def linked_list(o: Object) -> Iterator[Object]:
    """The elements of a `List`; borrowed."""
    while not o & 1:
        yield _WORDS[(o >> 3) + 1]
        o = _WORDS[(o >> 3) + 2]


def text(o: Object) -> str:
    """The value of a `String`."""
    return ctypes.string_at(o + 32, _WORDS[(o >> 3) + 1] - 1).decode("utf-8", "replace")


def name_parts(o: Object) -> list[str | int]:
    """The components of a `Name`, outermost first."""
    parts: list[str | int] = []
    while not o & 1:
        part = field(o, 1)
        parts.append(text(part) if tag(o) == 1 else unbox(part))
        o = field(o, 0)
    return parts[::-1]


def write_words(address: int, words: list[int]) -> None:
    """Write to memory that Lean did not allocate."""
    for index, word in enumerate(words):
        _WORDS[(address >> 3) + index] = word


class Lean:
    """The loaded library: calls into it, and the objects made with it.

    Raises `OSError` when the file cannot be loaded and `AttributeError` when a symbol is missing, which means that
    it is another build of Lean than the one this module was written for.
    """

    def __init__(self, path: str) -> None:
        # PyDLL keeps the interpreter's lock during a call: there is one thread, and Lean's own never call Python.
        self._library = ctypes.PyDLL(path, mode=ctypes.RTLD_GLOBAL)
        self._allocate = self.raw("lean_alloc_object", 1)
        self._increment = self.raw("lean_inc_ref_huge_n", 2)
        self._free = self.raw("lean_dec_ref_cold", 1)
        bytes_to_string = self._library["lean_mk_string_from_bytes"]
        bytes_to_string.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        bytes_to_string.restype = ctypes.c_uint64
        self._string = bytes_to_string
        self._name_string = self.raw("lean_name_mk_string", 2)

    def raw(self, symbol: str, arity: int) -> Function:
        """The symbol itself, taking and returning words: for the runtime's functions, which have no boxed twin."""
        function = self._library[symbol]
        function.argtypes = [ctypes.c_uint64] * arity
        function.restype = ctypes.c_uint64
        return function

    def raw_text(self, symbol: str) -> Callable[[bytes], Object]:
        """A function of the runtime that takes the address of bytes that end with a zero."""
        function = self._library[symbol]
        function.argtypes = [ctypes.c_char_p]
        function.restype = ctypes.c_uint64
        return function

    def function(self, symbol: str, arity: int) -> Function:
        """A compiled Lean function by rule 1. A function in IO takes one argument more in its boxed twin (the
        world, erased): it is not counted in `arity`, and what is passed for it does not matter.
        """
        try:
            return self.raw(symbol + "___boxed", arity)
        except AttributeError:
            return self.raw(symbol, arity)

    def constant(self, symbol: str) -> Object:
        """A compiled Lean constant; borrowed, and never freed. Initialised only after `lean_initialize`."""
        return ctypes.c_uint64.in_dll(self._library, symbol).value

    def keep(self, o: Object) -> Object:
        """Take a share of ownership of a borrowed object, and return it."""
        if not o & 1:
            self._increment(o, 1)
        return o

    def drop(self, o: Object) -> None:
        """Give back ownership of an object."""
        if o & 1:
            return
        count = _INT32[o >> 2]
        if count > 1:
            _INT32[o >> 2] = count - 1
        elif count:  # 1: free it; negative: shared between threads, counted atomically; 0: lives for ever
            self._free(o)

    def ctor(self, tag: int, *parts: Object, scalars: bytes = b"") -> Object:
        """A constructor object with these fields and scalar bytes (largest scalar first, as Lean lays them)."""
        size = 8 + 8 * len(parts) + (len(scalars) + 7 & ~7)
        o = self._allocate(size)
        word = o >> 3
        _WORDS[word] = tag << 56 | len(parts) << 48 | size << 32 | 1
        for index, part in enumerate(parts, 1):
            _WORDS[word + index] = part
        if scalars:
            padded = scalars.ljust(len(scalars) + 7 & ~7, b"\0")
            ctypes.memmove(o + 8 + 8 * len(parts), padded, len(padded))
        return o

    def with_fields(self, o: Object, changes: dict[int, Object]) -> Object:
        """`{ o with … }`: a copy of a borrowed constructor object with other object fields and the same scalars."""
        count = _BYTES[o + 6]
        size = _WORDS[o >> 3] >> 32 & 0xFFFF
        parts = [changes[i] if i in changes else self.keep(part) for i, part in enumerate(fields(o))]
        scalars = ctypes.string_at(o + 8 + 8 * count, size - 8 - 8 * count)
        return self.ctor(tag(o), *parts, scalars=scalars)

    def string(self, value: str) -> Object:
        """A `String`. A lone surrogate, which UTF-8 cannot hold, becomes a question mark."""
        data = value.encode("utf-8", "replace")
        result: Object = self._string(data, len(data))
        return result

    def name(self, *parts: str) -> Object:
        """A `Name` from string components."""
        o = UNIT
        for part in parts:
            o = self._name_string(o, self.string(part))
        return o

    def some(self, o: Object) -> Object:
        return self.ctor(1, o)

    def pair(self, first: Object, second: Object) -> Object:
        return self.ctor(0, first, second)

    @contextmanager
    def owning(self) -> Iterator[Callable[[Object], Object]]:
        """Gives a function that takes hold of an owned object and returns it; all are dropped at the end."""
        owned: list[Object] = []

        def own(o: Object) -> Object:
            owned.append(o)
            return o

        try:
            yield own
        finally:
            for o in owned:
                self.drop(o)

    def cons(self, *items: Object) -> Object:
        """A `List` of owned items."""
        result = UNIT
        for item in reversed(items):
            result = self.ctor(1, item, result)
        return result
