"""What a batch is, as it is kept in the store: frozen once written, so that readers never need a lock."""

import enum
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from producer.errors import WireError
from producer.judgement import Expectation
from producer.lane import Priority
from producer.operation import VerifyProof
from producer.unreadable import UNREADABLE

VERSION = 1
# Folders in the store. Proofs and indexes are content-addressed; the others are named by the batch.
PROOFS = "proofs"
_MANIFESTS = "batches/manifests/"
_DATA = "batches/data/"

# Large enough that a hundred thousand proofs are some dozens of objects, small enough to be read in one go.
PROOFS_PER_CHUNK = 2000

T = TypeVar("T")


class Proof(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One text of a batch, as it was handed in."""

    id: str
    operation: VerifyProof


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What must be known of a proof to show its results, without its text."""

    id: str
    expect: Expectation | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`chunks` and `index` are the SHA-256 of what holds the proofs and their entries, in order."""

    id: str
    total: int
    chunks: tuple[str, ...]
    index: str
    created_at: float  # unix time
    name: str = ""
    v: int = VERSION


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One run of a batch or of a part of it: `places` of the proofs that it runs, all when it is None.

    Limits that are None are the proofs' own.
    """

    number: int  # from 1
    created_at: float
    queue: str
    user: str = ""  # the broker's who began it: its answers arrive under this name
    token: str = ""  # random, and known to nobody but who reads the store and the workers; see `producer.keys`
    places: tuple[int, ...] | None = None
    timeout_seconds: float | None = None
    memory_bytes: int | None = None
    fresh: bool = False  # answers from memory do not count
    priority: Priority = "bulk"
    v: int = VERSION

    @property
    def mark(self) -> str:
        """What names its messages beside the batch's id: as hard to guess as the token, which it does not tell."""
        return hashlib.sha256(self.token.encode()).hexdigest()[:16] if self.token else ""


class Ending(enum.StrEnum):
    """Why an attempt takes no more answers."""

    FINISHED = "finished"  # all are there
    CANCELLED = "cancelled"
    LOST = "lost"  # the broker forgot it


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    ending: Ending
    at: float


def manifest_name(batch_id: str) -> str:
    return f"{_MANIFESTS}{batch_id}.json"


def batch_id_of(name: str) -> str | None:
    """The id of the batch whose manifest has this name; None for another object."""
    if not name.startswith(_MANIFESTS) or not name.endswith(".json"):
        return None
    return name.removeprefix(_MANIFESTS).removesuffix(".json")


def manifests_prefix(beginning: str = "") -> str:
    return _MANIFESTS + beginning


def data_prefix(batch_id: str) -> str:
    """Of all that a batch has besides its manifest and its proofs."""
    return f"{_DATA}{batch_id}/"


def attempts_prefix(batch_id: str) -> str:
    return f"{data_prefix(batch_id)}attempts/"


def attempt_name(batch_id: str, number: int) -> str:
    return f"{attempts_prefix(batch_id)}{number:04}.json"


def closing_name(batch_id: str, number: int) -> str:
    return f"{data_prefix(batch_id)}closings/{number:04}.json"


def segments_prefix(batch_id: str, attempt: int) -> str:
    return f"{data_prefix(batch_id)}results/{attempt:04}/"


def segment_name(batch_id: str, attempt: int, number: int) -> str:
    return f"{segments_prefix(batch_id, attempt)}{number:06}.jsonl.gz"


_encoder = msgspec.json.Encoder()


def encode(value: msgspec.Struct) -> bytes:
    return _encoder.encode(value)


def decode(data: bytes, kind: type[T], name: str) -> T:
    """Raise WireError for an object that this version does not understand."""
    try:
        value = msgspec.json.decode(data, type=kind)
    except UNREADABLE as error:
        raise WireError(f"{name} in the store is not understood: {error}") from error
    if (version := getattr(value, "v", VERSION)) != VERSION:
        raise WireError(f"{name} in the store has version {version}, and this leanfleet reads {VERSION}: upgrade it")
    return value


def encode_lines(values: Iterable[msgspec.Struct]) -> bytes:
    """Compressed JSON lines, which `zcat` shows. Equal values give equal bytes."""
    return gzip.compress(_encoder.encode_lines(values), compresslevel=1, mtime=0)


def decode_lines(data: bytes, kind: type[T], name: str) -> list[T]:
    """Raise WireError for an object that this version does not understand."""
    try:
        return msgspec.json.Decoder(kind).decode_lines(gzip.decompress(data))
    except (*UNREADABLE, OSError, EOFError, zlib.error) as error:
        raise WireError(f"{name} in the store is not understood: {error}") from error


def content_id(proofs: Sequence[Proof], entries: Sequence[Entry], salt: str = "") -> str:
    """The id of a batch: by its content alone, so that handing it in twice is handing it in once."""
    digest = hashlib.sha256(salt.encode())
    for proof, entry in zip(proofs, entries, strict=True):
        digest.update(_encoder.encode([proof.id, proof.operation, entry.expect]) + b"\n")
    return digest.hexdigest()[:12]
