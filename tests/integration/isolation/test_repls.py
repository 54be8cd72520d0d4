"""REPLs in a pool, each in its fence: they work as without, and what they do to themselves stays there."""

import asyncio
import dataclasses
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from producer.errors import (
    ReplOutOfMemoryError,
    ReplTimeoutError,
    SettingsError,
    UnsupportedPlatformError,
)
from tests.integration.isolation.arena import MIB
from tests.waiting import until
from workers.isolation import opening
from workers.isolation.capabilities import Capabilities, probe
from workers.isolation.enclosure import Enclosures
from workers.isolation.opening import open_fence, open_isolation
from workers.pool import AsyncLeanREPLPool, WarmREPL
from workers.project import LeanProject, embedded_project
from workers.protocol.requests import Command
from workers.protocol.responses import CommandResponse
from workers.settings import WorkerSettings
from workers.testing.project import scripted_project

LONG_SECONDS = 60.0
NOTHING = Capabilities(
    is_root=True, user_flaw="nothing", bubblewrap_flaw="nothing", landlock_abi=0, seccomp_flaw="nothing"
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fences are Linux's")


@asynccontextmanager
async def opened(project: LeanProject, **settings: object) -> AsyncIterator[AsyncLeanREPLPool]:
    worker = WorkerSettings(size=1, spares=0, isolation="required", **settings)  # type: ignore[arg-type]
    with open_isolation(worker, project) as isolation:
        assert isinstance(isolation, Enclosures)
        root = isolation._root
        async with AsyncLeanREPLPool(project, worker, isolation=isolation) as pool:
            yield pool
        assert [path for path in root.iterdir() if path.is_dir()] == [], "the private folders went with their REPLs"
    assert not root.exists()


async def say(repl: WarmREPL, code: str, *, timeout_seconds: float = LONG_SECONDS, memory_bytes: int = 0) -> str:
    """Run a command, and return its first message."""
    command = Command(code=code, environment=repl.environment)
    response = await repl.send(command, timeout_seconds=timeout_seconds, memory_bytes=memory_bytes or None)
    assert isinstance(response, CommandResponse), response
    return response.messages[0].data if response.messages else ""


@pytest.fixture(params=["everything", "without namespaces"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """This machine, and this machine without bubblewrap, as a container is."""
    if request.param != "everything":
        monkeypatch.setattr(
            opening,
            "probe",
            lambda: dataclasses.replace(probe(), bubblewrap="", bubblewrap_flaw="left out by the test"),
        )
    return str(request.param)


def test_this_ci_has_every_means() -> None:
    """Else the tests of isolation would be skipped there, and nobody would notice."""
    if not os.environ.get("CI"):
        pytest.skip("a machine that is not CI may lack some")
    here = probe()
    assert here.bubblewrap, here.bubblewrap_flaw
    assert here.landlock_abi
    assert not here.seccomp_flaw


@pytest.mark.usefixtures("machine")
async def test_the_embedded_lean_works_inside() -> None:
    async with opened(embedded_project()) as pool, pool.lease() as repl:
        text = await say(repl, "theorem t (p q : Prop) (h : p ∧ q) : q ∧ p := ⟨h.2, h.1⟩\n#print axioms t")
        assert text == "'t' does not depend on any axioms"
        assert repl.folder is not None
        assert repl.folder.stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("machine")
async def test_a_repl_sees_only_the_variables_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEANFLEET_BROKER_URL", "redis://:secret@broker")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("LEAN_SYSROOT", "/usr")
    async with opened(scripted_project()) as pool, pool.lease() as repl:
        seen = json.loads(await say(repl, "%environ"))
        assert seen["LEAN_SYSROOT"] == "/usr"
        assert seen["HOME"] == str(repl.folder)
        assert not [name for name, value in seen.items() if "secret" in value]


@pytest.mark.usefixtures("machine")
async def test_a_limit_that_is_broken_ends_one_repl_and_the_next_operation_works() -> None:
    async with opened(scripted_project()) as pool:
        async with pool.lease() as repl:
            first = repl.pid
            with pytest.raises(ReplTimeoutError):
                await say(repl, "%fork\n%hang", timeout_seconds=0.5)
        await until(lambda: not Path(f"/proc/{first}").exists(), "the process is gone")
        async with pool.lease() as repl:
            assert await say(repl, "%say well") == "well"


@pytest.mark.usefixtures("machine")
async def test_memory_is_counted_through_the_fence() -> None:
    async with opened(scripted_project()) as pool:
        async with pool.lease() as repl:
            with pytest.raises(ReplOutOfMemoryError, match="held"):
                await say(repl, f"%allocate {128 * MIB}\n%hang", memory_bytes=64 * MIB)
        async with pool.lease() as repl:
            assert await say(repl, f"%allocate {16 * MIB}\n%say well", memory_bytes=64 * MIB) == "well"


@pytest.mark.usefixtures("machine")
async def test_a_folder_that_grows_too_large_ends_its_repl() -> None:
    project = scripted_project()
    with open_isolation(WorkerSettings(), project) as isolation:
        assert isinstance(isolation, Enclosures)
        policy = isolation.fence.policy
        limits = dataclasses.replace(policy.limits, folder_bytes=4 * MIB)
        tight = dataclasses.replace(isolation.fence, policy=dataclasses.replace(policy, limits=limits))
        enclosures = Enclosures(tight)
        settings = WorkerSettings(size=1, spares=0)
        async with AsyncLeanREPLPool(project, settings, isolation=enclosures) as pool:
            async with pool.lease() as repl:
                assert repl.folder is not None
                (repl.folder / "growing").write_bytes(bytes(8 * MIB))
                with pytest.raises(ReplOutOfMemoryError, match="files held"):
                    await say(repl, "%hang")
            async with pool.lease() as repl:
                assert await say(repl, "%say well") == "well"
        enclosures.close()


@pytest.mark.usefixtures("machine")
async def test_cancelling_a_start_leaves_no_folder() -> None:
    async with opened(scripted_project("--import-seconds", "60")) as pool:
        lease = asyncio.create_task(pool.lease("import Lean").__aenter__())
        await until(lambda: any(each.pid for each in pool.snapshot().repls), "a REPL is starting")
        lease.cancel()
        with pytest.raises(asyncio.CancelledError):
            await lease


def test_what_cannot_be_enforced_is_refused_when_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "probe", lambda: NOTHING)
    with pytest.raises(UnsupportedPlatformError, match="cannot isolate its REPLs"):
        open_fence(WorkerSettings(isolation="required"), scripted_project())
    assert len(open_fence(WorkerSettings(), scripted_project()).flaws) > 3


def test_a_fence_that_does_not_work_is_replaced_by_a_weaker_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A container may let a trial of bubblewrap through and refuse what is needed in earnest."""
    monkeypatch.setattr(opening, "probe", lambda: dataclasses.replace(probe(), bubblewrap="/bin/false"))
    with caplog.at_level(logging.WARNING, "leanfleet.isolation"):
        fence = open_fence(WorkerSettings(), scripted_project())
    assert not fence.bubblewrap
    assert fence.restricts
    assert "trying a weaker one" in caplog.text


def test_a_program_out_of_reach_is_said_so_at_once(tmp_path: Path) -> None:
    """Not at the first operation, by a REPL that does not start."""
    program = tmp_path / "repl"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    hidden = LeanProject(command=(str(program),), directory=tmp_path, adapter="community", fingerprint="x")
    fence = open_fence(WorkerSettings(), hidden)
    assert not fence.changes_user, "only its owner may run it"


def test_isolation_can_be_switched_off() -> None:
    fence = open_fence(WorkerSettings(isolation="off"), scripted_project())
    assert {"network", "private files"} <= {guard.name for guard in fence.flaws}
    with open_isolation(WorkerSettings(isolation="off"), scripted_project()) as isolation:
        assert not isinstance(isolation, Enclosures)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"isolation_readable": "relative"}, "no absolute path"),
        ({"isolation_readable": "/nonexistent/folder"}, "exists"),
        ({"isolation_variables": "LEANFLEET_BROKER_URL"}, "credentials"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, str], message: str) -> None:
    with (
        pytest.raises(SettingsError, match=message),
        open_isolation(WorkerSettings(**settings), scripted_project()),  # type: ignore[arg-type]
    ):
        pass
