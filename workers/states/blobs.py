"""Pickled states and long recipes on their way between this worker and the store: signed, compressed, checked, kept.

Nothing here knows a REPL. Every failure to fetch is a StoreError, so that whoever restores can fall back to the recipe.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from producer.errors import BlobMissingError, StoreError, StoreUnavailableError
from producer.state import BlobRef, PrefixRef, StateRef
from producer.store import AsyncStore
from producer.store.store import RECIPES
from producer.tasklets import stop
from producer.unreadable import UNREADABLE
from workers.lru import LRU
from workers.states.cache import PickleCache
from workers.states.costs import Costs
from workers.states.packing import pack, unpack
from workers.states.recipe import decode_recipe, encode_recipe, expand
from workers.states.signing import Signer

T = TypeVar("T")

# Which pickle stands for a state, for references that left without one, and so that a state is pickled once.
EXPORTS = "exports"

_REMEMBERED_RECIPES = 256
_REMEMBERED_BAD_BLOBS = 10_000
# While the store is down, operations that could use it go without it instead of waiting for it one after the other.
_DOWN_SECONDS = 10.0
_DOWN = f"the store could not be reached a moment ago, and is left alone for {_DOWN_SECONDS:g} s"
# A look that may be in vain must not cost more than what it could save.
_LOOK_SECONDS = 1.0


class BlobRefusedError(StoreError):
    """No key of this fleet signed the blob for this state."""


def export_name(state_id: str) -> str:
    return f"{EXPORTS}/{state_id[:2]}/{state_id}"


class Blobs:
    """The store as restoring sees it; without a store there is never a blob. For use in one event loop."""

    def __init__(self, store: AsyncStore | None, *, signer: Signer, cache: PickleCache, costs: Costs) -> None:
        self._store = store
        self._signer = signer
        self._cache = cache
        self._costs = costs
        self._fetches: dict[str, asyncio.Task[Path]] = {}
        self._recipes: LRU[str, StateRef] = LRU(_REMEMBERED_RECIPES)
        self._distrusted: LRU[tuple[str, str], None] = LRU(_REMEMBERED_BAD_BLOBS)
        self._down_until = 0.0
        self._no_looks_until = 0.0

    @property
    def can_look(self) -> bool:
        """Whether there is any use in asking which blobs there are now."""
        return self.can_load and time.monotonic() >= self._no_looks_until

    @property
    def can_load(self) -> bool:
        """Whether there is any use in looking for a blob now."""
        return self._store is not None and self._signer.can_sign and not self._is_down

    @property
    def why_not(self) -> str:
        """Why nothing can be exported; empty when it can."""
        if self._store is None:
            return "this worker has no store: set LEANFLEET_STORE_URL"
        if not self._signer.can_sign:
            return "this worker has no key to sign with: set LEANFLEET_WORKER_BLOB_KEYS"
        return _DOWN if self._is_down else ""

    @property
    def _is_down(self) -> bool:
        return time.monotonic() < self._down_until

    def _timed_out(self, timeout_seconds: float) -> StoreUnavailableError:
        if timeout_seconds >= _LOOK_SECONDS:  # an impatient caller's experience is nobody else's
            self._down_until = time.monotonic() + _DOWN_SECONDS
        return StoreUnavailableError(f"the store did not answer within {timeout_seconds:.3g} s")

    async def aclose(self) -> None:
        """Give up what is being fetched."""
        await stop(*self._fetches.values())

    async def fetch(self, blob: BlobRef, state_id: str, *, timeout_seconds: float) -> Path:
        """The pickle as a file, checked against its signature and its hash.

        Raises:
            BlobRefusedError: it was not signed for this state.
            StoreError: it is missing, damaged, or the store cannot be reached in time.
        """
        if not self._signer.accepts(blob, state_id):
            raise BlobRefusedError(f"blob {blob.sha256[:12]} has no signature of this fleet for state {state_id[:12]}")
        if (path := self._cache.find(blob.sha256)) is not None:
            return path
        if (task := self._fetches.get(blob.sha256)) is None:
            task = asyncio.create_task(self._fetch(blob))
            self._fetches[blob.sha256] = task
            task.add_done_callback(lambda done: self._fetched(blob.sha256, done))
        try:
            async with asyncio.timeout(timeout_seconds):
                return await asyncio.shield(task)
        except TimeoutError as error:
            raise self._timed_out(timeout_seconds) from error

    def _fetched(self, sha256: str, task: asyncio.Task[Path]) -> None:
        del self._fetches[sha256]
        if not task.cancelled():
            task.exception()

    async def _fetch(self, blob: BlobRef) -> Path:
        started = time.monotonic()
        data = await self._read(self._required_store().get(blob.sha256))
        path = await asyncio.to_thread(self._keep, blob, data)
        self._costs.add_fetch(time.monotonic() - started)
        return path

    def _keep(self, blob: BlobRef, data: bytes) -> Path:
        pickle = unpack(data, blob.encoding, blob.unpacked_bytes)
        try:
            return self._cache.add(blob.sha256, pickle)
        except OSError as error:
            raise StoreError(f"what was fetched cannot be kept on this worker's disk: {error}") from error

    async def _read(self, reading: Awaitable[bytes]) -> bytes:
        try:
            return await reading
        except StoreUnavailableError:
            self._down_until = time.monotonic() + _DOWN_SECONDS
            raise

    async def _ask(self, ask: Callable[[AsyncStore], Awaitable[T]], timeout_seconds: float) -> T:
        store = self._required_store()
        if self._is_down:
            raise StoreUnavailableError(_DOWN)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await ask(store)
        except TimeoutError as error:
            raise self._timed_out(timeout_seconds) from error
        except StoreUnavailableError:
            self._down_until = time.monotonic() + _DOWN_SECONDS
            raise

    def _required_store(self) -> AsyncStore:
        if self._store is None:
            raise StoreUnavailableError("this worker has no store: set LEANFLEET_STORE_URL")
        return self._store

    def distrust(self, blob: BlobRef, state_id: str) -> None:
        """It proved bad as the pickle of this state; another one of the state may be good."""
        self._distrusted[blob.sha256, state_id] = None

    def is_distrusted(self, blob: BlobRef, state_id: str) -> bool:
        return (blob.sha256, state_id) in self._distrusted

    async def is_good(self, blob: BlobRef, state_id: str, *, timeout_seconds: float) -> bool:
        """Whether the blob is there, whole, this fleet's, and has not proved bad. Raises StoreUnavailableError."""
        if self.is_distrusted(blob, state_id):
            return False
        if self._is_down:
            raise StoreUnavailableError(_DOWN)
        is_kept_here = self._cache.find(blob.sha256) is not None
        try:
            await self.fetch(blob, state_id, timeout_seconds=timeout_seconds)
        except StoreUnavailableError:
            raise
        except StoreError:
            return False
        # What is on this worker's disk may have expired in the store, where others look.
        return not is_kept_here or await self._ask(lambda store: store.exists(blob.sha256), timeout_seconds)

    async def save(self, pickle: bytes, *, state_id: str, steps: int, timeout_seconds: float) -> BlobRef:
        """Store a pickle as the one of state `state_id`; `steps` is the state's depth.

        Raises:
            StoreUnavailableError: the store cannot be reached in time, or could not a moment ago.
        """
        packed, encoding = await asyncio.to_thread(pack, pickle)
        sha256 = await self._ask(lambda store: store.put(packed), timeout_seconds)
        blob = BlobRef(
            sha256=sha256,
            size_bytes=len(packed),
            steps=steps,
            encoding=encoding,
            unpacked_bytes=len(pickle) if encoding else 0,
        )
        return msgspec.structs.replace(blob, signature=self._signer.sign(blob, state_id))

    async def announce(self, blob: BlobRef, state_id: str, *, timeout_seconds: float) -> BlobRef:
        """Let every worker find the blob by its state; returns the one that they find.

        That is another one where somebody was first, whose blob is good. Raises as `save` does.
        """
        name, data = export_name(state_id), msgspec.json.encode(blob)
        deadline = time.monotonic() + timeout_seconds
        if await self._ask(lambda store: store.put_named(name, data, only_new=True), timeout_seconds):
            return blob
        for first in await self.find({blob.steps: state_id}):
            if await self.is_good(first, state_id, timeout_seconds=deadline - time.monotonic()):
                return first
        await self._ask(lambda store: store.put_named(name, data), deadline - time.monotonic())
        return blob

    async def find(self, state_ids: Mapping[int, str]) -> list[BlobRef]:
        """The blobs that were announced for some of these states, by their depths, and that this fleet signed."""
        found = await asyncio.gather(*(self._find(state_id, depth) for depth, state_id in state_ids.items()))
        return [blob for blob in found if blob is not None]

    async def _find(self, state_id: str, depth: int) -> BlobRef | None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                data = await self._read(self._required_store().get_named(export_name(state_id)))
            blob = msgspec.json.decode(data, type=BlobRef)
        except TimeoutError:
            self._no_looks_until = time.monotonic() + _DOWN_SECONDS
            return None
        except (StoreError, *UNREADABLE):
            return None
        return msgspec.structs.replace(blob, steps=depth) if self._signer.accepts(blob, state_id) else None

    async def save_recipe(self, state: StateRef, *, timeout_seconds: float) -> PrefixRef:
        """Store all steps of `state`; the answer stands for them. Raises as `save` does."""
        data = encode_recipe(state)
        sha256 = await self._ask(lambda store: store.put(data, folder=RECIPES), timeout_seconds)
        return PrefixRef(id=state.id, steps=state.depth, kind=state.kind, sha256=sha256)

    async def expand(self, state: StateRef, *, timeout_seconds: float) -> StateRef:
        """`state` with all of its steps.

        Raises:
            StoreError: its first steps are in the store and cannot be had in time.
        """
        if state.prefix is None:
            return state
        key = state.prefix.sha256
        if key not in self._recipes:
            try:
                async with asyncio.timeout(timeout_seconds):  # tried even while it is down: there is no other way
                    stored = await self._read(self._required_store().get(key, folder=RECIPES))
            except TimeoutError as error:
                raise self._timed_out(timeout_seconds) from error
            except BlobMissingError as error:
                raise BlobMissingError(
                    f"the state's first {state.prefix.steps} steps are gone from the store; recipes must not expire"
                ) from error
            self._recipes[key] = decode_recipe(stored)
        return expand(state, self._recipes[key])  # whoever asks: what their prefix says need not be true
