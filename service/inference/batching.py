"""Scores requests that arrive together in one run of the graph.

A run costs little more for sixteen images than for one. No request waits for others: a batch is what the event loop has
read from its sockets in one turn. docs/performance.md has the figures.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.inference.classifier import Scores
from service.inference.decision import top_k as top_k_labels


class RequestScores(NamedTuple):
    """The scores of one request's inputs, as Python numbers, which are faster to go through one by one."""

    batch: Scores  # of all requests that were scored together
    rows: slice  # this request's in the batch
    probabilities: list[list[float]] | NDArray[np.float32]  # lists where the answer needs those of every class
    confidence: list[float]
    ood_score: list[float]
    likeliest: list[list[int]]  # labels from the most probable on, at least as many as the answer needs

    @classmethod
    def of(cls, scores: Scores, top_k: int, *, all_probabilities: bool) -> "RequestScores":
        """The scores of N inputs, with the `top_k` likeliest labels of each.

        `all_probabilities` makes lists of the probabilities of every class. For many classes these take ten times the
        memory of the array.
        """
        return cls(
            scores,
            slice(None),
            scores.probabilities.tolist() if all_probabilities else scores.probabilities,
            scores.confidence.tolist(),
            scores.ood_score.tolist(),
            top_k_labels(scores.probabilities, top_k).tolist() if top_k else [[]] * len(scores.confidence),
        )

    @property
    def scores(self) -> Scores:
        """The same scores as arrays."""
        return self.batch.part(self.rows)

    def split(self, sizes: list[int]) -> Iterator["RequestScores"]:
        """The scores of each request in a batch, by their numbers of inputs."""
        start = 0
        for size in sizes:
            rows = slice(start, start := start + size)
            yield RequestScores(
                self.batch,
                rows,
                self.probabilities[rows],
                self.confidence[rows],
                self.ood_score[rows],
                self.likeliest[rows],
            )


Callback = Callable[[RequestScores | Exception], None]


class _Waiting(NamedTuple):
    inputs: NDArray[Any]
    top_k: int
    all_probabilities: bool
    callback: Callback


class Batcher:
    """Scores the inputs of several requests together. For one event loop at a time."""

    def __init__(self, score: Callable[[NDArray[Any]], Scores], max_inputs: int) -> None:
        """`max_inputs` is the largest batch."""
        self._score = score
        self._max_inputs = max_inputs
        self._waiting: list[_Waiting] = []

    def add(self, inputs: NDArray[Any], top_k: int, all_probabilities: bool, callback: Callback) -> None:
        """Queue one request's inputs; `top_k` and `all_probabilities` as in `RequestScores.of`.

        `callback` gets the scores, or the exception, before the event loop reads from its sockets again.
        """
        if not self._waiting:
            # Runs after every callback that is ready now, so after every request that was read in the same turn.
            asyncio.get_running_loop().call_soon(self.run)
        self._waiting.append(_Waiting(inputs, top_k, all_probabilities, callback))

    async def scores(self, inputs: NDArray[Any], top_k: int, all_probabilities: bool) -> RequestScores:
        """As `add`, for a coroutine."""
        future: asyncio.Future[RequestScores] = asyncio.get_running_loop().create_future()

        def callback(scores: RequestScores | Exception) -> None:
            if future.done():  # the request was cancelled
                return
            if isinstance(scores, Exception):
                future.set_exception(scores)
            else:
                future.set_result(scores)

        self.add(inputs, top_k, all_probabilities, callback)
        return await future

    def run(self) -> None:
        """Score all requests that wait, in batches."""
        waiting, self._waiting = self._waiting, []
        batch: list[_Waiting] = []
        size = 0
        for request in waiting:
            if batch and size + len(request.inputs) > self._max_inputs:
                self._run_batch(batch)
                batch, size = [], 0
            batch.append(request)
            size += len(request.inputs)
        if batch:
            self._run_batch(batch)

    def _run_batch(self, batch: list[_Waiting]) -> None:
        try:
            inputs = batch[0].inputs if len(batch) == 1 else np.concatenate([request.inputs for request in batch])
            all_probabilities = any(request.all_probabilities for request in batch)
            top_k = max(request.top_k for request in batch)
            scores = RequestScores.of(self._score(inputs), top_k, all_probabilities=all_probabilities)
        except Exception as error:
            for request in batch:
                request.callback(error)
            return
        if len(batch) == 1:
            batch[0].callback(scores)
            return
        parts = scores.split([len(request.inputs) for request in batch])
        for request, part in zip(batch, parts, strict=True):
            request.callback(part)
