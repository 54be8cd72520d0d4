"""The images that a worker's pool thaws: one for each header, made from the first REPL that imported it or fetched.

They are kept in a folder of this worker's own, which nobody else may write to and which goes with it: what lies there
needs no signature. Nothing here raises for a failure: the pool starts a REPL as if there were no images.
"""

import asyncio
import logging
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from producer.errors import LeanFleetError, StoreError
from workers.guard import Guard
from workers.images.archive import Archive
from workers.images.criu import Criu
from workers.images.errors import ImageError, ImageRefusedError
from workers.images.freezing import freeze, remove
from workers.images.image import Image
from workers.images.machine import this_machine
from workers.images.manifest import Manifest
from workers.images.thawing import restoring
from workers.isolation.enclosure import Enclosures
from workers.launch import Launch
from workers.process import AsyncLeanREPLProcess
from workers.scratch import ScratchFolder

PREFIX = "leanfleet-images-"

# An image that fails so often in a row is given up, and none of its header is made for a while.
_MOST_FAILURES = 3
_REST_SECONDS = 300.0
# Each takes as much of the disk as a REPL does of memory. One that nobody has thawed for long makes room for another.
MOST_IMAGES = 16
_UNUSED_SECONDS = 3600.0
_KNOWN_HEADERS = 256
# Images are looked for once for a header, before its first start. A slow store must not keep a worker from starting.
_LOOK_SECONDS = 2.0
_FETCH_SECONDS = 60.0
_DOWN_SECONDS = 60.0
# Thawing must be so much quicker than importing: it costs memory that REPLs would share otherwise.
_WORTH_IT = 0.9
_WEIGHT = 0.3

log = logging.getLogger("leanfleet.images")


def prefers_image(start_seconds: float | None, thaw_seconds: float | None) -> bool:
    """Whether thawing is the cheaper way, as far as both have been measured here; what was not is worth trying."""
    return start_seconds is None or thaw_seconds is None or thaw_seconds < _WORTH_IT * start_seconds


@dataclass(frozen=True, kw_only=True)
class Fencing:
    """How images are made and thawed where REPLs are isolated.

    CRIU freezes no process in namespaces of its own, and keeps no Landlock. So a REPL that is to be frozen lives behind
    a fence without namespaces (`to_freeze`), serves nobody and is ended when it was frozen; its copies live in
    namespaces (`behind`).
    """

    to_freeze: Enclosures
    behind: Enclosures

    def close(self) -> None:
        """Delete their folders. Blocks."""
        try:
            self.to_freeze.close()
        finally:
            self.behind.close()


