"""The public name: producer's API, and one `leanfleet` command joined from what each package brings."""

from producer import *  # noqa: F403 - `producer.__all__` is the public API
from producer import __all__, __version__  # noqa: F401
