"""The store's side of one attempt: its results, in numbered segments that are written once and never changed.

Several watchers may write at the same time. A segment's number is taken by creating it; whoever finds it taken reads it
and leaves out what it holds. So every place is in one segment at most, and counts are exact.
"""

import asyncio
import functools
import re
from collections.abc import Iterable

from producer.batch.manifest import decode_lines, encode_lines, segment_name, segments_prefix
from producer.batch.record import Record
from producer.store import AsyncStore
from producer.tasklets import together

_READS_AT_ONCE = 16
_NUMBER = re.compile(r"/(\d+)\.jsonl\.gz")


class Ledger:
    """`records` are those known here, by place: all that were in the store at the last `refresh` or `append`."""

    def __init__(self, store: AsyncStore, batch_id: str, attempt: int) -> None:
        self._store = store
        self._batch_id = batch_id
        self._attempt = attempt
        self._segments = 0
        self.records: dict[int, Record] = {}

    async def refresh(self) -> None:
        """Read what is new. Raises StoreError, and WireError for a segment of another version."""
        numbers = [
            int(found[1])
            async for info in self._store.list(segments_prefix(self._batch_id, self._attempt))
            if (found := _NUMBER.search(info.name)) is not None
        ]
        missing = range(self._segments + 1, max(numbers, default=0) + 1)
        for records in await together(
            [functools.partial(self._read, number) for number in missing], at_once=_READS_AT_ONCE
        ):
            self._add(records)

    async def append(self, records: Iterable[Record]) -> None:
        """Have these in the store, those apart whose place is there already: the first one counts."""
        new = list(records)
        while new := [record for record in new if record.place not in self.records]:
            name = segment_name(self._batch_id, self._attempt, self._segments + 1)
            data = await asyncio.to_thread(encode_lines, new)
            if await self._store.put_named(name, data, only_new=True):
                self._add(new)
            else:
                self._add(await self._read(self._segments + 1))

    async def _read(self, number: int) -> list[Record]:
        name = segment_name(self._batch_id, self._attempt, number)
        data = await self._store.get_named(name)
        return await asyncio.to_thread(decode_lines, data, Record, name)

    def _add(self, records: list[Record]) -> None:
        self._segments += 1
        for record in records:
            self.records.setdefault(record.place, record)
