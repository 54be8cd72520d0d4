"""The commands of `leanfleet` that need a client and nothing of the worker stack."""

import typer

from producer.commands.batch import app as batch
from producer.commands.check import check

app = typer.Typer()
app.command()(check)
app.add_typer(batch, name="batch")
