"""A provider that knows Google's schema and nothing else: enough for `terraform validate`, and for tests whose provider
is a mock.

Terraform is told where it listens (TF_REATTACH_PROVIDERS) instead of starting a binary. Of the plugin protocol, version
6, only the schema has a content; every other answer is the empty message: no complaints.
"""

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from tests.infra.schema import SCHEMA

SERVICE = "tfplugin6.Provider"
SILENT = (
    "ValidateProviderConfig",
    "ValidateResourceConfig",
    "ValidateDataResourceConfig",
    "ConfigureProvider",
    "StopProvider",
)
NESTING = {"single": 1, "list": 2, "set": 3, "map": 4}


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value) if value else b""


def part(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


# The numbers are those of docs/plugin-protocol/tfplugin6.proto in Terraform's repository.
def attribute(name: str, about: Mapping[str, Any]) -> bytes:
    return (
        part(1, name.encode())
        + part(2, json.dumps(about["type"]).encode())
        + number(4, bool(about.get("required")))
        + number(5, bool(about.get("optional")))
        + number(6, bool(about.get("computed")))
        + number(11, bool(about.get("write_only")))
    )


def block(about: Mapping[str, Any]) -> bytes:
    nested = (
        part(1, name.encode())
        + part(2, block(each["block"]))
        + number(3, NESTING[each["nesting_mode"]])
        + number(4, each.get("min_items", 0))
        + number(5, each.get("max_items", 0))
        for name, each in about["block_types"].items()
    )
    attributes = (attribute(name, each) for name, each in about["attributes"].items())
    return b"".join(part(2, each) for each in attributes) + b"".join(part(3, each) for each in nested)


def provider_schema() -> bytes:
    """GetProviderSchema.Response."""
    settings = {name: {"type": "string", "optional": True} for name in ("project", "region", "zone", "credentials")}
    answer = part(1, part(2, block({"attributes": settings, "block_types": {}})))
    for name, schema in json.loads(SCHEMA.read_text(encoding="utf-8"))["resource_schemas"].items():
        answer += part(2, part(1, name.encode()) + part(2, part(2, block(schema["block"]))))
    return answer


@contextmanager
def google_provider() -> Iterator[dict[str, str]]:
    """It serves inside the block; the value is what Terraform must have in its environment."""
    schema = provider_schema()

    def handler(content: bytes) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: content)

    handlers = {"GetProviderSchema": handler(schema)} | {name: handler(b"") for name in SILENT}
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    address = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
    where = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}
    try:
        yield {"TF_REATTACH_PROVIDERS": json.dumps({"hashicorp/google": where})}
    finally:
        server.stop(None).wait()
