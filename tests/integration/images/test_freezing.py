"""Freezing and thawing single processes on the real CRIU."""

import asyncio
import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from producer.errors import PoolClosedError, ReplDiedError, ReplTimeoutError
from tests.integration.images.cold import LONG_SECONDS, Freezer, run, small_disk, that_waits
from tests.integration.pool.processes import exists, run_in_background, runs
from tests.needs import need
from tests.waiting import until, wait_until
from workers.guard import Guard
from workers.images.criu import find_criu
from workers.images.errors import ImageError, ImagesUnavailableError
from workers.images.freezing import remove
from workers.memory import process_bytes
from workers.processes import children
from workers.project import LeanProject
from workers.protocol.requests import Command
from workers.testing.project import scripted_project

pytestmark = pytest.mark.usefixtures("descriptors")


async def test_the_original_goes_on_and_so_does_every_copy_each_for_itself(freezer: Freezer) -> None:
    original = await freezer.start()
    image = await freezer.freeze(original)
    first, second = await asyncio.gather(freezer.thaw(image), freezer.thaw(image))
    # Environments are numbered by each process: what one does, the others do not notice.
    assert [(await run(first, "def y := 1", 0)).environment for _ in range(3)] == [1, 2, 3]
    assert (await run(second, "def y := 1", 0)).environment == 1
    assert (await run(original, "def y := 1", 0)).environment == 1


async def test_a_copy_knows_what_the_original_knew(freezer: Freezer) -> None:
    if freezer.project.adapter != "embedded":
        pytest.skip("the scripted REPL knows no Lean")
    copy = await freezer.thaw(await freezer.freeze(await freezer.start("def answer := 42")))
    assert [m.data for m in (await run(copy, "#eval answer", 0)).messages] == ["42"]


async def test_a_copy_can_be_frozen_again_and_again(freezer: Freezer) -> None:
    process = await freezer.start()
    for expected in (1, 2, 3):
        process = await freezer.thaw(await freezer.freeze(process))
        assert (await run(process, "def y := 1", 0)).environment == expected


@pytest.mark.parametrize("project", ["scripted"], indirect=True)
async def test_a_repl_that_is_the_child_of_its_command_is_frozen_with_all_that_it_maps(freezer: Freezer) -> None:
    """As in `lake env repl`."""
    alone = await freezer.freeze(await freezer.start())
    command = ("/bin/sh", "-c", '"$@"; exit', "sh", *freezer.launch.command)
    freezer.launch = dataclasses.replace(freezer.launch, command=command)
    process = await freezer.start()
    assert children(process.pid)
    image = await freezer.freeze(process)
    assert image.mapped.keys() > alone.mapped.keys()
    copy = await freezer.thaw(image)
    assert (await run(copy, "def y := 1", 0)).environment == 1
    pids = [copy.pid, copy.leader, *children(copy.leader)]
    assert len(pids) == 3
    await copy.close()
    await until(lambda: not any(map(runs, pids)), "all of it is gone")


async def test_the_original_may_be_long_gone(freezer: Freezer) -> None:
    original = await freezer.start()
    image = await freezer.freeze(original)
    await original.close()
    assert (await run(await freezer.thaw(image), "def y := 1", 0)).environment == 1


async def test_an_image_may_be_deleted_while_its_copies_run(freezer: Freezer) -> None:
    image = await freezer.freeze(await freezer.start())
    copy = await freezer.thaw(image)
    remove(image)
    assert (await run(copy, "def y := 1", 0)).environment == 1
    with pytest.raises(ImageError):
        await freezer.thaw(image)


async def test_a_killed_copy_is_gone_with_all_that_came_with_it(freezer: Freezer) -> None:
    copy = await freezer.thaw(await freezer.freeze(await freezer.start()))
    criu = children(copy.pid)
    pids = [copy.pid, copy.leader, *criu]
    assert len(set(pids)) == 3
    assert all(map(runs, pids))
    await copy.close()
    assert not any(map(exists, pids)), "not even a zombie is left"


async def test_a_copy_that_dies_by_itself_is_noticed(freezer: Freezer) -> None:
    copy = await freezer.thaw(await freezer.freeze(await freezer.start()))
    leader = copy.leader
    os.kill(leader, signal.SIGKILL)
    with pytest.raises(ReplDiedError):
        await copy.send(Command(code=""), timeout_seconds=LONG_SECONDS)
    await copy.wait_closed()
    assert not exists(leader)


