"""A REPL whose commands are Python code, for tests of what a thawed process can reach: run as a program.

`say(value)` answers with a message. It imports beforehand what the tests use, as a process that is restored may have.
"""

import functools
import json
import os
import socket
import sys
from typing import Any


def _say(said: list[str], value: object) -> None:
    said.append(repr(value))


def main() -> None:
    number = 0
    for line in sys.stdin:
        if not line.strip():
            continue
        said: list[str] = []
        names: dict[str, Any] = {"os": os, "socket": socket, "say": functools.partial(_say, said)}
        try:
            exec(json.loads(line).get("cmd", ""), names)  # noqa: S102 - that is what it is for
        except Exception as error:  # noqa: BLE001 - whatever it was, it is the answer
            said.append(type(error).__name__)
        at = {"line": 1, "column": 0}
        messages = [{"pos": at, "severity": "info", "data": text} for text in said]
        sys.stdout.write(json.dumps({"env": number, "messages": messages}) + "\n\n")
        sys.stdout.flush()
        number += 1


if __name__ == "__main__":
    main()
