"""Prometheus' side of a test."""

import urllib.request
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

# What a scrape waits for at most, as Prometheus does by default.
_SCRAPE_SECONDS = 10.0


class Scrape:
    """One scrape's samples. `value` sums those that have the given labels among theirs."""

    def __init__(self, text: str) -> None:
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = [sample for family in self.families.values() for sample in family.samples]

    def find(self, name: str, **labels: str) -> Iterator[Sample]:
        for sample in self.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                yield sample

    def value(self, name: str, **labels: str) -> float:
        return sum(sample.value for sample in self.find(name, **labels))

    @property
    def names(self) -> set[str]:
        return {sample.name for sample in self.samples}


def scrape(url: str) -> Scrape:
    with urllib.request.urlopen(url, timeout=_SCRAPE_SECONDS) as response:  # noqa: S310 - a loopback address
        return Scrape(response.read().decode())
