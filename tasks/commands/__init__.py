"""The commands of `leanfleet` that need Celery or start servers, each in a module of its name."""
