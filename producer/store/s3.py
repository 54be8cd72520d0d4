"""A store in a bucket: Amazon's S3, or any server that speaks its protocol and honours `If-None-Match`.

The requests are obstore's (the Rust `object_store` with asyncio in front): boto3 with 16 threads spends five times the
CPU on a small object. Only the search for credentials is boto3's, since it knows every place that Amazon's tools know.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from producer.errors import BlobMissingError, SettingsError, StoreUnavailableError
from producer.store import goodbye
from producer.store.backend import Backend, ObjectInfo

try:
    from obstore import exceptions
    from obstore.store import S3Store
except ImportError as missing:
    raise SettingsError("s3:// stores need an S3 client: pip install 'leanfleet[s3]'") from missing

if TYPE_CHECKING:
    from obstore.store import S3Config

T = TypeVar("T")

_CONNECT_SECONDS = 5
_RETRIES = 3
_DELETES_AT_ONCE = 1000  # S3's own limit for one request
_OBSTORE_ERRORS = (exceptions.BaseError, OSError, ValueError)


class S3Backend(Backend):
    def __init__(self, *, bucket: str, prefix: str, endpoint_url: str, timeout_seconds: float) -> None:
        """`timeout_seconds` bounds each object's reading or writing with all its retries."""
        goodbye.register()
        self._bucket = bucket
        self._where = f"bucket {bucket}" + (f" at {endpoint_url}" if endpoint_url else "")
        self._timeout_seconds = timeout_seconds
        config: S3Config = {"checksum_algorithm": "SHA256"}  # the server refuses what was damaged on its way
        if endpoint_url:
            # Servers other than Amazon's rarely have a host name for each bucket.
            config |= {"endpoint": endpoint_url, "virtual_hosted_style_request": False}
        if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
            config["region"] = region
        try:
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                config=config,
                client_options={
                    "allow_http": True,
                    "connect_timeout": timedelta(seconds=min(_CONNECT_SECONDS, timeout_seconds)),
                    "timeout": timedelta(seconds=timeout_seconds),
                },
                retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=timeout_seconds)},
                credential_provider=_credentials(),
            )
        except (exceptions.BaseError, ValueError) as error:
            raise SettingsError(f"cannot open {self._where}: {_first_line(error)}") from error

    async def _call(self, call: Coroutine[Any, Any, T]) -> T:
        """Await one request; every failure but a missing or an existing object is StoreUnavailableError."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await call
        except TimeoutError as error:
            raise StoreUnavailableError(f"{self._where} did not answer within {self._timeout_seconds:g} s") from error
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise self._no_bucket() from error
            raise BlobMissingError(f"no such object in {self._where}: {_first_line(error)}") from error
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError) as error:
            raise _ExistsError from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise StoreUnavailableError(
                f"{self._where} refused us: check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID and its secret, "
                f"or the machine's role) and their rights: {_first_line(error)}"
            ) from error
        except _OBSTORE_ERRORS as error:
            if "NoSuchBucket" in str(error):
                raise self._no_bucket() from error
            raise StoreUnavailableError(f"cannot reach {self._where}: {_first_line(error)}") from error

    def _no_bucket(self) -> StoreUnavailableError:
        return StoreUnavailableError(f"there is no {self._where}: create it, or correct store_url")

    async def read(self, name: str) -> bytes:
        async def work() -> bytes:
            return bytes(await (await self._store.get_async(name)).bytes_async())

        return await self._call(work())

    async def write(self, name: str, data: bytes, *, only_new: bool) -> bool:
        mode = "create" if only_new else "overwrite"
        try:
            await self._call(self._put(name, data, mode))
        except _ExistsError:
            return False
        except StoreUnavailableError:
            # The answer may have been lost, and not the write: S3 lets nobody ask again whether it was ours.
            if only_new and await self._holds(name, data):
                return True
            raise
        return True

    async def _put(self, name: str, data: bytes, mode: Any) -> None:
        # Never in parts: a part would be written without the condition.
        await self._store.put_async(name, data, mode=mode, use_multipart=False)

    async def _holds(self, name: str, data: bytes) -> bool:
        try:
            return await self.read(name) == data
        except (BlobMissingError, StoreUnavailableError):
            return False

    async def info(self, name: str) -> ObjectInfo | None:
        async def work() -> ObjectInfo:
            return _info(await self._store.head_async(name))

        try:
            return await self._call(work())
        except BlobMissingError:
            return None

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        # obstore lists whole folders only; the rest of the prefix is compared here.
        folder = prefix.rpartition("/")[0]
        pages = self._store.list(folder or None)

        async def next_page() -> Any:
            return await anext(pages, None)

        while (page := await self._call(next_page())) is not None:
            for meta in page:
                if meta["path"].startswith(prefix):
                    yield _info(meta)

    async def delete(self, names: Iterable[str]) -> None:
        doomed = list(names)

        async def work(some: list[str]) -> None:
            await self._store.delete_async(some)

        for start in range(0, len(doomed), _DELETES_AT_ONCE):
            try:
                await self._call(work(doomed[start : start + _DELETES_AT_ONCE]))
            except BlobMissingError:
                continue


class _ExistsError(Exception):
    """The condition of a conditional write did not hold."""


def _info(meta: Any) -> ObjectInfo:
    return ObjectInfo(name=meta["path"], size_bytes=meta["size"], modified_at=meta["last_modified"])


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _credentials() -> Any:
    """What boto3 finds, or None to let obstore look: where the environment holds keys, or without boto3."""
    if "AWS_ACCESS_KEY_ID" in os.environ and "AWS_PROFILE" not in os.environ:
        return None
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415 - takes a third of a second
    except ImportError:
        return None
    try:
        return Boto3CredentialProvider()
    except ValueError as error:
        raise SettingsError(
            "no credentials for S3: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or give this machine a role"
        ) from error
    except Exception as error:  # botocore's errors, whose package may be absent elsewhere
        raise SettingsError(f"cannot load credentials for S3: {_first_line(error)}") from error
