"""A scrape, read as Prometheus' own library reads it."""

from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Scraped(NamedTuple):
    """What one scrape had."""

    types: dict[str, str]  # of each family, by its name in the text
    samples: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float:
        """Of one series. Raises KeyError where there is none."""
        return self.samples[name, frozenset(labels.items())]

    def total(self, name: str, **labels: str) -> float:
        """Of all series that have these labels among theirs; 0 where there is none."""
        return sum(
            value for (series, pairs), value in self.samples.items() if series == name and labels.items() <= pairs
        )

    def labels(self, name: str, label: str) -> set[str]:
        """All values that a label has."""
        return {dict(pairs)[label] for series, pairs in self.samples if series == name}


def read(text: str) -> Scraped:
    """Raises where a series is there twice or a line cannot be read."""
    types, samples = {}, {}
    for family in text_string_to_metric_families(text):
        types[f"{family.name}_total" if family.type == "counter" else family.name] = family.type
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in samples, f"{key} is there twice"
            samples[key] = sample.value
    return Scraped(types, samples)
