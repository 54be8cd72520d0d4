"""All of it together: what `leanfleet up`, the demo and `leanfleet check` without a broker start and stop."""

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Self

import msgspec
import redis

from producer.settings import DEFAULT_FILE, PREFIX, Settings
from tasks.stack.errors import StackError
from tasks.stack.flower import Flower
from tasks.stack.machine import Machine
from tasks.stack.process import LocalProcess, stop_together
from tasks.stack.seaweed import Seaweed
from tasks.stack.valkey import Valkey
from workers.scratch import LOCK, delete_abandoned
from workers.telemetry import drain_key

# A local worker has nobody to hand its work to: what has not finished by then is not waited for.
_GRACE_SECONDS = 2.0
_LOOK_SECONDS = 0.5
_PREFIX = "leanfleet-fleet-"
CONFIG = f"{PREFIX}CONFIG"
log = logging.getLogger("leanfleet.fleet")


class FleetOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Ports that are None are chosen. `directory` None is a temporary one, gone at the end."""

    machines: int = 2
    repls: int = 0  # on each machine; 0: as the settings say
    s3: bool = True  # else states are stored in a folder
    flower: bool = True
    broker_port: int | None = None
    store_port: int | None = None
    flower_port: int | None = None
    directory: Path | None = None


class Fleet:
    """Use it in a `with`: inside everything runs and is ready, after it everything is stopped."""

    def __init__(self, settings: Settings, options: FleetOptions) -> None:
        """`settings` are those that would hold otherwise: limits and queue are kept, addresses are replaced.

        Nothing is started here, but programs and ports are looked for.

        Raises:
            StackError: a program is missing, or a port that was asked for is in use.
        """
        self._options = options
        self._exits = ExitStack()
        self.directory = options.directory or _temporary_directory()
        try:
            self._exits.enter_context(_locked(self.directory))
            self.valkey = Valkey(self.directory / "valkey", port=options.broker_port)
            self.seaweed = Seaweed(self.directory / "seaweed", port=options.store_port) if options.s3 else None
            self.settings = msgspec.structs.replace(
                settings,
                broker_url=self.valkey.url,
                result_url="",
                store_url=self.seaweed.store_url if self.seaweed else (self.directory / "states").as_uri(),
                store_endpoint_url=self.seaweed.endpoint_url if self.seaweed else "",
            )
            environ = {
                # Workers alone know it: whoever has this key can have them load what he likes.
                f"{PREFIX}WORKER_BLOB_KEYS": secrets.token_urlsafe(32),
                **os.environ,
                **self.environ,
                f"{PREFIX}REDELIVERY_GRACE_SECONDS": str(_GRACE_SECONDS),
                **_settings_file(),
            }
            logs = self.directory / "logs"
            logs.mkdir(parents=True, exist_ok=True)
            self.machines = [
                Machine(f"machine{n}", directory=logs, environ=environ, repls=options.repls, events=options.flower)
                for n in range(1, options.machines + 1)
            ]
            self.flower = Flower(directory=logs, environ=environ, port=options.flower_port) if options.flower else None
        except OSError as error:
            self._exits.close()
            self._remove_directory()
            raise StackError(f"cannot use the folder {self.directory}: {error.strerror}") from error
        except BaseException:
            self._exits.close()
            self._remove_directory()
            raise

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which another process uses this fleet."""
        return {
            f"{PREFIX}BROKER_URL": self.settings.broker_url,
            f"{PREFIX}RESULT_URL": "",
            f"{PREFIX}STORE_URL": self.settings.store_url,
            f"{PREFIX}STORE_ENDPOINT_URL": self.settings.store_endpoint_url,
            f"{PREFIX}QUEUE": self.settings.queue,
            **(self.seaweed.environ if self.seaweed else {}),
        }

    @property
    def processes(self) -> list[LocalProcess]:
        """In the order in which they are started."""
        optional = [each for each in (self.seaweed, self.flower) if each is not None]
        return [self.valkey, *optional, *self.machines]

    def _forget_drains(self, machines: Iterable[Machine]) -> None:
        """Where the broker's data is kept, so are orders to drain, and they name machines that were there before."""
        with redis.Redis.from_url(self.valkey.url) as client:
            for machine in machines:
                client.delete(drain_key(machine.id))

    def __enter__(self) -> Self:
        """Raise StackError when a part does not come up; what did is stopped then, and the logs are kept."""
        self._exits.callback(self._remove_directory)
        self._exits.callback(self._stop)
        try:
            self.valkey.start()
            if self.seaweed is not None:
                self.seaweed.start()
            self.valkey.wait_ready()
            self._forget_drains(self.machines)
            for process in self.processes:
                if not process.running:
                    process.start()
            for process in self.processes:
                process.wait_ready()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._exits.close()

    def tend(self) -> None:
        """Replace workers that ended, as a cloud replaces machines that vanished. To be called again and again.

        Raises:
            StackError: another part ended, or a worker does not last.
        """
        for process in self.processes:
            if process.running:
                continue
            if not isinstance(process, Machine) or not process.is_worth_replacing:
                raise StackError(f"{process.name} ended (exit code {process.exit_code}):\n{process.log_tail()}")
            log.warning(
                "%s ended (exit code %s) and is replaced; what it held is run again", process.name, process.exit_code
            )
            process.kill()  # whatever is left of its group
            with contextlib.suppress(redis.RedisError):  # a broker that ended is met at the next look
                self._forget_drains([process])
            process.start()

    def _stop(self) -> None:
        # Workers first, so that none meets a broker that is gone. An interrupt in between makes it quick, not partial.
        try:
            stop_together(self.machines, grace_seconds=_GRACE_SECONDS + 3.0)
            stop_together([each for each in (self.flower, self.seaweed, self.valkey) if each is not None])
        finally:
            for process in reversed(self.processes):
                process.kill()

    def _remove_directory(self) -> None:
        if self._options.directory is None:
            shutil.rmtree(self.directory, ignore_errors=True)


