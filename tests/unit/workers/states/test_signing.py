import msgspec
import pytest

from producer.errors import SettingsError
from producer.state import BlobRef
from workers.states.signing import Signer

BLOB = BlobRef(sha256="a" * 64, size_bytes=10, steps=3, encoding="zstd", unpacked_bytes=20)
OLD, NEW = "the old key of the fleet", "the new key of the fleet"


def signed(keys: str, blob: BlobRef = BLOB) -> BlobRef:
    return msgspec.structs.replace(blob, signature=Signer(keys).sign(blob, "state"))


def test_what_this_fleet_signed_is_accepted() -> None:
    assert Signer(OLD).accepts(signed(OLD), "state")
    assert not Signer(NEW).accepts(signed(OLD), "state")


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "b" * 64},
        {"size_bytes": 11},
        {"encoding": ""},
        {"unpacked_bytes": 21},
        {"signature": ""},
        {"signature": "é"},
        {"signature": "\ud800"},
    ],
)
def test_whatever_is_changed_breaks_the_signature(change: dict[str, object]) -> None:
    assert not Signer(OLD).accepts(msgspec.structs.replace(signed(OLD), **change), "state")


def test_a_blob_cannot_be_passed_off_as_another_states() -> None:
    assert not Signer(OLD).accepts(signed(OLD), "another state")


@pytest.mark.parametrize("keys", [f"{OLD},{NEW}", f"{NEW}, {OLD}", f" {NEW} ,, {OLD} "])
def test_any_of_several_keys_is_accepted_and_the_first_signs(keys: str) -> None:
    assert Signer(keys).accepts(signed(OLD), "state")
    assert Signer(keys).accepts(signed(NEW), "state")
    first = keys.split(",", maxsplit=1)[0].strip()
    assert signed(keys) == signed(first)


def test_without_a_key_nothing_is_accepted() -> None:
    assert not Signer("").can_sign
    assert not Signer("").accepts(msgspec.structs.replace(BLOB, signature=""), "state")


def test_a_key_that_is_no_secret_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        Signer("hunter2")
    assert "hunter2" not in str(caught.value)
    assert "key" not in repr(Signer(OLD)).replace("keys", "")


def test_a_text_is_accepted_with_its_own_signature_alone() -> None:
    signature = Signer(OLD).sign_text("kind", "text")
    assert Signer(OLD).accepts_text(signature, "kind", "text")
    assert not Signer(OLD).accepts_text("é" + signature, "kind", "text")
