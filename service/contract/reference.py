"""The reference distribution of the scores on a held-out split, with which drift is measured."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.contract.certificates import Sha256
from service.contract.fail_fast_list import FailFastList

MAX_BINS = 100
_MAX_INPUTS = 500_000_000  # numpy draws from at most twice as many, for the test of drift


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Histogram(_Part):
    """The counts of a score between edges; the first and the last bin are open.

    >>> Histogram(edges=[0.5, 0.9], counts=[1, 2, 7])  # under 0.5, from 0.5 to under 0.9, from 0.9 on
    Histogram(edges=[0.5, 0.9], counts=[1, 2, 7])
    """

    edges: FailFastList[float] = Field(
        min_length=1, max_length=MAX_BINS - 1, description="In rising order. An edge belongs to the bin above it."
    )
    counts: FailFastList[int] = Field(description="One for each bin: one more than edges.")

    @model_validator(mode="after")
    def _one_count_a_bin(self) -> Self:
        if len(self.counts) != len(self.edges) + 1 or min(self.counts) < 0:
            raise ValueError(f"{len(self.edges)} edges need {len(self.edges) + 1} counts, none negative")
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges must rise")
        return self


class Reference(_Part):
    """The scores of a held-out split, counted in bins that were fixed on other examples.

    Bins fixed on the split itself would fit it better than any later inputs, and the test of drift would be wrong too
    often.
    """

    split: Literal["calibration", "report"] = Field(description="Report if there is no calibration split.")
    size: int = Field(ge=1, description="Inputs in the split.")
    fingerprint: Sha256 = Field(description="Of the split.")
    labels: FailFastList[int] = Field(
        description="How often each label is the likeliest one, in the order of the labels."
    )
    own_labels: FailFastList[int] | None = Field(
        description="Indices of the labels with a bin of their own; all others share one. Null: each has its own."
    )
    confidence: Histogram = Field(description="The distribution of the confidence.")
    ood_score: Histogram = Field(description="The distribution of the ood_score.")

    @model_validator(mode="after")
    def _all_counted(self) -> Self:
        if self.size > _MAX_INPUTS:
            raise ValueError(f"size is {self.size}: at most {_MAX_INPUTS} inputs are supported")
        for counts in (self.labels, self.confidence.counts, self.ood_score.counts):
            if sum(counts) != self.size or min(counts) < 0:
                raise ValueError(f"counts must add up to {self.size}, the size of the split")
        return self

    @model_validator(mode="after")
    def _few_bins(self) -> Self:
        own, labels = self.own_labels, len(self.labels)
        if own is None:
            if labels > MAX_BINS:
                raise ValueError(
                    f"own_labels is null: of {labels} labels at most {MAX_BINS - 1} have bins of their own"
                )
        elif len(own) >= MAX_BINS or sorted(set(own)) != own or not set(own) < set(range(labels)):
            raise ValueError(
                f"own_labels must be at most {MAX_BINS - 1} rising indices of the {labels} labels, and not all of them"
            )
        return self