async def test_the_time_limit_holds_for_a_copy(freezer: Freezer) -> None:
    if freezer.project.adapter == "embedded":
        pytest.skip("what never answers is told to the scripted REPL")
    copy = await freezer.thaw(await freezer.freeze(await freezer.start()))
    with pytest.raises(ReplTimeoutError):
        await copy.send(Command(code="%hang"), timeout_seconds=0.2)
    leader = copy.leader
    await copy.wait_closed()
    assert not exists(leader)


async def test_the_memory_of_a_copy_is_counted(freezer: Freezer) -> None:
    copy = await freezer.thaw(await freezer.freeze(await freezer.start()))
    held = process_bytes(copy.leader)
    assert held > 1_000_000
    assert copy.used_bytes >= held


async def test_what_a_copy_starts_ends_with_it(freezer: Freezer) -> None:
    if freezer.project.adapter == "embedded":
        pytest.skip("children are started by the scripted REPL")
    copy = await freezer.thaw(await freezer.freeze(await freezer.start()))
    await run(copy, "%fork")
    born = children(copy.leader)
    assert len(born) == 1
    await copy.close()
    await until(lambda: not runs(born[0]), "the child is gone")


async def test_a_busy_process_is_not_frozen(freezer: Freezer) -> None:
    process = await freezer.start()
    sending = await run_in_background(process, "")
    with pytest.raises(ImageError, match="nothing to answer"):
        await freezer.freeze(process)
    await sending


async def test_freezing_what_has_died_says_so_and_leaves_no_file(freezer: Freezer) -> None:
    process = await freezer.start()
    await process.close()
    with pytest.raises(ImageError):
        await freezer.freeze(process)
    assert not list(freezer.folder.iterdir())


async def test_a_target_that_dies_while_it_is_frozen_costs_an_error_and_no_file(freezer: Freezer) -> None:
    """At some moment of the dump, a different one each time."""
    for delay in (0.0, 0.005, 0.01, 0.02, 0.03, 0.05):
        process = await freezer.start()
        freezing = asyncio.create_task(freezer.freeze(process))
        asyncio.get_running_loop().call_later(delay, process.kill, "the test killed it")
        with contextlib.suppress(ImageError):
            remove(await freezing)  # it was faster
        await process.wait_closed()
        assert not list(freezer.folder.iterdir())


