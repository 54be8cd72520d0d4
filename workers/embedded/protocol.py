"""The community REPL's protocol: which request is meant, and how requests and replies are framed.

A request is a JSON object, usually on one line, then a blank line; a reply is a JSON object, then a blank line. Where
the community REPL dies (text that is not JSON, an unknown shape, a blank line too many), this one answers with a
`message` or takes no notice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from workers.embedded.message import Json

Check = Callable[[Any], bool]


def _is_natural(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_naturals(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_natural, value))


def _is_forget(value: Any) -> bool:
    return isinstance(value, dict) and set(value) <= {"envs", "proofStates"} and all(map(_is_naturals, value.values()))


def _is_export(value: Any) -> bool:
    """The names of constants, whether they are wanted as goals, and whether all theorems are."""
    return (
        isinstance(value, dict)
        and set(value) <= {"names", "asGoals", "allTheorems", "header"}
        and isinstance(value.get("names"), list)
        and all(map(_is_text, value["names"]))
        and _is_natural(value.get("header"))
        and _is_flag(value.get("asGoals", False))
        and _is_flag(value.get("allTheorems", False))
    )


def _is_audit(value: Any) -> bool:
    """Exports are looked at when they are read; see `audit`."""
    return (
        isinstance(value, dict)
        and set(value) <= {"theorems", "candidate", "statement"}
        and isinstance(value.get("theorems"), list)
        and all(isinstance(pair, list) and len(pair) == 2 and _is_text(pair[0]) for pair in value["theorems"])  # noqa: PLR2004
        and isinstance(value.get("candidate"), dict)
        and isinstance(value.get("statement"), dict | None)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A kind of request: the fields that it must have, and those that it may have. Others are not looked at."""

    name: str
    required: Mapping[str, Check]
    optional: Mapping[str, Check]

    def arguments(self, request: Mapping[str, Any]) -> Json | None:
        """The request's fields if it has this shape."""
        for key, check in self.required.items():
            if key not in request or not check(request[key]):
                return None
        for key, check in self.optional.items():
            if request.get(key) is not None and not check(request[key]):
                return None
        known = (*self.required, *self.optional)
        return {key: request[key] for key in known if request.get(key) is not None}


_OPTIONS = {"allTactics": _is_flag, "rootGoals": _is_flag, "infotree": _is_text}

SHAPES = (
    Shape(name="tactic", required={"proofState": _is_natural, "tactic": _is_text}, optional={}),
    Shape(name="pickle_environment", required={"env": _is_natural, "pickleTo": _is_text}, optional={}),
    Shape(name="unpickle_environment", required={"unpickleEnvFrom": _is_text}, optional={}),
    Shape(name="pickle_proof_state", required={"proofState": _is_natural, "pickleTo": _is_text}, optional={}),
    Shape(name="unpickle_proof_state", required={"unpickleProofStateFrom": _is_text}, optional={"env": _is_natural}),
    Shape(name="command", required={"cmd": _is_text}, optional={"env": _is_natural, **_OPTIONS}),
    Shape(name="file", required={"path": _is_text}, optional={"env": _is_natural, **_OPTIONS}),
    # Extensions; the community REPL has none of them.
    Shape(name="forget", required={"forget": _is_forget}, optional={}),
    Shape(name="export", required={"env": _is_natural, "exportConstants": _is_export}, optional={}),
    Shape(name="audit", required={"env": _is_natural, "auditConstants": _is_audit}, optional={}),
)
"""In the order in which the community REPL tries them: the first that fits is meant."""


class ProtocolError(Exception):
    """A request that is none; the text is for the one who sent it."""


def parse(query: bytes) -> tuple[str, Json]:
    """The name of a request's shape and its fields. Raises ProtocolError."""
    try:
        request = json.loads(query)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"Could not parse JSON:\n{error}") from None
    if isinstance(request, dict):
        for shape in SHAPES:
            arguments = shape.arguments(request)
            if arguments is not None:
                return shape.name, arguments
    shapes = "; ".join(", ".join(shape.required) for shape in SHAPES)
    raise ProtocolError(f"Could not parse as a valid JSON command:\nit needs the fields of one of: {shapes}")


def queries(stream: BinaryIO) -> Iterator[bytes]:
    """The requests on a stream. Lines of one request are joined without their line ends, and what begins with `#`
    or `--` is skipped without a reply, as in the community REPL.
    """
    lines: list[bytes] = []
    while line := stream.readline():
        if stripped := line.rstrip():
            lines.append(stripped)
            continue
        yield from _whole(lines)
        lines.clear()
    yield from _whole(lines)


def _whole(lines: list[bytes]) -> Iterator[bytes]:
    query = b"".join(lines)
    if query and not query.startswith((b"#", b"--")):
        yield query


def frame(reply: Json) -> bytes:
    """The bytes of a reply."""
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n\n"
