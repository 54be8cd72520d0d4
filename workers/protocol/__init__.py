"""The languages that REPL processes speak, behind one set of requests and responses.

An adapter turns a request into the bytes of one frame and a frame into a response; it does no I/O and keeps no state,
so what it does can be tested against recorded sessions.
"""

from producer.errors import SettingsError
from workers.protocol.adapter import Adapter
from workers.protocol.community import CommunityAdapter
from workers.protocol.embedded import EmbeddedAdapter
from workers.protocol.pantograph import PantographAdapter

_ADAPTERS: dict[str, type[Adapter]] = {
    "community": CommunityAdapter,
    "embedded": EmbeddedAdapter,
    "pantograph": PantographAdapter,
}


def get_adapter(name: str) -> Adapter:
    """The adapter called `name`.

    Raises:
        SettingsError: there is none of that name; the message lists those that are.
    """
    try:
        return _ADAPTERS[name]()
    except KeyError:
        raise SettingsError(f"no REPL adapter is called {name!r}; known are: {', '.join(sorted(_ADAPTERS))}") from None
