"""The feedback on one model in SQLite: in memory, in a file that workers share, or in one that outlives the service.

Its size is bounded. A policy has a few numbers, and only the latest thresholds, which clients choose, the latest labels
and the latest audited answers are kept.
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
_MAX_BATCH = 5000  # answers judged in one transaction


class FeedbackStore:
    """The feedback on one model; safe to share between threads and, by its file, between processes."""

    def __init__(self, path: Path | None, max_remembered: int, model: str = "", *, lasting: bool = False) -> None:
        """`model` names it in the file; at most `max_remembered` labels and as many audited answers are kept."""
        self._path = path
        self._max_remembered = max_remembered
        self._name = model
        self._lasting = lasting
        self._database: sqlite3.Connection | None = None  # opened at first use
        self._model = 0  # the id of its row
        self._policies: TypeAdapter[Policy] = TypeAdapter(Policy)
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes within it take effect, or none; nobody else writes meanwhile."""
        with self._lock:
            database = self._opened()
            database.execute("BEGIN IMMEDIATE")
            try:
                yield
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:  # some errors, such as a full disk, end it already
                    database.execute("ROLLBACK")
                raise

    def is_empty(self) -> bool:
        """Whether no worker has ever stored anything: then nothing need be opened."""
        return self._database is None and (self._path is None or not self._path.exists())

    def truth(self, key: Key) -> int | None:
        """The true label of a prediction, if it is remembered."""
        for table in ("labels", "audits"):
            query = f"SELECT truth FROM {table} WHERE model = ? AND seconds = ? AND nonce = ?"
            row = self._opened().execute(query, (self._model, *key)).fetchone()
            if row is not None and row[0] is not None:
                return int(row[0])
        return None

    def may_be_forgotten(self, key: Key) -> bool:
        """Whether the label of a prediction whose `truth` is None may have been received and forgotten.

        It cannot if the prediction is later than all forgotten ones, or waits for its label in the audit sample.
        """
        query = "SELECT 1 FROM audits WHERE model = ? AND seconds = ? AND nonce = ?"
        return key <= self._horizon() and self._opened().execute(query, (self._model, *key)).fetchone() is None

    def remember(self, key: Key, truth: int) -> None:
        """Keep a true label, and forget those of the oldest predictions if there are too many."""
        database, row = self._opened(), (self._model, *key)
        database.execute("INSERT INTO labels VALUES (?, ?, ?, ?)", (*row, truth))
        database.execute("UPDATE audits SET truth = ? WHERE model = ? AND seconds = ? AND nonce = ?", (truth, *row))
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
        """Append audited answers to those that wait, with their labels if those have arrived before."""
        database, turn = self._opened(), self._turns()
        by_policy: dict[Policy, list[tuple[int, Given]]] = {}
        for answer in given:
            turn += 1
            by_policy.setdefault(answer.policy, []).append((turn, answer))
        for policy, answers in by_policy.items():
            count = self.count(policy)
            for turn_of_answer, (key, _, label) in answers:
                row = (self._model, *key)
                inserted = database.execute(
                    "INSERT OR IGNORE INTO audits VALUES (?, ?, ?, ?, ?, ?,"
                    " (SELECT truth FROM labels WHERE model = ? AND seconds = ? AND nonce = ?))",
                    (count.row, turn_of_answer, *row, label, *row),
                )
                count.waiting += inserted.rowcount
            self.save(count)
        database.execute("UPDATE models SET turns = ? WHERE id = ?", (turn, self._model))

    def due(self, overdue: float) -> list[Count]:
        """The policies whose next answer can be judged, by the rule of `take`."""
        first = "SELECT min(turn) FROM audits WHERE policy = policies.id"
        return self._select(
            f"JOIN audits ON audits.policy = policies.id AND turn = ({first})"
            " WHERE policies.model = ? AND (truth IS NOT NULL OR seconds < ? OR turn <= ?)",
            (self._model, overdue, self._turns() - self._max_remembered),
        )

    def take(self, count: Count, overdue: float) -> list[Answer]:
        """Remove and return the answers of a policy that can be judged, in the order of their registration.

        They end before the first one that has no label, is not older than `overdue` and is among the latest. The batch
        is limited to about a tenth of a second of judging.
        """
        database, pushed_out = self._opened(), self._turns() - self._max_remembered
        answers, last = [], 0
        query = "SELECT turn, seconds, label, truth FROM audits WHERE policy = ? ORDER BY turn LIMIT ?"
        for turn, seconds, label, truth in database.execute(query, (count.row, _MAX_BATCH)):
            if truth is None and seconds >= overdue and turn > pushed_out:
                break
            answers.append(Answer(label, truth))
            last = turn
        database.execute("DELETE FROM audits WHERE policy = ? AND turn <= ?", (count.row, last))
        return answers

    def count(self, policy: Policy) -> Count:
        """The counts of a policy, which are created if new; then the least recently used threshold may be dropped."""
        text = policy.model_dump_json()
        if existing := self._select("WHERE model = ? AND policy = ?", (self._model, text)):
            return existing[0]
        row = self._opened().execute(
            "INSERT INTO policies (model, policy, made_up, used) VALUES (?, ?, ?, ?)",
            (self._model, text, isinstance(policy, ThresholdPolicy), self._next_use()),
        )
        self._drop_thresholds()
        return Count(row.lastrowid or 0, policy)

    def save(self, count: Count) -> None:
        """Save the counts of a policy, which is now the most recently used one."""
        values = [getattr(count, name) for name in COUNTED]
        assigned = ", ".join(f"{name} = ?" for name in COUNTED)
        self._opened().execute(
            f"UPDATE policies SET {assigned}, used = ? WHERE id = ?", (*values, self._next_use(), count.row)
        )

    def counts(self, *, made_up: bool = True) -> list[Count]:
        """The counts of every policy with a label or a judged answer: first those without a threshold.

        Thresholds are included only if `made_up`.
        """
        with self._lock:
            if self.is_empty():
                return []
            self._opened()
            rest = "WHERE model = ? AND made_up <= ? AND answered + abstained + judged ORDER BY made_up, id"
            return self._select(rest, (self._model, made_up))

    def thresholds(self) -> Totals:
        """The sums over all thresholds, dropped ones included: these never fall."""
        with self._lock:
            if self.is_empty():
                return Totals()
            sums = ", ".join(f"sum({name})" for name in Totals._fields)
            columns = ", ".join(Totals._fields)
            database = self._opened()
            query = f"SELECT {sums} FROM (SELECT {columns} FROM policies WHERE model = ? AND made_up UNION ALL"
            query += f" SELECT {columns} FROM models WHERE id = ?)"
            return Totals(*database.execute(query, (self._model, self._model)).fetchone())

    def _drop_thresholds(self) -> None:
        """Keep the latest thresholds, and only the sums of the others."""
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
