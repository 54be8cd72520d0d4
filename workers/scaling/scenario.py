"""Scenarios: what a simulated day brings, written in YAML, checked before anything is simulated."""

import importlib.resources
import math
from pathlib import Path
from random import Random
from typing import Annotated

import msgspec
import yaml

from producer.errors import InvalidInputError
from workers.scaling.policy import PolicySettings

# Beyond these a scenario is a mistake, and would be simulated for days. Infinity and NaN are beyond them, too.
LONGEST_SECONDS = 366 * 86_400.0
MOST_OPERATIONS = 100_000_000
MOST_KINDS = 256  # a kind is a byte
_LARGEST = 1e9

Amount = Annotated[float, msgspec.Meta(ge=0, le=_LARGEST)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=_LARGEST)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=0, le=int(_LARGEST))]
Duration = Annotated[float, msgspec.Meta(ge=0, le=LONGEST_SECONDS)]
Period = Annotated[float, msgspec.Meta(gt=0, le=LONGEST_SECONDS)]

SHIPPED = importlib.resources.files("workers.scaling") / "scenarios"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Constant(_Part, frozen=True, kw_only=True, tag_field="distribution", tag="constant"):
    seconds: Duration

    def draw(self, random: Random) -> float:  # noqa: ARG002 - all distributions are drawn from alike
        return self.seconds

    @property
    def mean_seconds(self) -> float:
        return self.seconds


class Uniform(_Part, frozen=True, kw_only=True, tag_field="distribution", tag="uniform"):
    low_seconds: Duration
    high_seconds: Duration

    def __post_init__(self) -> None:
        if self.low_seconds > self.high_seconds:
            raise ValueError("low_seconds must not be above high_seconds")

    def draw(self, random: Random) -> float:
        return random.uniform(self.low_seconds, self.high_seconds)

    @property
    def mean_seconds(self) -> float:
        return (self.low_seconds + self.high_seconds) / 2


class LogNormal(_Part, frozen=True, kw_only=True, tag_field="distribution", tag="lognormal"):
    """`variation` is the standard deviation divided by the mean."""

    mean_seconds: Period
    variation: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 1.0

    def draw(self, random: Random) -> float:
        variance = math.log1p(self.variation**2)
        return random.lognormvariate(math.log(self.mean_seconds) - variance / 2, math.sqrt(variance))


class Pareto(_Part, frozen=True, kw_only=True, tag_field="distribution", tag="pareto"):
    """A heavy tail: at 1 < `shape` ≤ 2 the variance is infinite, before the operations' time limit cuts it."""

    mean_seconds: Period
    shape: Annotated[float, msgspec.Meta(gt=1, le=1000)] = 1.5

    def draw(self, random: Random) -> float:
        return self.mean_seconds * (self.shape - 1) / self.shape * random.paretovariate(self.shape)


Seconds = Constant | Uniform | LogNormal | Pareto


class Operations(_Part, frozen=True, kw_only=True):
    """One kind of operation: its share of all, and how long it occupies a slot. The limit cuts what is longer."""

    share: Amount = 1.0
    seconds: Seconds
    timeout_seconds: Period = 60.0


class Burst(_Part, frozen=True, kw_only=True, tag_field="type", tag="burst"):
    """So many operations at once, or evenly over a short time."""

    operations: Count
    at_seconds: Duration = 0.0
    over_seconds: Duration = 0.0

    @property
    def expected(self) -> float:
        return self.operations


class Steady(_Part, frozen=True, kw_only=True, tag_field="type", tag="steady"):
    """Independent arrivals at a rate."""

    per_second: Positive
    from_seconds: Duration = 0.0
    until_seconds: Duration

    @property
    def expected(self) -> float:
        return self.per_second * max(self.until_seconds - self.from_seconds, 0.0)


class Steps(_Part, frozen=True, kw_only=True, tag_field="type", tag="steps"):
    """A training loop: a burst with each of its steps."""

    operations: Count
    every_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=LONGEST_SECONDS)]
    over_seconds: Duration = 0.0
    from_seconds: Duration = 0.0
    until_seconds: Duration

    @property
    def expected(self) -> float:
        return self.operations * math.ceil(max(self.until_seconds - self.from_seconds, 0.0) / self.every_seconds)


class Daily(_Part, frozen=True, kw_only=True, tag_field="type", tag="daily"):
    """Independent arrivals at a rate that swings once a day between a low, at midnight, and a high, at noon."""

    low_per_second: Amount
    high_per_second: Positive
    until_seconds: Duration = 86_400.0

    def __post_init__(self) -> None:
        if self.low_per_second > self.high_per_second:
            raise ValueError("low_per_second must not be above high_per_second")

    @property
    def expected(self) -> float:
        return self.high_per_second * self.until_seconds


class OfferedMachines(_Part, frozen=True, kw_only=True):
    name: str
    slots: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    price_per_hour: Amount
    quota: Count = 1000


class Wave(_Part, frozen=True, kw_only=True):
    """At this time a share of all machines is taken back at once."""

    at_seconds: Duration
    share: Share
    notice_seconds: Duration = 120.0


class Drought(_Part, frozen=True, kw_only=True):
    """In this time nothing of these offers (of none that is named: of any) can be had. What runs goes on."""

    from_seconds: Duration
    until_seconds: Duration
    offers: tuple[str, ...] = ()


class Baselines(_Part, frozen=True, kw_only=True):
    """How the other rules are set in this scenario. `None` is derived: see workers.scaling.baselines."""

    fixed_machines: Annotated[int, msgspec.Meta(ge=1)] | None = None
    queue_per_machine: Positive | None = None
    cpu_target: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.6


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
    assumed_boot_seconds: Duration = 90.0
    warm_machines: Count = 0
    preemptions_per_machine_hour: Amount = 0.0
    notice_seconds: Duration = 120.0
    waves: tuple[Wave, ...] = ()
    droughts: tuple[Drought, ...] = ()
    # From a machine's death without notice until what it held is delivered again.
    redelivery_seconds: Duration = 13.0
    decide_every_seconds: Annotated[float, msgspec.Meta(ge=0.1, le=LONGEST_SECONDS)] = 10.0
    # How long the fleet is watched after everything is done: giving machines back is part of the price.
    quiet_seconds: Duration = 900.0
    baselines: Baselines = Baselines()

    def __post_init__(self) -> None:
        for what, values in (
            ("operations", self.operations),
            ("arrivals", self.arrivals),
            ("offers", self.offers),
        ):
            if not values:
                raise ValueError(f"{what} must not be empty")
        if len(self.operations) > MOST_KINDS:
            raise ValueError(f"more than {MOST_KINDS} kinds of operations")
        names = [offer.name for offer in self.offers]
        if len(set(names)) < len(names):
            raise ValueError("offers must have different names")
        if unknown := sorted({name for drought in self.droughts for name in drought.offers} - set(names)):
            raise ValueError(f"droughts name an unknown offer: {unknown[0]}")
        if not sum(each.share for each in self.operations.values()) > 0:
            raise ValueError("the shares of the operations must be positive together")
        if sum(each.expected for each in self.arrivals) > MOST_OPERATIONS:
            raise ValueError(f"more than {MOST_OPERATIONS:,} operations would arrive: take a part of them")


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
