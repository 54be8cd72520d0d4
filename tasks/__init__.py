"""The Celery side: the app, the tasks, redelivery, and the local stack that runs all of it on one computer."""
