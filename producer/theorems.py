"""Finding a text's theorems by reading it, so that their axioms can be asked for by name.

This is no Lean parser and need not be one: a name that is found wrongly is unknown to Lean, and what is unknown to Lean
is not proved. Comments, strings and namespaces are understood; syntax that a text defines for itself is not.
"""

import re

_NAME = r"(?:«[^»\n]+»|[^\W\d][\w'!?₀-₉]*)(?:\.(?:«[^»\n]+»|[^\W\d][\w'!?₀-₉]*|\d+))*"
_TOKEN = re.compile(
    rf"""
      (?P<comment> --[^\n]* | /-)
    | (?P<string> "(?:[^"\\]|\\.)*" | (?<![\w'!?])'(?:\\.[^'\n]*|[^'\\])' )
    | (?<![\w.'«]) (?:
        (?P<declares> theorem | lemma ) \s+ (?P<theorem> {_NAME} )
      | (?P<opens> namespace | section | mutual ) \b (?: [^\S\n]+ (?P<opened> {_NAME} ) )?
      | (?P<ends> end ) \b (?: [^\S\n]+ (?P<ended> {_NAME} ) )?
      )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_MARK = re.compile(r"/-|-/")
_COMPONENT = re.compile(r"«[^»]+»|[^.]+")
_ROOT = "_root_."


def find_theorems(code: str) -> tuple[str, ...]:
    """Full names of the theorems and lemmas that `code` declares, in order, each once."""
    names: dict[str, None] = {}
    scopes: list[str] = []  # a component of a namespace each; empty for sections and the like
    at = 0
    while (token := _TOKEN.search(code, at)) is not None:
        at = token.end()
        if token["comment"] == "/-":
            at = comment_end(code, at)
        elif name := token["theorem"]:
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


def comment_end(code: str, at: int) -> int:
    """Where a block comment ends of which the inside begins at `at`: they nest."""
    depth = 1
    while depth and (mark := _COMMENT_MARK.search(code, at)) is not None:
        depth += 1 if mark[0] == "/-" else -1
        at = mark.end()
    return at if depth == 0 else len(code)
