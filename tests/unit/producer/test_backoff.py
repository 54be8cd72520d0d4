import logging

import pytest

from producer.backoff import Outage, delay_seconds


@pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
def test_delays_double_up_to_the_cap_and_stay_within_their_upper_half(draw: float) -> None:
    for failures in range(1, 100):
        longest = min(5.0, 0.1 * 2 ** (failures - 1))
        delay = delay_seconds(failures, base=0.1, cap=5.0, draw=lambda: draw)
        assert longest / 2 <= delay <= longest
    assert delay_seconds(10**9, base=0.1, cap=5.0, draw=lambda: draw) <= 5.0


async def test_each_kind_of_failure_in_an_outage_is_told_once_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.backoff.delay_seconds", lambda _: 0.0)
    outage = Outage("reading", logging.getLogger("leanfleet.test"))
    outage.over()
    for error in (OSError("gone"), OSError("still gone"), PermissionError("no more"), OSError("gone")):
        await outage.wait(error)
    outage.over()
    outage.over()
    await outage.wait(OSError("gone again"))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "reading failed, trying again until it works: gone",
        "reading failed, trying again until it works: no more",
        "reading works again after 4 failed tries",
        "reading failed, trying again until it works: gone again",
    ]
