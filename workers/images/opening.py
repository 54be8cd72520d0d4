"""From settings to the images of a worker: whether this machine can have any, and where they come from."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from pathlib import Path

from producer.errors import LeanFleetError, UnsupportedPlatformError
from producer.settings import Settings
from producer.store import AsyncStore, open_store
from workers.embedded.build import writable_folder
from workers.images.archive import Archive
from workers.images.criu import Criu, find_criu
from workers.images.errors import ImagesUnavailableError
from workers.images.stock import Fencing, ImageStock
from workers.isolation.enclosure import Enclosures
from workers.isolation.opening import open_thawing, variables_passed
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
            archives = await _archives(worker, store, stack)
            images = await stack.enter_async_context(
                open_stock(worker, project, is_fenced=is_fenced, archives=archives)
            )
        except ImagesUnavailableError as error:
            log.info("no process images: %s", error)
        except (OSError, LeanFleetError) as error:
            log.warning("no process images: %s", error)
        yield images


@asynccontextmanager
async def open_stock(
    worker: WorkerSettings,
    project: LeanProject,
    *,
    is_fenced: bool,
    archives: tuple[Archive, ...] = (),
    freezes: bool = True,
) -> AsyncIterator[ImageStock]:
    """The same without fallback.

    Raises:
        ImagesUnavailableError: the settings, this machine or the isolation allow no images.
        OSError: there is no room for them.
    """
    if worker.images == "off":
        raise ImagesUnavailableError("images are switched off by LEANFLEET_WORKER_IMAGES")
    async with AsyncExitStack() as stack:
        criu = await asyncio.to_thread(find_criu)
        fencing = await asyncio.to_thread(_fencing, worker, project, criu) if is_fenced else None
        if fencing is not None:
            stack.push_async_callback(asyncio.to_thread, fencing.close)
        images = await asyncio.to_thread(
            lambda: ImageStock(criu, project=project.fingerprint, archives=archives, freezes=freezes, fencing=fencing)
        )
        stack.push_async_callback(asyncio.to_thread, images.close)
        yield images


async def _archives(worker: WorkerSettings, store: AsyncStore | None, stack: AsyncExitStack) -> tuple[Archive, ...]:
    signer = Signer(worker.blob_keys)
    if not signer.can_sign or worker.images == "off":
        return ()
    archives = []
    if await asyncio.to_thread(local_folder(worker).is_dir):
        archives.append(Archive(await stack.enter_async_context(local_store(worker)), signer))
    if store is not None:
        archives.append(Archive(store, signer))
    return tuple(archives)


def _fencing(worker: WorkerSettings, project: LeanProject, criu: Criu) -> Fencing:
    try:
        to_freeze, behind = open_thawing(worker, project)
    except UnsupportedPlatformError as error:
        raise ImagesUnavailableError(f"REPLs are isolated here, and {error.message}") from error
    if to_freeze.changes_user and criu.users_flaw:
        raise ImagesUnavailableError(f"isolated REPLs have users of their own, and {criu.users_flaw}")
    variables = variables_passed(worker)
    with ExitStack() as stack:
        mould = stack.enter_context(closing(Enclosures(to_freeze, variables=variables)))
        fencing = Fencing(to_freeze=mould, behind=Enclosures(behind, variables=variables))
        stack.pop_all()
    return fencing
