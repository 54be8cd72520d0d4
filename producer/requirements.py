"""What broker and store must be for nothing to get lost, checked when a worker starts and by `leanfleet doctor`.

Judging is pure: over the facts that a server tells of itself.
"""

import enum
from typing import Any
from urllib.parse import urlsplit

import msgspec
from redis.asyncio import Redis

from producer.connection import broker_errors, open_redis
from producer.settings import REDIS_SCHEMES, Settings, without_password

# BLMOVE and LMOVE: https://valkey.io/commands/blmove/
_OLDEST_SERVER = (6, 2)


class Level(enum.StrEnum):
    FINE = "fine"
    WARNING = "warning"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`advice` says what to do; empty where all is fine."""

    level: Level
    subject: str
    found: str
    advice: str = ""


class ServerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What INFO says of a Redis or Valkey."""

    product: str
    version: tuple[int, ...]
    role: str = "master"
    maxmemory_bytes: int = 0
    maxmemory_policy: str = ""
    append_only: bool = False
    snapshots: bool = False
    is_cluster: bool = False


async def read_facts(redis: Redis) -> ServerFacts:
    """Ask the server about itself. Raises what redis-py raises."""
    info: dict[str, Any] = await redis.info()
    return ServerFacts(
        product="Valkey" if "valkey_version" in info else "Redis",
        version=parse_version(str(info.get("valkey_version") or info.get("redis_version") or "0")),
        role=str(info.get("role", "master")),
        maxmemory_bytes=int(info.get("maxmemory", 0)),
        maxmemory_policy=str(info.get("maxmemory_policy", "")),
        append_only=bool(info.get("aof_enabled")),
        is_cluster=bool(info.get("cluster_enabled")),
        # A server that snapshots counts what changed since the last one, and has made one at some time.
        snapshots=int(info.get("rdb_last_save_time", 0)) > int(info.get("server_start_time", 0) or 0)
        or int(info.get("rdb_saves", 0)) > 0,
    )


def parse_version(text: str) -> tuple[int, ...]:
    """The leading numbers of a version."""
    numbers = []
    for part in text.split("."):
        digits = "".join(character for character in part if character.isdigit())
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers) or (0,)


def judge_server(facts: ServerFacts) -> list[Finding]:
    """What is right and wrong with a Redis or Valkey as a broker."""
    name = f"{facts.product} {'.'.join(map(str, facts.version))}"
    findings = [Finding(level=Level.FINE, subject="broker", found=name)]
    if facts.product == "Redis" and facts.version < _OLDEST_SERVER:
        findings = [
            Finding(
                level=Level.ERROR,
                subject="broker",
                found=name,
                advice="messages are handed over by BLMOVE: use Valkey, or Redis 6.2 or newer",
            )
        ]
    if facts.role not in ("master", "primary"):
        findings.append(
            Finding(
                level=Level.ERROR,
                subject="broker role",
                found=facts.role,
                advice="a replica takes no writes: name the primary, or use sentinel://…?master_name=…",
            )
        )
    if facts.is_cluster:
        findings.append(
            Finding(
                level=Level.ERROR,
                subject="broker mode",
                found="cluster",
                advice="scripts touch several keys of a queue at once: use one without cluster mode",
            )
        )
    findings.append(_judge_eviction(facts))
    if facts.append_only:
        findings.append(Finding(level=Level.FINE, subject="persistence", found="append-only file"))
    else:
        findings.append(
            Finding(
                level=Level.WARNING,
                subject="persistence",
                found="snapshots at most" if facts.snapshots else "none",
                advice="the queue is lost, or old, after a restart of the broker: set appendonly yes",
            )
        )
    return findings


def _judge_eviction(facts: ServerFacts) -> Finding:
    policy = facts.maxmemory_policy or "unknown"
    if policy == "noeviction":
        return Finding(level=Level.FINE, subject="maxmemory-policy", found=policy)
    limited = facts.maxmemory_bytes > 0
    return Finding(
        level=Level.ERROR if limited and policy != "unknown" else Level.WARNING,
        subject="maxmemory-policy",
        found=policy + ("" if limited else ", no maxmemory is set"),
        advice="a full broker would throw queued operations away: set maxmemory-policy noeviction",
    )


async def check_server(url: str) -> list[Finding]:
    """Reach a Redis or Valkey and judge it.

    Raises:
        BrokerUnavailableError: it cannot be reached.
        SettingsError: the URL is wrong.
    """
    redis = open_redis(url)
    try:
        with broker_errors(url):
            facts = await read_facts(redis)
    finally:
        await redis.aclose()
    first, *others = judge_server(facts)
    return [msgspec.structs.replace(first, found=f"{first.found} at {without_password(url)}"), *others]


async def check_brokers(settings: Settings) -> list[Finding]:
    """Judge what carries operations and replies, as far as these are Redis or Valkey; raises as `check_server` does."""
    findings = []
    for name, url in {"broker": settings.broker_url, "replies": settings.reply_url}.items():
        if urlsplit(url).scheme in REDIS_SCHEMES and (name == "broker" or url != settings.broker_url):
            findings += [
                each if name == "broker" else msgspec.structs.replace(each, subject=f"{name}: {each.subject}")
                for each in await check_server(url)
            ]
    return findings
