"""The weak way, for REPLs whose protocol has no constants: Lean's own commands, where nothing of the text is left but
its constants.

The environment that the proof's text left behind is pickled, and loaded by a REPL that has seen nothing and is used
once: what arrives there are constants, behind the same imports. There the theorem's type must be the statement's, the
statement's own definitions must be what they are in the statement, and `#print axioms` is asked.

What is written to the pickle is up to the candidate's process. So texts with commands that define syntax or run
programs are refused unrun (`forbidden`), and what lies in the pickle is what Lean elaborated. docs/verdicts.md names
what this cannot withstand.
"""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

from producer.judgement import Strength
from producer.operation import DEFAULT_ALLOWED_AXIOMS, VerifyProof
from producer.result import AuditedTheorem
from producer.theorems import read
from producer.verdict import SORRY_AXIOM, Audit
from workers.pool import WarmREPL
from workers.protocol.responses import CommandResponse, ErrorResponse
from workers.states.restorer import Limits
from workers.verification import axioms, printed
from workers.verification.claims import IMPORT_SECONDS, Claim, Claims, Scope, answers, ask, closed, in_full, opened
from workers.verification.definitions import begins_with, own_definitions
from workers.verification.pickles import UnusablePickleError, loaded, taken
from workers.verification.pools import CleanPools


class _Case(NamedTuple):
    """What the candidate's process delivered."""

    names: tuple[str, ...]
    pickle: bytes


class CommandExaminer:
    """Examines proofs with commands that every REPL has, and pickles of environments."""

    strength = Strength.COMMAND

    def __init__(self, pools: CleanPools, *, max_pickle_bytes: int) -> None:
        self._pools = pools
        self._max_pickle_bytes = max_pickle_bytes
        self._claims = Claims(pools, max_pickle_bytes=max_pickle_bytes)

    async def goal(self, operation: VerifyProof, header: str) -> Claim | None:
        """What is to be proved; None where no statement was given. Raises as `Claims.claim` does."""
        return await self._claims.claim(operation, header) if operation.statement else None

    async def opened(self, repl: WarmREPL, environment: int | None, limits: Limits) -> Scope:
        """Where the proof's text is to be run, so that what it opens can be closed. Raises ReplError."""
        return await opened(repl, environment, limits)

    async def collect(
        self,
        repl: WarmREPL,
        after: CommandResponse,
        operation: VerifyProof,
        goal: Claim | None,
        *,
        scope: Scope,
        limits: Limits,
    ) -> _Case | Audit:
        """The environment behind the proof, from the REPL that has run its text. Raises ReplError."""
        reading = read(operation.proof)
        if goal is None and not reading.is_certain:
            return Audit(rejected="its theorems' names cannot be told for a string or comment: give a statement")
        names = reading.theorems if goal is None else (goal.theorem,)
        if not names:
            return Audit()
        if goal is not None and not begins_with(operation.proof, own_definitions(operation.statement)):
            return Audit(mismatch="the proof does not begin with the statement's own definitions")
        end = await closed(repl, after.environment, operation.proof, scope, limits)
        if end is None:
            return Audit(rejected="the text leaves a namespace or section open that cannot be found: end it")
        try:
            return _Case(names, await taken(repl, end, limits, limit_bytes=self._max_pickle_bytes))
        except UnusablePickleError as error:
            return Audit(rejected=f"the proof cannot be pickled: {error}")

    async def audit(self, case: _Case | Audit, operation: VerifyProof, goal: Claim | None, header: str) -> Audit:
        """What a clean process finds. Raises ReplError, and what entering a lease raises."""
        if isinstance(case, Audit):
            return case
        kernels_own = await self._claims.kernels_own(header, operation)
        async with await self._pools.lease("audits", "") as repl:
            seconds = operation.timeout_seconds + IMPORT_SECONDS
            limits = Limits(timeout_seconds=seconds, memory_bytes=operation.memory_bytes)
            try:
                plain = await loaded(repl, case.pickle, limits)
            except UnusablePickleError as error:
                return Audit(rejected=str(error))
            examination = _Examination(repl, plain, limits)
            if declared := await examination.declared(kernels_own):
                return Audit(rejected=f"{declared[0]} has a meaning of the kernel's own, and cannot be given another")
            if goal is None:
                found = await examination.theorems(case.names)
            else:
                found = await examination.proof_of(goal)
        return await self._with_declared(found, operation, goal, header)

    async def _with_declared(self, audit: Audit, operation: VerifyProof, goal: Claim | None, header: str) -> Audit:
        """With the axioms that the candidate declared itself, of those that it may use."""
        usual = {*DEFAULT_ALLOWED_AXIOMS, SORRY_AXIOM}
        of_statement = {name for name, _ in goal.definitions} if goal is not None else set()
        used = {axiom for theorem in audit.theorems for axiom in theorem.axioms}
        own = await self._claims.unknown_to(
            header, sorted(used & set(operation.allowed_axioms) - usual - of_statement), operation
        )
        if not own:
            return audit
        return Audit(theorems=tuple(_with_declared(theorem, own) for theorem in audit.theorems))


