"""What `leanfleet doctor` says of scaling: can this machine, with these credentials, do what its controller would?

Asks, and changes nothing.
"""

from collections.abc import Sequence

from redis.asyncio import Redis

from producer.connection import broker_errors, open_redis
from producer.requirements import Finding, Level
from producer.settings import Settings, load_section
from workers.scaling.leadership import lease_key
from workers.scaling.policy import PolicySettings
from workers.scaling.service import open_provider
from workers.scaling.settings import AutoscaleSettings
from workers.scaling.snapshot import Offer


async def examine_scaling(settings: Settings) -> list[Finding]:
    """Provider, quotas and the lease, where a controller is set up.

    Raises:
        SettingsError: [autoscale] or [policy] is wrong, or the provider has no credentials or region.
        ProviderError: the provider refuses, or a group is not there.
        BrokerUnavailableError: the server of the lease cannot be reached.
    """
    autoscale = load_section("autoscale", AutoscaleSettings)
    policy = load_section("policy", PolicySettings)
    if autoscale == AutoscaleSettings():
        return [Finding(level=Level.FINE, subject="scaling", found="no controller is set up here ([autoscale])")]
    findings = []
    if autoscale.provider == "local":
        findings.append(Finding(level=Level.FINE, subject="scaling", found="local: worker processes on this computer"))
    redis = open_redis(settings.reply_url)
    try:
        if autoscale.provider != "local":
            findings += await _provider(autoscale, policy, redis, settings.queue)
        findings.append(await _leader(redis, settings))
    finally:
        await redis.aclose()
    return findings


async def _provider(autoscale: AutoscaleSettings, policy: PolicySettings, redis: Redis, queue: str) -> list[Finding]:
    async with open_provider(autoscale, redis, queue) as provider:
        instances = await provider.instances()
        told = tuple(provider.offers)
    by_offer = ", ".join(f"{sum(each.offer == offer.name for each in instances)} {offer.name}" for offer in told)
    found = f"{autoscale.provider} answers: {len(instances)} machines ({by_offer})"
    asked = {offer.name: offer.quota for offer in autoscale.offers}
    return [Finding(level=Level.FINE, subject="scaling", found=found), *judge_quotas(asked, told, policy)]


def judge_quotas(asked: dict[str, int], told: Sequence[Offer], policy: PolicySettings) -> list[Finding]:
    """What the quotas that were set (by offer) and those that the provider told leave to the policy."""
    findings = []
    for offer in told:
        if offer.quota < asked.get(offer.name, 0):
            advice = f"raise the group's maximum, or set the offer's quota to {offer.quota}"
            found = f"{offer.name}: {asked[offer.name]} machines are hoped for, its group allows {offer.quota}"
            findings.append(Finding(level=Level.WARNING, subject="quota", found=found, advice=advice))
    together = sum(offer.quota for offer in told)
    most = min(together, policy.max_machines)
    by = "max_machines" if policy.max_machines <= together else "the offers' quotas"
    if most:
        findings.append(Finding(level=Level.FINE, subject="largest fleet", found=f"{most} machines, by {by}"))
    else:
        advice = "set max_machines in [policy], and the quota of an offer, above 0"
        findings.append(
            Finding(level=Level.ERROR, subject="largest fleet", found=f"0 machines, by {by}", advice=advice)
        )
    return findings


async def _leader(redis: Redis, settings: Settings) -> Finding:
    with broker_errors(settings.reply_url):
        holder = await redis.get(lease_key(settings.queue))
    if holder:
        name = holder.decode() if isinstance(holder, bytes) else holder
        return Finding(level=Level.FINE, subject="controller", found=f"{name} leads")
    advice = "nobody sizes the fleet: start `leanfleet autoscale`"
    return Finding(level=Level.WARNING, subject="controller", found="none leads", advice=advice)
