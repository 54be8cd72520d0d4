"""The Docker Engine of this computer, if there is one, and the compose file on it."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from tasks.stack.ports import free_ports

ROOT = Path(__file__).parents[2]
PASSWORD = secrets.token_hex(8)
DOCKER = shutil.which("docker") or "/no/docker/here"


def docker(*arguments: str, timeout_seconds: float = 180) -> str:
    """Run it; AssertionError with what it said where it fails."""
    done = subprocess.run([DOCKER, *arguments], check=False, capture_output=True, text=True, timeout=timeout_seconds)
    assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def problem() -> str:
    """Why images cannot be built and run here; empty when they can."""
    for command in ([DOCKER, "info"], [DOCKER, "compose", "version"]):
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{' '.join(command)}: {error}"
        if done.returncode:
            return f"{' '.join(command)}: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"
    return ""


class Compose:
    """One project of the compose file, under a name and on ports of its own."""

    def __init__(self) -> None:
        self.name = f"leanfleet-test-{secrets.token_hex(4)}"
        broker, store, flower = free_ports(3)
        store_secret = secrets.token_hex(8)
        self.broker_url = f"redis://:{PASSWORD}@127.0.0.1:{broker}/0"
        self.flower_url = f"http://127.0.0.1:{flower}"
        # What somebody on this computer sets to be a producer of this fleet.
        self.producer_environ = {
            "LEANFLEET_BROKER_URL": self.broker_url,
            "LEANFLEET_STORE_URL": "s3://leanfleet/states",
            "LEANFLEET_STORE_ENDPOINT_URL": f"http://127.0.0.1:{store}",
            "AWS_ACCESS_KEY_ID": "leanfleet",
            "AWS_SECRET_ACCESS_KEY": store_secret,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self._environ = {
            **os.environ,
            "BROKER_PASSWORD": PASSWORD,
            "STORE_ACCESS_KEY": "leanfleet",
            "STORE_SECRET_KEY": store_secret,
            "FLOWER_BASIC_AUTH": f"operator:{PASSWORD}",
            "BROKER_PORT": str(broker),
            "STORE_PORT": str(store),
            "FLOWER_PORT": str(flower),
        }

    def __call__(self, *arguments: str, timeout_seconds: float = 900) -> str:
        command = [DOCKER, "compose", "-p", self.name, "-f", str(ROOT / "docker" / "compose.yaml"), *arguments]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=self._environ, timeout=timeout_seconds
        )
        assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def containers(self, service: str) -> list[str]:
        return self("ps", "--quiet", service).split()
