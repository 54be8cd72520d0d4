"""Splitting a file's imports from its commands, so that equal headers share a warm process.

The body keeps its place: what was cut is replaced by white space of the same shape, and Lean's positions stay those of
the text that the user wrote.
"""

import functools
import re
from typing import NamedTuple

# Imports come first in a Lean file; between them only white space and comments. A block comment is not looked into:
# an `import` inside one does not count, and a doc comment ends the header since a declaration must follow it.
#
# A module's name holds nothing that could end it and begin something else (`import Init;example …`): who imports, asks
# for what the project's own modules do, and for nothing more.
_NAME = r"(?:[\w.'!?]|«[^»\s;\x00-\x1f\x7f\ud800-\udfff]+»)+"
_HEADER = re.compile(
    r"(?: \s+ | --[^\n]*(?:\n|\Z) | /-(?![-!]) (?:[^-]|-(?!/))* -/ | (?:prelude|module)\b"
    rf"  | (?:public\s+)?(?:meta\s+)?import\s+(?:all\s+)?{_NAME} )*",
    re.VERBOSE,
)
_IMPORT = re.compile(rf"(?:public\s+)?(?:meta\s+)?import\s+(?:all\s+)?{_NAME}|(?:prelude|module)\b")
_COMMENT = re.compile(r"--[^\n]*|/-(?:[^-]|-(?!/))*-/")


class SplitCode(NamedTuple):
    header: str  # the imports, one a line, without comments
    body: str  # the text with the header blanked out


def split_header(code: str) -> SplitCode:
    """Split `code` into its import header and the rest; no import gives an empty header and the unchanged text."""
    match = _HEADER.match(code)
    end = match.end() if match is not None else 0
    head = _COMMENT.sub(" ", code[:end])
    imports = [" ".join(found.split()) for found in _IMPORT.findall(head)]
    if not imports:
        return SplitCode(header="", body=code)
    return SplitCode(header="\n".join(imports), body=re.sub(r"[^\n]", " ", code[:end]) + code[end:])


@functools.lru_cache(maxsize=256)
def is_header(text: str) -> bool:
    """Whether `text` is imports and nothing else, as `split_header` writes them, or empty."""
    return split_header(text).header == text
