"""Python functions as Lean closures, to look at values that Lean only shows to a running monadic action.

The contexts of `MetaM`, `CoreM` and `CommandElabM` have dozens of fields with defaults. Instead of building them by
hand, `capture` runs an action that does nothing but take hold of what it is given.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from workers.embedded.abi import TAG_CLOSURE, UNIT, Lean, Object, write_words

Action = Callable[..., Object]


def _unexpected(*_arguments: Object) -> Object:
    raise RuntimeError("Lean ran a captured action on its own")


class Closure:
    """A Lean closure that calls `self.action` with owned arguments and hands its owned result back to Lean.

    It must be called on the thread that made it, never by Lean's own threads. It lives for ever: a reference count
    of zero means that Lean neither counts nor frees it.
    """

    def __init__(self, lean: Lean, arity: int, action: Action = _unexpected) -> None:
        self.action: Action = action
        self.error: BaseException | None = None
        self._lean = lean
        # PYFUNCTYPE: the interpreter's lock is held already, since calls into Lean do not release it.
        prototype = ctypes.PYFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * arity)
        self._function = prototype(self._call)
        address = ctypes.cast(self._function, ctypes.c_void_p).value or 0
        self._memory = ctypes.create_string_buffer(32)
        start = ctypes.addressof(self._memory) + 7 & ~7
        write_words(start, [TAG_CLOSURE << 56 | 24 << 32, address, arity])
        self.object: Object = start

    def _call(self, *arguments: Object) -> Object:
        try:
            return self.action(*arguments)
        except BaseException as error:  # noqa: BLE001 - it must not unwind through compiled code: raised behind the call
            self.error = error
            return self._lean.ctor(0, UNIT)

    def run(self, action: Action, call: Callable[[Object], Object]) -> Object:
        """`call` Lean with this closure's object, which runs `action`; give back what `call` did."""
        self.action, outer = action, self.action
        try:
            result = call(self.object)
        finally:
            self.action = outer
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return result
