"""Operations that a worker carries out now: each can be ended from outside, while it waits for a REPL or has one."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from producer.errors import LeanFleetError
from tasks.delivery import Delivery


class Held:
    """By the task that carries each of them out. For one event loop."""

    def __init__(self) -> None:
        self._deliveries: dict[asyncio.Task[Any], Delivery] = {}
        self._errors: dict[asyncio.Task[Any], LeanFleetError] = {}

    def __len__(self) -> int:
        return len(self._deliveries)

    @property
    def deliveries(self) -> Mapping[asyncio.Task[Any], Delivery]:
        return self._deliveries

    @contextmanager
    def carrying_out(self, delivery: Delivery) -> Iterator[None]:
        """Around the work, in its task. Raises what `end` was given, once the work has cleaned up behind itself."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is entered by coroutines alone
        self._deliveries[task] = delivery
        try:
            yield
        except asyncio.CancelledError:
            error = self._errors.get(task)
            if error is None:
                raise
            task.uncancel()  # it was ended here, and may go on with what is left to do
            raise error from None
        finally:
            del self._deliveries[task]
            self._errors.pop(task, None)

    def end(self, error: LeanFleetError, which: Callable[[Delivery], bool]) -> int:
        """Cancel all of which that is true, and return how many they are. One that is being ended ends once."""
        tasks = [task for task, each in self._deliveries.items() if task not in self._errors and which(each)]
        for task in tasks:
            self.end_task(task, error)
        return len(tasks)

    def end_task(self, task: asyncio.Task[Any], error: LeanFleetError) -> None:
        if task in self._deliveries and task not in self._errors:
            self._errors[task] = error
            task.cancel()
