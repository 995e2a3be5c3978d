"""The SQLite tables of feedback, in memory or in a file that outlives the service."""

import sqlite3
from pathlib import Path

from service.contract.errors import SettingsError

_LOCK_SECONDS = 10  # the longest wait for another worker's transaction, which takes about a millisecond
_APPLICATION = 0x446D7572  # in SQLite's header: "Dmur"
_VERSION = 1  # of the tables, in the same place

# A model is a name and a version. Seconds and nonce identify a prediction, and labels are forgotten in their order:
# `horizon` is the latest one forgotten. `turns` counts the audited answers; a dropped threshold takes its own with it.
_TABLES = """
    CREATE TABLE IF NOT EXISTS models (
        id INTEGER PRIMARY KEY, name TEXT UNIQUE, turns INTEGER DEFAULT 0, labels INTEGER DEFAULT 0,
        horizon_seconds INTEGER DEFAULT -1, horizon_nonce INTEGER DEFAULT -1,
        answered INTEGER DEFAULT 0, errors INTEGER DEFAULT 0, abstained INTEGER DEFAULT 0,
        judged INTEGER DEFAULT 0, missing INTEGER DEFAULT 0
    );
    CREATE TABLE IF NOT EXISTS policies (
        id INTEGER PRIMARY KEY, model INTEGER, policy TEXT, made_up INTEGER, used INTEGER,
        answered INTEGER DEFAULT 0, errors INTEGER DEFAULT 0, abstained INTEGER DEFAULT 0, waiting INTEGER DEFAULT 0,
        judged INTEGER DEFAULT 0, judged_errors INTEGER DEFAULT 0, missing INTEGER DEFAULT 0,
        judged_cost REAL DEFAULT 0, alarm BLOB DEFAULT x'', warning TEXT,
        UNIQUE (model, policy)
    );
    CREATE TABLE IF NOT EXISTS audits (
        policy INTEGER, turn INTEGER, model INTEGER, seconds INTEGER, nonce INTEGER, label INTEGER, truth INTEGER,
        PRIMARY KEY (policy, turn)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX IF NOT EXISTS audits_by_id ON audits (model, seconds, nonce);
    CREATE TABLE IF NOT EXISTS labels (
        model INTEGER, seconds INTEGER, nonce INTEGER, truth INTEGER, PRIMARY KEY (model, seconds, nonce)
    ) WITHOUT ROWID;
"""


def connect(path: Path | None, *, lasting: bool) -> sqlite3.Connection:
    """Open the database, in memory if `path` is None. If `lasting`, all but the last writes survive a power cut."""
    database = sqlite3.connect(path or ":memory:", timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False)
    # A file that ends with the service need not wait for the disk.
    database.execute(f"PRAGMA synchronous = {'NORMAL' if lasting else 'OFF'}")
    database.executescript(_TABLES)
    return database


def prepare(path: Path, setting: str) -> None:
    """Create the file of feedback, or check that the existing one can be used. Raises SettingsError.

    `setting` is the name of its setting, for messages.
    """
    if not path.parent.is_dir():
        raise SettingsError(f"{setting}={path}: {path.parent} is not a folder")
    try:
        database = sqlite3.connect(path, timeout=_LOCK_SECONDS, isolation_level=None)
        try:
            _prepare(database, f"{setting}={path}")
        finally:
            database.close()
    except sqlite3.Error as error:
        raise SettingsError(f"{setting}={path}: SQLite cannot keep feedback there: {error}") from None


def _prepare(database: sqlite3.Connection, source: str) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != _APPLICATION and (application or version or tables):
        raise SettingsError(f"{source}: it is a database of another program")
    if application == _APPLICATION and version != _VERSION:
        raise SettingsError(f"{source}: its tables have version {version}, and this service reads version {_VERSION}")
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("BEGIN IMMEDIATE")  # fails if the file cannot be written
    database.execute(f"PRAGMA application_id = {_APPLICATION}")
    database.execute(f"PRAGMA user_version = {_VERSION}")
    database.execute("COMMIT")