@dataclass(kw_only=True)
class _Shelf:
    """All about one header."""

    image: Image | None = None
    start_seconds: float | None = None
    thaw_seconds: float | None = None
    failures: int = 0
    failed_at: float = 0.0
    rests_until: float = 0.0
    is_freezing: bool = False
    looked: "asyncio.Future[None] | None" = None
    used_at: float = field(default_factory=time.monotonic)

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be lost with it but what was measured."""
        return self.image is None and not self.is_freezing and (self.looked is None or self.looked.done())


@dataclass(kw_only=True)
class Counts:
    """Since the worker started."""

    frozen: int = 0
    freeze_failures: int = 0
    fetched: int = 0
    refused: int = 0  # damaged, not of this fleet, or of another machine; a normal start took their place
    thawed: int = 0
    thaw_failures: int = 0


class ImageStock:
    """For use in one event loop, with one pool."""

    def __init__(
        self,
        criu: Criu,
        *,
        project: str,
        archives: tuple[Archive, ...] = (),
        parent: Path | None = None,
        freezes: bool = True,
        fencing: Fencing | None = None,
    ) -> None:
        """Make the folder.

        Args:
            criu: this machine's.
            project: the fingerprint of the pool's project.
            archives: where images may be found, the nearest first.
            parent: where the folder is made; None: the system's folder for temporary files.
            fencing: how REPLs are isolated; None: not at all.
            freezes: whether an image is made where there is none.

        Raises:
            OSError: it cannot be made.
        """
        self._freezes = freezes
        self.fencing = fencing
        self.criu = criu
        self.counts = Counts()
        self._project = project
        self._archives = archives
        self._down_until: dict[Archive, float] = {}
        self._machine = this_machine(criu.version)
        self._scratch = ScratchFolder(PREFIX, parent=parent)
        self._shelves: dict[str, _Shelf] = {}

    def __repr__(self) -> str:
        held = sum(shelf.image is not None for shelf in self._shelves.values())
        return f"<{type(self).__name__} {held} images, {self.counts}>"

    @property
    def folder(self) -> Path:
        """Where images are made."""
        return self._scratch.path

    def stop(self) -> None:
        """Give up what is being fetched; who waits for it is cancelled."""
        for shelf in self._shelves.values():
            if shelf.looked is not None:
                shelf.looked.cancel()

    def close(self) -> None:
        """Delete the images. Blocks."""
        self._scratch.close()

    async def find(self, header: str) -> Image | None:
        """The image to thaw for a REPL with this header; None where a start is cheaper or the only way.

        The first call for a header looks for it in the archives.
        """
        shelf = self._shelf(header)
        if shelf.looked is None:
            shelf.looked = asyncio.ensure_future(self._look(header, shelf))
        await asyncio.shield(shelf.looked)
        if shelf.image is None or not prefers_image(shelf.start_seconds, shelf.thaw_seconds):
            return None
        shelf.used_at = time.monotonic()
        return shelf.image

    def launch(self, image: Image, launch: Launch) -> AbstractContextManager[Launch]:
        """What is run for a copy of `image`, as `workers.images.thawing.restoring` has it."""
        return restoring(image, launch, self.criu, self.fencing.behind if self.fencing is not None else None)

    def wants(self, header: str, start_seconds: float) -> bool:
        """A REPL has imported `header` in so many seconds: whether to freeze one, and call `keep` or `gave_up`."""
        shelf = self._shelf(header)
        shelf.start_seconds = _average(shelf.start_seconds, start_seconds)
        if not self._freezes or shelf.image is not None or shelf.is_freezing or time.monotonic() < shelf.rests_until:
            return False
        shelf.is_freezing = self._make_room()
        return shelf.is_freezing

    def gave_up(self, header: str, error: LeanFleetError) -> None:
        """What was wanted could not be frozen."""
        shelf = self._shelf(header)
        shelf.is_freezing = False
        shelf.rests_until = time.monotonic() + _REST_SECONDS
        self.counts.freeze_failures += 1
        log.warning("a REPL was not frozen, and REPLs go on being started: %s", error)

    def keep(self, image: Image) -> None:
        """From now on copies of it are thawed."""
        shelf = self._shelf(image.warm.header)
        shelf.is_freezing = False
        shelf.image = image
        self.counts.frozen += 1
        log.info("froze a REPL: %s bytes", f"{image.size_bytes:,}")

    async def freeze(
        self,
        process: AsyncLeanREPLProcess,
        header: str,
        environment: int | None,
        *,
        guard: Guard,
        fenced: Launch | None = None,
    ) -> Image:
        """Freeze a REPL that has imported `header`; whoever asks for it deletes the image. Raises ImageError."""
        return await freeze(
            process,
            criu=self.criu,
            project=self._project,
            header=header,
            environment=environment,
            parent=self.folder,
            guard=guard,
            fenced=fenced,
        )

    def thawed(self, image: Image, seconds: float) -> None:
        """It worked, and took so long."""
        shelf = self._shelf(image.warm.header)
        shelf.failures = 0
        shelf.thaw_seconds = _average(shelf.thaw_seconds, seconds)
        self.counts.thawed += 1

    async def failed(self, image: Image, error: ImageError, *, started_at: float) -> None:
        """It did not, and was begun at `started_at` (monotonic). An image that does not thaw is given up.

        Thaws that fail together may have one reason that has nothing to do with the image: they count once.
        """
        self.counts.thaw_failures += 1
        shelf = self._shelf(image.warm.header)
        if shelf.image is not image:
            return
        shelf.failures += started_at >= shelf.failed_at
        shelf.failed_at = time.monotonic()
        given_up = shelf.failures >= _MOST_FAILURES or await asyncio.to_thread(image.changed) != ""
        log.warning(
            "an image did not thaw, the REPL is started instead%s: %s", "; it is given up" if given_up else "", error
        )
        if given_up and shelf.image is image:
            shelf.image = None
            shelf.failures = 0
            shelf.rests_until = time.monotonic() + _REST_SECONDS
            await asyncio.to_thread(remove, image)

    async def _look(self, header: str, shelf: _Shelf) -> None:
        fenced = self.fencing is not None
        for archive in self._archives:
            if time.monotonic() < self._down_until.get(archive, 0.0):
                continue
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    manifests = await archive.find(self._project, header, self._machine, fenced=fenced)
                if manifests and not self._make_room():
                    return
                async with asyncio.timeout(_FETCH_SECONDS):
                    for manifest in manifests:
                        if (image := await self._fetch(archive, manifest)) is not None:
                            shelf.image = image
                            return
            except ImageRefusedError as error:
                self._refused(error)
            except (ImageError, StoreError, TimeoutError) as error:
                self._down_until[archive] = time.monotonic() + _DOWN_SECONDS
                log.warning("no image was fetched: %s", str(error) or "the store is too slow")
            except Exception:  # every start of this header would raise it from now on
                log.exception("a bug: looking for an image raised")

    async def _fetch(self, archive: Archive, manifest: Manifest) -> Image | None:
        """None where it is refused, which says nothing of the next one."""
        try:
            image = await archive.fetch(manifest, here=self._machine, parent=self.folder)
        except ImageRefusedError as error:
            self._refused(error)
            return None
        self.counts.fetched += 1
        log.info("fetched image %s", manifest.id[:12])
        return image

    def _refused(self, error: ImageRefusedError) -> None:
        self.counts.refused += 1
        log.warning("an image is refused: %s", error)

    def _make_room(self) -> bool:
        """Whether one more image may be kept."""
        held = [shelf for shelf in self._shelves.values() if shelf.image is not None or shelf.is_freezing]
        if len(held) < MOST_IMAGES:
            return True
        oldest = min(held, key=lambda shelf: shelf.used_at)
        if oldest.image is None or time.monotonic() - oldest.used_at < _UNUSED_SECONDS:
            return False
        image, oldest.image = oldest.image, None
        asyncio.get_running_loop().run_in_executor(None, remove, image)
        return True

    def _shelf(self, header: str) -> _Shelf:
        if header not in self._shelves and len(self._shelves) >= _KNOWN_HEADERS:
            idle = (name for name, shelf in self._shelves.items() if shelf.is_idle)
            if (forgotten := next(idle, None)) is not None:
                del self._shelves[forgotten]
        return self._shelves.setdefault(header, _Shelf())


def _average(before: float | None, now: float) -> float:
    return now if before is None else before + _WEIGHT * (now - before)
