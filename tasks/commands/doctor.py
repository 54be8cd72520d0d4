"""`leanfleet doctor`: what is found, what is missing, and how to get it."""

import asyncio
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from producer.commands.doctor import AsJson, examine_store, examine_tracing, look, misspelt, no_broker, tell
from producer.errors import LeanFleetError
from producer.judgement import Strength
from producer.operation import RunCode
from producer.requirements import Finding, Level, check_brokers
from producer.settings import REDIS_SCHEMES, Settings, load_section, load_settings
from tasks.redelivery.settings import RedeliverySettings
from tasks.reporting import MachineSettings
from tasks.requirements import installed_packages, judge_packages
from tasks.stack.binaries import find_seaweed, find_valkey
from workers.settings import WorkerSettings
from workers.states.signing import Signer

_TRIAL = RunCode(code="theorem leanfleet_doctor : True := True.intro", timeout_seconds=60)


def doctor(*, as_json: AsJson = False) -> None:
    """Look at everything that a fleet needs, from here.

    Packages, broker, store, Lean, what keeps REPLs apart, the port of the metrics, and the controller's provider.

    Exit codes: 0 nothing is missing (there may be warnings); 1 something is.
    """
    tell(asyncio.run(examine()), as_json=as_json)


async def examine() -> list[Finding]:
    """All findings, each part looked at for itself: what is wrong with one hides nothing of the others."""
    findings = judge_packages(installed_packages())
    try:
        settings = load_settings()
        worker = load_section("worker", WorkerSettings)
        load_section("redelivery", RedeliverySettings)
        load_section("machine", MachineSettings)
    except LeanFleetError as error:
        return [*findings, Finding(level=Level.ERROR, subject="settings", found="wrong", advice=error.message)]
    findings += misspelt(_kinds())
    findings += await look("broker", lambda: _broker(settings))
    findings += await look("traces", examine_tracing)
    findings += await look("store", lambda: examine_store(settings))
    if settings.store_url:
        findings += await look("signing key", lambda: _signing_key(worker))
    lean = await look("Lean", lambda: _lean(settings, worker))
    findings += lean
    if not any(finding.level is Level.ERROR for finding in lean):  # else all that follow say the same
        findings += await look("isolation", lambda: _isolation(worker))
        findings += await look("verdicts", lambda: _verdicts(worker))
        findings += await look("process images", lambda: _images(worker))
    findings.append(_metrics(worker))
    if settings.broker_url:
        findings += await look("scaling", lambda: _scaling(settings))
    findings += [_program("local broker", find_valkey), _program("local store", find_seaweed)]
    return findings


def _kinds() -> dict[str, type[msgspec.Struct]]:
    """The struct that each table of the settings fills; "" is the top level."""
    from workers.scaling.policy import PolicySettings  # noqa: PLC0415 - loads boto3
    from workers.scaling.settings import AutoscaleSettings  # noqa: PLC0415 - as above

    return {
        "": Settings,
        "worker": WorkerSettings,
        "machine": MachineSettings,
        "redelivery": RedeliverySettings,
        "autoscale": AutoscaleSettings,
        "policy": PolicySettings,
    }


async def _broker(settings: Settings) -> list[Finding]:
    if not settings.broker_url:
        return [no_broker()]
    findings = await check_brokers(settings)
    if urlsplit(settings.broker_url).scheme not in REDIS_SCHEMES:
        findings += await asyncio.to_thread(_rabbitmq, settings)
    return findings


def _rabbitmq(settings: Settings) -> list[Finding]:
    from tasks.rabbitmq import check_rabbit  # noqa: PLC0415 - for this alone

    return check_rabbit(settings.broker_url, queue=settings.queue)


async def _signing_key(worker: WorkerSettings) -> list[Finding]:
    keys = Signer(worker.blob_keys).fingerprints
    if not keys:
        advice = "workers neither store nor load pickled states: set LEANFLEET_WORKER_BLOB_KEYS on all of them"
        return [Finding(level=Level.WARNING, subject="signing key", found="none is configured", advice=advice)]
    rest = f"; {', '.join(keys[1:])} accepted too" if keys[1:] else ""
    found = f"signs with {keys[0]}{rest} (every worker must accept it)"
    return [Finding(level=Level.FINE, subject="signing key", found=found)]


