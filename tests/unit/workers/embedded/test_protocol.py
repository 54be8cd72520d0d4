"""Which request is meant, and how requests are told apart."""

import io
import json

import pytest

from workers.embedded.protocol import ProtocolError, frame, parse, queries


def split(data: bytes) -> list[bytes]:
    return list(queries(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"", []),
        (b"\n\n\n", []),  # blank lines alone
        (b"a\n\nb\n\n", [b"a", b"b"]),
        (b"a\n\nb", [b"a", b"b"]),  # the end of the input ends a request, too
        (b"a\r\n\r\nb\r\n\r\n", [b"a", b"b"]),
        (b"a\n \t\nb\n\n", [b"a", b"b"]),  # a line of blanks is blank
        (b"a  \nb\n\n", [b"ab"]),  # lines are joined without what they end in
        (b"  a\n  b\n\n", [b"  a  b"]),  # but with what they begin with
        (b"# a\n\n-- b\n\nc\n\n", [b"c"]),  # comments
    ],
)
def test_requests_end_with_a_blank_line(stream: bytes, expected: list[bytes]) -> None:
    assert split(stream) == expected


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        ({"cmd": "x"}, "command"),
        ({"cmd": "x", "env": 1, "allTactics": True, "rootGoals": False, "infotree": "full"}, "command"),
        ({"path": "x"}, "file"),
        ({"tactic": "x", "proofState": 0}, "tactic"),
        ({"env": 0, "pickleTo": "x"}, "pickle_environment"),
        ({"proofState": 0, "pickleTo": "x"}, "pickle_proof_state"),
        ({"unpickleEnvFrom": "x"}, "unpickle_environment"),
        ({"unpickleProofStateFrom": "x"}, "unpickle_proof_state"),
        ({"unpickleProofStateFrom": "x", "env": 3}, "unpickle_proof_state"),
        ({"forget": {"envs": [0]}}, "forget"),
        ({"cmd": "x", "tactic": "y", "proofState": 0}, "tactic"),  # the first shape that fits
        ({"cmd": "x", "pickleTo": "y", "env": 0}, "pickle_environment"),
        ({"cmd": "x", "tactic": "y"}, "command"),  # a tactic without a state is none
        ({"path": "x", "cmd": 1}, "file"),  # a field of the wrong type is as good as missing
    ],
)
def test_the_first_shape_that_fits_is_meant(request_: dict[str, object], name: str) -> None:
    assert parse(json.dumps(request_).encode())[0] == name


def test_only_known_fields_that_are_given_are_passed_on() -> None:
    assert parse(b'{"cmd": "x", "env": null, "gc": true}') == ("command", {"cmd": "x"})


@pytest.mark.parametrize("query", [b"", b"x", b"[]", b"1", b"{}", b'{"cmd": "x", "env": "0"}', b"\xff", b"[" * 100_000])
def test_what_is_no_request_is_an_error_with_a_reason(query: bytes) -> None:
    with pytest.raises(ProtocolError, match="Could not parse"):
        parse(query)


def test_a_reply_is_one_line_of_json_and_a_blank_one() -> None:
    data = frame({"message": "two\nlines ⊢ \udc80"})
    assert data.endswith(b"\n\n")
    assert data.count(b"\n") == 2
    assert json.loads(data) == {"message": "two\nlines ⊢ ?"}
