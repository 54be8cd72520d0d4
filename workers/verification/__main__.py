"""`python -m workers.verification CHECKER COMMAND…`: asks a checker that others wrote in the words that it understands.

Run by `workers.verification.external`, in the checker's project and inside of the fence that REPLs live in.
"""

import sys
from pathlib import Path

from workers.verification import comparator, leanchecker
from workers.verification.question import answer

_CHECKS = {"comparator": comparator.check, "leanchecker": leanchecker.check}


def main() -> int:
    _, checker, *command = sys.argv
    return answer(lambda question: _CHECKS[checker](question, command, Path.cwd()))


sys.exit(main())
