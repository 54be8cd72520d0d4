"""A small program that speaks Pantograph's protocol and knows no Lean: its proofs are lists of goals.

`goal.start` and each `sorry` in a text make a state with one goal. Tactics: `split` makes two of the first goal, `done`
and `rfl` close it, `sorry` closes it with a sorry, `skip` does nothing, `bad` does not parse, anything else fails.
`%exit` as a tactic ends the process, `%hang` in a text is never answered. States are saved as JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Failure(Exception):  # noqa: N818 - it is a reply
    def __init__(self, kind: str, description: str) -> None:
        super().__init__(description)
        self.reply = {"error": kind, "desc": description}


class Peer:
    def __init__(self, modules: list[str]) -> None:
        self.modules = modules
        self.states: list[list[str]] = []

    def run(self) -> None:
        self.say("ready.")
        for line in sys.stdin:
            if not line.strip():
                return  # an empty command ends it
            try:
                request = json.loads(line)
                handler = getattr(self, request["cmd"].replace(".", "_"))
                self.say(json.dumps(handler(request["payload"]), ensure_ascii=False))
            except (AttributeError, ValueError, KeyError) as error:
                self.say(json.dumps({"error": "command", "desc": str(error)}))
            except Failure as failure:
                self.say(json.dumps(failure.reply))

    def say(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def add(self, goals: list[str]) -> int:
        self.states.append(goals)
        return len(self.states) - 1

    def state(self, number: int) -> list[str]:
        if not 0 <= number < len(self.states):
            raise Failure("index", f"Invalid state index {number}")
        return self.states[number]

    def options_set(self, _payload: Json) -> Json:
        return {}

    def goal_start(self, payload: Json) -> Json:
        return {"stateId": self.add([payload["expr"]]), "root": "_uniq.1"}

    def goal_tactic(self, payload: Json) -> Json:
        first, *rest = self.state(payload["stateId"]) or [""]
        has_sorry = False
        match payload["tactic"]:
            case "split":
                goals = [f"{first}.left", f"{first}.right", *rest]
            case "done" | "rfl" | "sorry" as tactic:
                goals, has_sorry = rest, tactic == "sorry"
            case "skip":
                goals = [first, *rest]
            case "bad":
                return {"parseError": "<input>:1:0: expected tactic", "hasSorry": False, "hasUnsafe": False}
            case "%exit":
                sys.exit("told to")
            case tactic:
                return {"messages": [self.message(f"tactic '{tactic}' failed")], "hasSorry": False, "hasUnsafe": False}
        return {
            "nextStateId": self.add(goals),
            "goals": [self.goal(goal) for goal in goals],
            "messages": [],
            "hasSorry": has_sorry,
            "hasUnsafe": False,
        }

    def goal_save(self, payload: Json) -> Json:
        Path(payload["path"]).write_text(json.dumps(self.state(payload["id"])), "utf-8")
        return {}

    def goal_load(self, payload: Json) -> Json:
        try:
            return {"id": self.add(json.loads(Path(payload["path"]).read_text("utf-8")))}
        except (OSError, ValueError) as error:
            sys.exit(f"cannot load: {error}")

    def env_save(self, payload: Json) -> Json:
        Path(payload["path"]).write_text(json.dumps(self.modules), "utf-8")
        return {}

    def env_load(self, payload: Json) -> Json:
        self.modules = json.loads(Path(payload["path"]).read_text("utf-8"))
        return {}

    def frontend_process(self, payload: Json) -> Json:
        code = payload["file"]
        if "%hang" in code:
            time.sleep(3600)
        unit: Json = {"boundary": [0, len(code.encode())], "messages": []}
        if "error" in code:
            unit["messages"].append(self.message("unknown identifier 'error'"))
        if (at := code.encode().find(b"sorry")) >= 0:
            unit["messages"].append(self.message("declaration uses 'sorry'", "warning"))
            goal = code.partition(" : ")[2].partition(" :=")[0]
            unit |= {"goalStateId": self.add([goal]), "goals": [self.goal(goal)], "goalSrcBoundaries": [[at, at + 5]]}
        return {"units": [unit]}

    @staticmethod
    def goal(text: str) -> Json:
        return {"name": "_uniq.2", "fragment": "tactic", "target": {"pp": text}, "vars": []}

    @staticmethod
    def message(text: str, severity: str = "error") -> Json:
        return {
            "fileName": "<anonymous>",
            "pos": {"line": 1, "column": 0},
            "endPos": None,
            "keepFullRange": False,
            "severity": severity,
            "caption": "",
            "data": text,
            "kind": "[anonymous]",
        }


if __name__ == "__main__":
    Peer(sys.argv[1:]).run()
