"""Names of Lean constants as the compiler writes them into its symbols (`Lean.Name.mangle`), and as Lean source."""

from __future__ import annotations

import re

Name = tuple[str, ...]
"""A hierarchical name without numbers: its components, outermost first."""

_ESCAPE = re.compile(r"__|_x([0-9a-f]{2})|_u([0-9a-f]{4})|_U([0-9a-f]{8})|([A-Za-z0-9]+)")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_'!?]*")
# Plain words that are components of the names that we write, and tokens of Lean.
_TOKENS = frozenset(
    ("at", "by", "calc", "end", "fun", "have", "in", "let", "match", "open", "prefix", "show", "sorry", "suffices")
)
_LAST_BYTE, _LAST_BASIC = 0xFF, 0xFFFF


def mangle(name: Name) -> str:
    """The symbol of a constant: `l_`, then its components with underscores doubled and other characters escaped."""
    return "l_" + "_".join("".join(map(_mangle_char, component)) for component in name)


def _mangle_char(char: str) -> str:
    if char == "_":
        return "__"
    if char.isascii() and char.isalnum():
        return char
    code = ord(char)
    if code <= _LAST_BYTE:
        return f"_x{code:02x}"
    return f"_u{code:04x}" if code <= _LAST_BASIC else f"_U{code:08x}"


def unmangle_component(text: str) -> str:
    """The inverse of `mangle` for one component of a name; raises ValueError where `text` is not one."""
    out, position = [], 0
    while position < len(text):
        match = _ESCAPE.match(text, position)
        if match is None:
            raise ValueError(f"not one mangled component: {text!r}")
        code = match[1] or match[2] or match[3]
        out.append(chr(int(code, 16)) if code else match[4] or "_")
        position = match.end()
    return "".join(out)


def quoted(name: Name) -> str:
    """A name as Lean source: components that are not plain identifiers stand in double angle quotes."""
    return ".".join(c if _PLAIN.fullmatch(c) and c not in _TOKENS else f"«{c}»" for c in name)
