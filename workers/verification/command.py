"""The weak way, for REPLs whose protocol has no constants: Lean's own commands, asked where the candidate's text ran.

A text that defines syntax, elaborators or macros could answer for Lean, so such commands are forbidden, as is all that
runs programs while Lean elaborates. They are found by reading the text, not by parsing it: what looks like one is one.
The statement is compared as Lean prints it with nothing left out, and its own definitions must begin the proof line by
line. docs/verdicts.md names what this cannot withstand.
"""

import re
from collections.abc import Iterator
from itertools import chain

from producer.header import split_header
from producer.judgement import Strength
from producer.operation import VerifyProof
from producer.result import AuditedTheorem
from producer.theorems import comment_end, find_theorems
from producer.verdict import Audit
from workers.pool import WarmREPL
from workers.protocol.requests import Command
from workers.protocol.responses import CommandResponse, ErrorResponse
from workers.states.restorer import Limits
from workers.verification.axioms import question, read_answer
from workers.verification.errors import StatementError
from workers.verification.goals import elaborated, wanted_theorem
from workers.verification.pools import CleanPools

# Before and after a word, what Lean takes for a part of it; of Lean's letters no more than ASCII's, since what is not
# one of them (`x⁻¹macro`) ends a word, too. A dot before it is a field's.
_BEFORE, _AFTER = r"(?<![A-Za-z0-9_])(?<![^\s\d(\[{,.]\.)", r"(?![A-Za-z0-9_'])"
_FORBIDDEN = re.compile(
    rf"{_BEFORE}(?:"
    r"macro(?:_rules)?|syntax|declare_syntax_cat|notation3?|infix[lr]?|prefix|postfix|elab(?:_rules)?|(?:builtin_)?"
    r"initialize|run_cmd|run_elab|run_meta|run_tac|by_elab|\w*simprocs?(?:_\w+)?|#eval!?|#html|unsafe|implemented_by|"
    r"extern|export|csimp|native_decide|local\s+instance|attribute|debug\.\w+|import|#exit|"
    r"(?:open|namespace)(?:\s+[\w.'(),→]+)*?\s+Lean|set_option\s+pp|unification_hint|unif_hint|"
    r"(?:builtin_)?(?:command|term|tactic)_(?:elab|parser)|\w*[dD]elab(?:orator)?|app_unexpander"
    rf"){_AFTER}"
    r"|@\[[^\]]*\b(?:init|tactic|norm_num|positivity)\b"
    r"|(?<![A-Za-z0-9_])(?:Lean\.\w+|CommandElabM|MetaM|TacticM|CoreM)"
)
# Commands of which more than one word decides, as they begin; between their words may be comments.
_BEGINS = re.compile(rf"{_BEFORE}(?:open|namespace|local|set_option){_AFTER}|@\[")
_PART = re.compile(r"[\w.'!?]+|[(),→]")
_ATTRIBUTE_PART = re.compile(r"[\w.'!?]+|[^\s\]]")
_GAP = re.compile(r"\s+|--[^\n]*")
# What ends without a blank: a word that follows at once is one of its own (`1macro`, `p.1macro`, `'a'macro`).
_LITERAL = re.compile(
    r"(?<![A-Za-z_'])(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?)(?=[A-Za-z#@])"
    r"|'(?:\\[^'\n]+|[^\\'\n])'(?=\w)"
)
_THEOREM = re.compile(r"\b(?:theorem|lemma)\b")
_BLANK = " \t\r\n"
_MODIFIERS = re.compile(r"\s*(?:(?:@\[[^\]\n]*\]|private|protected|noncomputable|nonrec)\s*)*")
# What can only be the beginning of another command; anything else might go on with the one before.
_COMMAND = re.compile(
    r"(?:theorem|lemma|def|abbrev|instance|structure|inductive|class|example|axiom|opaque|namespace|section|end|open|"
    r"variable|universe|set_option|private|protected|noncomputable|mutual)(?![\w'])|@\[|#(?:check|print|reduce|synth|guard_msgs)(?![\w'])"
)
# Every argument, level and coercion is printed, and numbers as what they are.
_PRINTED = (
    "set_option pp.all true in\nset_option pp.maxSteps 10000000 in\nset_option pp.deepTerms true in\n#check @_root_.{}"
)


def forbidden_commands(text: str) -> Iterator[str]:
    """Commands behind a text's imports, by which a candidate could change what Lean says of it; each once."""
    body = split_header(text).body
    found: dict[str, None] = {}
    # A name means the same with guillemets around a part of it (`set_option «debug».skipKernelTC true`), and they end
    # a word. Of what a view makes up beside that, nothing but a refusal can come.
    for view in dict.fromkeys(
        (body, re.sub("[«»]", "", body), re.sub("[«»]", " ", body), _LITERAL.sub(r"\g<0> ", body))
    ):
        commands = (_without_comments(view, start) for start in _BEGINS.finditer(view))
        for each in chain(_FORBIDDEN.finditer(view), *map(_FORBIDDEN.finditer, commands)):
            words = re.sub("[«»]", " ", each[0]).split()
            found[f"@[{words[-1].removeprefix('@[')}" if words[0].startswith("@[") else " ".join(words)] = None
    yield from found


