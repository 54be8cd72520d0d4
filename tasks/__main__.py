"""Celery's own command line for this app: `python -P -m tasks inspect active`, `… flower`, and whatever else it has.

Unlike `celery -A tasks` it does not put the working directory on the path, where another `tasks` may be.
"""

import sys

from tasks.commandline import run_celery

if __name__ == "__main__":
    run_celery(sys.argv[1:])
