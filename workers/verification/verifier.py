"""Which way a worker can verify proofs, and what takes part in it beside its own pool."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from producer.errors import InvalidInputError
from producer.judgement import Strength
from producer.operation import VerifyProof
from workers.launch import Isolation, no_isolation
from workers.project import LeanProject
from workers.protocol import get_adapter
from workers.settings import WorkerSettings
from workers.verification.command import CommandExaminer
from workers.verification.external import ExternalChecker
from workers.verification.forbidden import forbidden_commands
from workers.verification.kernel import KernelExaminer
from workers.verification.pools import CleanPools

Examiner = KernelExaminer | CommandExaminer


class Verifier:
    """What an executor needs to verify proofs. Enter it before the executor, and leave it after."""

    def __init__(self, project: LeanProject, settings: WorkerSettings, *, isolation: Isolation = no_isolation) -> None:
        self._adapter = get_adapter(project.adapter)
        has_constants = self._adapter.audits_constants
        self._pools = CleanPools(project, settings, isolation=isolation, audits_apart=not has_constants)
        self.examiner: Examiner = (
            KernelExaminer(self._pools)
            if has_constants
            else CommandExaminer(self._pools, max_pickle_bytes=settings.max_pickle_bytes)
        )
        self.external = (
            ExternalChecker(settings, project, isolation=isolation) if settings.has_external_checker else None
        )
        self._stack = AsyncExitStack()

    def __repr__(self) -> str:
        return f"<Verifier, {self.examiner.strength}{' and external' if self.external else ''}, {self._pools!r}>"

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._pools)
        if self.external is not None:
            self._stack.callback(self.external.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def strength_for(self, operation: VerifyProof) -> Strength:
        """How strongly a proof will be checked.

        Raises:
            InvalidInputError: not as strongly as was asked.
        """
        if operation.strength == "kernel" and self.examiner.strength is not Strength.KERNEL:
            raise InvalidInputError(
                f"strength 'kernel' was asked for, and the {self._adapter.name} REPL cannot export constants: "
                "use 'command' or 'external'"
            )
        if operation.strength == "external" and self.external is None:
            raise InvalidInputError("strength 'external' was asked for, and this worker's verify_command is not set")
        return self.strength

    @property
    def strength(self) -> Strength:
        """How strongly proofs are checked here."""
        return self.examiner.strength if self.external is None else Strength.EXTERNAL

    def refusals(self, operation: VerifyProof) -> tuple[str, ...]:
        """Reasons not to run a proof here at all."""
        if self.examiner.strength is Strength.KERNEL:
            return ()
        return tuple(f"forbidden_command: {name}" for name in dict.fromkeys(forbidden_commands(operation.proof)))
