"""What a machine runs: REPL processes, warm pools, restoring states, preemption. Nothing here knows of Celery."""
