"""A bounded mapping that forgets what was used least recently."""

from collections import OrderedDict
from collections.abc import ItemsView, Iterator, MutableMapping, ValuesView
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LRU(MutableMapping[K, V]):
    """Reading by `[]` or `get` and writing count as use; `in`, `peek` and iteration (longest unused first) do not."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"an LRU of {limit} entries")
        self.limit = limit
        self._entries: OrderedDict[K, V] = OrderedDict()

    def __repr__(self) -> str:
        return f"<LRU {len(self._entries)} of {self.limit}>"

    def __getitem__(self, key: K) -> V:
        value = self._entries[key]
        self._entries.move_to_end(key)
        return value

    def __setitem__(self, key: K, value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self.limit:
            self._entries.popitem(last=False)

    def __delitem__(self, key: K) -> None:
        del self._entries[key]

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    # Those inherited would read by `[]`, and so change the order that they go through.
    def items(self) -> ItemsView[K, V]:
        return self._entries.items()

    def values(self) -> ValuesView[V]:
        return self._entries.values()

    def peek(self, key: K) -> V | None:
        """The value without counting it as use."""
        return self._entries.get(key)
