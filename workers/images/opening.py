"""From settings to the images of a worker: whether this machine can have any, and where they come from."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from producer.errors import StoreError
from producer.settings import Settings
from producer.store import AsyncStore, open_store
from workers.embedded.build import writable_folder
from workers.images.archive import Archive
from workers.images.criu import find_criu
from workers.images.errors import ImagesUnavailableError
from workers.images.stock import ImageStock
from workers.project import LeanProject
from workers.settings import WorkerSettings
from workers.states.signing import Signer

log = logging.getLogger("leanfleet.images")


def local_folder(worker: WorkerSettings) -> Path:
    """Where `leanfleet image` keeps images on this machine. Raises EmbeddedLeanError where no folder can be written."""
    return Path(worker.image_directory).expanduser() if worker.image_directory else writable_folder(None) / "images"


def local_store(worker: WorkerSettings) -> AsyncStore:
    """The store in that folder, which is made. Raises OSError."""
    folder = local_folder(worker).resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return open_store(Settings(store_url=folder.as_uri()))


@asynccontextmanager
async def open_images(
    worker: WorkerSettings, project: LeanProject, store: AsyncStore | None, *, is_fenced: bool
) -> AsyncIterator[ImageStock | None]:
    """What a pool is given; None where this worker uses no images, and the log says why.

    Args:
        worker: whether images are wanted, and the keys.
        project: the pool's.
        store: the fleet's, where images may be found.
        is_fenced: whether REPLs are isolated.
    """
    async with AsyncExitStack() as stack:
        images = None
        try:
            images = await _opened(worker, project, store, stack, is_fenced=is_fenced)
        except ImagesUnavailableError as error:
            log.info("no process images: %s", error)
        except (OSError, StoreError) as error:
            log.warning("no process images: %s", error)
        yield images


async def _opened(
    worker: WorkerSettings, project: LeanProject, store: AsyncStore | None, stack: AsyncExitStack, *, is_fenced: bool
) -> ImageStock:
    if why := unwanted(worker, is_fenced=is_fenced):
        raise ImagesUnavailableError(why)
    criu = await asyncio.to_thread(find_criu)
    signer = Signer(worker.blob_keys)
    archives = []
    if signer.can_sign:
        if await asyncio.to_thread(local_folder(worker).is_dir):
            archives.append(Archive(await stack.enter_async_context(local_store(worker)), signer))
        if store is not None:
            archives.append(Archive(store, signer))
    images = await asyncio.to_thread(ImageStock, criu, project=project.fingerprint, archives=tuple(archives))
    stack.push_async_callback(asyncio.to_thread, images.close)
    return images


def unwanted(worker: WorkerSettings, *, is_fenced: bool) -> str:
    """Why the settings allow no images; empty when they do."""
    if worker.images == "off":
        return "they are switched off by LEANFLEET_WORKER_IMAGES"
    if is_fenced:
        return (
            "CRIU does not keep the fence around an isolated REPL; with LEANFLEET_WORKER_ISOLATION=off, on machines "
            "that hold nothing worth stealing, REPLs are frozen and thawed"
        )
    return ""
