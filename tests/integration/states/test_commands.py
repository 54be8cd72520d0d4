"""`leanfleet states`, as an operator runs it."""

import datetime as dt
import os
import subprocess
import sys
import uuid
from pathlib import Path

import msgspec
import pytest

from producer.errors import InvalidInputError
from producer.settings import Settings
from producer.state import BlobRef, CommandStep, PrefixRef, SorryStep, StateRef, TacticStep
from producer.store import open_store
from producer.store.store import RECIPES, blob_name
from tasks.stack.seaweed import Seaweed
from tests.waiting import wait_until
from workers.commands.states import parse_age
from workers.states.blobs import export_name
from workers.states.signing import Signer

KEY = "a key for the tests only"
STATE = StateRef(project="p", header="import Init").then(
    CommandStep("theorem a (p : Prop) : p → p := by\n  sorry"), SorryStep(0), TacticStep("intro h")
)


@pytest.fixture
def store_folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def settings(store_folder: Path) -> Settings:
    return Settings(store_url=store_folder.as_uri())


def states(settings: Settings, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "LEANFLEET_STORE_URL": settings.store_url, "LEANFLEET_WORKER_BLOB_KEYS": KEY}
    return subprocess.run(
        [sys.executable, "-P", "-m", "leanfleet", "states", *arguments],
        env=environ,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def fill(settings: Settings) -> tuple[str, str]:
    """A blob that is announced, and a recipe."""
    async with open_store(settings) as store:
        sha256 = await store.put(b"a pickle")
        blob = BlobRef(sha256=sha256, size_bytes=8, steps=3)
        blob = msgspec.structs.replace(blob, signature=Signer(KEY).sign(blob, STATE.id))
        await store.put_named(export_name(STATE.id), msgspec.json.encode(blob))
        return sha256, await store.put(b"a recipe", folder=RECIPES)


def age(folder: Path, days: int) -> None:
    past = dt.datetime.now(dt.UTC).timestamp() - days * 86_400
    for path in folder.rglob("*"):
        os.utime(path, (past, past))


def files(folder: Path) -> set[str]:
    return {path.parent.parent.name for path in folder.rglob("*") if path.is_file()}


def test_a_state_is_shown_step_by_step(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(STATE.to_json(), "utf-8")
    for shown in (
        states(settings, "show", str(path)),
        states(settings, "show", "-", stdin=STATE.to_json()),
        states(settings, "show", STATE.to_json()),
    ):
        assert shown.returncode == 0, shown.stderr
        assert STATE.id in shown.stdout
        assert "tactic   intro h" in shown.stdout
        assert "import Init" in shown.stdout


def test_a_state_that_was_cut_says_where_its_steps_are(settings: Settings) -> None:
    prefix = PrefixRef(id=STATE.id, steps=3, kind="proof_state", sha256="a" * 64)
    cut = StateRef(prefix=prefix, steps=(TacticStep("exact h"),))
    shown = states(settings, "show", cut.to_json())
    assert "0-2  in the store: recipe aaaa" in shown.stdout
    assert "3   tactic   exact h" in shown.stdout


@pytest.mark.parametrize("text", ["{", "no-such-file", '{"v": 9}'])
def test_what_is_no_state_is_said_to_be_none(settings: Settings, text: str) -> None:
    shown = states(settings, "show", text)
    assert shown.returncode == 2
    assert shown.stderr.startswith("error: ")
    assert "Traceback" not in shown.stderr


async def test_the_stores_contents_are_counted(settings: Settings) -> None:
    await fill(settings)
    shown = states(settings, "show")
    assert shown.returncode == 0, shown.stderr
    assert "3 objects" in shown.stdout
    assert all(folder in shown.stdout for folder in ("blobs", "exports", "recipes"))


async def test_what_is_sound_passes_and_what_is_damaged_is_named_and_deleted(
    settings: Settings, store_folder: Path
) -> None:
    sha256, recipe = await fill(settings)
    sound = states(settings, "verify")
    assert (sound.returncode, "3 objects checked, 0 damaged" in sound.stdout) == (0, True)

    (store_folder / blob_name(sha256)).write_bytes(b"a pickl3")
    (store_folder / blob_name(recipe, RECIPES)).write_bytes(b"")
    damaged = states(settings, "verify")
    assert damaged.returncode == 1
    assert blob_name(sha256) in damaged.stdout
    assert "2 damaged" in damaged.stdout

    deleted = states(settings, "verify", "--delete")
    assert "1 deleted" in deleted.stdout
    assert files(store_folder) == {"exports", "recipes"}
    gone = states(settings, "verify")
    assert f"its blob {sha256} is gone" in gone.stdout


async def test_a_forged_announcement_is_named(settings: Settings) -> None:
    sha256, _ = await fill(settings)
    forged = BlobRef(sha256=sha256, size_bytes=8, steps=3, signature="0" * 64)
    async with open_store(settings) as store:
        await store.put_named(export_name(STATE.id), msgspec.json.encode(forged))
    assert "not signed with a key of this fleet" in states(settings, "verify").stdout


@pytest.mark.parametrize(
    "junk", [b'{"sha256": "\xff", "size_bytes": 1, "steps": 1}', b'{"sha256": "x", "size_bytes": 1, "steps": 1}', b"["]
)
async def test_an_announcement_that_cannot_be_read_is_named_and_deleted(settings: Settings, junk: bytes) -> None:
    await fill(settings)
    async with open_store(settings) as store:
        await store.put_named(export_name(STATE.id), junk)
    found = states(settings, "verify", "--delete")
    assert (found.returncode, found.stderr) == (1, "")
    assert f"{export_name(STATE.id)}: " in found.stdout
    assert "1 damaged, 1 deleted" in found.stdout


async def test_what_others_put_between_is_left_alone_and_counted(settings: Settings, store_folder: Path) -> None:
    """Consoles mark folders with objects whose names end in a slash; people leave notes."""
    await fill(settings)
    stray = store_folder / "blobs" / "read me first.txt"
    stray.write_text("not yours", "utf-8")
    age(store_folder, days=40)
    verified = states(settings, "verify", "--delete")
    assert (verified.returncode, verified.stderr) == (0, "")
    collected = states(settings, "gc", "--older-than", "30d")
    assert (collected.returncode, collected.stderr) == (0, "")
    assert "2 objects" in collected.stdout
    assert stray.exists()
    for told in (verified.stdout, collected.stdout):
        assert "1 were never written by leanfleet" in told


async def test_old_blobs_go_and_recipes_stay(settings: Settings, store_folder: Path) -> None:
    await fill(settings)
    assert "0 objects" in states(settings, "gc", "--older-than", "1h").stdout
    age(store_folder, days=40)
    dry = states(settings, "gc", "--older-than", "30d", "--dry-run")
    assert "2 objects" in dry.stdout
    assert "would be deleted" in dry.stdout
    assert files(store_folder) == {"blobs", "exports", "recipes"}
    assert "2 objects" in states(settings, "gc", "--older-than", "30d").stdout
    assert files(store_folder) == {"recipes"}
    assert "1 objects" in states(settings, "gc", "--older-than", "30d", "--recipes").stdout


async def test_what_a_killed_writer_left_goes_by_age(settings: Settings, store_folder: Path) -> None:
    await fill(settings)
    left = store_folder / "recipes" / ".leanfleet-0123"
    left.write_bytes(b"ha")
    age(store_folder, days=40)
    assert "3 objects" in states(settings, "gc", "--older-than", "30d", "--dry-run").stdout
    assert "3 objects" in states(settings, "gc", "--older-than", "30d").stdout
    assert not left.exists()


async def test_a_bucket_is_counted_verified_and_emptied(s3: Seaweed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**s3.environ, "AWS_ENDPOINT_URL": s3.endpoint_url}.items():
        monkeypatch.setenv(name, value)
    bucket = Settings(store_url=f"s3://{s3.bucket}/{uuid.uuid4().hex}", store_endpoint_url=s3.endpoint_url)
    sha256, _ = await fill(bucket)
    assert "3 objects" in states(bucket, "show").stdout
    assert "3 objects checked, 0 damaged" in states(bucket, "verify").stdout
    async with open_store(bucket) as store:
        await store.put_named(blob_name(sha256), b"a pickl3")
    damaged = states(bucket, "verify", "--delete")
    assert "1 deleted" in damaged.stdout
    assert blob_name(sha256) in damaged.stdout
    assert "0 objects" in states(bucket, "gc", "--older-than", "1h").stdout
    wait_until(lambda: "1 objects" in states(bucket, "gc", "--older-than", "1s", "--dry-run").stdout, "it is old")
    assert "1 objects" in states(bucket, "gc", "--older-than", "1s").stdout
    async with open_store(bucket) as store:
        assert [info.name.partition("/")[0] async for info in store.list()] == ["recipes"]


def test_without_a_store_it_says_what_to_set() -> None:
    shown = states(Settings(), "verify")
    assert shown.returncode == 2
    assert "LEANFLEET_STORE_URL" in shown.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30d", dt.timedelta(days=30)), ("1.5 h", dt.timedelta(minutes=90)), ("2w", dt.timedelta(14))],
)
def test_ages_are_read(text: str, expected: dt.timedelta) -> None:
    assert parse_age(text) == expected


@pytest.mark.parametrize("text", ["", "30", "-1d", "1y", "d"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="30d"):
        parse_age(text)


@pytest.mark.parametrize("text", ["999999d", "9" * 30 + "d", "9" * 400 + "s"])
def test_an_age_from_before_all_calendars_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="calendars"):
        parse_age(text)