@pytest.mark.parametrize("project", ["scripted"], indirect=True)
async def test_a_process_whose_criu_was_killed_serves_no_more(
    freezer: Freezer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """CRIU's code may still be in it."""
    freezer.criu = that_waits(freezer.criu, tmp_path_factory.mktemp("bin"))
    process = await freezer.start()
    before = {*children(os.getpid())}
    freezing = asyncio.create_task(freezer.freeze(process))
    await until(lambda: {*children(os.getpid())} - before, "CRIU is at work")
    for pid in {*children(os.getpid())} - before:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(ImageError, match="ended by signal 9"):
        await freezing
    assert not list(freezer.folder.iterdir())
    with pytest.raises(PoolClosedError, match="freezing it was killed"):
        await process.send(Command(code=""), timeout_seconds=LONG_SECONDS)
    await process.wait_closed()


async def test_cancelled_freezing_leaves_the_process_as_it_was_and_no_file(freezer: Freezer) -> None:
    process = await freezer.start()
    freezing = asyncio.create_task(freezer.freeze(process))
    await until(lambda: list(freezer.folder.iterdir()), "it is under way")
    freezing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await freezing
    assert not list(freezer.folder.iterdir())
    assert (await run(process, "def y := 1", 0)).environment == 1


async def test_freezing_that_is_cancelled_twice_leaves_no_file_either(freezer: Freezer) -> None:
    process = await freezer.start("%allocate 20000000")
    before = {*children(os.getpid())}
    freezing = asyncio.create_task(freezer.freeze(process))
    await until(lambda: {*children(os.getpid())} - before, "CRIU is at work")
    freezing.cancel()
    for _ in range(5):  # until it waits for CRIU's end
        await asyncio.sleep(0)
    freezing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await freezing
    await until(lambda: not {*children(os.getpid())} - before, "CRIU has ended")
    await until(lambda: not list(freezer.folder.iterdir()), "its files are gone")
    assert (await run(process, "def y := 1", 0)).environment == 1


async def test_cancelled_thawing_leaves_no_process(freezer: Freezer) -> None:
    image = await freezer.freeze(await freezer.start())
    thawing = asyncio.create_task(freezer.thaw(image))
    await until(lambda: len(freezer.processes) == 2, "it is under way")
    thawing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await thawing
    assert not exists(freezer.processes[1].pid)
    assert not list(image.folder.glob("*.log")) or [p.name for p in image.folder.glob("*.log")] == ["dump.log"]


async def test_a_file_that_was_replaced_since_is_noticed(freezer: Freezer) -> None:
    image = await freezer.freeze(await freezer.start())
    path = freezer.folder / "mapped"
    path.write_bytes(b"other")
    elsewhere = {path: next(iter(image.mapped.values()))}
    with pytest.raises(ImageError, match="was changed"):
        await freezer.thaw(dataclasses.replace(image, mapped=elsewhere))


@pytest.mark.parametrize("project", ["scripted"], indirect=True)
@pytest.mark.parametrize("damage", ["truncated pages", "no core", "garbled inventory", "mixed up", "bits", "empty"])
async def test_a_damaged_image_does_not_thaw_and_leaves_no_process(freezer: Freezer, damage: str) -> None:
    image = await freezer.freeze(await freezer.start())
    match damage:
        case "truncated pages":
            os.truncate(image.folder / "pages-1.img", 4096)
        case "no core":
            for path in image.folder.glob("core-*.img"):
                path.unlink()
        case "garbled inventory":
            (image.folder / "inventory.img").write_bytes(b"\xff" * 80)
        case "mixed up":
            other = await freezer.freeze(await freezer.start("%allocate 5000000"))
            for path in image.folder.glob("[mp]*-*.img"):  # memory of the other, descriptors and registers of this one
                source = next(other.folder.glob(path.name.partition("-")[0] + "-*.img"))
                shutil.copyfile(source, path)
        case "bits":
            rng = random.Random(3)
            for path in image.folder.glob("*.img"):
                flipped = bytearray(path.read_bytes())
                flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
                path.write_bytes(flipped)
        case _:
            for path in image.written:
                path.unlink()
    before = len(freezer.processes)
    with pytest.raises(ImageError, match="was changed"):
        await freezer.thaw(image)
    assert len(freezer.processes) == before, "CRIU, which may hang on such a file, never saw it"
    # Nor does it matter if it does.
    with pytest.raises(ImageError):
        await freezer.thaw(dataclasses.replace(image, written={}), timeout_seconds=1.0)
    assert not exists(freezer.processes[-1].pid)


@pytest.mark.parametrize("project", ["scripted"], indirect=True)
async def test_a_full_disk_costs_an_error_and_no_file_and_not_the_process(freezer: Freezer) -> None:
    process = await freezer.start("%allocate 20000000")
    with small_disk(freezer.folder / "small") as small:
        with pytest.raises(ImageError):
            await freezer.freeze(process, into=small)
        assert not list(small.iterdir())
        assert (await run(process, "", 0)).environment == 1


async def hold(folder: Path, project: LeanProject) -> None:
    """A worker that is killed while copies run; its only output are their pids."""
    with Guard() as guard:
        async with Freezer(find_criu(), project, guard, folder) as freezer:
            image = await freezer.freeze(await freezer.start())
            copies = [await freezer.thaw(image) for _ in range(2)]
            pids = [pid for copy in copies for pid in (copy.pid, copy.leader, *children(copy.pid))]
            print(json.dumps(pids), flush=True)  # noqa: T201
            await copies[0].send(Command(code="%hang"), timeout_seconds=3600)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_copy_outlives_its_worker(number: signal.Signals, tmp_path: Path) -> None:
    try:
        find_criu()
    except ImagesUnavailableError as error:
        need("criu", error.message)
    with subprocess.Popen(
        (sys.executable, "-m", "tests.integration.images.test_freezing", str(tmp_path)),
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as worker:
        assert worker.stdout is not None
        pids = json.loads(worker.stdout.readline())
        assert len(set(pids)) == 6
        assert all(map(runs, pids))
        worker.send_signal(number)
    wait_until(lambda: not any(map(runs, pids)), "the copies are gone")


if __name__ == "__main__":
    asyncio.run(hold(Path(sys.argv[1]), scripted_project()))
