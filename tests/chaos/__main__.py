"""`make chaos SEED=7 MINUTES=10`: long trials, one after the other, until the time is over."""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from tests.chaos.driver import Chaos, Trial, draw_seed
from tests.chaos.schedule import KINDS, kills_and_restarts, make_schedule


def main() -> None:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="of the first trial; the next ones count up from it")
    parser.add_argument("--minutes", type=float, default=0.0, help="0: one trial")
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--every", type=float, default=3.0, help="seconds between faults")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--machines", type=int, default=3)
    parser.add_argument("--broker", choices=("valkey", "rabbitmq"), default="valkey")
    parser.add_argument("--release", action="store_true", help="workers killed every 3 s, the broker restarted twice")
    options = parser.parse_args()
    seed = draw_seed() if options.seed is None else options.seed
    end = time.monotonic() + options.minutes * 60
    failed = False
    while True:
        if options.release:
            faults = kills_and_restarts(seed)
        else:
            faults = make_schedule(
                seed, for_seconds=3600, every_seconds=options.every, kinds=options.kinds, longest_seconds=30.0
            )
        trial = Trial(
            seed=seed,
            operations=options.operations,
            faults=faults,
            # What takes forty seconds would never end among machines that live for nine.
            longest_seconds=6.0 if options.release else 40.0,
            deadline_seconds=300.0 if options.release else 900.0,
            batch=options.operations // 20,
            machines=options.machines,
            broker=options.broker,
        )
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            report = asyncio.run(Chaos(trial, Path(folder)).run())
        sys.stdout.write(f"{report}\n")
        sys.stdout.flush()
        failed |= bool(report.problems)
        seed += 1
        if time.monotonic() >= end or failed:
            sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
