"""Stand-ins for `lake`, `lean`, `leanchecker` and Comparator, which know no Lean and do as they are told.

For tests of how checkers are run and understood, on machines without a Lean toolchain. Command lines, files, exit
statuses and words are those of lean4checker's and Comparator's sources as of 2026; what they say of a proof is not.

    python toolchain.py lake env lean [-t N] -o FILE.olean FILE.lean
    python toolchain.py lake env leanchecker MODULE
    python toolchain.py lake env comparator CONFIG.json

Lines of the proof's text are obeyed, by the program that is named first:

    %lean error TEXT          the text does not compile
    %leanchecker reject TEXT  the kernel objects
    %comparator CATEGORY TEXT a target fails: comparison, axioms
    %comparator kernel TEXT   the kernel objects
    %comparator old TEXT      fails with TEXT and without a report, as its first versions
    %comparator silent        ends with status 0 and without a word
    PROGRAM print TEXT        prints TEXT, as a candidate's code may
    PROGRAM exit N            ends with status N; PROGRAM is one of the three with its %
    PROGRAM signal N          kills itself
    PROGRAM hang              never ends
    PROGRAM allocate BYTES    holds so much memory
    PROGRAM environ           prints the environment and what it may read
"""

import json
import os
import sys
import time
from pathlib import Path


class UncaughtError(Exception):
    """Printed as Lean prints an uncaught exception; the status is 1."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def obeyed(program: str, text: str) -> dict[str, str]:
    """What the text tells a program; what it is to do at once is done."""
    orders = {}
    for line in text.splitlines():
        words = line.strip(" -").split(maxsplit=2)
        if not words or words[0] != f"%{program}":
            continue
        order, rest = words[1], words[2] if len(words) > 2 else ""  # noqa: PLR2004
        match order:
            case "print":
                say(rest)
            case "exit":
                sys.exit(int(rest))
            case "signal":
                os.kill(os.getpid(), int(rest))
            case "hang":
                while True:
                    time.sleep(60)
            case "allocate":
                bytearray(int(rest))
            case "environ":
                say(json.dumps(dict(os.environ)))
            case _:
                orders[order] = rest
    return orders


def lean(arguments: list[str]) -> None:
    output, source = Path(arguments[arguments.index("-o") + 1]), Path(arguments[-1])
    text = source.read_text(encoding="utf-8")
    if "error" in (orders := obeyed("lean", text)):
        say(f"{source}:1:0: error: {orders['error']}")
        sys.exit(1)
    output.write_text(text, encoding="utf-8")


def leanchecker(arguments: list[str]) -> None:
    places = [Path(folder, f"{arguments[0]}.olean") for folder in os.environ.get("LEAN_PATH", "").split(":")]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UncaughtError(f"object file '{places[0]}' of module {arguments[0]} does not exist")
    orders = obeyed("leanchecker", found.read_text(encoding="utf-8"))
    if "reject" in orders:
        sys.stderr.write(f"leanchecker found a problem in {arguments[0]}\n")
        raise UncaughtError(f"(kernel) {orders['reject']}")


def comparator(arguments: list[str]) -> None:
    config = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    for name in ("challenge_module", "solution_module", "theorem_names", "permitted_axioms", "enable_nanoda"):
        if name not in config:
            raise UncaughtError(f"{name}: property not found")
    if not any(Path(name).is_file() for name in ("lakefile.toml", "lakefile.lean")):
        raise UncaughtError("no configuration file with a supported extension")
    for module in ("challenge_module", "solution_module"):
        name = config[module]
        say(f"Building {name}")
        text = Path(f"{name}.lean").read_text(encoding="utf-8")
        Path(".lake", "build").mkdir(parents=True, exist_ok=True)
        Path(".lake", "build", f"{name}.olean").write_text(text, encoding="utf-8")
        if "%lake fail" in text:
            raise UncaughtError("Child exited with 1")
        orders = obeyed("comparator", text)
        say(f"Exporting {config['theorem_names']} from {name}")
    if "silent" in orders:
        return
    if "old" in orders:
        raise UncaughtError(orders["old"])
    failure = next(((category, orders[category]) for category in ("comparison", "axioms") if category in orders), None)
    category, message = failure or (None, None)
    target = {"target": config["theorem_names"][0], "targetKind": "theorem", "unpermittedAxioms": []}
    report = {
        "reports": [{**target, "transitiveAxioms": [], "failureCategory": category, "failureMessage": message}],
        "kernelAccepted": None if failure else "kernel" not in orders,
        "kernelFailureMessage": orders.get("kernel"),
        "nanodaAccepted": None,
        "nanodaFailureMessage": None,
    }
    Path(config["json_output_path"]).write_text(json.dumps(report), encoding="utf-8")
    if failure:
        raise UncaughtError(f"Some targets failed:\n- {target['target']}: {message}")
    say("Running Lean default kernel on solution.")
    if "kernel" in orders:
        raise UncaughtError(orders["kernel"])
    say("Lean default kernel accepts the solution")
    say("Your solution is okay!")


def main() -> None:
    lake, env, program, *arguments = sys.argv[1:]
    if (lake, env) != ("lake", "env"):
        raise SystemExit("the stand-in knows `lake env PROGRAM` alone")
    try:
        {"lean": lean, "leanchecker": leanchecker, "comparator": comparator}[program](arguments)
    except UncaughtError as error:
        sys.stderr.write(f"uncaught exception: {error}\n")
        sys.exit(1)


main()
