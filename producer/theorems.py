"""Finding a text's theorems by reading it, so that their axioms can be asked for by name.

This is no Lean parser and need not be one: a name that is found wrongly is unknown to Lean, and what is unknown to Lean
is not proved. Comments, strings and namespaces are understood; syntax that a text defines for itself is not.
"""

import re

_NAME = r"(?:«[^»\n]+»|[^\W\d][\w'!?₀-₉]*)(?:\.(?:«[^»\n]+»|[^\W\d][\w'!?₀-₉]*|\d+))*"
_NO_WORD = r"(?!(?:theorem|lemma)\b)"
_TOKEN = re.compile(
    rf"""
      (?P<comment> --[^\n]* | /-)
    | (?P<string>
        (?<![\w'!?.]) r(?P<hashes>\#*)" .*? "(?P=hashes)
      | "(?:[^"\\]|\\.)*"
      | (?<![\w'!?])'(?:\\.[^'\n]*|[^'\\])'
      )
    | (?: (?<![\w.'«]) | (?<=[⁰¹²³⁴-⁹]) ) (?:
        (?P<declares> theorem | lemma ) (?= \s | -- | /- | « )
      | (?P<opens> namespace | section | mutual ) \b (?: [^\S\n]+ (?P<opened> {_NO_WORD} {_NAME} ) )?
      | (?P<ends> end ) \b (?: [^\S\n]+ (?P<ended> {_NO_WORD} {_NAME} ) )?
      )
    """,
    re.VERBOSE | re.DOTALL,
)
_WHOLE_NAME = re.compile(_NAME)
_BLANK = re.compile(r"\s+|--[^\n]*")
# A word may follow a number at once, and is none of its letters.
_NUMBER = re.compile(r"(?<![\w'])\d[\d_]*(?=theorem|lemma)")
_COMMENT_MARK = re.compile(r"/-|-/")
_COMPONENT = re.compile(r"«[^»]+»|[^.]+")
_ROOT = "_root_."


def find_theorems(code: str) -> tuple[str, ...]:
    """Full names of the theorems and lemmas that `code` declares, in order, each once."""
    names: dict[str, None] = {}
    scopes: list[str] = []  # a component of a namespace each; empty for sections and the like
    at = 0
    code = _NUMBER.sub(r"\g<0> ", code)
    while (token := _TOKEN.search(code, at)) is not None:
        at = token.end()
        if token["comment"] == "/-":
            at = comment_end(code, at)
        elif token["declares"]:
            at = _blank_end(code, at)
            if (found := _WHOLE_NAME.match(code, at)) is None:
                continue
            name, at = found[0], found.end()
            within = [scope for scope in scopes if scope]
            names[name.removeprefix(_ROOT) if name.startswith(_ROOT) else ".".join([*within, name])] = None
        elif token["opens"] == "namespace" and token["opened"]:
            scopes.extend(_COMPONENT.findall(token["opened"]))
        elif token["opens"]:
            # A name after `section` must not become part of what is declared in it, yet `end` closes each component.
            scopes.extend("" for _ in _COMPONENT.findall(token["opened"] or "_"))
        elif token["ends"]:
            del scopes[max(0, len(scopes) - len(_COMPONENT.findall(token["ended"] or "_"))) :]
    return tuple(names)


def _blank_end(code: str, at: int) -> int:
    """Where white space and comments end that begin at `at`."""
    while True:
        if code.startswith("/-", at):
            at = comment_end(code, at + 2)
        elif (blank := _BLANK.match(code, at)) is not None:
            at = blank.end()
        else:
            return at


def comment_end(code: str, at: int) -> int:
    """Where a block comment ends of which the inside begins at `at`: they nest."""
    depth = 1
    while depth and (mark := _COMMENT_MARK.search(code, at)) is not None:
        depth += 1 if mark[0] == "/-" else -1
        at = mark.end()
    return at if depth == 0 else len(code)
