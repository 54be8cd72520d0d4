"""The images that a worker's pool thaws: one for each header, made from the first REPL that imported it or fetched.

They are kept in a folder of this worker's own, which nobody else may write to and which goes with it: what lies there
needs no signature. Nothing here raises for a failure: the pool starts a REPL as if there were no images.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from producer.errors import StoreError
from workers.guard import Guard
from workers.images.archive import Archive
from workers.images.criu import Criu
from workers.images.errors import ImageError, ImageRefusedError
from workers.images.freezing import freeze, remove
from workers.images.image import Image
from workers.images.machine import this_machine
from workers.process import AsyncLeanREPLProcess
from workers.scratch import ScratchFolder

PREFIX = "leanfleet-images-"

# An image that fails so often in a row is given up, and none of its header is made for a while.
_MOST_FAILURES = 3
_REST_SECONDS = 300.0
# Fetching is tried once for a header, before its first start. A slow store must not keep a worker from starting.
_FETCH_SECONDS = 60.0
# Thawing must be so much quicker than importing: it costs memory that REPLs would share otherwise.
_WORTH_IT = 0.9
_WEIGHT = 0.3

log = logging.getLogger("leanfleet.images")


def prefers_image(start_seconds: float | None, thaw_seconds: float | None) -> bool:
    """Whether thawing is the cheaper way, as far as both have been measured here; what was not is worth trying."""
    return start_seconds is None or thaw_seconds is None or thaw_seconds < _WORTH_IT * start_seconds


@dataclass(kw_only=True)
class _Shelf:
    """All about one header."""

    image: Image | None = None
    start_seconds: float | None = None
    thaw_seconds: float | None = None
    failures: int = 0
    rests_until: float = 0.0
    is_freezing: bool = False
    looked: "asyncio.Future[None] | None" = None


@dataclass(kw_only=True)
class Counts:
    """Since the worker started."""

    frozen: int = 0
    freeze_failures: int = 0
    fetched: int = 0
    refused: int = 0
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
    ) -> None:
        """Make the folder.

        Args:
            criu: this machine's.
            project: the fingerprint of the pool's project.
            archives: where images may be found, the nearest first.
            parent: where the folder is made; None: the system's folder for temporary files.
            freezes: whether an image is made where there is none.

        Raises:
            OSError: it cannot be made.
        """
        self._freezes = freezes
        self.criu = criu
        self.counts = Counts()
        self._project = project
        self._archives = archives
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

    @property
    def project(self) -> str:
        return self._project

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
        return shelf.image

    async def offer(
        self, process: AsyncLeanREPLProcess, header: str, environment: int | None, *, guard: Guard, seconds: float
    ) -> None:
        """A REPL has just imported `header`, in `seconds`, and run nothing else: freeze it if there is no image yet."""
        shelf = self._shelf(header)
        shelf.start_seconds = _average(shelf.start_seconds, seconds)
        if not self._freezes or shelf.image is not None or shelf.is_freezing or time.monotonic() < shelf.rests_until:
            return
        shelf.is_freezing = True
        started = time.monotonic()
        try:
            shelf.image = await freeze(
                process,
                criu=self.criu,
                project=self._project,
                header=header,
                environment=environment,
                parent=self.folder,
                guard=guard,
            )
        except ImageError as error:
            self.counts.freeze_failures += 1
            shelf.rests_until = time.monotonic() + _REST_SECONDS
            log.warning("a REPL was not frozen, and REPLs go on being started: %s", error)
        else:
            self.counts.frozen += 1
            log.info(
                "froze a REPL in %.0f ms: %s bytes", (time.monotonic() - started) * 1000, f"{shelf.image.size_bytes:,}"
            )
        finally:
            shelf.is_freezing = False

    def thawed(self, image: Image, seconds: float) -> None:
        """It worked, and took so long."""
        shelf = self._shelf(image.warm.header)
        shelf.failures = 0
        shelf.thaw_seconds = _average(shelf.thaw_seconds, seconds)
        self.counts.thawed += 1

    async def failed(self, image: Image, error: ImageError) -> None:
        """It did not; an image that does not thaw is given up."""
        self.counts.thaw_failures += 1
        shelf = self._shelf(image.warm.header)
        if shelf.image is not image:
            return
        shelf.failures += 1
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
        for archive in self._archives:
            try:
                async with asyncio.timeout(_FETCH_SECONDS):
                    manifest = await archive.find(self._project, header, self._machine)
                    if manifest is None:
                        continue
                    shelf.image = await archive.fetch(manifest, here=self._machine, parent=self.folder)
            except ImageRefusedError as error:
                self.counts.refused += 1
                log.warning("an image is refused: %s", error)
            except (ImageError, StoreError, TimeoutError) as error:
                log.warning("no image was fetched: %s", error)
            else:
                self.counts.fetched += 1
                log.info("fetched image %s", manifest.id[:12])
                return

    def _shelf(self, header: str) -> _Shelf:
        return self._shelves.setdefault(header, _Shelf())


def _average(before: float | None, now: float) -> float:
    return now if before is None else before + _WEIGHT * (now - before)
