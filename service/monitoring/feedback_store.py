"""What feedback has come to, in SQLite: in memory, or in a file that several workers share.

It is bounded: the counts of a policy are a few numbers, of the thresholds that clients make up the latest are kept,
and of the feedback itself only the latest is remembered, so that the same prediction is not counted twice.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter

from service.policy import Policy, ThresholdPolicy

MAX_THRESHOLDS = 100

_TABLES = """
    CREATE TABLE IF NOT EXISTS seen (turn INTEGER PRIMARY KEY AUTOINCREMENT, nonce INTEGER UNIQUE, truth INTEGER);
    CREATE TABLE IF NOT EXISTS counts (
        policy TEXT PRIMARY KEY, answered INTEGER, errors INTEGER, abstained INTEGER, cost REAL, warning TEXT,
        made_up INTEGER, used INTEGER
    );
    CREATE TABLE IF NOT EXISTS let_go (one INTEGER PRIMARY KEY, answered INTEGER, errors INTEGER, abstained INTEGER);
    INSERT OR IGNORE INTO let_go VALUES (1, 0, 0, 0);
"""
_OLD = "made_up AND policy NOT IN (SELECT policy FROM counts WHERE made_up ORDER BY used DESC LIMIT ?)"
_SUMS = "ifnull(sum(answered), 0), ifnull(sum(errors), 0), ifnull(sum(abstained), 0)"
_LOCK_SECONDS = 10  # how long another worker's transaction is waited for; one takes less than a millisecond


@dataclass(slots=True)
class Count:
    """What is known of one policy."""

    policy: Policy
    answered: int = 0
    errors: int = 0
    abstained: int = 0
    cost: float = 0.0  # of the answers
    warning: str | None = None  # why the promise is broken; further feedback does not undo the evidence


class Totals(NamedTuple):
    """What is known of several policies together."""

    answered: int = 0
    errors: int = 0
    abstained: int = 0


class FeedbackStore:
    """The feedback on one model; safe to share between threads and, by its file, between processes."""

    def __init__(self, path: Path | None, max_remembered: int) -> None:
        self._path = path
        self._max_remembered = max_remembered
        self._database: sqlite3.Connection | None = None  # opened when it is needed: most models never get feedback
        self._policies: TypeAdapter[Policy] = TypeAdapter(Policy)
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done within it happens, or nothing; what was read stays true until the end."""
        with self._lock:
            database = self._opened()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    def truth(self, nonce: int) -> int | None:
        """The true label that came for a prediction, where it is remembered."""
        row = self._opened().execute("SELECT truth FROM seen WHERE nonce = ?", (_signed(nonce),)).fetchone()
        return None if row is None else int(row[0])

    def remember(self, nonce: int, truth: int) -> None:
        """Keep a true label, and let go of the oldest where there are too many."""
        database = self._opened()
        turn = database.execute("INSERT INTO seen (nonce, truth) VALUES (?, ?)", (_signed(nonce), truth)).lastrowid
        database.execute("DELETE FROM seen WHERE turn <= ?", ((turn or 0) - self._max_remembered,))

    def count(self, policy: Policy) -> Count:
        """What is known of a policy; of a new one, nothing."""
        found = self._select("WHERE policy = ?", policy.model_dump_json())
        return found[0] if found else Count(policy)

    def save(self, count: Count) -> None:
        """Keep what is known of a policy, as that of the one that was used last."""
        database = self._opened()
        made_up = isinstance(count.policy, ThresholdPolicy)
        row = (count.answered, count.errors, count.abstained, count.cost, count.warning, made_up)
        database.execute(
            "INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT 1 + ifnull(max(used), 0) FROM counts))",
            (count.policy.model_dump_json(), *row),
        )
        dropped = database.execute(f"SELECT {_SUMS} FROM counts WHERE {_OLD}", (MAX_THRESHOLDS,)).fetchone()
        if any(dropped):
            database.execute(
                "UPDATE let_go SET answered = answered + ?, errors = errors + ?, abstained = abstained + ?", dropped
            )
        database.execute(f"DELETE FROM counts WHERE {_OLD}", (MAX_THRESHOLDS,))

    def counts(self, *, made_up: bool = True) -> list[Count]:
        """What is known of every policy: first those that the model is certified for, and of each the oldest first.

        Those of thresholds only where `made_up`.
        """
        with self._lock:
            if self._is_empty():
                return []
            return self._select("ORDER BY made_up, rowid" if made_up else "WHERE NOT made_up ORDER BY rowid")

    def thresholds(self) -> Totals:
        """What is known of all thresholds together, those let go among them: numbers that never fall."""
        with self._lock:
            if self._is_empty():
                return Totals()
            kept = f"SELECT {_SUMS} FROM (SELECT answered, errors, abstained FROM counts WHERE made_up UNION ALL "
            return Totals(*self._opened().execute(f"{kept} SELECT answered, errors, abstained FROM let_go)").fetchone())

    def _is_empty(self) -> bool:
        """Whether no feedback has come, here or to another worker: then nothing need be opened."""
        return self._database is None and (self._path is None or not self._path.exists())

    def _select(self, rest: str, *values: str) -> list[Count]:
        columns = "policy, answered, errors, abstained, cost, warning"
        rows = self._opened().execute(f"SELECT {columns} FROM counts {rest}", values).fetchall()
        return [Count(self._policies.validate_json(policy), *counts) for policy, *counts in rows]

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = sqlite3.connect(
                self._path or ":memory:", timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
            )
            # The file lasts as long as the service: that it survives a power cut need not be waited for.
            self._database.execute("PRAGMA synchronous = OFF")
            self._database.executescript(_TABLES)
        return self._database


def _signed(nonce: int) -> int:
    """SQLite's integers have a sign."""
    return nonce - 2**64 if nonce >= 2**63 else nonce
