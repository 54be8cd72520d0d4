"""Warm REPLs, each with its header imported, handed out one lease at a time.

`assignment` decides who gets which, from a view of the pool; `pool` carries that out. `starter` brings REPLs up, from
nothing or from an image; `lease` is what their users hold.
"""

from workers.pool.lease import FrozenREPL, Lease, WarmREPL
from workers.pool.member import Handle
from workers.pool.pool import AsyncLeanREPLPool
from workers.pool.snapshot import PoolSnapshot, ReplStatus

__all__ = ["AsyncLeanREPLPool", "FrozenREPL", "Handle", "Lease", "PoolSnapshot", "ReplStatus", "WarmREPL"]
