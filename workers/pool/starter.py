"""Bringing REPLs up: thawed from an image where that is cheaper, else started and told to import their header.

The pool may drop a member while it comes up, and kill its process: every step that follows an await looks.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial

from producer.errors import (
    HeaderError,
    ImportDiedError,
    LeanFleetError,
    PoolClosedError,
    ReplError,
    ReplStartError,
)
from workers.guard import Guard
from workers.images import criu
from workers.images.errors import ImageError
from workers.images.image import Image
from workers.images.stock import Counts as ImageCounts
from workers.images.stock import ImageStock
from workers.images.thawing import thaw
from workers.launch import Isolation, Launch, no_isolation
from workers.memory import GroupMemory
from workers.pool.background import Background
from workers.pool.headers import normal
from workers.pool.member import Member
from workers.process import AsyncLeanREPLProcess
from workers.project import LeanProject
from workers.protocol import get_adapter
from workers.protocol.responses import ErrorResponse
from workers.settings import PoolSettings


class Starter:
    """How one pool's members come up, and what is left of them is cleaned up."""

    def __init__(
        self,
        project: LeanProject,
        settings: PoolSettings,
        *,
        guard: Guard,
        isolation: Isolation,
        images: ImageStock | None,
        background: Background,
        on_end: Callable[[Member], None],
    ) -> None:
        """Nothing is started yet.

        Args:
            project: the Lean that is run.
            settings: the pool's.
            guard: outlives the worker, to end its REPLs.
            isolation: wraps every REPL that is started.
            images: frozen REPLs.
            background: runs what nobody has to wait for.
            on_end: called when a member's process has died.

        Raises:
            SettingsError: the project's adapter is unknown.
        """
        self._settings = settings
        self._header = normal(settings.header)
        self._adapter = get_adapter(project.adapter)
        self._launch = Launch(
            command=project.command, directory=project.directory, data_limit_bytes=settings.data_limit_bytes
        )
        if images is not None:
            self._launch = replace(self._launch, environment={**self._launch.environment, **criu.ENVIRONMENT})
        self._guard = guard
        self._memory = GroupMemory()
        self._isolation = isolation
        self._images = images
        self._moulds: set[AsyncLeanREPLProcess] = set()  # REPLs that are only there to be frozen
        self._background = background
        self._on_end = on_end
        self._is_stopped = False

    @property
    def image_counts(self) -> ImageCounts:
        return self._images.counts if self._images is not None else ImageCounts()

    async def bring_up(self, member: Member) -> None:
        """Return once it has imported its header.

        Raises:
            HeaderError: Lean cannot import it.
            InvalidInputError: no REPL can be asked to.
            ReplError: it did not come up, or was dropped meanwhile.
        """
        if not await self._thaw_warm(member):
            await self._start_cold(member)

    async def copy(self, image: Image, member: Member) -> None:
        """Bring a member up as a copy of `image`.

        Raises:
            ImageError: it did not thaw, or was dropped meanwhile.
        """
        if self._images is None or member.is_dropped:
            raise ImageError("the REPL was given up before it was thawed")

        def started(process: AsyncLeanREPLProcess) -> None:
            member.process = process

        try:
            launch = member.enclosure.enter_context(self._images.launch(image, self._launch))
        except OSError as error:
            raise ImageError(f"a copy cannot be isolated: {error}") from error
        member.folder = launch.folder
        await thaw(
            image,
            launch,
            self._adapter,
            guard=self._guard,
            memory=self._memory,
            max_reply_bytes=self._settings.max_reply_bytes,
            stderr_tail_bytes=self._settings.stderr_tail_bytes,
            on_end=partial(self._on_end, member),
            started=started,
        )
        member.environment = image.warm.environment

    async def freeze(self, member: Member) -> Image:
        """Freeze a member that works; it goes on.

        Raises:
            ImageError: there are no images, a request is not answered, or CRIU failed.
        """
        images = self._required_images()
        if images.fencing is not None:
            raise ImageError("isolated REPLs cannot be frozen while they work (LEANFLEET_WORKER_ISOLATION)")
        return await images.freeze(member.running, member.header, member.environment, guard=self._guard)

    async def make_image(self, header: str) -> Image:
        """Start a REPL for the only purpose of being frozen: isolated ones that work cannot be.

        Raises:
            ImageError: there are no images, or CRIU failed.
            HeaderError: Lean cannot import the header.
            ReplError: it did not start.
        """
        images = self._required_images()
        if self._is_stopped:
            raise PoolClosedError("the pool is closing and freezes nothing more")
        process: AsyncLeanREPLProcess | None = None
        with contextlib.ExitStack() as enclosure:
            try:
                isolation = no_isolation if images.fencing is None else images.fencing.to_freeze
                launch = enclosure.enter_context(isolation(self._launch))
                process = AsyncLeanREPLProcess(launch, self._adapter, guard=self._guard, memory=self._memory)
                self._moulds.add(process)
                return await images.freeze(
                    process,
                    header,
                    await self._import(process, header),
                    guard=self._guard,
                    fenced=None if images.fencing is None else launch,
                )
            except OSError as error:
                raise ImageError(f"a REPL cannot be isolated: {error}") from error
            finally:
                if process is not None:
                    self._moulds.discard(process)
                    await process.close()

    async def reap(self, member: Member) -> None:
        """Wait until the process of a dropped member is gone, and clean up after it."""
        if member.process is not None:
            await member.process.wait_closed()
        if self._isolation is not no_isolation or self._images is not None:
            await asyncio.to_thread(member.enclosure.close)

    def stop(self) -> None:
        """Give up what is done for images: fetching them, and the REPLs that are only there to be frozen."""
        self._is_stopped = True
        if self._images is not None:
            self._images.stop()
        for mould in tuple(self._moulds):
            mould.kill("its pool was closed")

    async def _thaw_warm(self, member: Member) -> bool:
        """Bring a member up from an image; False where it is to be started, since there is none or it failed."""
        if self._images is None or (image := await self._images.find(member.header)) is None:
            return False
        started = time.monotonic()
        try:
            await self.copy(image, member)
        except ImageError as error:
            if not member.is_dropped:
                await self._images.failed(image, error, started_at=started)
            return False
        self._images.thawed(image, time.monotonic() - started)
        return True

    def _enclose(self, member: Member) -> Launch:
        if member.is_dropped:  # nobody would clean up after it
            raise PoolClosedError("the REPL was given up before it was started")
        try:
            launch = member.enclosure.enter_context(self._isolation(self._launch))
        except OSError as error:
            raise ReplStartError(f"a REPL cannot be isolated: {error}") from error
        member.folder = launch.folder
        return launch

    async def _start_cold(self, member: Member) -> None:
        launch = self._enclose(member)
        started = time.monotonic()
        process = member.process = AsyncLeanREPLProcess(
            launch,
            self._adapter,
            guard=self._guard,
            memory=self._memory,
            max_reply_bytes=self._settings.max_reply_bytes,
            stderr_tail_bytes=self._settings.stderr_tail_bytes,
            on_end=partial(self._on_end, member),
        )
        member.environment = await self._import(process, member.header)
        if self._images is not None and self._images.wants(member.header, time.monotonic() - started):
            header = member.header
            if self._images.fencing is not None:
                self._background.run(self._keep(self.make_image(header), header, self._images))
                return
            freezing = self._images.freeze(process, header, member.environment, guard=self._guard)
            await self._keep(freezing, header, self._images)
            if process.error is not None:
                raise process.error

    async def _import(self, process: AsyncLeanREPLProcess, header: str) -> int | None:
        request = self._adapter.import_header(header)
        if request is None:
            return None
        try:
            response = await process.send(request, timeout_seconds=self._settings.start_timeout_seconds)
        except PoolClosedError:
            raise
        except ReplError as error:
            if header == self._header:
                raise  # what all operations here rely on: this machine's trouble, and no operation's
            raise ImportDiedError(f"its imports ended it: {error.message}") from error
        if isinstance(response, ErrorResponse):
            raise HeaderError(response.message)
        if response.errors:
            raise HeaderError("\n".join(message.data for message in response.errors))
        return response.environment

    async def _keep(self, freezing: Coroutine[None, None, Image], header: str, images: ImageStock) -> None:
        """Have copies thawed from now on of what is being frozen, if that works."""
        try:
            image = await freezing
        except LeanFleetError as error:
            if not self._is_stopped:  # else it is how it learnt of that
                images.gave_up(header, error)
        else:
            images.keep(image)

    def _required_images(self) -> ImageStock:
        if self._images is None:
            raise ImageError(
                "this pool has no images (LEANFLEET_WORKER_IMAGES; `leanfleet doctor` says what they need)"
            )
        return self._images
