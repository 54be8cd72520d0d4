"""The commands of `leanfleet` that need Celery or start servers."""

import typer

from tasks.commands.broker import app as broker
from tasks.commands.dead import app as dead
from tasks.commands.demo import demo
from tasks.commands.doctor import doctor
from tasks.commands.drain import drain
from tasks.commands.flower import flower
from tasks.commands.status import status
from tasks.commands.up import up
from tasks.commands.worker import worker

app = typer.Typer()
app.command()(up)
app.command()(worker)
app.command()(doctor)
app.command()(demo)
app.command()(drain)
app.command()(status)
app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})(flower)
app.add_typer(broker, name="broker")
app.add_typer(dead, name="dead")
