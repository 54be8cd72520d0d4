"""The benchmark of batches puts answers where workers put them: it must know the place."""

from pathlib import Path

import pytest

from benchmarks import batch
from producer.settings import Settings


@pytest.mark.usefixtures("server")
async def test_the_benchmark_of_batches_comes_to_its_end(
    folder_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "PROOFS", 40)
    monkeypatch.setattr(batch, "AT_ONCE", 15)
    batch.write_proofs(tmp_path / "proofs.jsonl")
    rows = await batch.run(folder_settings, tmp_path / "proofs.jsonl")
    assert [row[0] for row in rows][-1] == "results"
