"""Scenarios: what a simulated day brings, written in YAML, checked before anything is simulated."""

import importlib.resources
import math
from pathlib import Path
from random import Random

import msgspec
import yaml

from producer.errors import InvalidInputError
from workers.scaling.policy import PolicySettings

SHIPPED = importlib.resources.files("workers.scaling") / "scenarios"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Constant(_Part, frozen=True, kw_only=True, tag_field="distribution", tag="constant"):
    seconds: float

    def draw(self, random: Random) -> float:  # noqa: ARG002 - all distributions are drawn from alike
        return self.seconds

    @property
    def mean_seconds(self) -> float:
        return self.seconds


class Uniform(_Part, frozen=True, kw_only=True, tag_field="distribution", tag="uniform"):
    low_seconds: float
    high_seconds: float

    def draw(self, random: Random) -> float:
        return random.uniform(self.low_seconds, self.high_seconds)

    @property
    def mean_seconds(self) -> float:
        return (self.low_seconds + self.high_seconds) / 2


class LogNormal(_Part, frozen=True, kw_only=True, tag_field="distribution", tag="lognormal"):
    """`variation` is the standard deviation divided by the mean."""

    mean_seconds: float
    variation: float = 1.0

    def draw(self, random: Random) -> float:
        variance = math.log1p(self.variation**2)
        return random.lognormvariate(math.log(self.mean_seconds) - variance / 2, math.sqrt(variance))


class Pareto(_Part, frozen=True, kw_only=True, tag_field="distribution", tag="pareto"):
    """A heavy tail: at 1 < `shape` ≤ 2 the variance is infinite, before the operations' time limit cuts it."""

    mean_seconds: float
    shape: float = 1.5

    def draw(self, random: Random) -> float:
        return self.mean_seconds * (self.shape - 1) / self.shape * random.paretovariate(self.shape)


Seconds = Constant | Uniform | LogNormal | Pareto


class Operations(_Part, frozen=True, kw_only=True):
    """One kind of operation: its share of all, and how long it occupies a slot. The limit cuts what is longer."""

    share: float = 1.0
    seconds: Seconds
    timeout_seconds: float = 60.0


class Burst(_Part, frozen=True, kw_only=True, tag_field="type", tag="burst"):
    """So many operations at once, or evenly over a short time."""

    operations: int
    at_seconds: float = 0.0
    over_seconds: float = 0.0


class Steady(_Part, frozen=True, kw_only=True, tag_field="type", tag="steady"):
    """Independent arrivals at a rate."""

    per_second: float
    from_seconds: float = 0.0
    until_seconds: float


class Steps(_Part, frozen=True, kw_only=True, tag_field="type", tag="steps"):
    """A training loop: a burst with each of its steps."""

    operations: int
    every_seconds: float
    over_seconds: float = 0.0
    from_seconds: float = 0.0
    until_seconds: float


class Daily(_Part, frozen=True, kw_only=True, tag_field="type", tag="daily"):
    """Independent arrivals at a rate that swings once a day between a low, at midnight, and a high, at noon."""

    low_per_second: float
    high_per_second: float
    until_seconds: float = 86_400.0


class OfferedMachines(_Part, frozen=True, kw_only=True):
    name: str
    slots: int
    price_per_hour: float
    quota: int = 1000


class Wave(_Part, frozen=True, kw_only=True):
    """At this time a share of all machines is taken back at once."""

    at_seconds: float
    share: float
    notice_seconds: float = 120.0


class Drought(_Part, frozen=True, kw_only=True):
    """In this time nothing of these offers (of none that is named: of any) can be had. What runs goes on."""

    from_seconds: float
    until_seconds: float
    offers: tuple[str, ...] = ()


class Baselines(_Part, frozen=True, kw_only=True):
    """How the other rules are set in this scenario. `None` is derived: see workers.scaling.baselines."""

    fixed_machines: int | None = None
    queue_per_machine: float | None = None
    cpu_target: float = 0.6


class Scenario(_Part, frozen=True, kw_only=True):
    """Everything is in seconds from the simulation's begin. It ends when all arrived, all is done and all is quiet."""

    name: str = ""
    description: str
    seed: int = 1
    policy: PolicySettings = PolicySettings()
    operations: dict[str, Operations]
    arrivals: tuple[Burst | Steady | Steps | Daily, ...]
    offers: tuple[OfferedMachines, ...]
    boot: Seconds = Uniform(low_seconds=60, high_seconds=100)
    assumed_boot_seconds: float = 90.0
    warm_machines: int = 0
    preemptions_per_machine_hour: float = 0.0
    notice_seconds: float = 120.0
    waves: tuple[Wave, ...] = ()
    droughts: tuple[Drought, ...] = ()
    # From a machine's death without notice until what it held is delivered again.
    redelivery_seconds: float = 13.0
    decide_every_seconds: float = 10.0
    # How long the fleet is watched after everything is done: giving machines back is part of the price.
    quiet_seconds: float = 900.0
    baselines: Baselines = Baselines()

    def __post_init__(self) -> None:
        for what, values in (
            ("operations", self.operations),
            ("arrivals", self.arrivals),
            ("offers", self.offers),
        ):
            if not values:
                raise ValueError(f"{what} must not be empty")
        names = [offer.name for offer in self.offers]
        if len(set(names)) < len(names):
            raise ValueError("offers must have different names")
        if unknown := sorted({name for drought in self.droughts for name in drought.offers} - set(names)):
            raise ValueError(f"droughts name an unknown offer: {unknown[0]}")
        if min(offer.slots for offer in self.offers) < 1:
            raise ValueError("an offer needs at least one slot")
        if not sum(each.share for each in self.operations.values()) > 0:
            raise ValueError("the shares of the operations must be positive together")
        if not self.decide_every_seconds > 0:
            raise ValueError("decide_every_seconds must be positive")


def shipped_names() -> list[str]:
    """The scenarios that come with leanfleet."""
    return sorted(each.name.removesuffix(".yaml") for each in SHIPPED.iterdir() if each.name.endswith(".yaml"))


def load_scenario(source: str) -> Scenario:
    """Read a scenario.

    Args:
        source: a path to a YAML file, or the name of one that is shipped.

    Raises:
        InvalidInputError: there is none of that name, or it is not a scenario; the message says where and why.
    """
    if source in shipped_names():
        name, text = source, (SHIPPED / f"{source}.yaml").read_text(encoding="utf-8")
    else:
        path = Path(source)
        if not path.is_file():
            raise InvalidInputError(f"no scenario {source!r}: give a YAML file, or one of {', '.join(shipped_names())}")
        try:
            name, text = path.stem, path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"cannot read {source}: {error}") from error
    return parse_scenario(text, name=name)


def parse_scenario(text: str, *, name: str = "scenario") -> Scenario:
    """Read a scenario from YAML text; raises InvalidInputError as `load_scenario` does."""
    try:
        content = yaml.safe_load(text)
        scenario = msgspec.convert(content, Scenario)
    except yaml.YAMLError as error:
        raise InvalidInputError(f"{name} is not YAML: {error}") from error
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidInputError(f"{name}: {error}") from error
    return msgspec.structs.replace(scenario, name=name)
