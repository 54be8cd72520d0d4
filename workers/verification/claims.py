"""Statements for REPLs without constants: what is to be proved as Lean prints it, and whether Lean reads that back.

A statement is elaborated where nothing else than statements is, and printed where nothing is elaborated but what was
printed. In training the same statement comes with many proofs, so it is remembered.
"""

import hashlib
import secrets
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from producer.operation import DEFAULT_ALLOWED_AXIOMS, VerifyProof
from producer.theorems import read
from workers.embedded.audit import KERNELS_OWN
from workers.embedded.table import written
from workers.lru import LRU
from workers.pool import WarmREPL
from workers.protocol.requests import Command
from workers.protocol.responses import CommandResponse, ErrorResponse
from workers.states.restorer import Limits
from workers.verification import printed
from workers.verification.definitions import own_definitions
from workers.verification.errors import StatementError
from workers.verification.goals import elaborated, wanted_theorem
from workers.verification.pickles import UnusablePickleError, loaded, taken
from workers.verification.pools import CleanPools

# A pickle is loaded with all of its imports, which may take longer than the operation may.
IMPORT_SECONDS = 60.0

_REMEMBERED = 4096
_REMEMBERED_CHARACTERS = 256 * 1024  # a longer one is elaborated again
# Definitions of definitions, and names that are looked at in one step: beyond, the lines of the text must do.
_MOST_STEPS = 8
_MOST_NAMES = 1000


class Claim(NamedTuple):
    """What is to be proved.

    `definitions` are those of the statement's own that its type rests on, each with what `#print` says in full. Where
    `is_read_back`, Lean has taken the printed type for the statement's, by its kernel.
    """

    theorem: str
    signature: printed.Signature
    is_read_back: bool
    definitions: tuple[tuple[str, str], ...]


class Scope(NamedTuple):
    """A section around a text, under a name that the text cannot know, so that it cannot end it."""

    environment: int
    name: str


async def ask(repl: WarmREPL, environment: int | None, code: str, limits: Limits) -> CommandResponse | ErrorResponse:
    return await repl.send(
        Command(code=code, environment=environment),
        timeout_seconds=limits.remaining_seconds(),
        memory_bytes=limits.memory_bytes,
    )


async def answers(
    repl: WarmREPL, environment: int | None, names: list[str], code: str, limits: Limits
) -> dict[str, str]:
    """What Lean says to a line for each name, where it says no error. Raises ReplError."""
    response = await ask(repl, environment, code, limits)
    return {} if isinstance(response, ErrorResponse) else printed.answers(names, response)


async def opened(repl: WarmREPL, environment: int | None, limits: Limits) -> Scope:
    """A section for a text. Raises ReplError."""
    name = f"leanfleet_{secrets.token_hex(16)}"
    response = await ask(repl, environment, f"section {name}", limits)
    if isinstance(response, ErrorResponse) or response.errors:
        raise StatementError("this worker's REPL opens no section around a text")
    return Scope(response.environment, name)


async def closed(repl: WarmREPL, environment: int, text: str, scope: Scope, limits: Limits) -> int | None:
    """The environment behind a text when all that it left open is closed; None where it cannot be. Raises ReplError."""
    left = [*read(text).open_scopes, scope.name]
    response = await ask(repl, environment, "\n".join(f"end {name}" for name in left), limits)
    return None if isinstance(response, ErrorResponse) or response.errors else response.environment


async def in_full(repl: WarmREPL, environment: int, limits: Limits) -> int:
    """The same environment, printing everything. Raises ReplError, StatementError."""
    response = await ask(repl, environment, printed.IN_FULL, limits)
    if isinstance(response, ErrorResponse) or response.errors:
        raise StatementError("this worker's REPL does not print everything")
    return response.environment