async def _lean(settings: Settings, worker: WorkerSettings) -> list[Finding]:
    from tasks.engine import open_engine  # noqa: PLC0415 - loads all of the pool

    what = worker.repl_command or "the embedded Lean (core library only, no Mathlib)"
    without_store = msgspec.structs.replace(settings, store_url="")
    async with open_engine(without_store, msgspec.structs.replace(worker, size=1, spares=0)) as engine:
        started = time.monotonic()
        result = await engine.execute(_TRIAL)
        took = (time.monotonic() - started) * 1000
    if result.ok:
        return [Finding(level=Level.FINE, subject="Lean", found=f"{what}: proves True in {took:.0f} ms")]
    return [
        Finding(
            level=Level.ERROR, subject="Lean", found=f"{what}: {result.outcome}", advice=result.reason or "see above"
        )
    ]


async def _scaling(settings: Settings) -> list[Finding]:
    from workers.scaling.examination import examine_scaling  # noqa: PLC0415 - loads boto3

    return await examine_scaling(settings)


async def _isolation(worker: WorkerSettings) -> list[Finding]:
    from workers.isolation.opening import open_fence  # noqa: PLC0415 - as above
    from workers.project import open_project  # noqa: PLC0415 - as above

    project = await asyncio.to_thread(open_project, worker)
    fence = await asyncio.to_thread(open_fence, worker, project)
    kept = [guard.name for guard in fence.guards if guard.holds]
    found = f"{len(kept)} of {len(fence.guards)} promises are kept: {', '.join(kept)}"
    findings = [Finding(level=Level.FINE, subject="isolation of REPLs", found=found)]
    for reason in dict.fromkeys(guard.flaw for guard in fence.flaws):
        names = ", ".join(guard.name for guard in fence.flaws if guard.flaw == reason)
        advice = f"not enforced, since {reason}; see docs/security.md"
        findings.append(Finding(level=Level.WARNING, subject="isolation of REPLs lacks", found=names, advice=advice))
    return findings


async def _verdicts(worker: WorkerSettings) -> list[Finding]:
    from workers.project import open_project  # noqa: PLC0415 - as above
    from workers.verification.verifier import Verifier  # noqa: PLC0415 - as above

    strength = Verifier(await asyncio.to_thread(open_project, worker), worker).strength
    if strength is Strength.COMMAND:
        advice = (
            "this REPL cannot export constants: for rewards set verify_checker and verify_command, best to Comparator; "
            "see docs/verdicts.md"
        )
        return [Finding(level=Level.WARNING, subject="verdicts", found=f"strength {strength}", advice=advice)]
    by = f", by {worker.verify_checker or worker.verify_command}" if strength is Strength.EXTERNAL else ""
    return [Finding(level=Level.FINE, subject="verdicts", found=f"strength {strength}{by}")]


async def _images(worker: WorkerSettings) -> list[Finding]:
    from workers.images.errors import ImageError  # noqa: PLC0415 - as above
    from workers.images.trial import try_images  # noqa: PLC0415 - as above
    from workers.project import open_project  # noqa: PLC0415 - as above

    project = await asyncio.to_thread(open_project, worker)
    try:
        tried = await try_images(worker, project)
    except ImageError as error:
        # An accelerator that few machines can have: no reason to warn.
        advice = f"REPLs are always started: {error.message}; see docs/images-criu.md"
        return [Finding(level=Level.FINE, subject="process images", found="not used here", advice=advice)]
    found = (
        f"CRIU {tried.criu} freezes a REPL ({tried.size_bytes / 1e6:.0f} MB) and thaws it in "
        f"{tried.thaw_seconds * 1000:.0f} ms"
    )
    return [Finding(level=Level.FINE, subject="process images", found=found)]


def _metrics(worker: WorkerSettings) -> Finding:
    from tasks.metrics import first_free  # noqa: PLC0415 - as above

    if not worker.metrics_port:
        return Finding(level=Level.FINE, subject="metrics", found="off: metrics_port is 0")
    where = f"{worker.metrics_address}:{worker.metrics_port}"
    try:
        port = first_free(worker.metrics_address, worker.metrics_port)
    except (OSError, OverflowError) as error:
        advice = f"workers do without: {error}; set metrics_address and metrics_port in [worker]"
        return Finding(level=Level.WARNING, subject="metrics", found=f"{where} cannot be had", advice=advice)
    taken = "" if port == worker.metrics_port else f" ({where} is taken)"
    return Finding(level=Level.FINE, subject="metrics", found=f"the next worker serves them at port {port}{taken}")


def _program(subject: str, find: Callable[[], object]) -> Finding:
    try:
        return Finding(level=Level.FINE, subject=subject, found=str(find()))
    except LeanFleetError as error:
        return Finding(level=Level.WARNING, subject=subject, found="not installed", advice=error.message)
