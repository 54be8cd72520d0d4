"""What a machine on Google Cloud does before its worker starts."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.infra.terraform import ROOT
from tests.metadata import metadata_service

NAME = "projects/fleet/secrets/url"


def test_a_machine_finds_out_who_it_is_and_what_its_secrets_are(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text(json.dumps({"LEANFLEET_BROKER_URL": NAME}), encoding="utf-8")
    with metadata_service() as service:
        instance = "/computeMetadata/v1/instance"
        service.pages[f"{instance}/name"] = "leanfleet-compute-x1"
        service.pages[f"{instance}/service-accounts/default/token"] = json.dumps({"access_token": "t"})
        payload = {"data": base64.b64encode(b"rediss://:secret@broker:6378/0\n").decode()}
        service.pages[f"/v1/{NAME}/versions/latest:access"] = json.dumps({"payload": payload})
        environment = {
            **os.environ,
            "LEANFLEET_MACHINE_METADATA_URL": service.url,
            "LEANFLEET_SECRETS_URL": service.url,
            "RUNTIME_DIRECTORY": str(tmp_path),
        }
        script = ROOT / "modules/gcp/machine/files/identify.py"
        command = [sys.executable, str(script), str(tmp_path / "secrets.json")]
        for _ in range(2):  # a unit that is started again finds what the last start wrote
            subprocess.run(command, check=True, env=environment, timeout=120)
    written = tmp_path / "machine.env"
    assert written.stat().st_mode & 0o777 == 0o600
    assert written.read_text(encoding="utf-8").splitlines() == [
        'LEANFLEET_MACHINE_ID="leanfleet-compute-x1"',
        'LEANFLEET_BROKER_URL="rediss://:secret@broker:6378/0"',
    ]
