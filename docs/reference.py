"""Writes docs/api.md from the code: signatures, fields with their defaults, and what the docstrings say.

    python docs/reference.py

A test looks whether every public name, field, parameter and default is in it.
"""

# ruff: noqa: INP001 - a script, and no package
import ast
import enum
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec

import leanfleet
from producer.batch.batches import Batches, Listed, Submission
from producer.batch.diff import Change, Difference
from producer.batch.removal import Removal
from producer.batch.result import BatchResult
from producer.batch.status import Progress, Status
from producer.outcome import Outcome

PAGE = Path(__file__).resolve().parent / "api.md"

HEAD = """# Python API

Everything that `import leanfleet` gives, and what its methods return. `python docs/reference.py` writes this page.

Durations are in seconds, sizes in bytes. Values are immutable, and can be pickled and sent as JSON
(`msgspec.json.encode`). How they are used: [in a training loop](howto-training-loop.md),
[in batches](howto-batches.md).
"""

# Heading, introduction, names in their order.
SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("Connecting", "", ("connect", "connect_sync", "load_settings", "Settings")),
    ("The client", "", ("Client", "Call", "Finished", "ClientStats", "SyncClient")),
    (
        "Operations",
        "The verbs of the client make them; `submit`, `stream` and `map` take them. All of them have these fields:",
        ("Operation", "RunCode", "RunTactics", "ExportState", "ImportState", "VerifyProof", "AnyOperation", "Priority"),
    ),
    ("States", "", ("StateRef",)),
    (
        "Results",
        "All of them have these fields:",
        (
            "Result",
            "RunCodeResult",
            "RunTacticsResult",
            "TacticResult",
            "ExportStateResult",
            "ImportStateResult",
            "VerifyProofResult",
            "AnyResult",
            "AuditedTheorem",
            "Judgement",
            "Verdict",
            "Strength",
            "Message",
            "Position",
            "Sorry",
            "Timing",
            "Restored",
        ),
    ),
    ("Outcomes", "", ("Outcome",)),
    (
        "Batches",
        "`Client.batches` is one; `SyncClient.batches` has the same methods, which block.",
        ("Batches", "Submission", "Status", "Progress", "BatchResult", "Difference", "Change", "Listed", "Removal"),
    ),
    (
        "Errors",
        "What a program can handle. What became of an operation is its outcome, and never an error.",
        (
            "LeanFleetError",
            "SettingsError",
            "InvalidInputError",
            "InvalidTextError",
            "BrokerUnavailableError",
            "BrokerRefusedError",
            "ClientClosedError",
            "BatchError",
            "StoreError",
            "WireError",
        ),
    ),
    ("Tests and logs", "", ("ScriptedClient", "JsonLogFormatter", "__version__")),
)

# What the public API gives back and does not name.
_OTHERS: dict[str, Any] = {
    each.__name__: each
    for each in (Batches, BatchResult, Change, Difference, Listed, Progress, Removal, Status, Submission)
}
_OTHERS |= {"Operation": leanfleet.RunCode.__mro__[1], "Result": leanfleet.RunCodeResult.__mro__[1]}


def named(name: str) -> Any:
    return _OTHERS[name] if name in _OTHERS else getattr(leanfleet, name)


def names() -> tuple[str, ...]:
    """All that have a heading; those that this version does not have are left out."""
    return tuple(name for _, _, group in SECTIONS for name in group if name in _OTHERS or hasattr(leanfleet, name))


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    present = set(names())
    for title, introduction, group in SECTIONS:
        parts.append(f"\n## {title}\n" + (f"\n{introduction}\n" if introduction else ""))
        parts += [section(name, named(name)) for name in group if name in present]
    return "".join(parts)


def section(name: str, thing: Any) -> str:
    """One name's heading, documentation, fields and methods."""
    lines = [f"\n### `{name}`\n"]
    if isinstance(thing, str):
        lines.append("The installed version.")
    elif inspect.isfunction(thing):
        lines += [signature(name, thing), documentation(thing)]
    elif not inspect.isclass(thing):
        lines.append("One of " + ", ".join(f"`{getattr(each, '__name__', each)}`" for each in get_args(thing)) + ".")
    else:
        lines.append(documentation(thing))
        if thing is Outcome:
            lines.append(outcomes())
        elif issubclass(thing, enum.Enum):
            notes = comments(thing)
            lines.append("\n".join(f"- `{each.value}`{_dash(notes.get(each.name, ''))}" for each in thing))
        else:
            lines += [fields(thing), *(method(thing, each) for each in methods(thing))]
    return "\n\n".join(line.rstrip() for line in lines if line.strip()).replace("\n\n\n", "\n\n") + "\n"


def documentation(thing: Any) -> str:
    """A docstring as Markdown: argument lists become lists."""
    text = inspect.getdoc(thing) if not (inspect.isclass(thing) and thing.__doc__ is None) else ""
    text = re.sub(r"^(Args|Raises|Returns):\n", lambda found: f"{_WORDS[found[1]]}\n\n", text or "", flags=re.MULTILINE)
    text = re.sub(r":\n(?=    \w[\w, ]*: )", ":\n\n", text)  # Markdown's lists begin after an empty line
    return re.sub(r"^    (\w[\w, ]*): ", r"- `\1`: ", text, flags=re.MULTILINE).replace("\n        ", "\n  ")


# Whose methods are what is called; of values, fields and construction are what must be told.
_VERBS = ("Client", "SyncClient", "Batches")
_WORDS = {"Args": "Arguments:", "Raises": "Raises:", "Returns": "Returns:"}


