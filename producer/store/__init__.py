"""Where bytes live that outlast a worker: pickled states under their hash, and named objects such as manifests.

`open_store` gives the one interface; whether a bucket or a folder is behind it makes no difference to who uses it.
"""

from producer.store.opening import open_store
from producer.store.store import AsyncStore, ObjectInfo

__all__ = ["AsyncStore", "ObjectInfo", "open_store"]
