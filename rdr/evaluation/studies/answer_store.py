"""Answers in an SQLite file: what was confirmed is on the disk, and nothing is counted twice."""

import concurrent.futures
import contextlib
import json
import pathlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from rdr.evaluation.studies.answer_layouts import COLUMNS

__all__ = ["COLUMNS", "AnswerStore", "add_answer", "begin_session", "read_answers", "read_rows", "study_of"]
_BATCH = 256  # jobs that share a transaction, and its wait for the disk
_TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
  session TEXT PRIMARY KEY, slot INTEGER NOT NULL, observer TEXT NOT NULL, screen TEXT, started TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS sessions_of_observers ON sessions (observer);
CREATE TABLE IF NOT EXISTS trials (
  session TEXT NOT NULL REFERENCES sessions, trial INTEGER NOT NULL, choice INTEGER NOT NULL,
  arrangement INTEGER NOT NULL, shown TEXT NOT NULL, described TEXT NOT NULL, handed REAL NOT NULL,
  PRIMARY KEY (session, trial));
CREATE TABLE IF NOT EXISTS answers (
  session TEXT NOT NULL, trial INTEGER NOT NULL, response TEXT NOT NULL, response_ms REAL NOT NULL,
  pixels_per_degree REAL NOT NULL, time TEXT NOT NULL, received TEXT NOT NULL,
  PRIMARY KEY (session, trial), FOREIGN KEY (session, trial) REFERENCES trials);
COMMIT;
"""
_NAMES = {"about", "sessions", "trials", "answers"}  # of the tables
Result = TypeVar("Result")


class AnswerStore:
    """A file of answers, with one thread that reads and writes it.

    Jobs that wait share a transaction; their results are given out when it is on the disk (write-ahead log, flushed at
    every commit). A job that fails leaves nothing, and the others of its transaction alone.
    """

    def __init__(self, path: pathlib.Path, study: str):
        self._connection = _connect(path)
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.executescript(_TABLES)
            self._connection.execute("INSERT OR IGNORE INTO about VALUES ('study', ?)", (study,))
            known = study_of(self._connection)
        except sqlite3.Error as error:
            self._connection.close()
            raise ValueError(f"{path} is no file of answers, or damaged ({error})") from None
        if known != study:
            self._connection.close()
            raise ValueError(f"{path} has the answers of another study ({known}): name another file")
        self._jobs: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="answers", daemon=True)
        self._thread.start()

    def run(self, job: Callable[[sqlite3.Connection], Result]) -> concurrent.futures.Future[Result]:
        """Runs a job on the store's thread.

        Args:
          job: gets the connection, inside of a transaction.

        Returns:
          What the job returns, once it is on the disk; or its exception.
        """
        future: concurrent.futures.Future = concurrent.futures.Future()
        self._jobs.put((job, future))
        return future

    def close(self) -> None:
        """Does what is waiting, and closes the file."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        open_, connection = True, self._connection
        while open_:
            batch = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while len(batch) < _BATCH:
                    batch.append(self._jobs.get_nowait())
            open_ = None not in batch
            done = []
            try:
                connection.execute("BEGIN IMMEDIATE")
                for job, future in filter(None, batch):
                    done.append((future, *_attempt(connection, job)))
                connection.execute("COMMIT")
            except sqlite3.Error as error:  # the disk is full, say: nobody is told that anything was stored
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                failure = OSError(f"answers could not be stored ({error})")
                done = [(future, None, failure) for _, future in filter(None, batch)]
            for future, result, error in done:
                if not future.set_running_or_notify_cancel():
                    continue
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)
        connection.close()


def _attempt(connection: sqlite3.Connection, job: Callable[[sqlite3.Connection], Any]) -> tuple[Any, Any]:
    """A job's result and exception; what a failed one has written is taken back."""
    connection.execute("SAVEPOINT job")
    try:
        return job(connection), None
    except Exception as error:
        connection.execute("ROLLBACK TO job")
        return None, error
    finally:
        connection.execute("RELEASE job")


