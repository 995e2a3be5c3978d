"""Scores one file: reads, answers and writes the missing parts, then assembles them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pyarrow as pa

from service.contract.errors import RequestError, ScoringError
from service.scoring.files import Source
from service.scoring.parts import Parts, finished
from service.scoring.pipeline import ahead, in_order
from service.scoring.table import Scorer

_PART_ROWS = 1 << 18
_AHEAD = 4  # batches read in advance


@dataclass(frozen=True, slots=True)
class Job:
    """One file to score, and the file for its answers."""

    source: Source
    target: Path
    scorer: Scorer
    batch_rows: int
    threads: int

    def is_finished(self, *, overwrite: bool) -> bool:
        """Whether the target has the answers of this job. Raises ScoringError if it has those of another."""
        done = finished(self.target, self._parts().job, overwrite=overwrite)
        if done:
            self._parts().remove()  # left behind by a run that was killed at the very end
        return done

    def run(
        self, on_rows: Callable[[int], None], on_skipped: Callable[[int], None], on_stale: Callable[[str], None]
    ) -> int:
        """Score the missing rows, assemble the target, and return the number of rows scored.

        `on_rows` gets the number of rows done, again and again; `on_skipped` the number done by an earlier run; and
        `on_stale` the reason if parts of another job are discarded. Raises ScoringError; finished parts are kept for
        the next run.
        """
        parts, ranges = self._parts(), division(self.source.groups)
        with parts.opened() as stale:
            if stale is not None:
                on_stale(f"{parts.folder} is of {stale}: starting again")
            missing = parts.missing()
            made = sum(parts.sizes[part] for part in missing)
            on_skipped(self.source.rows - made)
            if not self.source.rows:
                parts.write(0, [])
            answers = in_order(self._answer, ahead(self._batches(missing, ranges), _AHEAD), self.threads)
            for part, group in groupby(answers, itemgetter(0)):
                parts.write(part, _reporting((batch for _, batch in group), on_rows))
            parts.assemble()
        return made

    def _parts(self) -> Parts:
        sizes = tuple(sum(self.source.groups[group] for group in part) for part in division(self.source.groups))
        job = {**self.scorer.description(), "input": self.source.identity}
        return Parts(self.target, job, self.scorer.schema, sizes)

    def _batches(self, missing: list[int], ranges: list[range]) -> Iterator[tuple[int, int, pa.RecordBatch]]:
        for part in missing:
            for row, batch in self.source.batches(ranges[part], self.batch_rows):
                yield part, row, batch

    def _answer(self, item: tuple[int, int, pa.RecordBatch]) -> tuple[int, pa.RecordBatch]:
        part, row, batch = item
        try:
            return part, self.scorer.score(batch, row)
        except RequestError as error:
            raise ScoringError(f"{self.source.path}: {error}") from None


def division(groups: tuple[int, ...]) -> list[range]:
    """Row groups, by their sizes, in parts of at least 262,144 rows, except for the last part.

    >>> division((200_000, 200_000, 10))
    [range(0, 2), range(2, 3)]
    """
    parts, start, rows = [], 0, 0
    for group, size in enumerate(groups):
        rows += size
        if rows >= _PART_ROWS:
            parts.append(range(start, group + 1))
            start, rows = group + 1, 0
    if rows or not parts:
        parts.append(range(start, len(groups)))
    return parts


def _reporting(batches: Iterator[pa.RecordBatch], on_rows: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        on_rows(batch.num_rows)
