"""Celery's own command line for this app: `python -P -m tasks inspect active`, `… flower`, and whatever else it has.

Unlike `celery -A tasks` it does not put the working directory on the path, where another `tasks` may be.
"""

import sys

from tasks.celery import app

if __name__ == "__main__":
    sys.exit(app.start(sys.argv[1:]))