def _connect(path: pathlib.Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    except sqlite3.Error as error:
        raise ValueError(f"{path} cannot be opened ({error})") from None
    try:  # which changes nothing in a file of somebody else
        names = {name for name, in connection.execute(
            "SELECT name FROM sqlite_master WHERE type != 'index' AND name NOT LIKE 'sqlite%'")}
    except sqlite3.Error as error:
        connection.close()
        raise ValueError(f"{path} is no file of answers, or damaged ({error})") from None
    if names and names != _NAMES:
        connection.close()
        raise ValueError(f"{path} is no file of answers: it is a database of something else")
    return connection


def study_of(connection: sqlite3.Connection) -> str:
    """Reads which study answers belong to.

    Args:
      connection: of a file of answers.

    Returns:
      The study's id.
    """
    return connection.execute("SELECT value FROM about WHERE name = 'study'").fetchone()[0]


def begin_session(connection: sqlite3.Connection, session: str, observer: str, started: str, *, limit: int,
                  slot: int | None = None) -> int:
    """Notes a session.

    Args:
      connection: of a file of answers.
      session: its id.
      observer: who answers.
      started: when, as text.
      limit: of sessions.
      slot: number of the schedule; None for the number of the session.

    Returns:
      The slot.

    Raises:
      ValueError: if there are too many sessions.
    """
    number = connection.execute("SELECT COUNT(*) FROM sessions").fetchone()[0]
    if number >= limit:
        raise ValueError(f"there are {number} sessions already")
    slot = number if slot is None else slot
    connection.execute("INSERT INTO sessions VALUES (?, ?, ?, NULL, ?)", (session, slot, observer, started))
    return slot


def add_answer(connection: sqlite3.Connection, answer: dict[str, Any], received: str) -> bool:
    """Stores the answer to a trial that was handed out; a second answer to it changes nothing.

    Args:
      connection: of a file of answers.
      answer: session, trial, response, response_ms, pixels_per_degree and time.
      received: when, as text.

    Returns:
      Whether it was the first one.

    Raises:
      ValueError: if the trial was not handed out.
    """
    key = (answer["session"], answer["trial"])
    if connection.execute("SELECT 1 FROM trials WHERE session = ? AND trial = ?", key).fetchone() is None:
        raise ValueError("this trial was not handed out")
    values = (*key, *(answer[name] for name in ("response", "response_ms", "pixels_per_degree", "time")), received)
    return connection.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", values).rowcount == 1


def read_rows(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Reads answers in the columns that they are exchanged in.

    Args:
      connection: of a file of answers.

    Yields:
      A row for each answer, session by session in the order in which they began.
    """
    study = study_of(connection)
    query = """SELECT observer, session, trial, described, response, response_ms, pixels_per_degree, time
               FROM answers JOIN trials USING (session, trial) JOIN sessions USING (session)
               ORDER BY sessions.rowid, trial"""
    for observer, session, trial, described, response, time_ms, degrees, time in connection.execute(query):
        yield {"study": study, "observer": observer, "session": session, "trial": trial, **json.loads(described),
               "response": response, "response_ms": time_ms, "pixels_per_degree": degrees, "time": time}


def read_answers(path: pathlib.Path) -> list[dict[str, Any]]:
    """Reads the answers of a file, which a server may be writing to meanwhile.

    Args:
      path: the file.

    Returns:
      Rows by column, see `COLUMNS`.

    Raises:
      ValueError: if there is no such file, or it holds no answers.
    """
    if not pathlib.Path(path).is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    connection = _connect(path)
    try:
        return list(read_rows(connection))
    except (sqlite3.Error, TypeError) as error:
        raise ValueError(f"{path} is no file of answers, or damaged ({error})") from None
    finally:
        connection.close()
