"""From a worker's settings to a REPL that was thawed: what a machine that boots does."""

from pathlib import Path

from producer.settings import Settings
from producer.store import open_store
from tasks.engine import LeanEngine, open_engine
from tests.waiting import until
from workers.images.archive import Archive
from workers.images.criu import Criu
from workers.images.trial import made
from workers.project import open_project
from workers.settings import WorkerSettings
from workers.states.signing import Signer
from workers.testing.project import scripted_project

KEY = "a-secret-of-this-fleet"


async def test_a_worker_boots_from_an_image_that_another_machine_has_pushed(criu: Criu, tmp_path: Path) -> None:
    assert criu.version
    settings = Settings(store_url=(tmp_path / "store").as_uri())
    worker = WorkerSettings(
        repl_command=" ".join(scripted_project("--import-seconds", "0.4").command),
        header="import Mathlib",
        isolation="off",
        blob_keys=KEY,
        image_directory=str(tmp_path / "none"),
        answer_ttl_seconds=0,
        size=2,
        spares=0,
    )
    async with (
        open_store(settings) as store,
        made(worker, open_project(worker), worker.header) as (_, image),
    ):
        await Archive(store, Signer(KEY)).add(image)
    async with open_engine(settings, worker) as engine:
        assert isinstance(engine, LeanEngine)
        await until(lambda: engine.snapshot().pool.thaws == 2, "both REPLs are thawed")
        assert engine.snapshot().pool.images == {"frozen": 0, "freeze_failed": 0, "fetched": 1, "refused": 0}
