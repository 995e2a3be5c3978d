"""The feedback on one model, in SQLite: in memory, in a file that workers share, or in one that outlives the service.

It is bounded. The counts of a policy are a few numbers, of the thresholds that clients make up the latest are kept,
and of labels and of audited answers the latest.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import TypeAdapter

from service.contract.policy import Policy, ThresholdPolicy
from service.monitoring.feedback.counts import COUNTED, Answer, Count, Given, Key, Totals
from service.monitoring.feedback.database import connect

MAX_THRESHOLDS = 100
_MOST_AT_ONCE = 5000  # answers that one transaction judges


class FeedbackStore:
    """The feedback on one model; safe to share between threads and, by its file, between processes."""

    def __init__(self, path: Path | None, max_remembered: int, model: str = "", *, lasting: bool = False) -> None:
        """`model` tells it from others in the file; `max_remembered` labels are kept, and as many audited answers."""
        self._path = path
        self._max_remembered = max_remembered
        self._name = model
        self._lasting = lasting
        self._database: sqlite3.Connection | None = None  # opened when it is needed
        self._model = 0  # its row
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
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # some faults, a full disk for one, have ended it already
                    database.execute("ROLLBACK")
                raise

    def is_empty(self) -> bool:
        """Whether nothing was ever kept, here or by another worker: then nothing need be opened."""
        return self._database is None and (self._path is None or not self._path.exists())

    def truth(self, key: Key) -> int | None:
        """The true label that came for a prediction, where it is remembered."""
        for table in ("labels", "audits"):
            query = f"SELECT truth FROM {table} WHERE model = ? AND seconds = ? AND nonce = ?"
            row = self._opened().execute(query, (self._model, *key)).fetchone()
            if row is not None and row[0] is not None:
                return int(row[0])
        return None

    def may_be_forgotten(self, key: Key) -> bool:
        """Whether the label of a prediction whose `truth` is None may have come, and was let go of.

        It is not where the prediction is later than all that were let go of, or waits for its label in the audit.
        """
        query = "SELECT 1 FROM audits WHERE model = ? AND seconds = ? AND nonce = ?"
        return key <= self._horizon() and self._opened().execute(query, (self._model, *key)).fetchone() is None

    def remember(self, key: Key, truth: int) -> None:
        """Keep a true label, and let go of those of the oldest predictions where there are too many."""
        database, found = self._opened(), (self._model, *key)
        database.execute("INSERT INTO labels VALUES (?, ?, ?, ?)", (*found, truth))
        database.execute("UPDATE audits SET truth = ? WHERE model = ? AND seconds = ? AND nonce = ?", (truth, *found))
        (count,) = database.execute("SELECT labels + 1 FROM models WHERE id = ?", (self._model,)).fetchone()
        if (excess := count - self._max_remembered) > 0:
            query = "SELECT seconds, nonce FROM labels WHERE model = ? ORDER BY seconds, nonce LIMIT 1 OFFSET ?"
            last = Key(*database.execute(query, (self._model, excess - 1)).fetchone())
            database.execute("DELETE FROM labels WHERE model = ? AND (seconds, nonce) <= (?, ?)", (self._model, *last))
            count -= excess
            database.execute(
                "UPDATE models SET horizon_seconds = ?, horizon_nonce = ? WHERE id = ?",
                (*max(last, self._horizon()), self._model),
            )
        database.execute("UPDATE models SET labels = ? WHERE id = ?", (count, self._model))

    def register(self, given: Iterable[Given]) -> None:
        """Put audited answers behind those that wait. One whose label came before it is there waits with it."""
        database, turn = self._opened(), self._turns()
        by_policy: dict[Policy, list[tuple[int, Given]]] = {}
        for one in given:
            turn += 1
            by_policy.setdefault(one.policy, []).append((turn, one))
        for policy, answers in by_policy.items():
            count = self.count(policy)
            for at, (key, _, label) in answers:
                found = (self._model, *key)
                done = database.execute(
                    "INSERT OR IGNORE INTO audits VALUES (?, ?, ?, ?, ?, ?,"
                    " (SELECT truth FROM labels WHERE model = ? AND seconds = ? AND nonce = ?))",
                    (count.row, at, *found, label, *found),
                )
                count.waiting += done.rowcount
            self.save(count)
        database.execute("UPDATE models SET turns = ? WHERE id = ?", (turn, self._model))

    def due(self, overdue: float) -> list[Count]:
        """The policies whose next answer can be judged, as `take` has it."""
        first = "SELECT min(turn) FROM audits WHERE policy = policies.id"
        return self._select(
            f"JOIN audits ON audits.policy = policies.id AND turn = ({first})"
            " WHERE policies.model = ? AND (truth IS NOT NULL OR seconds < ? OR turn <= ?)",
            (self._model, overdue, self._turns() - self._max_remembered),
        )

    def take(self, count: Count, overdue: float) -> list[Answer]:
        """Take out the answers of a policy that can be judged, in the order in which they were registered.

        That is up to the first one that has no label, is not from before `overdue` and is among the latest; and no more
        than take about a tenth of a second to judge.
        """
        database, pushed_out = self._opened(), self._turns() - self._max_remembered
        found, last = [], 0
        query = "SELECT turn, seconds, label, truth FROM audits WHERE policy = ? ORDER BY turn LIMIT ?"
        for turn, seconds, label, truth in database.execute(query, (count.row, _MOST_AT_ONCE)):
            if truth is None and seconds >= overdue and turn > pushed_out:
                break
            found.append(Answer(label, truth))
            last = turn
        database.execute("DELETE FROM audits WHERE policy = ? AND turn <= ?", (count.row, last))
        return found

    def count(self, policy: Policy) -> Count:
        """What is known of a policy. A new one is entered; of too many thresholds the one used least lately goes."""
        text = policy.model_dump_json()
        if found := self._select("WHERE model = ? AND policy = ?", (self._model, text)):
            return found[0]
        row = self._opened().execute(
            "INSERT INTO policies (model, policy, made_up, used) VALUES (?, ?, ?, ?)",
            (self._model, text, isinstance(policy, ThresholdPolicy), self._next_use()),
        )
        self._let_go()
        return Count(row.lastrowid or 0, policy)

    def save(self, count: Count) -> None:
        """Keep what is known of a policy, as that of the one that was used last."""
        values = [getattr(count, name) for name in COUNTED]
        assigned = ", ".join(f"{name} = ?" for name in COUNTED)
        self._opened().execute(
            f"UPDATE policies SET {assigned}, used = ? WHERE id = ?", (*values, self._next_use(), count.row)
        )

    def counts(self, *, made_up: bool = True) -> list[Count]:
        """What is known of every policy with a label or a judged answer: those that the model is certified for first.

        Those of thresholds only where `made_up`.
        """
        with self._lock:
            if self.is_empty():
                return []
            self._opened()
            rest = "WHERE model = ? AND made_up <= ? AND answered + abstained + judged ORDER BY made_up, id"
            return self._select(rest, (self._model, made_up))

    def thresholds(self) -> Totals:
        """What is known of all thresholds together, those let go among them: numbers that never fall."""
        with self._lock:
            if self.is_empty():
                return Totals()
            sums = ", ".join(f"sum({name})" for name in Totals._fields)
            columns = ", ".join(Totals._fields)
            database = self._opened()
            query = f"SELECT {sums} FROM (SELECT {columns} FROM policies WHERE model = ? AND made_up UNION ALL"
            query += f" SELECT {columns} FROM models WHERE id = ?)"
            return Totals(*database.execute(query, (self._model, self._model)).fetchone())

    def _let_go(self) -> None:
        """Keep the latest thresholds; of the others only what they come to together."""
        database = self._opened()
        old = "SELECT id FROM policies WHERE model = ? AND made_up ORDER BY used DESC LIMIT -1 OFFSET ?"
        for (row,) in database.execute(old, (self._model, MAX_THRESHOLDS)).fetchall():
            assigned = ", ".join(
                f"{name} = {name} + (SELECT {name} FROM policies WHERE id = {row:d})" for name in Totals._fields
            )
            database.execute(f"UPDATE models SET {assigned} WHERE id = ?", (self._model,))
            database.execute("DELETE FROM audits WHERE policy = ?", (row,))
            database.execute("DELETE FROM policies WHERE id = ?", (row,))

    def _next_use(self) -> int:
        query = "SELECT 1 + ifnull(max(used), 0) FROM policies WHERE model = ?"
        return int(self._opened().execute(query, (self._model,)).fetchone()[0])

    def _turns(self) -> int:
        return int(self._opened().execute("SELECT turns FROM models WHERE id = ?", (self._model,)).fetchone()[0])

    def _horizon(self) -> Key:
        query = "SELECT horizon_seconds, horizon_nonce FROM models WHERE id = ?"
        return Key(*self._opened().execute(query, (self._model,)).fetchone())

    def _select(self, rest: str, values: tuple[object, ...]) -> list[Count]:
        columns = ", ".join(("policies.id", "policies.policy", *COUNTED))
        rows = self._opened().execute(f"SELECT {columns} FROM policies {rest}", values).fetchall()
        return [Count(row, self._policies.validate_json(policy), *counts) for row, policy, *counts in rows]

    def _opened(self) -> sqlite3.Connection:
        if self._database is None:
            database = connect(self._path, lasting=self._lasting)
            database.execute("INSERT OR IGNORE INTO models (name) VALUES (?)", (self._name,))
            (self._model,) = database.execute("SELECT id FROM models WHERE name = ?", (self._name,)).fetchone()
            self._database = database
        return self._database
