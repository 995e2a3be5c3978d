"""Requests that have come at the same time are scored in one run of the graph.

A run for one image costs mostly its beginning and its end, and for sixteen little more. Nobody is made to wait for
company: what is gathered is what the event loop has read from its sockets in one turn. docs/performance.md has the
figures.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.inference.classifier import Scores
from service.inference.decision import top_k


class Rows(NamedTuple):
    """The scores of one request's inputs, as Python's own numbers, which are quicker to go through one by one."""

    together: Scores  # of all that were scored with them
    part: slice  # where theirs are
    probabilities: list[list[float]] | NDArray[np.float32]  # lists where those of every class are needed
    confidence: list[float]
    ood_score: list[float]
    likeliest: list[list[int]]  # the labels from the most probable on, at least as many as were asked for

    @classmethod
    def of(cls, scores: Scores, k: int, *, whole: bool) -> "Rows":
        """Those of N inputs, with the `k` likeliest labels.

        `whole` is whether the probabilities of every class are needed one by one: of many classes lists of them would
        take ten times the memory of the scores.
        """
        return cls(
            scores,
            slice(None),
            scores.probabilities.tolist() if whole else scores.probabilities,
            scores.confidence.tolist(),
            scores.ood_score.tolist(),
            top_k(scores.probabilities, k).tolist() if k else [[]] * len(scores.confidence),
        )

    @property
    def scores(self) -> Scores:
        """The same as arrays."""
        return self.together.part(self.part)

    def parts(self, sizes: list[int]) -> Iterator["Rows"]:
        """One after the other, of so many inputs each."""
        start = 0
        for size in sizes:
            part = slice(start, start := start + size)
            yield Rows(
                self.together,
                part,
                self.probabilities[part],
                self.confidence[part],
                self.ood_score[part],
                self.likeliest[part],
            )


Answered = Callable[[Rows | Exception], None]


class _Waiting(NamedTuple):
    inputs: NDArray[Any]
    k: int
    whole: bool
    answered: Answered


class Batcher:
    """Scores the inputs of several requests together. For use on one event loop at a time."""

    def __init__(self, score: Callable[[NDArray[Any]], Scores], most: int) -> None:
        """`most` is how many inputs one run takes at most."""
        self._score = score
        self._most = most
        self._waiting: list[_Waiting] = []

    def add(self, inputs: NDArray[Any], k: int, whole: bool, answered: Answered) -> None:
        """Ask for the scores of one request's inputs, with `k` and `whole` as in `Rows.of`.

        `answered` is called with them, or with what went wrong, before the event loop turns to its sockets again.
        """
        if not self._waiting:
            # It runs after all that is ready to run now, so after every request that came in the same turn.
            asyncio.get_running_loop().call_soon(self.run)
        self._waiting.append(_Waiting(inputs, k, whole, answered))

    async def rows(self, inputs: NDArray[Any], k: int, whole: bool) -> Rows:
        """The same for who can wait."""
        future: asyncio.Future[Rows] = asyncio.get_running_loop().create_future()

        def answered(rows: Rows | Exception) -> None:
            if future.done():  # as it is where its request was cancelled
                return
            if isinstance(rows, Exception):
                future.set_exception(rows)
            else:
                future.set_result(rows)

        self.add(inputs, k, whole, answered)
        return await future

    def run(self) -> None:
        """Score all that waits."""
        waiting, self._waiting = self._waiting, []
        together: list[_Waiting] = []
        inputs = 0
        for one in waiting:
            if together and inputs + len(one.inputs) > self._most:
                self._answer(together)
                together, inputs = [], 0
            together.append(one)
            inputs += len(one.inputs)
        if together:
            self._answer(together)

    def _answer(self, together: list[_Waiting]) -> None:
        try:
            inputs = together[0].inputs if len(together) == 1 else np.concatenate([one.inputs for one in together])
            whole = any(one.whole for one in together)
            found = Rows.of(self._score(inputs), max(one.k for one in together), whole=whole)
        except Exception as error:
            for one in together:
                one.answered(error)
            return
        for one, part in zip(together, found.parts([len(one.inputs) for one in together]), strict=True):
            one.answered(part)
