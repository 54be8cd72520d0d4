"""What CRIU needs the worker to be allowed: asked before it is run, since it fails late and in words of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

# Their numbers in <linux/capability.h>, and what each is needed for.
_NEEDED = {
    "SYS_ADMIN": 21,  # namespaces and mounts; looking at a process that has a seccomp filter
    "SYS_PTRACE": 19,  # looking at a process of another user
    "NET_ADMIN": 12,  # the buffers of CRIU's own sockets
    "SYS_TIME": 25,  # a copy's clock goes on from where it was frozen
    "SYS_CHROOT": 18,  # a copy's root
    "SETUID": 7,  # a copy's user, and what it may not do
    "SETGID": 6,
    "SETPCAP": 8,
}
_SYS_RESOURCE = 24


@dataclass(frozen=True, kw_only=True)
class Rights:
    capabilities: int  # the effective ones, a bit each
    filtered: bool  # by seccomp
    no_new_privileges: bool

    @classmethod
    def of_this_process(cls) -> Self:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return cls.from_status(text)

    @classmethod
    def from_status(cls, text: str) -> Self:
        """From the text of a process's status file in /proc."""
        fields = {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
        return cls(
            capabilities=int(fields.get("CapEff", "0"), 16),
            filtered=fields.get("Seccomp", "0") != "0",
            no_new_privileges=fields.get("NoNewPrivs", "0") != "0",
        )

    @property
    def missing(self) -> str:
        """Why CRIU could neither freeze nor thaw; empty when it may."""
        if lacking := [name for name, number in _NEEDED.items() if not self.capabilities >> number & 1]:
            return f"the worker lacks {', '.join(f'CAP_{name}' for name in lacking)}"
        if self.filtered:
            # The kernel lets nobody who has a filter put that of another off (PTRACE_O_SUSPEND_SECCOMP).
            return "the worker runs under a seccomp filter (Docker: --security-opt seccomp=unconfined)"
        return ""

    @property
    def reads_limits(self) -> bool:
        """Of other users' processes."""
        return bool(self.capabilities >> _SYS_RESOURCE & 1)

    def users_flaw(self, *, knows_kernel: bool) -> str:
        """Why processes of other users cannot be frozen; empty when they can.

        `knows_kernel`: whether CRIU has kept what it found out about the kernel. If not it does so each time, with
        libraries that end a program whose real user is another.
        """
        if self.reads_limits:
            return ""
        if self.no_new_privileges:
            return "the worker lacks CAP_SYS_RESOURCE, and no-new-privileges is set"
        return "" if knows_kernel else "the worker lacks CAP_SYS_RESOURCE, and /run is no tmpfs (Docker: --tmpfs /run)"
