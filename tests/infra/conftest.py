"""Terraform with stand-ins for both clouds: moto's server for Amazon, a schema for Google."""

from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from tests.infra.google import google_provider
from tests.infra.terraform import Terraform

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def amazon() -> Iterator[dict[str, str]]:
    """The environment in which Amazon is on this computer."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    finally:
        server.stop()


@pytest.fixture(scope="module")
def terraform(amazon: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    with google_provider() as google:
        yield Terraform(tmp_path_factory.mktemp("terraform"), amazon | google)
