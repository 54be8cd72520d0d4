"""What a kind of storage must be able to do; everything else is built on these five verbs."""

import abc
import datetime as dt
from collections.abc import AsyncIterator, Iterable, Sequence

import msgspec


class ObjectInfo(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    size_bytes: int
    modified_at: dt.datetime  # by the store's clock, with its time zone


class Backend(abc.ABC):
    """Named objects. Whatever cannot be reached is a StoreUnavailableError, after a bounded time and never a hang."""

    @abc.abstractmethod
    async def read(self, name: str) -> bytes:
        """Raise BlobMissingError when there is no such object."""

    @abc.abstractmethod
    async def write(self, name: str, data: bytes, *, only_new: bool) -> bool:
        """Write the object as a whole: no reader ever sees a part of it.

        With `only_new` an existing object stays as it is and the answer is False; of any number of concurrent writers
        of one name exactly one gets True.
        """

    @abc.abstractmethod
    async def info(self, name: str) -> ObjectInfo | None: ...

    @abc.abstractmethod
    def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """All objects whose names begin with `prefix`, in any order: servers differ in how they sort."""

    @abc.abstractmethod
    async def delete(self, names: Iterable[str]) -> None:
        """Delete the objects; one that is not there is no error."""

    async def sweep(self, *, older_than: dt.timedelta, dry_run: bool) -> Sequence[ObjectInfo]:  # noqa: ARG002 - see below
        """Delete what writers that were killed left behind, and return it: nothing, where writing is one request."""
        return ()

    async def aclose(self) -> None:  # noqa: B027 - most need nothing
        """Give back threads and connections."""
