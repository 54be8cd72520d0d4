"""What of a machine a frozen process depends on: its memory holds what the processor and the kernel told it."""

import os
import platform
from collections.abc import Iterable
from pathlib import Path

import msgspec

# Differ between virtual machines of one kind, and nothing in a process depends on them.
_IRRELEVANT = frozenset({"hypervisor", "constant_tsc", "nonstop_tsc", "tsc_known_freq", "tsc_reliable", "arat"})


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    architecture: str
    kernel: str
    criu: str
    page_bytes: int
    cpu_flags: tuple[str, ...]

    def misfit(self, here: "Machine") -> str:
        """Why a process frozen on this machine cannot run on `here`; empty when it can.

        The C library has chosen its functions by the flags of the processor: `here` must have all of them. A kernel of
        another release may lay out a process's vDSO and its extended registers otherwise.
        """
        for name in ("architecture", "kernel", "page_bytes"):
            then, now = getattr(self, name), getattr(here, name)
            if then != now:
                return f"it was made with {name} {then}, and here it is {now}"
        if self.criu.split(".")[0] != here.criu.split(".")[0]:
            return f"it was made by CRIU {self.criu}, and here is {here.criu}"
        if missing := sorted({*self.cpu_flags} - {*here.cpu_flags}):
            return f"this processor lacks {', '.join(missing)}"
        return ""


def this_machine(criu: str, *, cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    return Machine(
        architecture=platform.machine(),
        kernel=platform.release(),
        criu=criu,
        page_bytes=os.sysconf("SC_PAGE_SIZE"),
        cpu_flags=tuple(sorted({*_flags(_lines(cpuinfo))} - _IRRELEVANT)),
    )


def _flags(lines: Iterable[str]) -> list[str]:
    """Of the first processor; all of a virtual machine's are alike."""
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return value.split()
    return []


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
