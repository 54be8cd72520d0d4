"""What can be set for the controller: tables `[autoscale]` and `[policy]`, variables `LEANFLEET_AUTOSCALE_…`."""

from typing import Annotated, Literal

import msgspec

from producer.errors import SettingsError
from workers.scaling.providers.aws import AwsSettings
from workers.scaling.providers.gcp import GcpSettings
from workers.scaling.scenario import Duration, OfferedMachines


class LocalSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The local provider's machines."""

    boot_seconds: Duration = 0.0  # waited before a machine's process is started
    directory: str = ""  # where machines log; empty: a temporary folder


class AutoscaleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the controller runs. Offers are a list of tables: `[[autoscale.offers]]`."""

    provider: Literal["local", "aws", "gcp", "standing"] = "local"
    offers: tuple[OfferedMachines, ...] = ()
    interval_seconds: Duration = 10.0
    lease_seconds: Duration = 35.0  # how long a dead leader is waited for
    assumed_boot_seconds: Duration = 120.0  # until a boot was measured
    metrics_address: str = "127.0.0.1"
    metrics_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 9108  # 0: no metrics
    local: LocalSettings = LocalSettings()
    aws: AwsSettings = AwsSettings()
    gcp: GcpSettings = GcpSettings()

    def __post_init__(self) -> None:
        if self.interval_seconds <= 0:
            raise SettingsError("interval_seconds must be positive")
        if self.lease_seconds < 2 * self.interval_seconds:
            raise SettingsError("lease_seconds must be at least twice interval_seconds")
        names = [offer.name for offer in self.offers]
        if len(set(names)) < len(names):
            raise SettingsError("the offers must have different names")