def _temporary_directory() -> Path:
    """A new one; those of fleets whose process was killed are deleted."""
    parent = Path(tempfile.gettempdir())
    delete_abandoned(_PREFIX, parent)
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))


def _settings_file() -> dict[str, str]:
    """Workers run in a folder of their own, and the settings file of this one holds for them too."""
    file = Path(os.environ.get(CONFIG) or DEFAULT_FILE).absolute()
    return {CONFIG: str(file)} if os.environ.get(CONFIG) or file.is_file() else {}


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Raise StackError when another fleet runs in that folder: two servers on the same files ruin them."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"{directory} is in use by another `leanfleet up`: stop that one, or name another folder"
            ) from None
        yield


@contextmanager
def local_fleet(settings: Settings) -> Iterator[Settings]:
    """The least that checks proofs: a broker, a folder for states and one worker. Gives the settings that lead to it.

    Raises:
        StackError: a program is missing, or a part did not come up, or ended while the block ran.
    """
    options = FleetOptions(machines=1, s3=False, flower=False)
    with interruptible(), Fleet(settings, options) as fleet, tended(fleet):
        yield fleet.settings


@contextmanager
def tended(fleet: Fleet) -> Iterator[None]:
    """A thread tends the fleet while the block runs; what it cannot mend ends the block in the main thread.

    Whoever waits for answers of a fleet that lost its broker would else wait for ever. A replaced worker is a child of
    that thread and killed with its end (see `guard`): what it has not answered by then is not waited for.

    Raises:
        StackError: as `Fleet.tend`.
    """
    failures: list[StackError] = []
    left = threading.Event()

    def watch() -> None:
        while not left.wait(_LOOK_SECONDS):
            try:
                fleet.tend()
            except StackError as error:
                failures.append(error)
                if not left.is_set():
                    os.kill(os.getpid(), signal.SIGINT)  # as by Ctrl-C
                return

    thread = threading.Thread(target=watch, name="leanfleet-watch", daemon=True)
    thread.start()
    try:
        yield
    except KeyboardInterrupt:
        if not failures:
            raise
        raise failures[0] from None
    finally:
        left.set()
        thread.join()


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP (a closed terminal) end the block as Ctrl-C does, so that all that was started is stopped.

    Does nothing outside the main thread, which alone may handle signals.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script's `leanfleet up &` begins so
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def exported(fleet: Fleet) -> Iterator[None]:
    """This process's environment leads to `fleet` inside the block: S3 clients look nowhere else for credentials."""
    before = {name: os.environ.get(name) for name in fleet.environ}
    os.environ.update(fleet.environ)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
