"""`leanfleet flower`: Flower with the columns that suit operations, and never open to strangers."""

import errno
import importlib.util
import ipaddress
import os
import secrets
import socket
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from tasks.stack.errors import MissingServerError, StackError

CONTEXT_SETTINGS = {"ignore_unknown_options": True, "allow_extra_args": True}  # which are Flower's own
_COLUMNS = "name,args,state,result,received,runtime,worker,uuid"
_USER = "operator"
# Either one has Flower ask who is there: a name and a password, or somebody else's login.
_LOCKS = ("BASIC_AUTH", "AUTH")
_CANNOT_LISTEN = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


def flower(
    context: typer.Context,
    *,
    address: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0: everywhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 5555,
) -> None:
    """Show tasks in a browser. Workers must send events: `leanfleet worker --events`.

    Beyond this computer a name and a password are asked for: those of FLOWER_BASIC_AUTH (user:password), else ones that
    are made for this run and said here. Any option of Flower's own may follow.

    Exit codes: 2 Flower is not installed, no broker is named, or the port cannot be had.
    """
    if importlib.util.find_spec("flower") is None:
        raise MissingServerError("Flower is not installed: pip install 'leanfleet[flower]'")
    os.environ.setdefault("FLOWER_TASKS_COLUMNS", _COLUMNS)
    if needs_password(address, os.environ, context.args):
        password = secrets.token_urlsafe(12)
        # Not as an option, which every user of this computer could read. A file of Flower's own still goes before it.
        os.environ["FLOWER_BASIC_AUTH"] = f"{_USER}:{password}"
        typer.echo(
            f"Flower asks for a password beyond this computer: {_USER} / {password} "
            "(for this run; FLOWER_BASIC_AUTH=user:password sets one)",
            err=True,
        )
    # Celery takes a moment to load, which --help need not wait for.
    from tasks.celery import app  # noqa: PLC0415
    from tasks.commandline import run_celery  # noqa: PLC0415

    app.conf.broker_url  # noqa: B018 - settings that are wrong are found here, and said in one line
    try:
        run_celery(["flower", f"--address={address}", f"--port={port}", *context.args])
    except OSError as error:
        if error.errno not in _CANNOT_LISTEN and not isinstance(error, socket.gaierror):
            raise
        raise StackError(
            f"Flower cannot listen at port {port} of {address}: {error.strerror}; --port and --address name others"
        ) from error


def needs_password(address: str, environ: Mapping[str, str], options: Sequence[str]) -> bool:
    """Whether others could reach it and nothing says who may."""
    if is_loopback(address):
        return False
    given = {option.lstrip("-").partition("=")[0].replace("-", "_").upper() for option in options}
    return not any(environ.get(f"FLOWER_{lock}") or lock in given for lock in _LOCKS)


def is_loopback(address: str) -> bool:
    """Whether only this computer can connect there. A name is taken for a public one, `localhost` apart."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
