"""What the doctor says of a controller's provider: moto's, and of the lease: Valkey's."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from producer.errors import SettingsError
from producer.requirements import Level
from producer.settings import Settings
from tests.integration.scaling.amazon import REGION, Amazon, running_amazon
from workers.scaling.examination import examine_scaling, judge_quotas
from workers.scaling.leadership import Leadership
from workers.scaling.policy import PolicySettings
from workers.scaling.providers.provider import ProviderError
from workers.scaling.snapshot import Offer


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Amazon]:
    for name, value in {"ACCESS_KEY_ID": "k", "SECRET_ACCESS_KEY": "s", "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.chdir(tmp_path)
    with running_amazon() as running:
        running.reset()
        (tmp_path / "leanfleet.toml").write_text(
            f'[autoscale]\nprovider = "aws"\n[autoscale.aws]\nregion = "{REGION}"\nendpoint_url = "{running.url}"\n'
            '[[autoscale.offers]]\nname = "spot"\nslots = 8\nprice_per_hour = 0.1\nquota = 100\n'
            "[policy]\nmax_machines = 50\n"
        )
        yield running


async def test_where_no_controller_is_set_up_nothing_is_asked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    [finding] = await examine_scaling(settings)
    assert (finding.level, finding.subject) == (Level.FINE, "scaling")


async def test_the_groups_their_quotas_and_the_leader_are_looked_at(
    amazon: Amazon, settings: Settings, redis: Redis
) -> None:
    amazon.make_group("spot", most=5)
    found = {each.subject: each for each in await examine_scaling(settings)}
    assert "0 machines (0 spot)" in found["scaling"].found
    assert found["quota"].level is Level.WARNING
    assert "its group allows 5" in found["quota"].found
    assert found["largest fleet"].found == "5 machines, by the offers' quotas"
    assert found["controller"].level is Level.WARNING
    await Leadership(redis, queue=settings.queue, holder="one:1", lease_seconds=30).hold()
    found = {each.subject: each for each in await examine_scaling(settings)}
    assert found["controller"].found == "one:1 leads"


@pytest.mark.usefixtures("amazon")
async def test_a_group_that_is_not_there_is_named(settings: Settings) -> None:
    with pytest.raises(ProviderError, match="no Auto Scaling group 'spot'"):
        await examine_scaling(settings)


@pytest.mark.usefixtures("amazon")
async def test_what_is_set_wrongly_is_said(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "leanfleet.toml").write_text(
        '[autoscale]\nprovider = "gcp"\n[[autoscale.offers]]\nname = "spot"\nslots = 8\nprice_per_hour = 0.1\n'
    )
    with pytest.raises(SettingsError, match="project and region"):
        await examine_scaling(settings)


def test_a_fleet_that_can_have_no_machine_is_an_error() -> None:
    offer = Offer(name="spot", slots=8, price_per_hour=1, quota=10)
    [finding] = judge_quotas({"spot": 10}, [offer], PolicySettings(max_machines=0))
    assert finding.level is Level.ERROR
    [finding] = judge_quotas({"spot": 10}, [offer], PolicySettings(max_machines=7))
    assert finding.found == "7 machines, by max_machines"
