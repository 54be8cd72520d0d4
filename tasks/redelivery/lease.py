"""One delivery's lease as others than its channel see it: so that who stores a reply can end it in the same step."""

from collections.abc import Callable
from typing import NamedTuple

from tasks.redelivery.keys import QueueKeys


class Lease(NamedTuple):
    """`ended` is to be called, from any thread, once the server has ended it by `scripts.ACKNOWLEDGE`."""

    keys: QueueKeys
    tag: str
    ended: Callable[[], None]
