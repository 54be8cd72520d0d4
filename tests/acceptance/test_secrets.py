"""No secret leaves where it was put: real commands at their most talkative, with secrets that can be recognised."""

import base64
import json
import logging
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

import leanfleet
from producer.errors import BrokerUnavailableError
from producer.settings import Settings
from tasks.rights import Role, line
from tasks.stack.flower import Flower
from tasks.stack.machine import Machine
from tasks.stack.ports import HOST, free_port
from tasks.stack.process import LocalProcess
from tasks.stack.valkey import Valkey
from tests.machines import ROOT, worker_environ
from tests.waiting import DEADLINE_SECONDS, until, wait_until
from workers.states.signing import Signer

CANARIES = {
    "broker": "canary-broker-e7b1",
    "blob_keys": "canary-signing-c03d",
    "s3": "canary-store-51fa",
    "session": "canary-session-77aa",
    "flower": "canary-flower-9d24",
}
QUEUE = "secretive"


def shown(text: str) -> list[str]:
    """The secrets in a text, as they are, in base64, or without what the encoding of a URL would hide."""
    found = []
    for name, secret in CANARIES.items():
        encoded = {base64.b64encode(prefix + secret.encode())[4:-4].decode() for prefix in (b"", b"a", b"aa")}
        if secret in text or any(each in text for each in encoded):
            found.append(name)
    return found


class Stage:
    """A Valkey with a user whose password is secret, and what is run beside it."""

    def __init__(self, server: Valkey, folder: Path) -> None:
        self.server = server
        self.folder = folder
        port = urlsplit(server.url).port
        self.url = f"redis://fleet:{CANARIES['broker']}@{HOST}:{port}/0"
        self.environ = worker_environ(
            self.url,
            QUEUE,
            WORKER_BLOB_KEYS=f"{CANARIES['blob_keys']},{CANARIES['blob_keys']}-old",
            STORE_URL="s3://bucket/prefix",
            STORE_ENDPOINT_URL=f"http://{HOST}:{free_port()}",  # nobody is there: what goes wrong is what is told
            STORE_TIMEOUT_SECONDS="1",
        ) | {
            "AWS_ACCESS_KEY_ID": "AKIACANARY",
            "AWS_SECRET_ACCESS_KEY": CANARIES["s3"],
            "AWS_SESSION_TOKEN": CANARIES["session"],
            "AWS_DEFAULT_REGION": "us-east-1",
            "FLOWER_BASIC_AUTH": f"user:{CANARIES['flower']}",
            "PYTHONWARNINGS": "default",
        }

    def run(self, *arguments: str, **overrides: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "leanfleet", *arguments],
            env={**self.environ, **overrides},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return done.stdout + done.stderr

    def worker(self, name: str, **overrides: str) -> LocalProcess:
        """A worker that says all that it can."""
        command = [sys.executable, "-P", "-m", "leanfleet", "worker", f"--name={name}", "--events", "--log-level=DEBUG"]
        return LocalProcess(
            name=name,
            command=command,
            log_path=self.folder / f"{name}.log",
            environ={**self.environ, **overrides},
            directory=self.folder,
        )


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("secrets")
    with Valkey(folder / "valkey") as server:
        with redis.Redis.from_url(server.url, decode_responses=True) as admin:
            admit(admin)
        yield Stage(server, folder)


def admit(admin: redis.Redis) -> None:
    _, name, *rules = line(Role.OPERATOR, "fleet", QUEUE, CANARIES["broker"]).split()
    admin.execute_command("ACL", "SETUSER", name, *rules)  # type: ignore[no-untyped-call] # redis-py left it untyped


