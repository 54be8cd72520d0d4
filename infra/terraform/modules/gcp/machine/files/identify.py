# ruff: noqa: INP001 - it is copied to a machine, and no part of a package
"""What only this machine can find out, for the unit that starts next: its name and secrets, in /run, for root alone.

`identify.py SECRETS`: a JSON object of variable → the secret, as projects/…/secrets/….
"""

import base64
import json
import os
import sys
import urllib.request
from pathlib import Path

METADATA = os.environ.get("LEANFLEET_MACHINE_METADATA_URL") or "http://metadata.google.internal"
SECRETS = os.environ.get("LEANFLEET_SECRETS_URL") or "https://secretmanager.googleapis.com"
TIMEOUT_SECONDS = 5
# Never by way of a proxy: the metadata are the machine's own.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310
    with OPENER.open(request, timeout=TIMEOUT_SECONDS) as response:
        return str(response.read().decode())


def ask_metadata(path: str) -> str:
    return ask(f"{METADATA}/computeMetadata/v1/instance/{path}", {"Metadata-Flavor": "Google"})


def read_secrets(names: dict[str, str]) -> dict[str, str]:
    token = json.loads(ask_metadata("service-accounts/default/token"))["access_token"]
    found = {}
    for variable, name in names.items():
        answer = ask(f"{SECRETS}/v1/{name}/versions/latest:access", {"Authorization": f"Bearer {token}"})
        found[variable] = base64.b64decode(json.loads(answer)["payload"]["data"]).decode().strip()
    return found


def quoted(value: str) -> str:
    """As systemd reads it in an environment file."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def main() -> None:
    found = {"LEANFLEET_MACHINE_ID": ask_metadata("name")}
    found |= read_secrets(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    path = Path(os.environ["RUNTIME_DIRECTORY"]) / "machine.env"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{name}={quoted(value)}\n" for name, value in found.items())


if __name__ == "__main__":
    main()