class Claims:
    """The claims of statements, remembered."""

    def __init__(self, pools: CleanPools, *, max_pickle_bytes: int) -> None:
        self._pools = pools
        self._max_pickle_bytes = max_pickle_bytes
        self._known: LRU[bytes, Claim] = LRU(_REMEMBERED)
        self._without: LRU[str, tuple[str, ...]] = LRU(_REMEMBERED)

    async def claim(self, operation: VerifyProof, header: str) -> Claim:
        """What a statement claims.

        Raises:
            StatementError: it has errors, declares no such theorem, or cannot be carried to another process.
            ReplError: a process broke a limit or ended.
        """
        asked = msgspec.json.encode((header, operation.statement, operation.theorem, operation.allowed_axioms))
        key = hashlib.sha256(asked).digest()
        claim = self._known.get(key)
        if claim is None:
            claim = await self._claim(operation, header)
            size = len(claim.signature.type) + sum(len(text) for _, text in claim.definitions)
            if size <= _REMEMBERED_CHARACTERS:
                self._known[key] = claim
        return claim

    async def kernels_own(self, header: str, operation: VerifyProof) -> tuple[str, ...]:
        """The names that the kernel gives a meaning of its own and the header none: nobody may declare them.

        The library of a whole toolchain declares them all. Raises ReplError, and what entering a lease raises.
        """
        names = self._without.get(header)
        if names is None:
            unknown = await self.unknown_to(header, map(written, sorted(KERNELS_OWN)), operation)
            names = self._without[header] = tuple(sorted(unknown))
        return names

    async def unknown_to(self, header: str, names: Iterable[str], operation: VerifyProof) -> set[str]:
        """Of these names those that the header does not declare. Raises ReplError, and what entering a lease raises."""
        wanted = list(names)
        if not wanted:
            return set()
        async with await self._pools.lease("statements", header) as repl:
            limits = Limits(timeout_seconds=operation.timeout_seconds, memory_bytes=operation.memory_bytes)
            return set(wanted) - set(await answers(repl, repl.environment, wanted, printed.check(wanted), limits))

    async def _claim(self, operation: VerifyProof, header: str) -> Claim:
        theorem = wanted_theorem(operation)
        own_definitions(operation.statement)  # before anything is run
        async with await self._pools.lease("statements", header) as repl:
            limits = Limits(timeout_seconds=operation.timeout_seconds, memory_bytes=operation.memory_bytes)
            scope = await opened(repl, repl.environment, limits)
            after = await elaborated(repl, operation, limits, environment=scope.environment)
            end = await closed(repl, after.environment, operation.statement, scope, limits)
            if end is None:
                raise StatementError("the statement leaves a namespace or section open: end it")
            full = await in_full(repl, end, limits)
            check = printed.check([theorem])
            if (said := (await answers(repl, full, [theorem], check, limits)).get(theorem)) is None:
                raise StatementError(f"the statement does not declare {theorem}")
            axioms = [axiom for axiom in operation.allowed_axioms if axiom not in DEFAULT_ALLOWED_AXIOMS]
            own = await _own_names(repl, full, [*printed.names_in(said), *axioms], limits)
            try:
                pickle = await taken(repl, end, limits, limit_bytes=self._max_pickle_bytes)
            except UnusablePickleError as error:
                raise StatementError(f"the statement cannot be pickled: {error}") from error
        return await self._printed(operation, theorem, [name for name in own if name != theorem], pickle)

    async def _printed(self, operation: VerifyProof, theorem: str, own: list[str], pickle: bytes) -> Claim:
        """The claim as it is printed by a process that has elaborated nothing."""
        async with await self._pools.lease("audits", "") as repl:
            seconds = operation.timeout_seconds + IMPORT_SECONDS
            limits = Limits(timeout_seconds=seconds, memory_bytes=operation.memory_bytes)
            try:
                plain = await loaded(repl, pickle, limits)
            except UnusablePickleError as error:
                raise StatementError(f"the statement's pickle cannot be loaded: {error}") from error
            full = await in_full(repl, plain, limits)
            said = await answers(repl, full, [theorem], printed.check([theorem]), limits)
            signature = printed.signature(said.get(theorem, ""))
            kinds = await answers(repl, plain, [theorem], printed.definitions([theorem]), limits)
            if signature is None or printed.kind(kinds.get(theorem, "")) != "theorem":
                raise StatementError(f"{theorem} is no theorem in the statement")
            definitions = await answers(repl, full, own, printed.definitions(own), limits)
            name = f"leanfleet_{secrets.token_hex(16)}"
            compared = await ask(repl, plain, printed.comparison(name, theorem, signature), limits)
        return Claim(
            theorem=theorem,
            signature=signature,
            is_read_back=not isinstance(compared, ErrorResponse) and not compared.errors,
            definitions=tuple(definitions.items()),
        )


async def _own_names(repl: WarmREPL, environment: int, names: list[str], limits: Limits) -> list[str]:
    """What `names` rest on, themselves included, as far as the header does not declare it. Raises ReplError."""
    own: list[str] = []
    seen: set[str] = set()
    for _ in range(_MOST_STEPS):
        new = [name for name in dict.fromkeys(names) if name not in seen][:_MOST_NAMES]
        if not new:
            break
        seen.update(new)
        known = await answers(repl, repl.environment, new, printed.check(new), limits)
        unknown = [name for name in new if name not in known]
        found = await answers(repl, environment, unknown, printed.definitions(unknown), limits)
        own += found
        names = [name for text in found.values() for name in printed.names_in(text)]
    return own
