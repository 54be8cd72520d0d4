"""`leanfleet up`: a whole fleet on this computer, in the foreground."""

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from producer.commands.terminal import log_to, stderr_console
from producer.settings import load_settings
from tasks.stack.fleet import Fleet, FleetOptions, interruptible

_LOOK_SECONDS = 0.5


def up(
    *,
    machines: Annotated[int, typer.Option(min=1, help="Worker processes, each with REPLs of its own.")] = 2,
    repls: Annotated[int, typer.Option(min=0, help="REPLs on each; 0: as the settings say.")] = 1,
    broker_port: Annotated[int | None, typer.Option(help="Else a free one is chosen.")] = None,
    store_port: Annotated[int | None, typer.Option(help="Else a free one is chosen.")] = None,
    flower_port: Annotated[int | None, typer.Option(help="Else a free one is chosen.")] = None,
    directory: Annotated[
        Path | None, typer.Option(help="Keeps queue, states and logs; else a temporary one, removed at the end.")
    ] = None,
) -> None:
    """Run a fleet on this computer until Ctrl-C.

    It is Valkey, SeaweedFS, workers and Flower, all of which end with it. A worker that ends before is replaced.

    Exit codes: 0 stopped by Ctrl-C or SIGTERM; 2 a part could not be started, or ended and was no worker.
    """
    console = stderr_console()
    log_to(console)
    options = FleetOptions(
        machines=machines,
        repls=repls,
        broker_port=broker_port,
        store_port=store_port,
        flower_port=flower_port,
        directory=None if directory is None else directory.expanduser().resolve(),
    )
    with interruptible():
        try:
            console.print(f"Starting Valkey, SeaweedFS, {machines} workers and Flower …")
            with Fleet(load_settings(), options) as fleet:
                _say_where(fleet)
                console.print("Running; Ctrl-C stops everything.")
                while True:
                    time.sleep(_LOOK_SECONDS)
                    fleet.tend()
        except KeyboardInterrupt:
            console.print("Stopped.")


def _say_where(fleet: Fleet) -> None:
    """On stdout, so that `eval` can take it: comments and exports are shell."""
    typer.echo(f"# Flower: {fleet.flower.url if fleet.flower else 'off'}")
    typer.echo(f"# logs:   {fleet.directory / 'logs'}")
    for name, value in fleet.environ.items():
        if value:
            typer.echo(f"export {name}={shlex.quote(value)}")
