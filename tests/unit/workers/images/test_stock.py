"""How many images a worker keeps."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import until
from workers.images import stock as stock_module
from workers.images.criu import Criu
from workers.images.image import Image, Warm
from workers.images.machine import this_machine
from workers.images.stock import MOST_IMAGES, ImageStock

CRIU = Criu(program="criu", version="4.1.1", unshare="unshare", nsenter="nsenter")


@pytest.fixture
def stock(tmp_path: Path) -> Iterator[ImageStock]:
    with contextlib.closing(ImageStock(CRIU, project="p", parent=tmp_path)) as stock:
        yield stock


def image(stock: ImageStock, header: str) -> Image:
    warm = Warm(project="p", header=header, environment=0, pipes=("", "", ""), machine=this_machine("4.1.1"))
    folder = stock.folder / header
    folder.mkdir()
    return Image(folder=folder, warm=warm, mapped={}, written={})


def fill(stock: ImageStock) -> list[Image]:
    """One image after the other, as REPLs with these headers come up."""
    kept = []
    for number in range(MOST_IMAGES):
        assert stock.wants(str(number), 1.0)
        kept.append(image(stock, str(number)))
        stock.keep(kept[-1])
    return kept


async def test_no_more_are_made_than_the_disk_is_to_hold(stock: ImageStock) -> None:
    kept = fill(stock)
    assert not stock.wants("another", 1.0)
    assert all([await stock.find(each.warm.header) is each for each in kept])


async def test_one_that_is_being_made_counts(stock: ImageStock) -> None:
    wanted = [stock.wants(str(number), 1.0) for number in range(MOST_IMAGES + 1)]
    assert wanted == [True] * MOST_IMAGES + [False]


async def test_one_that_nobody_uses_makes_room(stock: ImageStock, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = fill(stock)
    for each in others:
        assert await stock.find(each.warm.header) is each
    monkeypatch.setattr(stock_module, "_UNUSED_SECONDS", 0.0)
    assert stock.wants("another", 1.0)
    assert await stock.find(first.warm.header) is None
    assert [await stock.find(each.warm.header) for each in others] == others
    await until(lambda: not first.folder.exists(), "its files are deleted")


async def test_headers_without_an_image_are_forgotten(stock: ImageStock) -> None:
    (kept, *_) = fill(stock)
    for number in range(1000):
        assert await stock.find(f"import Other{number}") is None
    assert len(stock._shelves) < 1000
    assert await stock.find(kept.warm.header) is kept
