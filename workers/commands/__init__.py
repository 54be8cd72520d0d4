"""The commands of `leanfleet` that come with the worker stack."""

import typer

from workers.commands.autoscale import autoscale
from workers.commands.image import app as image
from workers.commands.simulate import simulate
from workers.commands.states import app as states

app = typer.Typer()
app.command()(autoscale)
app.command()(simulate)
app.add_typer(image, name="image")
app.add_typer(states, name="states")