def _without_comments(code: str, start: re.Match[str]) -> str:
    """A command's first words, one blank between each: read from its beginning, where nothing else is open."""
    words, at = [start[0]], start.end()
    part = _ATTRIBUTE_PART if start[0] == "@[" else _PART
    while at < len(code):
        if code.startswith("/-", at):
            at = comment_end(code, at + 2)
        elif (gap := _GAP.match(code, at)) is not None:
            at = gap.end()
        elif (word := part.match(code, at)) is not None:
            words.append(word[0])
            at = word.end()
        else:
            break
    return " ".join(words)


def own_definitions(statement: str) -> list[str]:
    """The lines of a statement before its last theorem: those that a proof must begin with.

    Raises:
        StatementError: the theorem does not begin on a line of its own.
    """
    body = split_header(statement).body
    starts = [found.start() for found in _THEOREM.finditer(body)]
    before, _, modifiers = body[: starts[-1] if starts else 0].rpartition("\n")
    if not _MODIFIERS.fullmatch(modifiers):
        raise StatementError("the statement's theorem must begin on a line of its own, for this worker's REPL")
    return _lines(before)


def begins_with(proof: str, definitions: list[str]) -> bool:
    """Whether a proof has exactly these lines first, and then a new command."""
    lines = _lines(split_header(proof).body)
    if not definitions:
        return True
    if lines[: len(definitions)] != definitions:
        return False
    rest = "\n".join(lines[len(definitions) :])
    if rest.startswith("/--"):
        # It may document another constructor of the statement's last type.
        rest = rest[comment_end(rest, len("/--")) :].lstrip(_BLANK)
    return not rest or _COMMAND.match(rest) is not None


def _lines(text: str) -> list[str]:
    """The lines that are not empty, ended as Lean ends them: after U+2028, say, a comment goes on."""
    return [stripped for line in text.split("\n") if (stripped := line.rstrip(_BLANK))]


class CommandExaminer:
    """Examines proofs with commands that every REPL has."""

    strength = Strength.COMMAND

    def __init__(self, pools: CleanPools) -> None:
        self._pools = pools

    async def goal(self, operation: VerifyProof, header: str) -> tuple[str, str] | None:
        """The theorem's name and its type as Lean prints it; None where no statement was given.

        Raises:
            StatementError: the statement has errors, or declares no such theorem.
            ReplError: its process broke a limit or ended.
        """
        if not operation.statement:
            return None
        theorem = wanted_theorem(operation)
        own_definitions(operation.statement)  # before anything is run
        async with await self._pools.lease("statements", header) as repl:
            limits = Limits(timeout_seconds=operation.timeout_seconds, memory_bytes=operation.memory_bytes)
            after = await elaborated(repl, operation, limits)
            printed = await self._printed(repl, after.environment, theorem, limits)
        if printed is None:
            raise StatementError(f"the statement does not declare {theorem}")
        return theorem, printed

    async def collect(
        self,
        repl: WarmREPL,
        after: CommandResponse,
        operation: VerifyProof,
        goal: tuple[str, str] | None,
        limits: Limits,
    ) -> Audit:
        """What Lean says of the proof's theorems, where it was run. Raises ReplError."""
        names = find_theorems(operation.proof) if goal is None else (goal[0],)
        if not names:
            return Audit()
        if goal is not None:
            if not begins_with(operation.proof, own_definitions(operation.statement)):
                return Audit(mismatch="the proof does not begin with the statement's own definitions")
            printed = await self._printed(repl, after.environment, goal[0], limits)
            if printed is None:
                return Audit(theorems=(AuditedTheorem(name=goal[0]),))
            if printed != goal[1]:
                return Audit(mismatch=f"{goal[0]} proves something else than the statement")
        asked = names if goal is None else [f"_root_.{name}" for name in names]  # whatever else is open by now
        response = await self._ask(repl, after.environment, question(asked), limits)
        if isinstance(response, ErrorResponse):
            return Audit(rejected="Lean does not say which axioms the proof rests on")
        found = read_answer(names, response.messages)
        declared = set(find_theorems(operation.proof))
        theorems = []
        for name in names:
            axioms = found.get(name)
            kind = "" if axioms is None else "theorem" if name in declared else "constant"
            theorems.append(AuditedTheorem(name=name, kind=kind, axioms=axioms or ()))
        return Audit(theorems=tuple(theorems))

    async def audit(
        self,
        case: Audit,
        operation: VerifyProof,  # noqa: ARG002 - as `KernelExaminer.audit`
        goal: tuple[str, str] | None,  # noqa: ARG002
        header: str,  # noqa: ARG002
    ) -> Audit:
        """All has been asked by now."""
        return case

    async def _printed(self, repl: WarmREPL, environment: int, theorem: str, limits: Limits) -> str | None:
        response = await self._ask(repl, environment, _PRINTED.format(theorem), limits)
        if isinstance(response, ErrorResponse) or response.errors:
            return None
        said = [message.data for message in response.messages if message.severity == "info"]
        return said[0] if len(said) == 1 else None

    async def _ask(
        self, repl: WarmREPL, environment: int, code: str, limits: Limits
    ) -> CommandResponse | ErrorResponse:
        return await repl.send(
            Command(code=code, environment=environment),
            timeout_seconds=limits.remaining_seconds(),
            memory_bytes=limits.memory_bytes,
        )
