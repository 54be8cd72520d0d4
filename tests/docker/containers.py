"""The images as pytest-celery's containers."""

# pytest-celery has no types:
# mypy: disable-error-code="misc,no-any-return"

from pytest_celery import CeleryWorkerContainer, RedisContainer

from tests.docker.engine import PASSWORD


class BrokerContainer(RedisContainer):
    """`leanfleet/broker`, reached from here by a port of the loopback interface."""

    @property
    def url(self) -> str:
        return f"redis://:{PASSWORD}@{self.hostname}:6379/0"

    @property
    def host_url(self) -> str:
        return f"redis://:{PASSWORD}@127.0.0.1:{self.ports['6379/tcp'][0]}/0"

    @property
    def ready_prompt(self) -> str:
        return "Ready to accept connections"


class WorkerContainer(CeleryWorkerContainer):
    """`leanfleet/worker` as it is; it is ready when its own health check says so."""

    @property
    def ready_prompt(self) -> None:
        return None

    def ready(self) -> bool:
        return super().ready() and self.attrs["State"]["Health"]["Status"] == "healthy"