def signature(name: str, function: Callable[..., Any]) -> str:
    """As it would be written, one argument a line when they are many."""
    text = str(inspect.signature(function))
    text = re.sub(r"\b(?:producer|collections|typing|msgspec|asyncio)(?:\.\w+)*\.(\w+)", r"\1", text)
    text = re.sub(r"\((self|cls)(, )?", "(", text).replace("'", '"')
    text = re.sub(r'-> "(.*)"$', r"-> \1", re.sub(r"Optional\[(Literal\[[^]]*\])\]", r"\1 | None", text))
    prefix = "async " if inspect.iscoroutinefunction(function) else ""
    line = f"{prefix}{name}{text}"
    if len(line) > 100:  # noqa: PLR2004 - what fits a page
        head, _, rest = line.partition("(")
        inside, _, tail = rest.rpartition(")")
        line = f"{head}(\n    " + ",\n    ".join(_split(inside)) + f",\n){tail}"
    return f"```python\n{line}\n```"


def _split(arguments: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, character in enumerate(arguments):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            yield arguments[start:place].strip()
            start = place + 1
    yield arguments[start:].strip()


def struct_fields(thing: type) -> list[tuple[str, str, str]]:
    """Name, type and default of each field that the class itself adds."""
    if issubclass(thing, tuple):
        hints = thing.__annotations__
        return [(name, _type(hints.get(name, "")), "") for name in getattr(thing, "_fields", ())]
    if not issubclass(thing, msgspec.Struct):
        return []
    inherited = {each.name for base in thing.__bases__ if hasattr(base, "__struct_fields__") for each in _of(base)}
    return [(each.name, _type(each.type), _default(each)) for each in _of(thing) if each.name not in inherited]


def _of(thing: Any) -> tuple[Any, ...]:
    return msgspec.structs.fields(thing) if thing is not msgspec.Struct else ()


def _type(annotation: Any) -> str:
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"\b(?:producer|collections|typing|msgspec)(?:\.\w+)*\.(\w+)", r"\1", text).replace("'", '"')


def _default(field: Any) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return repr(field.default_factory()).replace("'", '"')
    if field.default is msgspec.NODEFAULT:
        return ""
    value = field.default
    return str(value) if isinstance(value, enum.Enum) else repr(value).replace("'", '"')


def fields(thing: type) -> str:
    rows = struct_fields(thing)
    if not rows:
        return ""
    notes = comments(thing)
    table = ["| field | type | default | |", "|---|---|---|---|"]
    for name, kind, default in rows:
        shown = f"`{default}`" if default else ""
        table.append(f"| `{name}` | `{kind.replace('|', chr(92) + '|')}` | {shown} | {notes.get(name, '')} |")
    return "\n".join(table)


def comments(thing: type) -> dict[str, str]:
    """What stands behind each field, or above it."""
    found: dict[str, str] = {}
    lines = textwrap.dedent(inspect.getsource(thing)).splitlines()
    for node in ast.parse("\n".join(lines)).body[0].body:  # type: ignore[attr-defined] # it is a class
        target = (
            node.target if isinstance(node, ast.AnnAssign) else node.targets[0] if isinstance(node, ast.Assign) else 0
        )
        if not isinstance(target, ast.Name):
            continue
        _, _, beside = lines[node.end_lineno - 1].partition("  # ")
        above = lines[node.lineno - 2].strip()
        note = beside or (above.removeprefix("# ") if above.startswith("# ") else "")
        found[target.id] = "" if note.startswith(("noqa", "type:")) else note
    return found


def methods(thing: type) -> list[str]:
    """Public ones that the class itself defines."""
    return [
        name
        for name, each in vars(thing).items()
        if not name.startswith("_") and (inspect.isfunction(each) or isinstance(each, (property, classmethod)))
    ]


def method(thing: type, name: str) -> str:
    member = inspect.getattr_static(thing, name)
    if isinstance(member, property):
        said = documentation(member.fget)
        kind = _type(inspect.signature(member.fget).return_annotation) if member.fget is not None else ""
        return f"`{thing.__name__}.{name}` → `{kind}`" + (f": {said}" if said else "")
    function = getattr(thing, name)
    said = _same_as(thing, name) or documentation(function)
    return f"{signature(f'{thing.__name__}.{name}', getattr(function, '__func__', function))}\n\n{said}"


def _same_as(thing: type, name: str) -> str:
    """Where it is said what a method does that blocks for one that does not."""
    said = inspect.getattr_static(thing, name).__doc__
    theirs = getattr(leanfleet.Client, name, None) if thing is leanfleet.SyncClient else None
    return f"As `Client.{name}`." if theirs is not None and said in (None, theirs.__doc__) else ""


def outcomes() -> str:
    notes = comments(Outcome)
    table = ["| outcome | | again can help | larger limits can help |", "|---|---|---|---|"]
    for each in Outcome:
        again, larger = ("yes" if flag else "" for flag in (each.retry_can_help, each.larger_limits_can_help))
        table.append(f"| `{each}` | {notes.get(each.name, '')} | {again} | {larger} |")
    return "\n".join(table)


def _dash(note: str) -> str:
    return f": {note}" if note else ""


def facts(name: str) -> Iterator[str]:
    """Lines or blocks that the page must have for a name, whatever the words around them."""
    thing = named(name)
    yield f"### `{name}`"
    if inspect.isfunction(thing):
        yield signature(name, thing)
    if not inspect.isclass(thing):
        return
    for field, kind, default in struct_fields(thing):
        shown = f"`{default}`" if default else ""
        yield f"| `{field}` | `{kind.replace('|', chr(92) + '|')}` | {shown} |"
    for each in methods(thing) if name in _VERBS else ():
        yield method(thing, each).partition("\n\n")[0].partition(": ")[0]
    if issubclass(thing, enum.Enum):
        yield from (f"`{each.value}`" for each in thing)


def main() -> None:
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
