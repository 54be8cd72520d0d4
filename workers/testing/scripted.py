"""A small program that speaks the community REPL's protocol, knows no Lean and does as it is told.

For tests of supervision: a real process that hangs, dies, floods or lies at a chosen moment.

`workers.testing.project.scripted_project` runs it. It imports nothing of ours, and so starts in 30 ms.

In a command or tactic each `sorry` is a hole, a line `error …` is an error of Lean's, and these lines are obeyed:

    %sleep S          answer after S seconds
    %hang             never answer
    %exit N           end with status N
    %signal N         kill itself by signal N
    %stderr BYTES     write so much to standard error
    %allocate BYTES   hold so much memory
    %fork             start a child that holds the output open and outlives it, and print its pid as a message
    %junk TEXT        answer TEXT instead of a reply
    %unasked          send a second reply, that nobody asked for
    %later            send a second reply as soon as the next request has come, before the true one
    %mute             close the output and live on
    %big BYTES        answer with a message of so many characters
    %endless          write for ever, without the end of a reply
    %chunks N         write this reply N bytes at a time
    %say TEXT         answer with a message
    %environ          answer with the process's environment variables as a message

Options: `--import-seconds S` (each import takes that long), `--fail-starts FILE` (while FILE exists it dies at its
start), `--version 4.N` (as that release of the community REPL: before 4.10 its replies stay in the C library's buffer,
before 4.19 nothing is said of a proof's status). Headers may import `Init`, `Std`, `Lean`, `Mathlib`, `Aesop` and what
is below them. Modules whose names begin with `Hang` or `Die` do so when imported; others are unknown.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]

# The minor versions since which the community REPL does so.
_FLUSHES = 10
_TELLS_PROOF_STATUS = 19

_FORGED = json.dumps({"env": 0})
_MODULES = ("Init", "Std", "Lean", "Mathlib", "Aesop")


class Scripted:
    def __init__(self, arguments: list[str]) -> None:
        options = dict(zip(arguments[::2], arguments[1::2], strict=True))
        self.import_seconds = float(options.get("--import-seconds", "0"))
        self.minor = int(options.get("--version", "4.33").partition(".")[2])
        self.environments: list[str] = []  # the commands that led to each
        self.proof_states: list[list[str]] = []  # the goals of each
        self.ballast: list[bytearray] = []
        self.chunk = 0
        self.forges_now = self.forges_later = False
        if (flag := options.get("--fail-starts")) and Path(flag).exists():
            sys.exit(f"told to fail by {flag}")

    def run(self) -> None:
        for line in sys.stdin.buffer:
            if line == b"\n":
                sys.exit("Could not parse JSON: an empty request")
            try:
                request = json.loads(line)
            except ValueError as error:
                sys.exit(f"Could not parse JSON: {error}")
            if sys.stdin.buffer.readline() not in (b"\n", b""):
                sys.exit("the blank line after a request is missing")
            if self.forges_later:
                self.write(_FORGED)
                self.forges_later = False
            self.answer(self.handle(request))

    def answer(self, reply: Json | str | None) -> None:
        if reply is not None:
            self.write(reply if isinstance(reply, str) else json.dumps(reply, ensure_ascii=False, indent=1))
        if self.forges_now:
            self.write(_FORGED)
        self.chunk, self.forges_now = 0, False

    def write(self, text: str) -> None:
        data = text.encode() + b"\n\n"
        if self.minor < _FLUSHES:
            c_library = ctypes.CDLL(None)
            c_library.fwrite(data, 1, len(data), ctypes.c_void_p.in_dll(c_library, "stdout"))
            return
        step = self.chunk or len(data)
        for start in range(0, len(data), step):
            sys.stdout.buffer.write(data[start : start + step])
            sys.stdout.buffer.flush()

    # In the order in which the community REPL tries them.

    def handle(self, request: Json) -> Json | str | None:
        if "tactic" in request:
            return self.tactic(request["proofState"], request["tactic"])
        if "pickleTo" in request:
            return self.pickle(request)
        if "unpickleEnvFrom" in request:
            content = self.unpickle(request["unpickleEnvFrom"])
            return {"env": self.new_environment(content["environment"])}
        if "unpickleProofStateFrom" in request:
            content = self.unpickle(request["unpickleProofStateFrom"])
            return self.proof_state(content["goals"])
        if "cmd" in request:
            return self.command(request["cmd"], request.get("env"))
        return sys.exit("Could not parse JSON: an unknown shape")

    def command(self, code: str, env: int | None) -> Json | str | None:
        if env is not None and env >= len(self.environments):
            return {"message": "Unknown environment."}
        messages: list[Json] = []
        if env is None:
            messages += self.imports(code)
        instead = self.obey(code, messages)
        if instead is not None:
            return instead or None
        sorries = []
        for number, text in enumerate(code.split("\n"), start=1):
            column = text.find("sorry")
            while column >= 0:
                goal = _goal(code)
                place = {
                    "pos": {"line": number, "column": column},
                    "endPos": {"line": number, "column": column + len("sorry")},
                }
                sorries.append({"proofState": self.new_proof_state([goal]), "goal": goal, **place})
                column = text.find("sorry", column + 1)
        if sorries:
            messages.append(_message("warning", "declaration uses `sorry`"))
        before = "" if env is None else self.environments[env]
        reply: Json = {"env": self.new_environment(f"{before}\n{code}")}
        if messages:
            reply["messages"] = messages
        if sorries:
            reply["sorries"] = sorries
        return reply

    def imports(self, code: str) -> list[Json]:
        modules = [words[1] for line in code.split("\n") if (words := line.split())[:1] == ["import"]]
        time.sleep(self.import_seconds)
        for module in modules:
            if module.startswith("Die"):
                sys.exit(f"failed to map {module}")
            if module.startswith("Hang"):
                time.sleep(3600)
            if module.split(".")[0] not in _MODULES:
                return [_message("error", f"unknown module prefix '{module}'")]
        return []

    def tactic(self, number: int, text: str) -> Json | str | None:  # noqa: PLR0911 - a table of answers
        if number >= len(self.proof_states):
            return {"message": "Unknown proof state."}
        messages: list[Json] = []
        instead = self.obey(text, messages)
        if instead is not None:
            return instead or None
        goals = self.proof_states[number]
        if any(message["severity"] == "error" for message in messages):
            return {"message": "Lean error:\n" + messages[0]["data"]}
        word = text.split(maxsplit=1)[0] if text.split() else ""
        if word in ("rfl", "trivial", "exact", "assumption", "decide", "simp"):
            return self.proof_state(goals[1:], messages)
        if word == "sorry":
            left = self.new_proof_state(goals[:1])
            reply = self.proof_state(goals[1:], messages, "Incomplete: contains sorry")
            return {"sorries": [{"proofState": left, "goal": goals[0]}], **reply}
        if word in (
            "skip",
            "constructor",
            "%say",
            "%sleep",
            "%stderr",
            "%allocate",
            "%chunks",
            "%unasked",
            "%later",
            "%fork",
        ):
            return self.proof_state(goals * 2 if word == "constructor" else goals, messages)
        return {"message": f"Lean error:\n<input>:1:1: unknown tactic {word!r}"}

    def pickle(self, request: Json) -> Json:
        if "env" in request:
            content: Json = {"environment": self.environments[request["env"]]}
            reply: Json = {"env": request["env"]}
        else:
            goals = self.proof_states[request["proofState"]]
            if any("closure" in goal for goal in goals):
                sys.stderr.write("INTERNAL PANIC: closures cannot be compacted\n")
                sys.exit(1)
            content, reply = {"goals": goals}, self.proof_state(goals)
        with Path(request["pickleTo"]).open("x", encoding="utf-8") as file:
            json.dump(content, file)
        return reply

    def unpickle(self, path: str) -> Json:
        try:
            with Path(path).open(encoding="utf-8") as file:
                content: Json = json.load(file)
        except (OSError, ValueError) as error:
            sys.exit(f"uncaught exception: {error}")
        return content

    def new_environment(self, code: str) -> int:
        self.environments.append(code)
        return len(self.environments) - 1

    def new_proof_state(self, goals: list[str]) -> int:
        self.proof_states.append(goals)
        return len(self.proof_states) - 1

    def proof_state(self, goals: list[str], messages: list[Json] | None = None, status: str = "") -> Json:
        status = status or ("Incomplete: open goals remain" if goals else "Completed")
        reply: Json = {"proofState": self.new_proof_state(goals), "goals": goals}
        if self.minor >= _TELLS_PROOF_STATUS:
            reply["proofStatus"] = status
        if messages:
            reply["messages"] = messages
        return reply

    def obey(self, code: str, messages: list[Json]) -> str | None:  # noqa: C901, PLR0912 - a table of tricks
        """Do what the text says. What to answer instead of a reply: None for a usual one, "" for nothing."""
        for line in code.split("\n"):
            word, _, argument = line.strip().partition(" ")
            match word:
                case "error":
                    messages.append(_message("error", argument))
                case "%sleep":
                    time.sleep(float(argument))
                case "%hang":
                    while True:
                        time.sleep(3600)
                case "%exit":
                    os._exit(int(argument))
                case "%signal":
                    os.kill(os.getpid(), int(argument))
                case "%stderr":
                    sys.stderr.write("x" * (int(argument) - 4) + "end\n")
                    sys.stderr.flush()
                case "%allocate":
                    ballast = bytearray(int(argument))
                    ballast[::4096] = b"x" * len(ballast[::4096])  # touched, or it would not be in memory
                    self.ballast.append(ballast)
                case "%fork":
                    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(3600)"])
                    messages.append(_message("info", str(child.pid)))
                case "%junk":
                    return argument
                case "%unasked":
                    self.forges_now = True
                case "%later":
                    self.forges_later = True
                case "%mute":
                    os.close(1)
                    while True:
                        time.sleep(3600)
                case "%big":
                    messages.append(_message("info", "x" * int(argument)))
                case "%endless":
                    while True:
                        sys.stdout.buffer.write(b"x" * 65536)
                case "%chunks":
                    self.chunk = int(argument)
                case "%say":
                    messages.append(_message("info", argument))
                case "%environ":
                    messages.append(_message("info", json.dumps(dict(os.environ))))
        return None


def _message(severity: str, data: str) -> Json:
    place = {"pos": {"line": 1, "column": 0}, "endPos": {"line": 1, "column": 1}}
    return {"severity": severity, **place, "data": data}


def _goal(code: str) -> str:
    """The statement of `theorem name : statement := …`, as a goal."""
    statement = code.partition(":=")[0].partition(" : ")[2].strip()
    return f"⊢ {statement or 'False'}"


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    Scripted(sys.argv[1:]).run()


if __name__ == "__main__":
    main()
