"""Machines that are process groups on this computer: they boot after a delay, and can really be killed.

For trying things out, for tests, and for a workstation with many cores. They end with the process that holds this.
"""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from workers.scaling.providers.provider import CapacityError, Instance, ProviderError
from workers.scaling.snapshot import Offer


class LocalMachine(Protocol):
    """A worker process that was not started yet. All of these block for a short time at most, but for `stop`."""

    @property
    def running(self) -> bool: ...

    @property
    def failure(self) -> str:
        """How it failed, if it ended by itself and not in good order; else empty."""

    def start(self) -> None: ...

    def stop(self, *, grace_seconds: float = 5.0) -> int | None:
        """Ask it to end, wait, then end it."""

    def kill(self) -> int | None:
        """SIGKILL for its whole process group."""


# Makes the machine of this id, of this offer. Its workers must report the id as their `machine`.
StartMachine = Callable[[str, Offer], LocalMachine]


@dataclass(kw_only=True)
class _Slot:
    instance: Instance
    machine: LocalMachine
    boot: asyncio.Task[None] | None = field(default=None)
    ending: bool = False


class LocalProvider:
    """Use it as a context manager, in one event loop: leaving it ends all machines."""

    def __init__(
        self, start_machine: StartMachine, offers: Sequence[Offer], *, boot_seconds: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`boot_seconds` is asked for each machine: how long it waits before its process is even started."""
        self.offers = tuple(offers)
        self._start_machine = start_machine
        self._boot_seconds = boot_seconds
        # Unlike those of any other run: orders to drain are kept for hours, by the machine's name.
        self._names = (f"local-{secrets.token_hex(3)}-{number}" for number in itertools.count(1))
        self._slots: dict[str, _Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed: dict[str, str] = {}
        self._capacity: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def limit(self, offer: str, machines: int | None) -> None:
        """From now on, refuse to have more than so many of this offer (None: no limit): a drought, for trials."""
        if machines is None:
            self._capacity.pop(offer, None)
        else:
            self._capacity[offer] = machines

    async def instances(self) -> Sequence[Instance]:
        for slot in list(self._slots.values()):
            if slot.boot is None and not slot.machine.running:
                # It ended by itself, or somebody else ended it: gone, as a preempted machine is.
                del self._slots[slot.instance.id]
                if slot.machine.failure and not slot.ending:
                    # What fails once fails again, and must not be started at each step.
                    self._failed[slot.instance.offer] = f"machine {slot.instance.id} failed: {slot.machine.failure}"
        return [slot.instance for slot in self._slots.values() if not slot.ending]

    async def launch(self, offer: str, count: int) -> None:
        found = next((each for each in self.offers if each.name == offer), None)
        if found is None:
            raise ProviderError(f"there is no offer {offer!r}")
        room = self._capacity.get(offer, found.quota) - sum(s.instance.offer == offer for s in self._slots.values())
        for _ in range(min(count, room)):
            name = next(self._names)
            slot = _Slot(
                instance=Instance(id=name, offer=offer),
                machine=self._start_machine(name, found),
            )
            self._slots[name] = slot
            slot.boot = self._run(self._boot(slot))
        if count > room:
            raise CapacityError(f"{offer}: {max(room, 0)} of {count} machines to be had")

    async def refused(self) -> Mapping[str, str]:
        failed, self._failed = self._failed, {}
        return failed

    async def protect(self, ids: Sequence[str]) -> None:
        """Nothing: nobody here shrinks anything unasked."""

    async def terminate(self, ids: Sequence[str]) -> None:
        for name in ids:
            slot = self._slots.get(name)
            if slot is not None and not slot.ending:
                slot.ending = True
                self._run(self._end(slot))

    def preempt(self, machine_id: str) -> None:
        """Take a machine away without notice. Unknown ids are ignored."""
        slot = self._slots.pop(machine_id, None)
        if slot is not None:
            if slot.boot is not None:
                slot.boot.cancel()
            slot.machine.kill()

    async def stand_by(self) -> None:
        """The leader cannot see our machines, let alone end them."""
        await self.terminate(list(self._slots))

    async def close(self) -> None:
        """End all machines and wait until they are gone."""
        await self.terminate(list(self._slots))
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _boot(self, slot: _Slot) -> None:
        await asyncio.sleep(self._boot_seconds())
        try:
            slot.machine.start()
        except Exception as error:  # noqa: BLE001 - whatever the factory's machine raises, it is a failed launch
            self._failed[slot.instance.offer] = f"machine {slot.instance.id} cannot be started: {error}"
            self._slots.pop(slot.instance.id, None)
        slot.boot = None

    async def _end(self, slot: _Slot) -> None:
        if slot.boot is not None:
            slot.boot.cancel()
        try:
            await asyncio.to_thread(slot.machine.stop)
        finally:
            self._slots.pop(slot.instance.id, None)

    def _run(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
