import asyncio

from producer.tasklets import stop


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await stop(task)
    assert task.cancelled()
    assert swallowed == 2


async def test_finished_and_failed_tasks_are_fine() -> None:
    async def fail() -> None:
        raise OSError("gone")

    done = asyncio.create_task(asyncio.sleep(0))
    failed = asyncio.create_task(fail())
    await asyncio.wait([done, failed])
    await stop(done, failed)
    await stop()
    assert isinstance(failed.exception(), OSError)
