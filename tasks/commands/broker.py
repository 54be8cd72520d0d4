"""`leanfleet broker`: what the broker's administrator needs, as files and not as deeds."""

import secrets
import sys
from typing import Annotated
from urllib.parse import quote

import typer

from producer.errors import InvalidInputError
from producer.settings import load_settings
from tasks.rights import Role, line

app = typer.Typer(help="Prepare a Redis or Valkey as broker.")

_PASSWORD_BYTES = 24

Names = list[str] | None


@app.callback()
def _commands() -> None:
    """Keeps `acl` a command of its own while it is the only one."""


@app.command()
def acl(
    *,
    producers: Annotated[Names, typer.Option("--producer", metavar="NAME", help="One who asks; repeatable.")] = None,
    workers: Annotated[Names, typer.Option("--worker", metavar="NAME", help="Machines of the queue.")] = None,
    operators: Annotated[
        Names, typer.Option("--operator", metavar="NAME", help="The controller, Flower, `leanfleet status`.")
    ] = None,
    queue: Annotated[str | None, typer.Option(help="Instead of the configured queue.")] = None,
    database: Annotated[int, typer.Option(min=0, help="The number at the end of the broker's URL.")] = 0,
) -> None:
    """Print an ACL file with a user for each name.

    Each has no more rights than it needs. The file holds hashes of new passwords; the passwords themselves are shown
    once, on standard error. Name the file as `aclfile` in the server's configuration, and give each user a URL like
    redis://NAME:PASSWORD@host:6379/0. The user `default`, who needs no name, is switched off. Needs Redis 7 or Valkey;
    docs/security.md says who may do what.
    """
    named = [
        *((Role.PRODUCER, name) for name in producers or ()),
        *((Role.WORKER, name) for name in workers or ()),
        *((Role.OPERATOR, name) for name in operators or ()),
    ]
    names = [name for _, name in named]
    if not named:
        raise InvalidInputError("name who is to have rights: --producer NAME, --worker NAME, --operator NAME")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InvalidInputError(f"{twice[0]} is named twice: one user has one role")
    if "default" in names:
        raise InvalidInputError("the user 'default' is switched off: choose another name")
    queue = queue or load_settings().queue
    passwords = {name: secrets.token_urlsafe(_PASSWORD_BYTES) for name in names}
    lines = [line(role, name, queue, passwords[name], database=database) for role, name in named]
    typer.echo("\n".join(["user default off", *lines]))
    width = max(map(len, names))
    for name, password in passwords.items():
        sys.stderr.write(f"password of {quote(name):{width}}  {password}\n")
