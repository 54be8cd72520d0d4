"""What CRIU may do, read from a process's status."""

import pytest

from workers.images import rights
from workers.privileges import Privileges

ROOT = 0x1FFFFFFFFFF
SYS_TIME, SYS_RESOURCE = 1 << 25, 1 << 24
DOCUMENTED = sum(1 << number for number in (0, 1, 5, 6, 7, 8, 12, 18, 19, 21, 25))


def status(capabilities: int = ROOT, *, seccomp: int = 0, no_new_privileges: int = 0) -> str:
    return f"Name:\tx\nCapEff:\t{capabilities:016x}\nNoNewPrivs:\t{no_new_privileges}\nSeccomp:\t{seccomp}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (status(), ""),
        (status(DOCUMENTED), ""),
        (status(ROOT & ~SYS_TIME), "lacks CAP_SYS_TIME"),
        (status(0), "lacks CAP_SYS_ADMIN, CAP_SYS_PTRACE, "),
        (status(seccomp=2), "seccomp=unconfined"),
    ],
)
def test_what_is_missing_is_named(text: str, words: str) -> None:
    missing = rights.missing(Privileges.from_status(text))
    assert words in missing
    assert bool(words) == bool(missing)


@pytest.mark.parametrize(
    ("text", "knows_kernel", "words"),
    [
        (status(), False, ""),
        (status(no_new_privileges=1), False, ""),
        (status(ROOT & ~SYS_RESOURCE), True, ""),
        (status(ROOT & ~SYS_RESOURCE), False, "tmpfs"),
        (status(ROOT & ~SYS_RESOURCE, no_new_privileges=1), True, "no-new-privileges"),
    ],
)
def test_users_of_their_own_need_a_right_or_a_way_around_it(text: str, knows_kernel: bool, words: str) -> None:
    flaw = rights.users_flaw(Privileges.from_status(text), knows_kernel=knows_kernel)
    assert words in flaw
    assert bool(words) == bool(flaw)
