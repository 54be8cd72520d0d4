"""What the kernel lets this process do, as Linux tells it in /proc: asked before something is tried that needs it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

# From <linux/capability.h>.
_NUMBERS = {
    "CHOWN": 0,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
    "SETPCAP": 8,
    "NET_ADMIN": 12,
    "SYS_CHROOT": 18,
    "SYS_PTRACE": 19,
    "SYS_ADMIN": 21,
    "SYS_RESOURCE": 24,
    "SYS_TIME": 25,
}


@dataclass(frozen=True, kw_only=True)
class Privileges:
    capabilities: int  # the effective ones, a bit each
    filtered: bool  # by seccomp
    no_new_privileges: bool

    @classmethod
    def of_this_process(cls) -> Self:
        return cls.from_status(Path("/proc/self/status").read_text(encoding="ascii", errors="replace"))

    @classmethod
    def from_status(cls, text: str) -> Self:
        """From the text of a process's status file in /proc."""
        fields = {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
        return cls(
            capabilities=int(fields.get("CapEff", "0"), 16),
            filtered=fields.get("Seccomp", "0") != "0",
            no_new_privileges=fields.get("NoNewPrivs", "0") != "0",
        )

    def lacking(self, *names: str) -> list[str]:
        """Those of these capabilities that it does not have, as `CAP_…`."""
        return [f"CAP_{name}" for name in names if not self.capabilities >> _NUMBERS[name] & 1]
