"""`import leanfleet` in someone else's program: light, silent, and not confused by names that they use too."""

import json
import os
import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from producer.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
HEAVY = {
    "celery",
    "kombu",
    "redis",
    "boto3",
    "botocore",
    "obstore",
    "rich",
    "typer",
    "psutil",
    "workers",
    "tasks",
    "opentelemetry",
}


def run(code: str, *, directory: Path, python: Path = Path(sys.executable), **environ: str) -> str:
    """What a fresh interpreter prints; `leanfleet` is found as it is installed, after the program's own folder."""
    done = subprocess.run(
        [python, "-c", code],
        cwd=directory,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_the_import_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import leanfleet, sys, json; print(json.dumps(sorted(sys.modules)))"
    loaded = set(json.loads(run(code, directory=tmp_path)))
    assert {name.partition(".")[0] for name in loaded} & HEAVY == set()
    plain = set(
        json.loads(run("import asyncio, sys, json; print(json.dumps(sorted(sys.modules)))", directory=tmp_path))
    )
    others = {name for name in loaded - plain if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name.partition(".")[0] for name in others} <= {"leanfleet", "producer", "msgspec", "typing_extensions"}


def test_the_import_logs_nothing_unless_asked(tmp_path: Path) -> None:
    code = "import leanfleet, logging; logging.getLogger('leanfleet.client').warning('not to be seen')"
    assert run(code, directory=tmp_path) == ""


def test_it_works_beside_a_foreign_tasks_and_workers(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("raise RuntimeError('the training repository\\'s own tasks were imported')\n")
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "__init__.py").write_text("raise RuntimeError('its own workers were imported')\n")
    code = (
        "import leanfleet, sys\n"
        "try:\n"
        "    with leanfleet.connect_sync(broker_url='redis://127.0.0.1:1/0') as fleet: pass\n"
        "except leanfleet.BrokerUnavailableError as error: print('unavailable')\n"
        "print([name for name in ('tasks', 'workers') if name in sys.modules])\n"
    )
    assert run(code, directory=tmp_path, LEANFLEET_CONNECT_ATTEMPTS="1") == "unavailable\n[]\n"
    # The command line as well: it looks before it imports, and says what is in the way.
    help_text = run("import leanfleet, sys; sys.argv = ['leanfleet', '--help']; leanfleet.main()", directory=tmp_path)
    assert "check " in help_text
    assert "(not available here)" in help_text


def test_everything_that_is_public_is_there(tmp_path: Path) -> None:
    code = (
        "from leanfleet import *; import leanfleet; print(all(hasattr(leanfleet, each) for each in leanfleet.__all__))"
    )
    assert run(code, directory=tmp_path) == "True\n"
    assert run("import leanfleet; print(leanfleet.connect, leanfleet.Outcome.OK)", directory=tmp_path).endswith("ok\n")


def requirements_of(name: str) -> set[str]:
    """What is installed with a distribution when no extra is asked for."""
    found: set[str] = set()
    for line in metadata.requires(name) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found |= {requirement.name} | requirements_of(requirement.name)
    return found


@pytest.fixture(scope="module")
def training_machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has what the producer depends on, and nothing of the worker stack."""
    directory = tmp_path_factory.mktemp("training")
    venv.create(directory, symlinks=True)
    packages = next(directory.glob("lib/python*/site-packages"))
    for distribution in map(metadata.distribution, sorted(requirements_of("leanfleet"))):
        for file in distribution.files or ():
            name = file.parts[0]
            if name not in ("..", "__pycache__") and not (packages / name).exists():
                (packages / name).symlink_to(Path(str(distribution.locate_file(name))))
    for name in ("producer", "tasks", "workers", "leanfleet.py"):
        (packages / name).symlink_to(ROOT / name)
    return directory / "bin" / "python"


def test_a_machine_without_the_worker_stack_is_told_how_to_get_it(training_machine: Path, tmp_path: Path) -> None:
    main = "import leanfleet, sys; sys.argv = ['leanfleet', *{}]; leanfleet.main()"
    help_text = run(main.format(["--help"]), directory=tmp_path, python=training_machine)
    assert "check " in help_text
    assert "up " in help_text
    text = tmp_path / "a.lean"
    text.write_text("theorem a : True := trivial")
    for arguments, hint in (
        (["check", str(text)], "no broker is configured (LEANFLEET_BROKER_URL)"),
        (["check", str(text)], "pip install 'leanfleet[local]'"),
        (["up"], "pip install 'leanfleet[local]'"),
        (["worker", "--repls", "3"], "pip install 'leanfleet[local]'"),
    ):
        done = subprocess.run(
            [training_machine, "-c", main.format(arguments)],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 2
        assert "error: " in done.stderr
        assert hint in done.stderr
        assert "Traceback" not in done.stderr


def test_doctor_looks_at_what_there_is_without_the_worker_stack(
    training_machine: Path, tmp_path: Path, settings: Settings
) -> None:
    main = "import leanfleet, sys; sys.argv = ['leanfleet', 'doctor', '--json']; leanfleet.main()"
    done = subprocess.run(
        [training_machine, "-c", main],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "LEANFLEET_BROKER_URL": settings.broker_url,
            "LEANFLEET_STORE_URL": (tmp_path / "store").as_uri(),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stderr == ""
    found = {line["subject"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert {name: each["level"] for name, each in found.items()} == {
        "broker": "fine",
        "maxmemory-policy": "fine",
        "persistence": "fine",
        "store": "fine",
        "extra worker": "warning",
        "extra parquet": "warning",
    }
    assert "pip install 'leanfleet[worker]'" in found["extra worker"]["advice"]
    assert done.returncode == 0


def test_ctrl_c_while_commands_are_imported_ends_without_a_traceback(tmp_path: Path) -> None:
    code = """
import leanfleet, sys

class Impatient:
    def find_spec(self, name, *_):
        if name == "workers.commands":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Impatient())
leanfleet.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (130, "")
