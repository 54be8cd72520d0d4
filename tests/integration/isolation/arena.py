"""Where attacks are tried: with nothing in their way, and inside of a fence, beside a worker that must not notice."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from workers.isolation.capabilities import Capabilities, probe
from workers.isolation.fence import Fence, plan
from workers.isolation.paths import policy_for
from workers.isolation.policy import Limits
from workers.launch import Launch
from workers.scratch import remove_tree

ATTACKS = Path(__file__).with_name("attacks.py")
MIB = 1024**2

LIMITS = Limits(
    memory_bytes=64 * MIB, processes=24, file_bytes=8 * MIB, temporary_bytes=16 * MIB, open_files=64, cpu_seconds=600
)

_NOBODY = 65534
_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A machine as it could be: this one, without some of its means; `unprivileged`: whose worker is not root."""

    adapt: Callable[[Capabilities], Capabilities] = lambda here: here
    unprivileged: bool = False
    freezable: bool = False


def _not_root(here: Capabilities) -> Capabilities:
    return replace(here, is_root=False, user_flaw="the worker is not root")


_LEFT_OUT = "left out by the test"

KINDS = {
    "everything": Kind(),
    "freezable": Kind(freezable=True),
    "without namespaces": Kind(adapt=lambda here: replace(here, bubblewrap="", bubblewrap_flaw=_LEFT_OUT)),
    "without Landlock": Kind(adapt=lambda here: replace(here, landlock_abi=0)),
    "without seccomp": Kind(adapt=lambda here: replace(here, seccomp_flaw=_LEFT_OUT)),
    "unprivileged": Kind(adapt=_not_root, unprivileged=True),
    "unprivileged, without namespaces": Kind(
        adapt=lambda here: replace(_not_root(here), bubblewrap="", bubblewrap_flaw=_LEFT_OUT), unprivileged=True
    ),
}


class StandIn:
    """A process in the worker's place: as its user, with a secret in its environment, answering lines."""

    def __init__(self, python: str, user: int | None) -> None:
        self.marker = secrets.token_hex(8)
        self.secret = f"LEANFLEET_BROKER_URL=redis://:{secrets.token_hex(8)}@broker"
        name, _, value = self.secret.partition("=")
        self._process = subprocess.Popen(
            (python, "-I", "-S", str(ATTACKS), "serve", self.marker),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: value},
            user=user,
            group=user,
            extra_groups=None if user is None else (),
        )
        assert self.answers()

    @property
    def pid(self) -> int:
        return self._process.pid

    def answers(self) -> bool:
        """Whether its next operation works."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(b"next\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
        return self._process.stdout.readline() == b"next\n"

    def close(self) -> None:
        self._process.kill()
        with contextlib.suppress(BrokenPipeError):  # it may have died with a line unread
            self._process.communicate()


@dataclass(kw_only=True)
class Arena:
    """One kind of fence on this machine."""

    fence: Fence
    python: str
    user: int | None
    worker: StandIn
    folder: Path  # of the attacker, inside and outside of the fence
    outside: Path  # open to every user: only a fence keeps an attacker out

    def need(self, guard: str) -> None:
        """Skip where this kind of fence does not promise `guard`, with its reason."""
        found = next(each for each in self.fence.guards if each.name == guard)
        if not found.holds:
            pytest.skip(f"not promised here: {found.flaw}")

    def bare(self, attack: str, *arguments: object) -> object:
        """Try an attack with no fence."""
        return _result(self._start(self._launch(attack, *arguments)))

    def fenced(self, attack: str, *arguments: object) -> object:
        """Try an attack inside of the fence."""
        return _result(self.start(attack, *arguments))

    def start(self, attack: str, *arguments: object, fenced: bool = True) -> "subprocess.Popen[bytes]":
        launch = self._launch(attack, *arguments)
        if fenced:
            launch = self.around(launch)
        return self._start(launch)

    def around(self, launch: Launch) -> Launch:
        return self.fence.around(launch, folder=self.folder, user=70_000, tasks=tasks(), python=self.python)

    def sacrifice(self) -> StandIn:
        """Another worker, for an attack that is expected to succeed."""
        return StandIn(self.python, self.user)

    def _launch(self, attack: str, *arguments: object) -> Launch:
        return Launch(command=(self.python, "-I", "-S", str(ATTACKS), attack, *map(str, arguments)))

    def _start(self, launch: Launch) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            (self.python, *launch.argv(-1)[1:]) if launch.needs_launcher else launch.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(launch.environment),
            start_new_session=True,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else (),
        )


@contextlib.contextmanager
def open_arena(name: str) -> Iterator[Arena]:
    """An arena of this kind; skips the test where this machine cannot be of it."""
    kind = KINDS[name]
    python, user = sys.executable, None
    if kind.unprivileged:
        if os.geteuid() != 0:
            pytest.skip("the tests themselves are not root: the other kinds are unprivileged already")
        system = shutil.which("python3", path="/usr/bin")
        if system is None:
            pytest.skip("no Python that another user may run")
        python, user = system, _NOBODY
    policy = policy_for(
        (python,), None, environ=os.environ, more_readable=[ATTACKS], freezable=kind.freezable, limits=LIMITS
    )
    if kind.unprivileged:  # a worker could not run where it cannot read, so none of these would be there
        closed = {*policy.closed_to_others, *policy.beneath_closed}
        policy = replace(
            policy,
            readable=tuple(path for path in policy.readable if path not in closed),
            exposed=tuple(path for path in policy.exposed if path not in closed),
        )
    fence = plan(kind.adapt(probe()), policy)
    root = Path(tempfile.mkdtemp(prefix="leanfleet-arena-"))
    root.chmod(0o755)
    folder, outside = root / "folder", root / "outside"
    folder.mkdir(mode=0o700)
    outside.mkdir()
    outside.chmod(0o777)
    if user is not None:
        os.chown(folder, user, user)
    elif fence.changes_user:
        os.chown(folder, 70_000, 70_000)
    worker = StandIn(python, user)
    try:
        yield Arena(fence=fence, python=python, user=user, worker=worker, folder=folder, outside=outside)
        assert worker.answers()
    finally:
        worker.close()
        remove_tree(root)


def survivors(marker: str) -> list[int]:
    """The processes with `marker` in their command line, but for stand-ins of workers."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if marker.encode() in words and b"serve" not in words:
                    found.append(int(entry.name))
    return found


def until(condition: Callable[[], bool], *, seconds: float = _SECONDS) -> bool:
    """Wait for a condition; False when it has not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def kill_all(marker: str) -> None:
    for pid in survivors(marker):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _result(process: "subprocess.Popen[bytes]") -> object:
    try:
        output, errors = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert output, f"the attack did not run: status {process.returncode}, {errors.decode()}"
    return json.loads(output)


def tasks() -> int:
    """Processes and threads on this machine."""
    return int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[2])
