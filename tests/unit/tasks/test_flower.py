"""When Flower asks for a password."""

import pytest

from tasks.commands.flower import needs_password


@pytest.mark.parametrize(
    ("address", "environ", "options", "needed"),
    [
        ("127.0.0.1", {}, [], False),
        ("::1", {}, [], False),
        ("localhost", {}, [], False),
        ("0.0.0.0", {}, [], True),  # noqa: S104 - the very case
        ("", {}, [], True),
        ("flower.example.org", {}, [], True),
        ("10.0.0.1", {"FLOWER_BASIC_AUTH": ""}, [], True),
        ("10.0.0.1", {"FLOWER_BASIC_AUTH": "a:b"}, [], False),
        ("10.0.0.1", {"FLOWER_AUTH": ".*@example.org"}, [], False),
        ("10.0.0.1", {}, ["--basic-auth=a:b"], False),
        ("10.0.0.1", {}, ["--basic_auth=a:b"], False),
        ("10.0.0.1", {}, ["--auth=.*"], False),
        ("10.0.0.1", {}, ["--url-prefix=flower", "--auth_provider=x"], True),
    ],
)
def test_whoever_can_be_reached_by_others_asks(
    address: str, environ: dict[str, str], options: list[str], needed: bool
) -> None:
    assert needs_password(address, environ, options) is needed
