"""The commands of `leanfleet` that come with the worker stack."""

import typer

from workers.commands.simulate import simulate

app = typer.Typer()
app.command()(simulate)
