"""Commands in the documentation are ones that there are, with options that they have."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

import leanfleet

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# `…` in a text, and lines of code.
CODE = re.compile(r"`([^`\n]+)`|^(?: {4}|\t)(.+)$|^(\.venv/bin/leanfleet .+)$", re.MULTILINE)
CALL = re.compile(r"(?:^\s*|[;&|]\s*|\$ )(?:[A-Z_]+=\S+ +)*(?:\.venv/bin/)?leanfleet +([a-z][^#;|>&]*)")


@pytest.fixture(scope="module")
def commands() -> click.Group:
    app = typer.Typer()
    for part in leanfleet._PARTS:
        app.add_typer(leanfleet._commands(part))
    found = typer.main.get_command(app)
    assert hasattr(found, "commands")
    return found  # type: ignore[return-value] # typer's own copy of click's class


def calls(page: Path) -> list[list[str]]:
    """What stands behind `leanfleet` wherever a page shows how it is called."""
    code = ["".join(found) for found in CODE.findall(page.read_text(encoding="utf-8"))]
    lines = [call.strip() for text in code for call in CALL.findall(text)]
    return [shlex.split(line.replace("'", "").replace("…", "")) for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_shows_is_there(page: Path, commands: click.Group) -> None:
    for words in calls(page):
        found: click.Command = commands
        rest = list(words)
        while hasattr(found, "commands") and rest and not rest[0].startswith("-"):
            name = rest.pop(0)
            assert name in found.commands, f"{page.name}: leanfleet {' '.join(words)}"
            found = found.commands[name]
        known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
        used = {word.partition("=")[0] for word in rest if word.startswith("--")} - {"--help"}
        assert used <= known, f"{page.name}: leanfleet {' '.join(words)}"


def test_the_runbooks_are_looked_at() -> None:
    shown = {" ".join(words[:2]) for words in calls(ROOT / "docs" / "operations.md")}
    assert shown >= {"dead list", "dead replay", "dead drop", "states verify", "drain MACHINE"}
