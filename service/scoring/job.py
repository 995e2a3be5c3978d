"""One file scored: what is missing of it is read, answered and written, and then it is put together."""

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
_AHEAD = 4  # batches that are read before they are scored


@dataclass(frozen=True, slots=True)
class Job:
    """One file to score, and where its answers go."""

    source: Source
    target: Path
    scorer: Scorer
    batch_rows: int
    threads: int

    def is_finished(self, *, overwrite: bool) -> bool:
        """Whether the target is there, of this very job. Raises ScoringError where it is of another."""
        done = finished(self.target, self._parts().job, overwrite=overwrite)
        if done:
            self._parts().remove()  # a run may have been killed just before it would have
        return done

    def run(
        self, on_rows: Callable[[int], None], on_skipped: Callable[[int], None], on_stale: Callable[[str], None]
    ) -> int:
        """Make what is missing of the target, and return how many rows that were.

        `on_rows` hears of every few rows that are done, `on_skipped` how many a run before has done, and `on_stale`
        why parts of another job are thrown away. Raises ScoringError; what is whole by then is kept for the next run.
        """
        parts, ranges = self._parts(), division(self.source.groups)
        with parts.opened() as stale:
            if stale is not None:
                on_stale(f"{parts.folder} is of {stale}: starting anew")
            missing = parts.missing()
            made = sum(parts.sizes[part] for part in missing)
            on_skipped(self.source.rows - made)
            if not self.source.rows:
                parts.write(0, [])
            answers = in_order(self._answer, ahead(self._batches(missing, ranges), _AHEAD), self.threads)
            for part, group in groupby(answers, itemgetter(0)):
                parts.write(part, _heard((batch for _, batch in group), on_rows))
            parts.assemble()
        return made

    def _parts(self) -> Parts:
        sizes = tuple(sum(self.source.groups[group] for group in part) for part in division(self.source.groups))
        job = {**self.scorer.described(), "input": self.source.identity}
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
    """Row groups, by their sizes, in parts of at least 262,144 rows, the last one apart.

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


def _heard(batches: Iterator[pa.RecordBatch], on_rows: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        on_rows(batch.num_rows)
