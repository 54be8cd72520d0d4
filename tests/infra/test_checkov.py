"""What checkov says of the modules. It has a virtual environment of its own, if any: its dependencies are many."""

import re
import shutil
import subprocess

from tests.infra.terraform import ROOT
from tests.needs import need


def test_checkov_finds_nothing_but_the_named_exceptions() -> None:
    checkov = shutil.which("checkov")
    need("checkov", "" if checkov else "checkov is not on the PATH (pipx install checkov)")
    assert checkov is not None
    command = [checkov, "--directory", str(ROOT), "--config-file", str(ROOT / ".checkov.yaml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240)
    failed = done.stdout.partition("FAILED")
    assert done.returncode == 0, "".join(failed[1:])[:4000] or done.stderr
    found = re.search(r"Passed checks: (\d+), Failed checks: 0", done.stdout)
    assert found, done.stdout[-2000:]
    assert int(found[1]) > 100
