"""From a URL to a store."""

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from producer.errors import SettingsError
from producer.settings import Settings, without_password
from producer.store.file import FileBackend
from producer.store.store import AsyncStore

if TYPE_CHECKING:
    from producer.store.backend import Backend

# Amazon's rules for bucket names, as far as they can be told from the name alone.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def open_store(settings: Settings) -> AsyncStore:
    """The store that `settings.store_url` names; nothing is sent to it yet.

    Credentials for S3 are found as all of Amazon's tools find them: environment, profile, role of the machine.

    Raises:
        SettingsError: the URL is missing, misspelt or of an unknown kind, or an S3 client is not installed.
    """
    url = settings.store_url
    if not url:
        raise SettingsError("no store is configured: set LEANFLEET_STORE_URL to s3://bucket/prefix or file:///folder")
    parts = urlsplit(url)
    backend: Backend
    match parts.scheme:
        case "file":
            if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.query or parts.fragment:
                raise SettingsError(
                    f"{url!r} is not a folder of this computer: write file:///absolute/path (%23 for #, %3F for ?)"
                )
            backend = FileBackend(Path(unquote(parts.path)), timeout_seconds=settings.store_timeout_seconds)
        case "s3":
            if not _BUCKET.fullmatch(parts.netloc) or parts.query or parts.fragment:
                raise SettingsError(f"{without_password(url)!r} does not name a bucket: write s3://bucket/prefix")
            # Here, since the S3 client is an extra and takes a moment to import.
            from producer.store.s3 import S3Backend  # noqa: PLC0415

            backend = S3Backend(
                bucket=parts.netloc,
                prefix=parts.path.strip("/"),
                endpoint_url=settings.store_endpoint_url,
                timeout_seconds=settings.store_timeout_seconds,
            )
        case _:
            raise SettingsError(f"{without_password(url)!r} is no store: write s3://bucket/prefix or file:///folder")
    return AsyncStore(backend, url=without_password(url))
