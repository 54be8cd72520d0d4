"""Makes the pictures of docs/monitoring.md: a local fleet, a little work with a failure in it, and headless Chromium.

    python docs/screenshots.py            (needs `chromium` on the path; Debian: apt-get install chromium)

No test and no command of leanfleet needs it.
"""

# ruff: noqa: INP001 - a script, and no package
import asyncio
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import leanfleet
from leanfleet import ExportState, ImportState, RunCode, RunTactics, Settings
from tasks.stack.fleet import Fleet, FleetOptions, exported

IMAGES = Path(__file__).resolve().parent / "images"
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=6000",
]
EVENTS_SECONDS = 3.0  # for the last events to reach Flower
CHROMIUM_SECONDS = 120.0
LOOPS = "partial def spin (n : Nat) : Nat := spin (n + 1)\n#eval spin 0"


async def work(settings: Settings) -> None:
    """Each kind of operation a few times, an error of Lean's and a timeout."""
    async with leanfleet.connect(settings=settings) as fleet:
        code = [f"theorem add_comm_{n} (a b : Nat) : a + b = b + a := by\n  sorry" for n in range(6)]
        states = [(await fleet.run_code(each)).sorries[0].state for each in code]
        state = states[0]
        if state is None:
            raise SystemExit("the fleet left no proof state to go on from")
        operations = [
            *(RunCode(code=f"theorem double_{n} : {n} + {n} = {2 * n} := by decide") for n in range(20)),
            RunCode(code=LOOPS, timeout_seconds=1.0),
            *(RunTactics(state=state, tactics=("omega", "exact Nat.add_comm a b", "simp")) for _ in range(4)),
            RunCode(code="theorem wrong : 2 + 2 = 5 := rfl"),
            ImportState(state=state),
            ExportState(state=state),
        ]
        for operation in operations:
            await fleet.submit(operation)


def take(chromium: str, url: str, image: Path, *, height: int) -> None:
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium, *OPTIONS, f"--user-data-dir={profile}", f"--window-size=1440,{height}"]
        subprocess.run(
            [*command, f"--screenshot={image}", url], check=True, capture_output=True, timeout=CHROMIUM_SECONDS
        )


def main() -> None:
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        raise SystemExit(f"none of {', '.join(NAMES)} is installed (Debian: apt-get install chromium)")
    options = FleetOptions(machines=2, repls=1)
    with Fleet(leanfleet.load_settings(), options) as fleet, exported(fleet):
        if fleet.flower is None:
            raise SystemExit("this fleet has no Flower")
        asyncio.run(work(fleet.settings))
        time.sleep(EVENTS_SECONDS)
        IMAGES.mkdir(exist_ok=True)
        take(chromium, f"{fleet.flower.url}/tasks", IMAGES / "flower-tasks.png", height=760)
        take(chromium, f"{fleet.flower.url}/workers", IMAGES / "flower-workers.png", height=560)


if __name__ == "__main__":
    main()
