"""Thawed REPLs behind a fence: what a started one cannot reach is out of their reach too, though Landlock is lost."""

import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from producer.errors import UnsupportedPlatformError
from tests.integration.images import hostile
from tests.integration.pool.processes import LONG_SECONDS, exists, runs
from tests.waiting import until
from workers.images.criu import Criu
from workers.images.errors import ImageError
from workers.images.stock import Fencing, ImageStock
from workers.isolation.capabilities import FIRST_USER, probe
from workers.isolation.enclosure import Enclosures
from workers.isolation.fence import plan
from workers.isolation.opening import open_thawing
from workers.isolation.paths import policy_for
from workers.isolation.policy import Limits
from workers.pool import AsyncLeanREPLPool, WarmREPL
from workers.processes import children
from workers.project import LeanProject
from workers.protocol.requests import Command
from workers.protocol.responses import CommandResponse
from workers.settings import PoolSettings, WorkerSettings
from workers.testing.project import scripted_project

pytestmark = pytest.mark.usefixtures("descriptors")
PYTHON = "/usr/bin/python3"


@pytest.fixture
def project() -> Iterator[LeanProject]:
    """Where every user can run it."""
    if not os.access(PYTHON, os.X_OK):
        pytest.skip(f"no {PYTHON} here, which every user may run")
    folder = Path(tempfile.mkdtemp(prefix="leanfleet-test-", dir="/var/tmp"))
    folder.chmod(0o755)
    script = Path(shutil.copy(hostile.__file__, folder))
    yield LeanProject(command=(PYTHON, "-I", str(script)), directory=None, adapter="community", fingerprint="hostile")
    shutil.rmtree(folder)


@pytest.fixture(params=[True, False], ids=["a user of its own", "the worker's user"])
def fencing(request: pytest.FixtureRequest, project: LeanProject, criu: Criu) -> Iterator[Fencing]:
    facts = probe()
    if not facts.bubblewrap:
        pytest.skip(facts.bubblewrap_flaw)
    if request.param and facts.user_flaw:
        pytest.skip(facts.user_flaw)
    if request.param and criu.users_flaw:
        pytest.skip(criu.users_flaw)
    flaw = "" if request.param else "left out by this test"
    policy = policy_for(project.command, None, environ=os.environ, limits=Limits(memory_bytes=8 * 1024**3))
    # What of the test's own Python lies in somebody's home is not needed.
    policy = dataclasses.replace(policy, closed_to_others=(), beneath_closed=())
    to_freeze = plan(dataclasses.replace(facts, user_flaw=flaw), dataclasses.replace(policy, freezable=True))
    behind = plan(dataclasses.replace(facts, user_flaw=flaw, landlock_abi=0), policy)
    with contextlib.closing(Fencing(to_freeze=Enclosures(to_freeze), behind=Enclosures(behind))) as fencing:
        yield fencing


@pytest.fixture
async def pool(
    criu: Criu, project: LeanProject, fencing: Fencing, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AsyncLeanREPLPool]:
    """Its REPLs are all thawed."""
    monkeypatch.setattr("workers.images.stock.prefers_image", lambda *_: True)  # whatever was measured
    with contextlib.closing(ImageStock(criu, project="p", fencing=fencing, freezes=False)) as stock:
        settings = PoolSettings(size=2, spares=0)
        async with AsyncLeanREPLPool(project, settings, isolation=fencing.behind, images=stock) as pool:
            stock.keep(await pool.make_image(""))
            while stock.counts.thawed < 2:  # those that were started before there was an image go
                async with pool.lease() as repl:
                    assert repl._member is not None
                    if repl._member.process is not None and not repl._member.process._child._nested:
                        repl._member.process.kill("the test has no use for it")
            await until(lambda: pool.snapshot().idle == 2, "both are thawed")
            yield pool
        assert stock.counts.thaw_failures == 0


async def answer(repl: WarmREPL, code: str) -> str:
    response = await repl.send(Command(code=code), timeout_seconds=LONG_SECONDS)
    assert isinstance(response, CommandResponse), response
    return response.messages[0].data if response.messages else ""


