import base64
import json
from typing import Any

import pytest

from tasks.redelivery.message import UnreadableMessageError, read_message

TAG = "0123456789abcdef"


def message(**changes: Any) -> dict[str, Any]:
    body = base64.b64encode(b'[[], {"code": "x"}, {"callbacks": null}]').decode()
    fine = {
        "body": body,
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "leanfleet.run_code", "id": "1", "timelimit": [None, None], "lang": "py"},
        "properties": {
            "delivery_tag": TAG,
            "delivery_info": {"exchange": "", "routing_key": "leanfleet"},
            "body_encoding": "base64",
        },
    }
    return {**fine, **changes}


def test_a_message_is_handed_on_whole() -> None:
    assert read_message(json.dumps(message()).encode()) == (TAG, message())


def headers(**changes: Any) -> dict[str, Any]:
    return {"headers": {**message()["headers"], **changes}}


def properties(**changes: Any) -> dict[str, Any]:
    return {"properties": {**message()["properties"], **changes}}


def encoded(body: bytes) -> dict[str, Any]:
    return {"body": base64.b64encode(body).decode()}


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": "x"},
        {"headers": {}},
        {"properties": "x"},
        {"body": None},
        {"body": 5},
        {"body": "not base64!"},
        {"content-type": None},
        {"content-encoding": 5},
        {"content-encoding": "no such encoding"},
        encoded(b'"x"'),
        encoded(b"null"),
        encoded(b"[[], {}]"),
        encoded(b"[{}, [], null]"),
        encoded(b"\xff"),
        encoded(b"[" * 100_000),
        headers(task=["x"]),
        headers(id={}),
        headers(timelimit="x"),
        headers(timelimit=5),
        headers(retries="many"),
        headers(stamps=5),
        properties(delivery_info="x"),
        properties(delivery_tag=5),
        properties(delivery_tag="short"),
        properties(delivery_tag="not a tag at all"),
        properties(body_encoding="rot13"),
    ],
)
def test_what_would_end_a_worker_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableMessageError, match="not a message"):
        read_message(json.dumps(message(**changes)).encode())


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"\xff", b"[]", b"[" * 100_000 + b"]" * 100_000, b"{}"])
def test_what_is_no_envelope_is_refused(raw: bytes) -> None:
    with pytest.raises(UnreadableMessageError, match="not a message"):
        read_message(raw)


def test_a_tag_that_is_written_with_escapes_is_refused() -> None:
    raw = json.dumps(message()).replace(TAG, "\\u0030" + TAG[1:]).encode()

    with pytest.raises(UnreadableMessageError, match="escapes"):
        read_message(raw)
