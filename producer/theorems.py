"""Finding a text's theorems by reading it, so that their axioms can be asked for by name.

This is no Lean parser and need not be one: a name that is found wrongly is unknown to Lean, and what is unknown to Lean
is not proved. Comments, strings and namespaces are understood; syntax that a text defines for itself is not.
"""

import re
from typing import NamedTuple

NAME = r"(?:«[^»\n]+»|[^\W\d][\w'!?₀-₉]*)(?:\.(?:«[^»\n]+»|[^\W\d][\w'!?₀-₉]*|\d+))*"
_NO_WORD = r"(?!(?:theorem|lemma)\b)"
_WORDS = rf"""
      (?: (?<![\w.'«]) | (?<=[⁰¹²³⁴-⁹]) ) (?:
        (?P<declares> theorem | lemma ) (?= \s | -- | /- | « )
      | (?P<opens> namespace | section | mutual ) \b (?: [^\S\n]+ (?P<opened> {_NO_WORD} {NAME} ) )?
      | (?P<ends> end ) \b (?: [^\S\n]+ (?P<ended> {_NO_WORD} {NAME} ) )?
      )
    """
# Behind what does not end, and where nobody can tell what is hidden, nothing is: every word counts.
_WORD = re.compile(_WORDS, re.VERBOSE)
_TOKEN = re.compile(
    rf"""
      # A comment to some versions of Lean, and the beginning of one to others; behind a token that ends so (`∘ₗ`, `!`)
      # a literal, and behind a name that does none.
      (?P<unclear> /--/ | (?<=[\w'!?.])(?<![A-Za-z_])(?: r\#*" | '\\?["«]' ) )
    | (?P<comment> --[^\n]* | /-)
    | (?P<literal>
        (?<![\w'!?.]) r(?P<hashes>\#*)" .*? "(?P=hashes)
      | "(?:[^"\\]|\\.)*"
      | (?<![\w'!?])'(?:\\.[^'\n]*|[^'\\])'
      )
    | (?P<quoted> «[^»]*» )
    | (?P<endless> (?<![\w'!?.]) r\#*" | ["«] )
    | {_WORDS}
    """,
    re.VERBOSE | re.DOTALL,
)
_WHOLE_NAME = re.compile(NAME)
_BLANK = re.compile(r"\s+|--[^\n]*")
# A word may follow a number at once, and is none of its letters.
_NUMBER = re.compile(r"(?<![\w'])\d[\d_]*(?=theorem|lemma)")
_COMMENT_MARK = re.compile(r"/-|-/")
_COMPONENT = re.compile(r"«[^»]+»|[^.]+")
_ROOT = "_root_."


class _Scope(NamedTuple):
    name: str
    is_namespace: bool


class Reading(NamedTuple):
    """What a text declares, and the scopes that it leaves open, innermost first; a section may have no name.

    Unless `is_certain`, scopes may have been taken from a comment or string, and be others.
    """

    theorems: tuple[str, ...]
    open_scopes: tuple[str, ...]
    is_certain: bool


def find_theorems(code: str) -> tuple[str, ...]:
    """Full names of the theorems and lemmas that `code` declares, in order, each once."""
    return read(code).theorems


def read(code: str) -> Reading:
    """Read a text as far as these words decide."""
    names: dict[str, None] = {}
    scopes: list[_Scope] = []
    at = 0
    # Behind a string with a brace nobody can tell strings and comments from code without parsing: a brace may hold a
    # term, which may hold strings. Then every word counts, for what does not exist is not proved.
    is_plain = is_certain = True
    code = _NUMBER.sub(r"\g<0> ", code)
    while (token := (_TOKEN if is_plain else _WORD).search(code, at)) is not None:
        at = token.end()
        if is_plain and not (token["declares"] or token["opens"] or token["ends"]):
            is_plain = not (token["unclear"] or token["endless"] or (token[0].startswith('"') and "{" in token[0]))
            at = _hidden_end(code, token) if is_plain else token.start() + 1
        elif token["declares"]:
            at = _blank_end(code, at)
            if (found := _WHOLE_NAME.match(code, at)) is None:
                continue
            name, at = found[0], found.end()
            within = [scope.name for scope in scopes if scope.is_namespace]
            names[name.removeprefix(_ROOT) if name.startswith(_ROOT) else ".".join([*within, name])] = None
        elif token["opens"]:
            is_certain = is_certain and is_plain
            # Components each, as `end` closes each; a section's name is no part of what is declared in it.
            is_namespace = token["opens"] == "namespace" and bool(token["opened"])
            scopes.extend(_Scope(name, is_namespace) for name in _COMPONENT.findall(token["opened"] or "") or [""])
        elif token["ends"]:
            is_certain = is_certain and is_plain
            del scopes[max(0, len(scopes) - len(_COMPONENT.findall(token["ended"] or "_"))) :]
    return Reading(tuple(names), tuple(scope.name for scope in reversed(scopes)), is_certain)


def _blank_end(code: str, at: int) -> int:
    """Where white space and comments end that begin at `at`."""
    while True:
        if code.startswith("/-", at):
            at = comment_end(code, at + 2)
        elif (blank := _BLANK.match(code, at)) is not None:
            at = blank.end()
        else:
            return at


def _hidden_end(code: str, token: re.Match[str]) -> int:
    """Where a comment or literal ends."""
    return comment_end(code, token.end()) if token["comment"] == "/-" else token.end()


def comment_end(code: str, at: int) -> int:
    """Where a block comment ends of which the inside begins at `at`: they nest."""
    depth = 1
    while depth and (mark := _COMMENT_MARK.search(code, at)) is not None:
        depth += 1 if mark[0] == "/-" else -1
        at = mark.end()
    return at if depth == 0 else len(code)
