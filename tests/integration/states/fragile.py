"""A REPL that dies where it is told to: it passes everything on to a command, but exits at requests with a word.

    fragile.py WORD -- COMMAND…

The community REPL dies so at pickles that it cannot read or write; the embedded Lean is too careful to show it.
"""

import subprocess
import sys


def main() -> None:
    word, command = sys.argv[1].encode(), sys.argv[3:]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as repl:
        assert repl.stdin is not None
        for line in sys.stdin.buffer:
            if word in line:
                repl.kill()
                sys.exit("INTERNAL PANIC: closures cannot be compacted")
            repl.stdin.write(line)
            repl.stdin.flush()
        repl.stdin.close()


if __name__ == "__main__":
    main()
