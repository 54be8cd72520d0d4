"""What CRIU needs the worker to be allowed: asked before it is run, since it fails late and in words of its own."""

from workers.privileges import Privileges

_NEEDED = (
    "SYS_ADMIN",  # namespaces and mounts; looking at a process that has a seccomp filter
    "SYS_PTRACE",  # looking at a process of another user
    "NET_ADMIN",  # the buffers of CRIU's own sockets
    "SYS_TIME",  # a copy's clock goes on from where it was frozen
    "SYS_CHROOT",  # a copy's root
    "SETUID",  # a copy's user, and what it may not do
    "SETGID",
    "SETPCAP",
)


def missing(worker: Privileges) -> str:
    """Why CRIU could neither freeze nor thaw; empty when it may."""
    if lacking := worker.lacking(*_NEEDED):
        return f"the worker lacks {', '.join(lacking)}"
    if worker.filtered:
        # The kernel lets nobody who has a filter put that of another off (PTRACE_O_SUSPEND_SECCOMP).
        return "the worker runs under a seccomp filter (Docker: --security-opt seccomp=unconfined)"
    return ""


def reads_limits(worker: Privileges) -> bool:
    """Of other users' processes."""
    return not worker.lacking("SYS_RESOURCE")


def users_flaw(worker: Privileges, *, knows_kernel: bool) -> str:
    """Why processes of other users cannot be frozen; empty when they can.

    `knows_kernel`: whether CRIU has kept what it found out about the kernel. If not it does so each time, with
    libraries that end a program whose real user is another.
    """
    if reads_limits(worker):
        return ""
    if worker.no_new_privileges:
        return "the worker lacks CAP_SYS_RESOURCE, and no-new-privileges is set"
    return "" if knows_kernel else "the worker lacks CAP_SYS_RESOURCE, and /run is no tmpfs (Docker: --tmpfs /run)"