def fetch(url: str) -> str:
    request = urllib.request.Request(url)  # noqa: S310 - a loopback address
    credentials = base64.b64encode(f"user:{CANARIES['flower']}".encode()).decode()
    request.add_header("Authorization", f"Basic {credentials}")
    try:
        with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310 - as above
            return str(response.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        return error.read().decode(errors="replace")


def test_the_search_finds_what_it_looks_for() -> None:
    assert shown(f"x{CANARIES['s3']}y") == ["s3"]
    assert shown(base64.b64encode(f"user:{CANARIES['flower']}".encode()).decode()) == ["flower"]
    assert shown("nothing") == []


CHECK = ("check", str(ROOT / "examples" / "theorems.jsonl"))


@pytest.mark.parametrize(
    ("arguments", "broker"),
    [
        *((("doctor",), broker) for broker in ("right", "wrong password", "nobody there", "broken address", "another")),
        *((CHECK, broker) for broker in ("wrong password", "nobody there", "broken address", "another")),
        (("doctor", "--json"), "wrong password"),
        (("status",), "right"),
        (("status",), "wrong password"),
        (("dead", "list"), "wrong password"),
        (("drain", "machine1"), "nobody there"),
        (("states", "list"), "right"),
        (("batch", "list"), "right"),
    ],
)
def test_no_command_shows_a_secret_whatever_goes_wrong(stage: Stage, arguments: tuple[str, ...], broker: str) -> None:
    port = urlsplit(stage.server.url).port
    url = {
        "right": stage.url,
        "wrong password": f"redis://fleet:{CANARIES['broker']}-wrong@{HOST}:{port}/0",
        "nobody there": f"redis://fleet:{CANARIES['broker']}@{HOST}:{free_port()}/0",
        "broken address": f"redis://fleet:[{CANARIES['broker']}@{HOST}:{port}/0",
        "another": f"memcached://fleet:{CANARIES['broker']}@{HOST}:{port}/0",
    }[broker]
    said = stage.run(*arguments, LEANFLEET_BROKER_URL=url, LEANFLEET_CONNECT_ATTEMPTS="1")
    assert said
    assert shown(said) == []
    assert "Traceback" not in said


async def test_workers_flower_and_metrics_show_no_secret(stage: Stage) -> None:
    with ExitStack() as stack:
        metrics = free_port()
        worker = stage.worker("talkative", LEANFLEET_WORKER_METRICS_PORT=str(metrics))
        flower = Flower(directory=stage.folder, environ=stage.environ)
        for process in (worker, flower):
            stack.callback(process.kill)
            process.start()
        worker.wait_until(lambda: " ready." in worker.log(), timeout_seconds=DEADLINE_SECONDS)
        flower.wait_ready()
        await until(lambda: json.loads(fetch(f"{flower.url}/workers?json=1"))["data"], "Flower hears of events")
        async with leanfleet.connect(settings=Settings(broker_url=stage.url, queue=QUEUE)) as fleet:
            assert (await fleet.run_code("%say hello")).ok
            assert "canary" not in str((await fleet.run_code("%environ")).messages)
            assert not (await fleet.run_code("%exit 3")).ok
            hole = (await fleet.run_code("theorem t : True := sorry")).sorries[0].state
            assert hole is not None
            exported = await fleet.export_state(hole)
            assert exported.state is not None
            assert (exported.state.blob, "stor" in exported.reason) == (None, True)  # nobody is at the store
            assert shown(repr(fleet) + repr(fleet.settings)) == []

        def known() -> list[str]:
            return list(json.loads(fetch(f"{flower.url}/api/workers?refresh=1")))

        await until(known, "Flower knows the worker")
        [name] = known()
        await until(lambda: json.loads(fetch(f"{flower.url}/api/tasks")), "Flower knows of tasks")
        task_ids = list(json.loads(fetch(f"{flower.url}/api/tasks")))
        pages = ["/", "/workers", f"/worker/{name}", "/tasks", "/broker", "/api/workers?refresh=1", "/api/tasks"]
        pages += ["/api/queues/length", "/metrics", "/nowhere", f"/task/{task_ids[0]}", "/api/task/types"]
        for page in pages:
            assert shown(fetch(f"{flower.url}{page}")) == [], page
        assert name in fetch(f"{flower.url}/worker/{name}")
        assert shown(fetch(f"http://{HOST}:{metrics}/metrics")) == []
        assert "leanfleet" in fetch(f"http://{HOST}:{metrics}/metrics")
        worker.stop()
        flower.stop()
        assert "DEBUG" in worker.log()
        for log in (worker.log(), flower.log()):
            assert shown(log) == []


async def test_a_worker_and_a_client_that_lose_their_broker_show_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with Valkey(tmp_path / "valkey", persistent=False) as server, ExitStack() as stack:
        with redis.Redis.from_url(server.url, decode_responses=True) as admin:
            admit(admin)
        stage = Stage(server, tmp_path)
        worker = stage.worker("bereft")
        stack.callback(worker.kill)
        worker.start()
        worker.wait_until(lambda: " ready." in worker.log(), timeout_seconds=DEADLINE_SECONDS)
        async with leanfleet.connect(settings=Settings(broker_url=stage.url, queue=QUEUE)) as fleet:
            assert (await fleet.run_code("%say hello")).ok
            server.kill()
            pending = fleet.submit(leanfleet.RunCode(code="%say more"))
            await until(
                lambda: "Connection to broker lost" in worker.log() or "Traceback" in worker.log(), "it is told"
            )
            await until(lambda: "trying again" in caplog.text, "the client tries again")
            pending.cancel()
        worker.kill()
        assert shown(worker.log()) == []
        assert shown(caplog.text) == []
        with pytest.raises(BrokerUnavailableError) as caught:
            async with leanfleet.connect(settings=Settings(broker_url=stage.url, connect_attempts=1)):
                pass
        assert shown(str(caught.value) + repr(caught.value)) == []


@pytest.mark.parametrize(
    "overrides",
    [
        {"LEANFLEET_BROKER_URL": f"redis://fleet:{CANARIES['broker']}@{HOST}:1/0?ssl_cert_reqs=what"},
        {"LEANFLEET_WORKER_REPL_COMMAND": "/no/such/repl"},
        {"LEANFLEET_WORKER_ISOLATION_VARIABLES": "LEANFLEET_BROKER_URL"},
        {"LEANFLEET_WORKER_SIZE": "many"},
    ],
    ids=["address", "no such REPL", "variables", "size"],
)
def test_a_worker_that_cannot_start_shows_no_secret(stage: Stage, overrides: dict[str, str]) -> None:
    worker = stage.worker("unstarted", **overrides)
    worker.start()
    try:
        wait_until(lambda: not worker.running or "ERROR" in worker.log(), "it says why")
    finally:
        worker.kill()
    assert worker.log()
    assert shown(worker.log()) == []


def test_objects_that_hold_secrets_do_not_show_them(stage: Stage) -> None:
    machine = Machine("m", directory=stage.folder, environ=stage.environ)
    held = [Settings(broker_url=stage.url), Signer(CANARIES["blob_keys"]), machine, stage.server]
    assert shown(" ".join(repr(each) for each in held)) == []
