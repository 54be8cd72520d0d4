"""The app itself. It reads its settings when they are first needed, never at import."""

from celery import Celery
from celery.signals import after_setup_logger

from tasks.config import celery_config
from tasks.logs import dress_handlers, quiet_each_task

app = Celery(
    "leanfleet",
    amqp="tasks.redelivery.connection:LeaseAMQP",
    set_as_current=False,
    include=["tasks.operations"],
)
app.add_defaults(celery_config)
app.steps["worker"].add("tasks.lifecycle:Operations")
app.steps["consumer"].add("tasks.redelivery.heartbeat:Heartbeat")
after_setup_logger.connect(quiet_each_task)
after_setup_logger.connect(dress_handlers)
