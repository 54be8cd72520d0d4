"""Methods that block, made of those that do not: so what a verb takes and gives is said in one place."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")


class Blocking(ABC, Generic[A]):
    """Stands for an `A` whose coroutines run on an event loop in another thread."""

    @abstractmethod
    def _target(self) -> A:
        """The one that it stands for."""

    @abstractmethod
    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on that loop, and wait for what it gives."""


def blocking(verb: Callable[Concatenate[A, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Blocking[A], P], T]:
    """The method of a `Blocking` that calls the coroutine method `verb`, and waits for it."""

    @functools.wraps(verb)
    def method(self: Blocking[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._wait(verb(self._target(), *args, **kwargs))

    return method
