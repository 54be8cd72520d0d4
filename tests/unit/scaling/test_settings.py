"""Settings that a controller cannot run with are refused at its start, with the setting's name."""

from pathlib import Path

import pytest

from producer.errors import SettingsError
from producer.settings import load_section
from workers.scaling.settings import AutoscaleSettings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("provider = 'azure'", "provider`; it can be 'local', 'aws', 'gcp', 'standing'"),
        ("interval_seconds = nan", "interval_seconds"),
        ("interval_seconds = 0", "interval_seconds"),
        ("lease_seconds = inf", "lease_seconds"),
        ("lease_seconds = 10", "twice interval_seconds"),
        ("assumed_boot_seconds = -1", "assumed_boot_seconds"),
        ("metrics_port = 70000", "metrics_port"),
        ("[autoscale.local]\nboot_seconds = inf", "boot_seconds"),
        ('[[autoscale.offers]]\nname = "m"\nslots = 0\nprice_per_hour = 1', "slots"),
        ('[[autoscale.offers]]\nname = "m"\nslots = 1\nprice_per_hour = -1', "price_per_hour"),
        ('[[autoscale.offers]]\nname = "m"\nslots = 1\nprice_per_hour = 1\nquota = -1', "quota"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_its_name(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "leanfleet.toml").write_text(f"[autoscale]\n{text}\n")
    with pytest.raises(SettingsError, match=says):
        load_section("autoscale", AutoscaleSettings, environ={}, directory=tmp_path)
