# ruff: noqa: INP001 - it is copied to a machine, and no part of a package
"""What only this machine can find out, for the unit that starts next: its id and its secrets, in /run, for root alone.

`identify.py SECRETS`: a JSON object of variable → the secret's ARN.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

METADATA = os.environ.get("LEANFLEET_MACHINE_METADATA_URL") or "http://169.254.169.254"
TIMEOUT_SECONDS = 5


def ask_metadata(path: str, headers: dict[str, str], method: str = "GET") -> str:
    request = urllib.request.Request(f"{METADATA}/latest/{path}", headers=headers, method=method)  # noqa: S310
    # Never by way of a proxy: the address is the machine's own.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT_SECONDS) as response:
        return str(response.read().decode())


def instance_id() -> str:
    token = ask_metadata("api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}, "PUT")
    return ask_metadata("meta-data/instance-id", {"X-aws-ec2-metadata-token": token})


def read_secrets(arns: dict[str, str]) -> dict[str, str]:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=TIMEOUT_SECONDS,
        read_timeout=TIMEOUT_SECONDS,
    )
    client = boto3.client("secretsmanager", region_name=os.environ["AWS_REGION"], config=config)
    return {name: client.get_secret_value(SecretId=arn)["SecretString"].strip() for name, arn in arns.items()}


def quoted(value: str) -> str:
    """As systemd reads it in an environment file."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def main() -> None:
    found = {"LEANFLEET_MACHINE_ID": instance_id()}
    found |= read_secrets(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    path = Path(os.environ["RUNTIME_DIRECTORY"]) / "machine.env"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{name}={quoted(value)}\n" for name, value in found.items())


if __name__ == "__main__":
    main()
