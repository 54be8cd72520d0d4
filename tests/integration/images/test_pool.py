"""Images as the pool uses them: the same supervision, and always a normal start to fall back on."""

import asyncio
import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from producer.errors import PoolClosedError, ReplTimeoutError
from producer.settings import Settings
from producer.store import open_store
from tests.integration.images.cold import that_waits
from tests.integration.pool.processes import LONG_SECONDS, exists, runs
from tests.waiting import until
from workers.images.archive import Archive, folder_of
from workers.images.criu import Criu
from workers.images.errors import ImageError
from workers.images.image import stamps
from workers.images.stock import ImageStock
from workers.memory import process_bytes
from workers.pool import AsyncLeanREPLPool, Handle, WarmREPL
from workers.processes import children
from workers.project import LeanProject
from workers.protocol.requests import Command
from workers.protocol.responses import CommandResponse
from workers.settings import PoolSettings
from workers.states.signing import Signer
from workers.testing.project import scripted_pantograph, scripted_project

pytestmark = pytest.mark.usefixtures("descriptors")
HEADER = "import Mathlib"
SLOW_SECONDS = "0.4"  # what the scripted REPL's import takes: thawing is quicker, unless the machine is busy


@pytest.fixture
def stock(criu: Criu, tmp_path: Path) -> Iterator[ImageStock]:
    stock = ImageStock(criu, project="project", parent=tmp_path)
    yield stock
    stock.close()
    assert not stock.folder.exists()


