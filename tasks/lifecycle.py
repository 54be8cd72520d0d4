"""A worker's start and end: the REPL pool is warm before the first message is taken, and gone before the process is."""

import asyncio
import functools
import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from celery import bootsteps
from celery.concurrency.thread import TaskPool
from celery.worker import state as celery_state

from producer.errors import BrokerUnavailableError, LeanFleetError
from producer.quorum import SCHEMES as AMQP_SCHEMES
from producer.requirements import Level, check_brokers
from producer.settings import load_section, load_settings
from producer.tracing import set_up
from tasks.metrics import MetricsServer
from tasks.redelivery.drain import Drain
from tasks.redelivery.quorum import QuorumChannel
from tasks.redelivery.settings import RedeliverySettings
from tasks.redelivery.transport import LeaseChannel
from tasks.reporting import MachineSettings, Reporter
from tasks.requirements import installed_packages, judge_packages
from tasks.runtime import Runtime, set_current_runtime
from workers.metrics import WorkerCollector
from workers.preemption import Watcher
from workers.settings import WorkerSettings

logger = logging.getLogger(__name__)

# Documented in docs/redelivery.md: what a worker's exit code means to whoever restarts it.
EXIT_CANNOT_START = 2
NOTICE_AGAIN_SECONDS = 5.0
# An order to drain has no deadline; so long states may be stored meanwhile.
KEEPSAKE_SECONDS = 60.0
# A scrape that waits longer says that the loop does not answer, well within Prometheus' usual ten seconds.
SAMPLE_SECONDS = 3.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Operations(bootsteps.StartStopStep):
    """Between Celery's threads and its consumer: started after the first and before the second, ended the other way.

    So at the end no message arrives any more, while threads can still acknowledge what they finish.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self._runtime: Runtime | None = None
        self._metrics: MetricsServer | None = None
        self._drain: Drain | None = None
        self._redelivery = RedeliverySettings()
        self._ordered_to_drain = False

    def start(self, worker: Any) -> None:
        try:
            _check_pool(worker)
            set_up("leanfleet-worker")
            _check_requirements()
            self._redelivery = load_section("redelivery", RedeliverySettings)
            self._runtime = _open_runtime(self._redelivery)
            self._metrics = self._serve_metrics(worker, self._runtime)
            reporter = self._reporter(worker, self._runtime)
            self._runtime.report_with(reporter)
            self._watch_for_notices(self._runtime, reporter, load_section("machine", MachineSettings))
            self._runtime.start()
        except LeanFleetError as error:
            logger.critical("cannot start: %s", error)
            self._close()
            sys.exit(EXIT_CANNOT_START)
        set_current_runtime(self._runtime)
        self._drain = Drain(
            pause=functools.partial(_pause, worker),
            release=self._runtime.release,
            save=self._runtime.store_keepsakes,
        )
        self._install_signals()
        logger.info("warm: %r", self._runtime)

    def stop(self, worker: Any) -> None:  # noqa: ARG002 - Celery's signature
        if self._drain is not None and self._runtime is not None:
            if not self._drain.begun:
                # Celery was told to stop by another way than a signal, by remote control say.
                self._drain.begin("stop", self._redelivery.grace_seconds)
            self._drain.wait_begun()
            self._runtime.wait_idle()
            self._drain.cancel()
        self._close()

    def terminate(self, worker: Any) -> None:  # noqa: ARG002 - as above
        self._close()

    def _close(self) -> None:
        try:
            if self._runtime is not None:
                self._runtime.close()
        finally:
            if self._metrics is not None:
                self._metrics.close()
        # The runtime stays the current one: a thread of the pool that asks for it only now is to hear that the worker
        # ends, and hands its delivery back.

    def _serve_metrics(self, worker: Any, runtime: Runtime) -> MetricsServer:
        settings = load_section("worker", WorkerSettings)
        collector = WorkerCollector(
            runtime.tally,
            lambda: runtime.sample(SAMPLE_SECONDS),
            worker=worker.hostname,
            queue=load_settings().queue,
        )
        return MetricsServer(collector, address=settings.metrics_address, port=settings.metrics_port)

    def _reporter(self, worker: Any, runtime: Runtime) -> Reporter:
        def draining() -> bool:
            return self._ordered_to_drain or (self._drain is not None and self._drain.begun)

        def drain() -> None:
            """No deadline, unlike a notice: the machine stays until this worker holds nothing."""
            if not self._ordered_to_drain:
                logger.warning("ordered to drain: no more work is taken, what runs is finished")
                runtime.store_keepsakes(KEEPSAKE_SECONDS)
            self._ordered_to_drain = True
            if not _pause(worker):
                # Only our own channel can stop taking and go on acknowledging; others end within the grace instead.
                os.kill(os.getpid(), signal.SIGTERM)

        return Reporter(
            queue=load_settings().queue,
            worker=worker.hostname,
            machine=load_section("machine", MachineSettings).name,
            slots=load_section("worker", WorkerSettings).repls,
            meter=runtime.meter,
            tally=runtime.tally,
            engine=runtime.look,
            metrics_url=self._metrics.url if self._metrics is not None else "",
            started=lambda: runtime.started,
            draining=draining,
            held=lambda: _held(worker) + runtime.is_storing,
            drain=drain,
        )

    def _watch_for_notices(self, runtime: Runtime, reporter: Reporter, machine: MachineSettings) -> None:
        if not machine.provider:
            return
        watcher = Watcher(machine.provider, url=machine.metadata_url)

        async def watch() -> None:
            while True:
                notice = await watcher.wait()
                reporter.preempted = True
                if self._drain is not None:
                    self._drain.begin(notice.reason, notice.grace_seconds)
                    vars(celery_state)["should_stop"] = os.EX_OK  # what Celery's own handler of SIGTERM does
                # A likely interruption may be followed by one with a date, which leaves less time.
                await asyncio.sleep(NOTICE_AGAIN_SECONDS)

        runtime.run_beside(watch)

    def _install_signals(self) -> None:
        """The first of SIGTERM or Ctrl-C drains, the second one means now, and so does SIGQUIT."""
        celery_stops = signal.getsignal(signal.SIGTERM)
        drain, grace_seconds = self._drain, self._redelivery.grace_seconds

        def on_signal(number: int, frame: FrameType | None) -> None:
            if drain is not None:
                at_once = drain.begun or number == signal.SIGQUIT
                drain.begin(signal.Signals(number).name, 0.0 if at_once else grace_seconds)
            if callable(celery_stops):
                celery_stops(number, frame)

        for number in _SIGNALS:
            signal.signal(number, on_signal)


def _channel(worker: Any) -> Any:
    consumer = getattr(getattr(worker, "consumer", None), "task_consumer", None)
    return None if consumer is None else consumer.channel


def _pause(worker: Any) -> bool:
    """Take no more messages. Called from a signal handler, at any time of the consumer's life.

    Says whether this kind of channel goes on acknowledging while it is paused; one that is not there yet does.
    """
    channel = _channel(worker)
    if channel is not None:
        if isinstance(channel, QuorumChannel):
            # Not here: the signal may have interrupted the thread that holds the connection's lock.
            threading.Thread(target=_pause_quorum, args=(channel,), name="pause", daemon=True).start()
        else:
            channel.paused = True
    return channel is None or isinstance(channel, (LeaseChannel, QuorumChannel))


def _pause_quorum(channel: QuorumChannel) -> None:
    try:
        channel.pause()
    except Exception as error:  # noqa: BLE001 - py-amqp's and the socket's: there is no connection to take from
        logger.debug("nothing is taken any more, since the connection is gone: %r", error)


def _held(worker: Any) -> int:
    """How many deliveries are taken and not acknowledged."""
    channel = _channel(worker)
    if isinstance(channel, LeaseChannel):
        return len(channel.leased_tags)
    if isinstance(channel, QuorumChannel):
        return len(channel.held)
    return len(celery_state.reserved_requests)


def _check_pool(worker: Any) -> None:
    if not issubclass(worker.pool_cls, TaskPool):
        raise LeanFleetError(
            "leanfleet's workers wait for REPL processes on one event loop and in threads: "
            "leave out -P, or say -P threads"
        )


def _check_requirements() -> None:
    """Log what is doubtful, and raise LeanFleetError for what would lose operations.

    A broker that is away is neither: the worker waits for it.
    """
    findings = judge_packages(installed_packages())
    try:
        settings = load_settings()
        findings += asyncio.run(check_brokers(settings))
        if urlsplit(settings.broker_url).scheme in AMQP_SCHEMES:
            from tasks.rabbitmq import check_rabbit  # noqa: PLC0415 - an extra, and for this alone

            findings += check_rabbit(settings.broker_url, queue=settings.queue)
    except BrokerUnavailableError as error:
        logger.warning("%s; waiting for it", error)
    for finding in findings:
        if finding.level is Level.WARNING:
            logger.warning("%s: %s: %s", finding.subject, finding.found, finding.advice)
    if wrong := [finding for finding in findings if finding.level is Level.ERROR]:
        raise LeanFleetError("; ".join(f"{each.subject}: {each.found}: {each.advice}" for each in wrong))


def _open_runtime(redelivery: RedeliverySettings) -> Runtime:
    # Needed by workers alone; whoever only sends tasks need not load it.
    from tasks.engine import open_engine  # noqa: PLC0415

    settings = load_settings()
    worker = load_section("worker", WorkerSettings)
    return Runtime(
        functools.partial(open_engine, settings, worker),
        reply_url=settings.reply_url,
        queue=settings.queue,
        redelivery=redelivery,
        counts_returns=urlsplit(settings.broker_url).scheme in AMQP_SCHEMES,
        ends_leases=settings.reply_url == settings.broker_url,
    )
