"""How long the embedded Lean takes: `python -m benchmarks embedded`.

Every number is a median over a real process, as a client sees it: from writing a request to having read its reply.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from workers.embedded.build import ensure_core

if TYPE_CHECKING:
    from collections.abc import Callable

_SHORT = "theorem t (p q : Prop) (h : p ∧ q) : q ∧ p := by\n  exact ⟨h.2, h.1⟩"
_INDUCTION = (
    "theorem t (n : Nat) : 0 + n = n := by\n  induction n with\n  | zero => rfl\n  | succ n ih => rw [Nat.add_succ, ih]"
)
_SORRY = "theorem t (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry"


class _Process:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workers.embedded"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n\n")
        self._process.stdin.flush()
        reply: dict[str, Any] = json.loads(self._process.stdout.readline())
        self._process.stdout.readline()
        assert "message" not in reply, reply
        return reply

    def memory_megabytes(self) -> str:
        """Resident, and of that not shared with other processes."""
        kilobytes = {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
        try:
            lines = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            return "-"
        for line in lines:
            name, _, rest = line.partition(":")
            if name in kilobytes:
                kilobytes[name] = int(rest.split()[0])
        private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
        return f"{kilobytes['Rss'] / 1024:.0f} ({private / 1024:.0f})"

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _median_ms(action: Callable[[], object], times: int) -> tuple[float, float]:
    """Median and 99th percentile."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took), sorted(took)[int(len(took) * 0.99)]


def _start() -> None:
    process = _Process()
    process.ask({"cmd": ""})
    process.close()


def main() -> None:
    times = 500
    ensure_core()
    _start()  # makes the base image, if this is the first process of all
    table = Table("what", "median ms", "p99 ms", "target ms", title="The embedded Lean, one process")

    def row(what: str, measured: tuple[float, float], target: float | None = None) -> None:
        late = target is not None and measured[0] > target
        table.add_row(
            what,
            f"{measured[0]:.2f}",
            f"{measured[1]:.2f}",
            "" if target is None else f"{target:g}",
            style="red" if late else None,
        )

    row("start to first reply", _median_ms(_start, max(10, times // 25)), 150)
    lean = _Process()
    lean.ask({"cmd": ""})
    state = lean.ask({"cmd": _SORRY, "env": 0})["sorries"][0]["proofState"]
    row("short proof", _median_ms(lambda: lean.ask({"cmd": _SHORT, "env": 0}), times), 3)
    row("short proof behind its own header", _median_ms(lambda: lean.ask({"cmd": _SHORT}), times))
    row("induction on Nat", _median_ms(lambda: lean.ask({"cmd": _INDUCTION, "env": 0}), times // 2))
    row("theorem with a sorry", _median_ms(lambda: lean.ask({"cmd": _SORRY, "env": 0}), times))
    row(
        "tactic that leaves goals",
        _median_ms(lambda: lean.ask({"tactic": "constructor", "proofState": state}), times),
        0.6,
    )
    finishing = {"tactic": "exact ⟨h.2, h.1⟩", "proofState": state}
    row("tactic that completes a proof", _median_ms(lambda: lean.ask(finishing), times), 0.6)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "state")
        row("pickle a proof state", _median_ms(lambda: lean.ask({"proofState": state, "pickleTo": path}), times))
        kilobytes = Path(path).stat().st_size / 1024
        row("unpickle it", _median_ms(lambda: lean.ask({"unpickleProofStateFrom": path}), times))
    memory = lean.memory_megabytes()
    lean.close()
    fresh = _Process()
    fresh.ask({"cmd": ""})
    console = Console()
    console.print(table)
    console.print(f"A pickled proof state has {kilobytes:.0f} KB.")
    console.print(
        f"Memory, resident (private), MB: {fresh.memory_megabytes()} when fresh, {memory} after all of the above."
    )
    fresh.close()


if __name__ == "__main__":
    main()