def _with_declared(theorem: AuditedTheorem, own: set[str]) -> AuditedTheorem:
    declared = tuple(axiom for axiom in theorem.axioms if axiom in own)
    return AuditedTheorem(name=theorem.name, kind=theorem.kind, axioms=theorem.axioms, declared=declared)


class _Examination:
    """Questions about the constants in one environment."""

    def __init__(self, repl: WarmREPL, environment: int, limits: Limits) -> None:
        self._repl = repl
        self._environment = environment
        self._limits = limits

    async def declared(self, names: Sequence[str]) -> list[str]:
        """Of these names those that there are. Raises ReplError."""
        return list(await self._answers(list(names), printed.check(names))) if names else []

    async def theorems(self, names: Sequence[str]) -> Audit:
        """The theorems of these names, private or not. Raises ReplError."""
        wanted = list(names)
        said = await self._answers(wanted, "\n".join(f"#print {name}" for name in wanted))
        return await self._audit(wanted, wanted, said, self._environment)

    async def proof_of(self, goal: Claim) -> Audit:
        """Whether the goal's theorem is one, and proves it. Raises ReplError."""
        name, wanted = goal.theorem, [goal.theorem]
        full = await in_full(self._repl, self._environment, self._limits)
        said = await answers(self._repl, full, wanted, printed.check(wanted), self._limits)
        signature = printed.signature(said.get(name, ""))
        if signature is None:
            return Audit(theorems=(AuditedTheorem(name=name),))
        if mismatch := await self._redefined(goal, full):
            return Audit(mismatch=mismatch)
        if signature.level_count != goal.signature.level_count:
            return Audit(mismatch=f"{name} has other universe levels than the statement")
        kinds = await self._answers(wanted, printed.definitions(wanted))
        if printed.kind(kinds.get(name, "")) != "theorem":
            return await self._audit(wanted, [f"_root_.{name}"], kinds, self._environment)
        if goal.is_read_back:
            asked = f"leanfleet_{secrets.token_hex(16)}"
            environment = await self._restated(goal, asked)
        else:
            asked, environment = name, self._environment if signature == goal.signature else None
        if environment is None:
            return Audit(mismatch=f"{name} proves something else than the statement")
        return await self._audit(wanted, [f"_root_.{asked}"], kinds, environment)

    async def _restated(self, goal: Claim, name: str) -> int | None:
        """An environment in which the candidate's theorem has proved one of ours, which has the goal's type.

        What holds of ours is what counts. None where it does not prove it.
        """
        code = printed.comparison(name, goal.theorem, goal.signature)
        response = await ask(self._repl, self._environment, code, self._limits)
        return None if isinstance(response, ErrorResponse) or response.errors else response.environment

    async def _redefined(self, goal: Claim, full: int) -> str:
        """What is not defined as in the statement, if anything; empty otherwise."""
        own = [name for name, _ in goal.definitions]
        said = await answers(self._repl, full, own, printed.definitions(own), self._limits)
        changed = [name for name, text in goal.definitions if said.get(name) != text]
        return f"{changed[0]} is defined otherwise than in the statement" if changed else ""

    async def _audit(self, names: Sequence[str], asked: Sequence[str], said: dict[str, str], environment: int) -> Audit:
        """What is known of `names`, with the axioms of `asked`."""
        response = await ask(self._repl, environment, axioms.question(asked), self._limits)
        if isinstance(response, ErrorResponse):
            return Audit(rejected="Lean does not say which axioms the proof rests on")
        found = axioms.read_answer(names, response.messages)
        theorems = []
        for name in names:
            known = found.get(name)
            kind = "" if known is None else printed.kind(said.get(name, "")) or "constant"
            theorems.append(AuditedTheorem(name=name, kind=kind, axioms=known or ()))
        return Audit(theorems=tuple(theorems))

    async def _answers(self, names: list[str], code: str) -> dict[str, str]:
        return await answers(self._repl, self._environment, names, code, self._limits)
