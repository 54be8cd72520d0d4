"""What every REPL must do behind its adapter.

The scripted ones prove nothing about Lean; that one agrees with a real Lean here makes it fit to stand in for one
elsewhere. What a protocol cannot do is refused in words, before anything is sent.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from producer.errors import HeaderError, InvalidInputError, ReplDiedError, ReplTimeoutError
from tests.integration.pool.processes import LONG_SECONDS, SOON_SECONDS, exists, start
from workers.outcomes import tactic_result
from workers.process import AsyncLeanREPLProcess
from workers.project import LeanProject
from workers.protocol import get_adapter
from workers.protocol.pantograph import StartGoal
from workers.protocol.requests import (
    Command,
    PickleEnvironment,
    PickleProofState,
    Request,
    Tactic,
    UnpickleEnvironment,
    UnpickleProofState,
)
from workers.protocol.responses import CommandResponse, ErrorResponse, TacticResponse
from workers.testing.project import scripted_pantograph, scripted_project

# For a real Lean, and for those that only do as they are told.
ENDLESS = "/-\n%hang\n-/\nexample : True := by\n  repeat (first | skip)"


@dataclass(frozen=True, kw_only=True)
class Repl:
    """A process that has imported a header."""

    process: AsyncLeanREPLProcess
    project: LeanProject
    environment: int

    @property
    def keeps_environments(self) -> bool:
        """Whether commands lead to an environment that one can go on from."""
        return self.project.adapter != "pantograph"

    async def command(self, code: str, environment: int | None = None) -> CommandResponse:
        response = await self.ask(
            Command(code=code, environment=self.environment if environment is None else environment)
        )
        assert isinstance(response, CommandResponse), response
        return response

    async def tactic(self, tactic: str, proof_state: int) -> TacticResponse:
        response = await self.ask(Tactic(tactic=tactic, proof_state=proof_state))
        assert isinstance(response, TacticResponse), response
        return response

    async def completes(self, tactic: str, proof_state: int) -> bool:
        response = await self.tactic(tactic, proof_state)
        return tactic_result(response, lean_seconds=0.0, tactics=(tactic,)).is_complete

    async def goals(self, loaded: TacticResponse) -> tuple[str, ...]:
        """The goals of a state that was just loaded."""
        if get_adapter(self.project.adapter).tells_loaded_goals:
            return loaded.goals
        return (await self.tactic("skip", loaded.proof_state)).goals

    async def hole(self, statement: str) -> int:
        """A proof state whose goal is the statement."""
        response = await self.command(f"theorem hole : {statement} := by sorry")
        assert len(response.sorries) == 1
        number = response.sorries[0].proof_state
        assert number is not None
        return number

    async def ask(self, request: Request[Any]) -> object:
        response: object = await self.process.send(request, timeout_seconds=LONG_SECONDS)
        return response


@asynccontextmanager
async def open_repl(project: LeanProject, header: str = "") -> AsyncIterator[Repl]:
    async with start(project) as process:
        request = get_adapter(project.adapter).import_header(header)
        assert request is not None
        response = await process.send(request, timeout_seconds=LONG_SECONDS)
        assert isinstance(response, CommandResponse), response
        assert not response.errors
        yield Repl(process=process, project=project, environment=response.environment)
    assert not exists(process.pid)


@pytest.fixture
async def repl(project: LeanProject) -> AsyncIterator[Repl]:
    async with open_repl(project) as opened:
        yield opened


def imports_by_command_line(project: LeanProject) -> bool:
    return project.adapter == "pantograph"


async def test_a_header_that_names_a_module_gives_an_environment_to_work_in(project: LeanProject) -> None:
    if imports_by_command_line(project):
        with pytest.raises(HeaderError, match="name the modules in repl_command"):
            get_adapter(project.adapter).import_header("import Init")
        return
    async with open_repl(project, "import Init") as repl:
        assert not (await repl.command("theorem a : 1 = 1 := rfl")).messages


async def test_a_module_that_is_not_there_is_an_error_of_leans_and_no_death(project: LeanProject) -> None:
    if imports_by_command_line(project):
        with pytest.raises(HeaderError, match="NoSuchModule"):
            get_adapter(project.adapter).import_header("import NoSuchModule")
        return
    async with start(project) as process:
        request = get_adapter(project.adapter).import_header("import NoSuchModule")
        assert request is not None
        response = await process.send(request, timeout_seconds=LONG_SECONDS)
        text = response.message if isinstance(response, ErrorResponse) else response.errors[0].data
        assert "NoSuchModule" in text
        assert process.is_alive


async def test_a_command_gives_a_new_environment_and_leaves_the_old_one(repl: Repl) -> None:
    first = await repl.command("theorem a : 1 = 1 := rfl")
    if not repl.keeps_environments:
        with pytest.raises(InvalidInputError, match="definitions together"):
            await repl.command("theorem b : 2 = 2 := rfl", first.environment)
        assert not (await repl.command("theorem a : 1 = 1 := rfl")).messages
        return
    second = await repl.command("theorem b : 2 = 2 := rfl", first.environment)
    again = await repl.command("theorem a : 1 = 1 := rfl")  # in the first one nothing is called so yet
    assert len({repl.environment, first.environment, second.environment, again.environment}) == 4
    assert not again.messages


async def test_an_error_of_leans_is_a_message_with_a_position(repl: Repl) -> None:
    response = await repl.command("error no such command")
    assert response.errors
    assert response.errors[0].pos is not None


async def test_a_hole_has_its_goal_and_its_place(repl: Repl) -> None:
    response = await repl.command("theorem a : 1 = 1 := by sorry")
    assert [sorry.goal for sorry in response.sorries] == ["⊢ 1 = 1"]
    position = response.sorries[0].pos
    assert position is not None
    assert (position.line, position.column) == (1, 24)
    assert [message.severity for message in response.messages] == ["warning"]


async def test_a_tactic_that_closes_the_last_goal_completes_the_proof(repl: Repl) -> None:
    hole = await repl.hole("1 = 1")
    assert not await repl.completes("skip", hole)
    assert await repl.completes("rfl", hole)
    assert (await repl.tactic("rfl", hole)).goals == ()


async def test_a_proof_state_can_be_gone_on_from_as_often_as_one_likes(repl: Repl) -> None:
    hole = await repl.hole("1 = 1")
    first, second = await repl.tactic("skip", hole), await repl.tactic("skip", hole)
    assert first.goals == second.goals == ("⊢ 1 = 1",)
    assert len({hole, first.proof_state, second.proof_state}) == 3
    assert await repl.completes("rfl", second.proof_state)


async def test_a_tactic_that_does_not_exist_fails_and_the_state_is_still_good(repl: Repl) -> None:
    hole = await repl.hole("1 = 1")
    response = await repl.ask(Tactic(tactic="no_such_tactic", proof_state=hole))
    assert isinstance(response, ErrorResponse) or (isinstance(response, TacticResponse) and response.errors)
    assert await repl.completes("rfl", hole)


async def test_a_hole_that_a_tactic_leaves_is_said_so(repl: Repl) -> None:
    response = await repl.tactic("sorry", await repl.hole("1 = 1"))
    result = tactic_result(response, lean_seconds=0.0, tactics=("sorry",))
    assert result.goals == ()
    assert result.proof_status == "Incomplete: contains sorry"


async def test_what_the_repl_does_not_know_is_an_error_and_no_death(repl: Repl) -> None:
    unknown_environment = Command(code="", environment=9999)
    for request in (unknown_environment, Tactic(tactic="rfl", proof_state=9999)):
        if request is unknown_environment and not repl.keeps_environments:
            continue  # refused without being asked
        response = await repl.ask(request)
        assert isinstance(response, ErrorResponse)
        assert response.is_unknown_state
    await repl.command("theorem a : 1 = 1 := rfl")


async def test_a_proof_state_travels_to_another_process(repl: Repl, tmp_path: Path) -> None:
    path = tmp_path / "state.olean"
    hole = await repl.hole("1 = 1")
    await repl.ask(PickleProofState(proof_state=hole, path=path))
    async with open_repl(repl.project) as other:
        response = await other.ask(UnpickleProofState(path=path, environment=other.environment))
        assert isinstance(response, TacticResponse)
        assert await other.goals(response) == ("⊢ 1 = 1",)
        assert await other.completes("rfl", response.proof_state)


async def test_an_environment_travels_to_another_process(repl: Repl, tmp_path: Path) -> None:
    path = tmp_path / "environment.olean"
    environment = (await repl.command("theorem a : 1 = 1 := rfl")).environment
    if not repl.keeps_environments:
        with pytest.raises(InvalidInputError, match="keeps no environment"):
            await repl.ask(PickleEnvironment(environment=environment, path=path))
        environment = repl.environment
    await repl.ask(PickleEnvironment(environment=environment, path=path))
    async with open_repl(repl.project) as other:
        response = await other.ask(UnpickleEnvironment(path=path))
        assert isinstance(response, CommandResponse)
        assert not (await other.command("theorem b : 1 = 1 := rfl", response.environment)).messages


async def test_a_bad_pickle_is_an_error_or_a_death_and_never_a_hang(repl: Repl, tmp_path: Path) -> None:
    path = tmp_path / "bad.olean"
    path.write_bytes(b"olean, they said")
    try:
        response = await repl.ask(UnpickleProofState(path=path, environment=repl.environment))
    except ReplDiedError:
        assert not repl.process.is_alive
    else:
        assert isinstance(response, ErrorResponse)
        assert repl.process.is_alive


async def test_a_long_text_and_letters_beyond_ascii_arrive_as_they_are(repl: Repl) -> None:
    response = await repl.command("/- " + "∀ε>0 " * 100_000 + "-/\ntheorem a : 1 = 1 := by sorry")
    assert response.sorries[0].goal == "⊢ 1 = 1"
    position = response.sorries[0].pos
    assert position is not None
    assert position.line == 2


async def test_what_never_ends_is_ended(repl: Repl) -> None:
    with pytest.raises(ReplTimeoutError):
        await repl.process.send(Command(code=ENDLESS, environment=repl.environment), timeout_seconds=SOON_SECONDS)
    await repl.process.wait_closed()
    assert not exists(repl.process.pid)


async def test_a_goal_can_be_started_without_a_declaration_where_the_protocol_has_it() -> None:
    async with open_repl(scripted_pantograph()) as repl:
        started = await repl.ask(StartGoal(expression="1 = 1"))
        assert isinstance(started, TacticResponse)
        assert await repl.goals(started) == ("⊢ 1 = 1",)
        assert await repl.completes("rfl", started.proof_state)


async def test_without_help_the_replies_of_the_oldest_release_never_arrive() -> None:
    async with start(scripted_project("--version", "4.9")) as process:
        with pytest.raises(ReplTimeoutError):
            await process.send(Command(code=""), timeout_seconds=SOON_SECONDS)