async def test_a_copy_reaches_nothing_that_a_fence_keeps_away(pool: AsyncLeanREPLPool) -> None:
    async with pool.lease() as repl:
        assert "Error" in await answer(repl, "socket.socket(); say('a socket')")
        assert "Error" in await answer(repl, "say(open('/etc/shadow').read())")
        assert "Error" in await answer(repl, f"say(os.listdir({str(Path.home() / '.ssh')!r}))")
        assert "Error" in await answer(repl, "open('/usr/lib/planted', 'w'); say('written')")
        assert "Error" in await answer(repl, "open('/planted', 'w'); say('written')")
        assert "Error" in await answer(repl, f"os.kill({os.getpid()}, 0); say('seen')")
        assert "Error" in await answer(repl, f"say(open('/proc/{os.getpid()}/environ').read())")
        assert "Error" in await answer(repl, "os.mount; os.unshare(0x20000); say('unshared')")
        assert "Error" in await answer(repl, "os.setsid(); say('escaped')")
        interfaces = await answer(repl, "say([l.split(':')[0].strip() for l in open('/proc/net/dev')][2:])")
        assert interfaces == "['lo']"
        status = await answer(repl, "say(open('/proc/self/status').read())")
        for line in ("CapEff:\\t0000000000000000", "CapBnd:\\t0000000000000000", "NoNewPrivs:\\t1", "Seccomp:\\t2"):
            assert line in status
        assert len(eval(await answer(repl, "say([e for e in os.listdir('/proc') if e.isdigit()])"))) < 6  # noqa: S307 - a list


async def test_a_copy_has_a_folder_of_its_own(pool: AsyncLeanREPLPool, fencing: Fencing) -> None:
    async with pool.lease() as first, pool.lease() as second:
        assert first.folder is not None
        assert first.folder != second.folder
        assert await answer(first, "open('mine', 'w').write('x'); say(os.listdir('.'))") == "['mine']"
        assert await answer(second, "say(os.listdir('.'))") == "[]"
        assert [path.name for path in first.folder.iterdir()] == ["mine"]
        assert await answer(first, f"say(os.listdir({str(first.folder)!r}))") == "['mine']"
        assert "Error" in await answer(second, f"say(os.listdir({str(first.folder)!r}))")
        user = int(await answer(first, "say(os.getuid())"))
        assert (user >= FIRST_USER) == fencing.to_freeze.fence.changes_user
        assert first.folder.stat().st_uid == user


async def test_a_copy_that_ends_leaves_no_process_and_no_folder(pool: AsyncLeanREPLPool) -> None:
    async with pool.lease() as repl:
        folder, outer = repl.folder, repl.pid
        pids = [outer, *children(outer), *(pid for child in children(outer) for pid in children(child))]
        assert folder is not None
        assert repl._member is not None
        assert repl._member.process is not None
        assert repl._member.process.leader not in (outer, *children(outer))
        repl._member.process.kill("the test")
    await until(lambda: not any(map(runs, pids)), "its processes are gone")
    await until(lambda: not exists(outer), "not even a zombie is left")
    await until(lambda: not folder.exists(), "its folder is gone")


async def test_a_working_repl_behind_a_fence_is_not_frozen(pool: AsyncLeanREPLPool) -> None:
    async with pool.lease() as repl:
        with pytest.raises(ImageError, match="isolated"):
            await pool.freeze(repl)


def test_all_of_it_holds_for_users_of_their_own_where_run_is_on_a_disk(criu: Criu) -> None:
    """CRIU keeps what the above needs in /run, if that is in memory."""
    if not criu.users_flaw or probe().user_flaw:
        pytest.skip("this has been tested above, or cannot be")
    script = 'mount -t tmpfs -o size=1m,mode=755 none /run && exec "$@"'
    which = ("-k", "own and not worker and not holds", __file__)
    command = (sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *which)
    done = subprocess.run(
        (criu.unshare, "--mount", "--propagation", "private", "sh", "-c", script, "sh", *command),
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout
    assert "skipped" not in done.stdout


def test_no_images_where_a_copy_would_lose_a_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container without namespaces has Landlock alone, which CRIU does not keep."""
    monkeypatch.setattr(
        "workers.isolation.opening.probe",
        lambda: dataclasses.replace(probe(), bubblewrap="", bubblewrap_flaw="a container"),
    )
    with pytest.raises(UnsupportedPlatformError, match="Landlock"):
        open_thawing(WorkerSettings(), scripted_project())
