"""Replies are cut out of a stream by what is in it, never by how the pipe chopped it up."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.framing import BlankLineFramer, ReplyTooLargeError

LIMIT = 1000

# Lines of a reply: not blank, with no line break inside, as in JSON.
lines = st.text(alphabet='{}":a,é→ ', min_size=1, max_size=20).filter(lambda line: not line.isspace())
replies = st.lists(lines, min_size=1, max_size=4).map(lambda parts: "\n".join(parts).encode())


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(ends)]


@given(st.lists(replies, max_size=5), st.lists(st.integers(min_value=0), max_size=12), st.integers(0, 2))
def test_replies_come_out_whole_however_the_stream_is_cut(
    sent: list[bytes], places: list[int], more_blank_lines: int
) -> None:
    stream = b"".join(reply + b"\n\n" + b"\n" * more_blank_lines for reply in sent)
    framer = BlankLineFramer(LIMIT)
    received = [frame.strip() for piece in cut(stream, places) for frame in framer.feed(piece)]
    assert received == [reply.strip() for reply in sent]


def test_a_reply_is_given_out_when_its_blank_line_has_come_and_not_before() -> None:
    framer = BlankLineFramer(LIMIT)
    assert framer.feed(b'{"env": 0}') == []
    assert framer.feed(b"\n") == []
    assert framer.feed(b"\n") == [b'{"env": 0}']


def test_a_single_byte_is_not_a_reply() -> None:
    assert BlankLineFramer(LIMIT).feed(b"x") == []


def test_a_line_may_be_longer_than_any_buffer_of_the_standard_library() -> None:
    framer = BlankLineFramer(10_000_000)
    reply = b"x" * 1_000_000
    pieces = cut(reply + b"\n\n", list(range(0, 1_000_000, 65_536)))
    assert [frame for piece in pieces for frame in framer.feed(piece)] == [reply]


def test_what_grows_past_the_limit_without_an_end_is_refused() -> None:
    framer = BlankLineFramer(LIMIT)
    framer.feed(b"x" * LIMIT)
    with pytest.raises(ReplyTooLargeError, match="1,000 bytes"):
        framer.feed(b"x")


def test_the_limit_is_for_one_reply_and_not_for_all_of_them() -> None:
    framer = BlankLineFramer(LIMIT)
    for _ in range(10):
        assert framer.feed(b"x" * (LIMIT - 10) + b"\n") == []
        assert len(framer.feed(b"\n")) == 1
