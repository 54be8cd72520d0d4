"""Splitting a file's imports from its commands, so that equal headers share a warm process.

The body keeps its place: what was cut is replaced by white space of the same shape, and Lean's positions stay those of
the text that the user wrote.
"""

import re
from typing import NamedTuple

# Imports come first in a Lean file; between them only white space and comments. A block comment is not looked into:
# an `import` inside one does not count, and a doc comment ends the header since a declaration must follow it.
_HEADER = re.compile(
    r"(?: \s+ | --[^\n]*(?:\n|\Z) | /-(?![-!]) (?:[^-]|-(?!/))* -/ | (?:prelude|module)\b"
    r"  | (?:public\s+)?(?:meta\s+)?import\s+(?:all\s+)?[^\s]+ )*",
    re.VERBOSE,
)
_IMPORT = re.compile(r"(?:public\s+)?(?:meta\s+)?import\s+(?:all\s+)?[^\s]+|(?:prelude|module)\b")
_COMMENT = re.compile(r"--[^\n]*|/-(?:[^-]|-(?!/))*-/")


class SplitCode(NamedTuple):
    header: str  # the imports, one a line, without comments
    body: str  # the text with the header blanked out


def split_header(code: str) -> SplitCode:
    """Split `code` into its import header and the rest; no import gives an empty header and the unchanged text."""
    match = _HEADER.match(code)
    end = match.end() if match is not None else 0
    head = _COMMENT.sub("", code[:end])
    imports = [" ".join(found.split()) for found in _IMPORT.findall(head)]
    if not imports:
        return SplitCode(header="", body=code)
    return SplitCode(header="\n".join(imports), body=re.sub(r"[^\n]", " ", code[:end]) + code[end:])
