"""Terraform on this machine: the program, a mirror of its AWS provider if there is one, and a copy of the modules."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.needs import need

ROOT = Path(__file__).parents[2] / "infra" / "terraform"
MODULES = [folder for cloud in ("aws", "gcp") for folder in sorted((ROOT / "modules" / cloud).iterdir())]
# Folders in which `terraform test` finds something to run.
TESTED = sorted(folder.parent.relative_to(ROOT).as_posix() for folder in ROOT.glob("*/**/tests"))
_MOST_SECONDS = 600


@cache
def find_mirror() -> Path | None:
    """A folder in the layout of `terraform providers mirror` with the AWS provider, wherever it was put."""
    homes = [Path.home() / ".terraform.d", Path.home() / ".local/share/terraform"]
    for place in (*homes, Path("/usr/local/share"), Path("/usr/share/terraform"), Path("/opt"), Path("/usr/local/lib")):
        for found in _walk(place, depth=8):
            # MIRROR/host/namespace/type/…: a file at any level below the type.
            for parent in found.parents:
                if parent.name == "aws" and parent.parent.name == "hashicorp":
                    return parent.parents[2]
    return None


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    if not depth:
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.name.startswith("terraform-provider-aws"):
            yield entry
        elif entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry, depth - 1)


class Terraform:
    """Runs in a copy, so that nothing is left between the modules."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        need("terraform", "" if shutil.which("terraform") else "terraform is not installed")
        self.folder = folder / "terraform"
        shutil.copytree(ROOT, self.folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        settings = folder / "terraform.rc"
        mirror = find_mirror()
        source = (
            f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n' if mirror else ""
        )
        settings.write_text(f'plugin_cache_dir = "{folder}"\n{source}', encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
        self._environment = kept | dict(environment) | {
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }  # fmt: skip
        self._ready: set[str] = set()

    def __call__(self, folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", *arguments],  # noqa: S607 - wherever it was installed
            cwd=self.folder / folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=_MOST_SECONDS,
            check=False,
        )

    def init(self, folder: str) -> None:
        """Skip the test where the provider cannot be had."""
        if folder in self._ready:
            return
        done = self(folder, "init", "-backend=false", "-no-color")
        missing = "Failed to query available provider packages" in done.stderr or "Failed to install" in done.stderr
        need("terraform", "Terraform's AWS provider is not here and cannot be fetched" if missing else "")
        assert done.returncode == 0, done.stderr
        self._ready.add(folder)

    def must(self, folder: str, *arguments: str) -> str:
        """Its output; the test fails where Terraform does."""
        self.init(folder)
        done = self(folder, *arguments)
        assert done.returncode == 0, (
            f"terraform {arguments[0]} in {folder}:\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        )
        return done.stdout

    def show(self, folder: str, *arguments: str) -> dict[str, Any]:
        """State or plan as JSON."""
        shown: dict[str, Any] = json.loads(self.must(folder, "show", "-json", *arguments))
        return shown


def resources(module: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Of a state's or plan's `root_module`, and of all below it."""
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)
