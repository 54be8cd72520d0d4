"""Reads the dynamic symbol table of an ELF library: users' machines need not have `nm`.

Layout: System V ABI, 64-bit little-endian ELF (`Elf64_Ehdr`, `Elf64_Shdr`, `Elf64_Sym`).
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from producer.errors import UnsupportedPlatformError

if TYPE_CHECKING:
    from pathlib import Path

_SHT_DYNSYM = 11
_STT_OBJECT, _STT_FUNC = 1, 2
_SYMBOL = struct.Struct("<IBBHQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")


@dataclass(frozen=True, slots=True)
class Symbol:
    """One defined symbol of a library; data or function."""

    name: str
    is_data: bool


def read_symbols(library: Path) -> list[Symbol]:
    """The symbols that `library` defines, in its order. Raises UnsupportedPlatformError for all but 64-bit ELF."""
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as image:
        if image[:6] != b"\x7fELF\x02\x01":
            raise UnsupportedPlatformError(
                f"{library} is not a 64-bit ELF library: the embedded Lean runs on Linux only. "
                "Elsewhere configure the community REPL."
            )
        return _dynamic_symbols(image)


def _dynamic_symbols(image: mmap.mmap) -> list[Symbol]:
    (table_offset,) = struct.unpack_from("<Q", image, 40)
    entry_size, count = struct.unpack_from("<HH", image, 58)
    sections = [_SECTION.unpack_from(image, table_offset + index * entry_size) for index in range(count)]
    symbols: list[Symbol] = []
    for _, kind, _, _, offset, size, link, *_ in sections:
        if kind != _SHT_DYNSYM:
            continue
        names = image[sections[link][4] : sections[link][4] + sections[link][5]]
        for name, info, _, section, _, _ in _SYMBOL.iter_unpack(image[offset : offset + size]):
            if section and info & 0xF in (_STT_OBJECT, _STT_FUNC):
                symbols.append(Symbol(names[name : names.index(b"\0", name)].decode(), info & 0xF == _STT_OBJECT))
    return symbols
