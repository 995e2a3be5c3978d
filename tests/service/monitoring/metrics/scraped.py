"""A scrape, parsed by Prometheus' own library."""

from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Scraped(NamedTuple):
    """The samples of one scrape."""

    types: dict[str, str]  # of each family, by its name in the text
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        """The value of one series. Raises KeyError if it does not exist."""
        return self.samples[name, frozenset(labels.items())]

    def total(self, name: str, **labels: str) -> float:
        """The sum of all series with these labels, or 0 if there are none."""
        return sum(
            value for (series, pairs), value in self.samples.items() if series == name and labels.items() <= pairs
        )

    def labels(self, name: str, label: str) -> set[str]:
        """All values of a label."""
        return {dict(pairs)[label] for series, pairs in self.samples if series == name}


def read(text: str) -> Scraped:
    """Parse a scrape. Raises if a series occurs twice or a line is invalid."""
    types, samples = {}, {}
    for family in text_string_to_metric_families(text):
        types[f"{family.name}_total" if family.type == "counter" else family.name] = family.type
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples, f"{key} occurs twice"
            samples[key] = sample.value
    return Scraped(types, samples)
