"""Who made a blob: pickles are raw memory images, so that loading one is running it.

Whoever can write to the bucket could otherwise run code on every worker. The signature covers the state that the blob
stands for as well: a genuine blob under another state's reference is refused too.
"""

import hashlib
import hmac

from producer.errors import SettingsError
from producer.state import BlobRef, netstrings

_MIN_KEY_LENGTH = 16


class Signer:
    """HMAC-SHA-256 with the fleet's keys: the first signs, all are accepted, so that keys can be rotated.

    To rotate: add the new key behind the old one everywhere, then swap them, then drop the old one.
    """

    def __init__(self, keys: str) -> None:
        """`keys` is a list separated by commas; without any nothing can be signed and nothing is accepted.

        Raises:
            SettingsError: a key is too short to be a secret.
        """
        self._keys = [key.strip().encode() for key in keys.split(",") if key.strip()]
        if any(len(key) < _MIN_KEY_LENGTH for key in self._keys):
            raise SettingsError(f"a key in blob_keys has fewer than {_MIN_KEY_LENGTH} characters: make a longer one")

    def __repr__(self) -> str:
        return f"<Signer with {len(self._keys)} keys>"

    @property
    def can_sign(self) -> bool:
        return bool(self._keys)

    @property
    def fingerprints(self) -> list[str]:
        """By which people compare the keys of machines, in the keys' order; they say no more than a signature does."""
        return [_seal(key, "leanfleet-key")[:8] for key in self._keys]

    def sign(self, blob: BlobRef, state_id: str) -> str:
        """The signature for `blob` as the pickle of the state `state_id`."""
        return _mac(self._keys[0], blob, state_id)

    def accepts(self, blob: BlobRef, state_id: str) -> bool:
        return any(_equal(_mac(key, blob, state_id), blob.signature) for key in self._keys)

    def sign_text(self, *text: str) -> str:
        """The signature for a list of texts, whose first says what kind of thing is signed."""
        return _seal(self._keys[0], *text)

    def accepts_text(self, signature: str, *text: str) -> bool:
        return any(_equal(_seal(key, *text), signature) for key in self._keys)


def _equal(one: str, other: str) -> bool:
    # As bytes: of strings it takes ASCII alone, and a signature may have been written by anyone.
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "surrogatepass"))


def _mac(key: bytes, blob: BlobRef, state_id: str) -> str:
    # The state's id speaks for project, header and steps.
    return _seal(
        key, "leanfleet-blob", state_id, blob.sha256, str(blob.size_bytes), blob.encoding, str(blob.unpacked_bytes)
    )


def _seal(key: bytes, *text: str) -> str:
    return hmac.new(key, netstrings(*text), hashlib.sha256).hexdigest()