@pytest.fixture
def always_thaws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images are used whatever was measured: on a busy machine a thaw may take longer than a start."""
    monkeypatch.setattr("workers.images.stock.prefers_image", lambda *_: True)


@asynccontextmanager
async def opened(
    stock: ImageStock, project: LeanProject | None = None, **settings: object
) -> AsyncIterator[AsyncLeanREPLPool]:
    """A pool with images; afterwards nothing of it is left."""
    defaults: dict[str, object] = {"size": 2, "spares": 0, "header": HEADER}
    pool = AsyncLeanREPLPool(
        project or scripted_project("--import-seconds", SLOW_SECONDS),
        PoolSettings(**{**defaults, **settings}),  # type: ignore[arg-type]
        images=stock,
    )
    seen: set[int] = set()
    try:
        async with pool:
            yield pool
            seen = pids(pool)
    finally:
        assert not pool.snapshot().repls
        assert not pool._background
        assert not any(map(exists, seen))


def pids(pool: AsyncLeanREPLPool) -> set[int]:
    """Of all processes that belong to it."""
    return with_descendants(repl.pid for repl in pool.snapshot().repls if repl.pid is not None)


def with_descendants(pids: Iterable[int]) -> set[int]:
    found = set(pids)
    waiting = list(found)
    while waiting:
        born = children(waiting.pop())
        found.update(born)
        waiting += born
    return found


def namespaces(of: Iterable[int]) -> set[str]:
    """The pid and mount namespaces of these processes that are not ours."""
    found = set()
    for pid in of:
        for kind in ("pid", "mnt"):
            with contextlib.suppress(OSError):
                found.add(str(Path(f"/proc/{pid}/ns/{kind}").readlink()))
    return found - {str(Path(f"/proc/self/ns/{kind}").readlink()) for kind in ("pid", "mnt")}


def run_as(pid: int) -> list[str]:
    """The words of its command line, of programs their names."""
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
        return [Path(word).name for word in words]
    return []


async def settled(pool: AsyncLeanREPLPool) -> None:
    await until(lambda: pool.snapshot().idle == pool.size + pool.settings.spares, "all REPLs are up")


async def say(repl: WarmREPL, code: str, timeout_seconds: float = LONG_SECONDS) -> CommandResponse:
    response = await repl.send(Command(code=code, environment=repl.environment), timeout_seconds=timeout_seconds)
    assert isinstance(response, CommandResponse), response
    return response


async def kill_one(pool: AsyncLeanREPLPool) -> None:
    """Have a REPL killed by a time limit, and wait until all are up again."""
    async with pool.lease(HEADER) as repl:
        with pytest.raises(ReplTimeoutError):
            await repl.send(Command(code="%hang"), timeout_seconds=0.05)
    await settled(pool)


@pytest.mark.usefixtures("always_thaws")
async def test_the_first_repl_is_frozen_and_those_that_follow_are_thawed(stock: ImageStock) -> None:
    async with opened(stock) as pool:
        await settled(pool)
        assert stock.counts.frozen == 1
        for number in range(1, 4):
            await kill_one(pool)
            assert stock.counts.thawed == number
        assert pool.snapshot().thaws == 3
        groups = [repl.group for repl in pool.snapshot().repls if repl.group is not None]
        assert len(groups) == 2
        assert all(process_bytes(group) > 1_000_000 for group in groups), "of the REPLs, not of what thawed them"
        async with pool.lease(HEADER) as repl:
            assert repl.environment == 0
            assert (await say(repl, "")).environment == 1


@pytest.mark.usefixtures("always_thaws")
async def test_repls_of_another_protocol_are_thawed_as_well(stock: ImageStock) -> None:
    async with opened(stock, scripted_pantograph(), header="") as pool:
        await settled(pool)
        async with pool.lease() as repl:
            repl.member.running.kill("the test has no use for it")
        await settled(pool)
        assert stock.counts.thawed == 1
        async with pool.lease() as repl:
            assert (await say(repl, "theorem t : True := sorry")).sorries


async def test_without_a_measured_gain_repls_are_started(stock: ImageStock) -> None:
    async with opened(stock) as pool:
        await settled(pool)
        stock._shelf(HEADER).start_seconds = 0.0001
        await kill_one(pool)  # thawed once, since nobody knows yet how long that takes
        await kill_one(pool)
        assert stock.counts.thawed <= 1
        assert pool.snapshot().starts == 4


@pytest.mark.usefixtures("always_thaws")
async def test_an_image_that_fails_costs_a_normal_start_and_is_given_up(
    stock: ImageStock, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(stock) as pool:
        await settled(pool)
        image = stock._shelf(HEADER).image
        assert image is not None
        os.truncate(image.folder / "pages-1.img", 100)
        await kill_one(pool)
        assert pool.snapshot().thaw_failures == 1
        assert "did not thaw" in caplog.text
        assert pool.snapshot().start_failures == 0
        assert stock._shelf(HEADER).image is None
        assert not image.folder.exists()
        await kill_one(pool)
        assert pool.snapshot().thaw_failures == 1


async def test_freezing_that_fails_does_not_keep_a_repl_from_working(
    stock: ImageStock, caplog: pytest.LogCaptureFixture
) -> None:
    """As where the disk is full."""
    stock.folder.rename(stock.folder.with_name("away"))
    try:
        async with opened(stock) as pool:
            await settled(pool)
            assert stock.counts.freeze_failures == 1
            assert "was not frozen" in caplog.text
            async with pool.lease(HEADER) as repl:
                await say(repl, "")
    finally:
        stock.folder.with_name("away").rename(stock.folder)


async def test_a_pool_whose_criu_was_killed_starts_another_repl(criu: Criu, tmp_path: Path) -> None:
    def dumping() -> list[int]:
        below = with_descendants([os.getpid()])
        return [pid for pid in below if "criu" in run_as(pid) and "dump" in run_as(pid)]

    with contextlib.closing(ImageStock(that_waits(criu, tmp_path), project="p", parent=tmp_path)) as stock:
        await _kill_while(dumping, stock)


async def _kill_while(dumping: Callable[[], list[int]], stock: ImageStock) -> None:
    async with opened(stock) as pool:
        await until(dumping, "the first REPL is being frozen")
        for pid in dumping():
            os.kill(pid, signal.SIGKILL)
        await settled(pool)
        assert stock.counts.freeze_failures == 1
        assert pool.snapshot().start_failures == 1
        async with pool.lease(HEADER) as repl:
            await say(repl, "")


async def test_a_branch_goes_on_from_where_the_original_is(stock: ImageStock) -> None:
    async with opened(stock, size=3) as pool, pool.lease(HEADER) as repl:
        await until(lambda: pool.snapshot().idle == 2, "the others are up, and what was to be frozen is")
        for _ in range(3):
            await say(repl, "")
        repl.states["a state"] = Handle("environment", 3)
        async with pool.beam(repl) as branch:
            assert branch.states == {"a state": Handle("environment", 3)}
            assert (await say(branch, "")).environment == 4
            assert (await say(branch, "")).environment == 5
        assert (await say(repl, "")).environment == 4
        assert [path.name for path in stock.folder.iterdir() if path.name.startswith("image-")] == [
            image.folder.name for image in [stock._shelf(HEADER).image] if image
        ], "what was frozen for the branch is deleted"


async def test_a_frozen_repl_is_thawed_many_times_and_the_pool_keeps_its_size(stock: ImageStock) -> None:
    async with opened(stock, size=4) as pool:
        async with pool.lease(HEADER) as repl:
            await say(repl, "")
            frozen = await pool.freeze(repl)
        async with contextlib.AsyncExitStack() as stack:
            copies = [await stack.enter_async_context(pool.thaw(frozen)) for _ in range(4)]
            assert [(await say(copy, "")).environment for copy in copies] == [2, 2, 2, 2]
            assert pool.snapshot().busy == 4
        pool.discard(frozen)
        await settled(pool)
        with pytest.raises(ImageError):
            async with pool.thaw(frozen):
                pass
        await settled(pool)


async def test_a_pool_of_one_has_no_room_for_a_branch(stock: ImageStock) -> None:
    async with opened(stock, size=1) as pool, pool.lease(HEADER) as repl:
        with pytest.raises(ImageError, match="no room"):
            async with pool.beam(repl):
                pass


async def test_where_all_leases_wait_for_a_branch_each_hears_of_it_and_the_pool_goes_on(stock: ImageStock) -> None:
    async with opened(stock, size=2) as pool:
        async with pool.lease(HEADER) as first, pool.lease(HEADER) as second:
            for repl in (first, second):
                with pytest.raises(ImageError, match="none of the pool's 2 REPLs became free"):
                    async with pool.beam(repl, timeout_seconds=0.05):
                        pass
            assert (await say(first, "")).environment == (await say(second, "")).environment
        async with pool.lease(HEADER) as repl, pool.beam(repl, timeout_seconds=None) as branch:
            await say(branch, "")
        await settled(pool)


async def test_closing_while_copies_thaw_leaves_nothing(stock: ImageStock) -> None:
    async with opened(stock, size=4) as pool:
        async with pool.lease(HEADER) as repl:
            frozen = await pool.freeze(repl)

        async def use() -> None:
            async with pool.thaw(frozen):
                pass

        thaws = [asyncio.create_task(use()) for _ in range(4)]
        await until(lambda: pool.snapshot().starting > 0, "they are under way")
        await pool.close(timeout_seconds=0)
        for outcome in await asyncio.gather(*thaws, return_exceptions=True):
            assert outcome is None or isinstance(outcome, PoolClosedError | ImageError), outcome


async def test_a_pool_that_was_closed_makes_no_image(stock: ImageStock) -> None:
    async with opened(stock) as pool:
        await settled(pool)
        await pool.close(timeout_seconds=0)
        with pytest.raises(PoolClosedError):
            await pool.make_image(HEADER)


@pytest.mark.usefixtures("always_thaws")
async def test_a_kill_storm_among_thaws_leaves_the_pool_whole_and_nothing_behind(stock: ImageStock) -> None:
    """Eight at once, killed at random moments: while they thaw, idle, and with a request."""
    rng = random.Random(11)
    async with opened(stock, size=8, backoff_most_seconds=0.1) as pool:
        await until(lambda: stock._shelf(HEADER).image is not None, "there is an image")
        ever: set[int] = set()
        for _ in range(6):
            await asyncio.sleep(rng.uniform(0.0, 0.05))
            ever |= pids(pool)
            for status in pool.snapshot().repls:
                if status.pid is not None and rng.random() < 0.7:
                    victim = rng.choice((status.pid, *children(status.pid)))
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(victim, signal.SIGKILL)
        await settled(pool)
        async with pool.lease(HEADER) as repl:
            await say(repl, "")
        gone = ever - pids(pool)
        await until(lambda: not any(map(runs, gone)), "what was killed is gone")
        assert stock.counts.thawed + stock.counts.thaw_failures > 0
        await until(
            lambda: namespaces(with_descendants([os.getpid()])) == namespaces(pids(pool)),
            "those of the killed are gone",
        )
        images = [path for path in stock.folder.iterdir() if path.name.startswith("image-")]
        assert len(images) == 1, "nothing but the image is left in the folder"
        assert {path.suffix for path in images[0].iterdir()} <= {".img", ".log", ""}
        assert not list(images[0].glob("restore-*")), "what CRIU wrote for people is deleted"


def test_workers_killed_while_they_freeze_and_thaw_leave_nothing(criu: Criu) -> None:
    """At random moments. More of it: `python -m tests.integration.images.storm 100 SEED`."""
    assert criu.version
    command = (sys.executable, "-m", "tests.integration.images.storm", "5", "3")
    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nothing left" in done.stdout


@pytest.mark.usefixtures("always_thaws")
async def test_a_worker_that_starts_finds_an_image_in_the_store(criu: Criu, tmp_path: Path) -> None:
    signer = Signer("a-secret-of-this-fleet")
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    async with open_store(Settings(store_url=shelf.as_uri())) as store:
        archive = Archive(store, signer)
        with contextlib.closing(ImageStock(criu, project="p", archives=(archive,), parent=tmp_path)) as first:
            async with opened(first) as pool:
                await settled(pool)
                image = first._shelf(HEADER).image
                assert image is not None
                await archive.add(image)
        with contextlib.closing(ImageStock(criu, project="p", archives=(archive,), parent=tmp_path)) as second:
            async with opened(second) as pool:
                await settled(pool)
            assert second.counts.fetched == 1
            assert second.counts.thawed == 2
            assert second.counts.frozen == 0
        with contextlib.closing(ImageStock(criu, project="p", archives=(archive,), parent=tmp_path)) as third:
            for path in shelf.rglob("*"):
                if path.is_file() and "image-chunks" in path.parts:
                    path.write_bytes(b"damaged")
            async with opened(third) as pool:
                await settled(pool)
            assert third.counts.refused == 1
            assert third.counts.thawed == 0


async def test_images_from_before_an_upgrade_do_not_hide_one_that_fits(criu: Criu, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    library = tmp_path / "library.so"
    async with open_store(Settings(store_url=shelf.as_uri())) as store:
        archive = Archive(store, Signer("a-secret-of-this-fleet"))
        with contextlib.closing(ImageStock(criu, project="p", parent=tmp_path)) as first:
            async with opened(first) as pool:
                await settled(pool)
                image = first._shelf(HEADER).image
                assert image is not None
                await archive.add(image)
                for version in range(8):  # whose ids come before and after that of the one that fits
                    library.write_text(f"version {version}")
                    old = {**image.mapped, **stamps([library])}
                    await archive.add(dataclasses.replace(image, mapped=old))
        library.write_text("replaced since")
        with contextlib.closing(ImageStock(criu, project="p", archives=(archive,), parent=tmp_path)) as second:
            async with opened(second) as pool:
                await settled(pool)
                assert second.counts.fetched == 1
                assert second.counts.refused == 8
                assert second.counts.frozen == 0


async def test_a_flipped_bit_in_a_manifest_costs_an_image_and_no_repl(criu: Criu, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    async with open_store(Settings(store_url=shelf.as_uri())) as store:
        archive = Archive(store, Signer("a-secret-of-this-fleet"))
        await store.put_named(f"{folder_of('p', HEADER)}/{'0' * 64}", b'{"signature": "\xff"}')
        with contextlib.closing(ImageStock(criu, project="p", archives=(archive,), parent=tmp_path)) as stock:
            async with opened(stock) as pool:
                await settled(pool)
                assert stock.counts.refused == 1
                assert pool.snapshot().start_failures == 0


async def test_an_image_of_another_machine_is_refused_and_counted_and_repls_are_started(
    criu: Criu, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    async with open_store(Settings(store_url=shelf.as_uri())) as store:
        archive = Archive(store, Signer("a-secret-of-this-fleet"))
        with contextlib.closing(ImageStock(criu, project="p", parent=tmp_path)) as first:
            async with opened(first) as pool:
                await settled(pool)
                image = first._shelf(HEADER).image
                assert image is not None
                machine = msgspec.structs.replace(image.warm.machine, kernel="2.6.32")
                warm = msgspec.structs.replace(image.warm, machine=machine)
                await archive.add(dataclasses.replace(image, warm=warm))
        with contextlib.closing(ImageStock(criu, project="p", archives=(archive,), parent=tmp_path)) as second:
            async with opened(second) as pool:
                await settled(pool)
                assert pool.snapshot().images == {"frozen": 1, "freeze_failed": 0, "fetched": 0, "refused": 1}
                assert pool.snapshot().start_failures == 0
    assert "kernel 2.6.32" in caplog.text
