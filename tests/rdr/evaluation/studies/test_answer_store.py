"""Answers on the disk: once, whole, and of the right study."""

import contextlib
import sqlite3
import subprocess
import sys

import pytest

from rdr.evaluation.studies import answer_store
from rdr.evaluation.studies.answer_store import AnswerStore


def answer(trial, response="left", session="s"):
    return {"session": session, "trial": trial, "response": response, "response_ms": 12, "pixels_per_degree": 40.5,
            "time": "2026-01-01T00:00:00Z"}


def add(trial, response="left"):
    return lambda connection: answer_store.add_answer(connection, answer(trial, response), "then")


def fill(connection, trials=3):
    answer_store.begin_session(connection, "s", "me", "now", limit=9)
    for trial in range(1, trials + 1):
        connection.execute("INSERT INTO trials VALUES ('s', ?, 0, 0, '[]', '{\"codec_left\": \"a\"}', 0)", (trial,))


@pytest.fixture
def store(tmp_path):
    store = AnswerStore(tmp_path / "a.sqlite", "study")
    yield store
    store.close()


def test_the_first_answer_counts(store, tmp_path):
    store.run(fill).result()
    assert [store.run(add(2, response)).result() for response in ("left", "right")] == [True, False]
    rows = answer_store.read_answers(tmp_path / "a.sqlite")  # while the store is open
    assert rows == [{"study": "study", "observer": "me", "session": "s", "trial": 2, "codec_left": "a",
                     "response": "left", "response_ms": 12.0, "pixels_per_degree": 40.5,
                     "time": "2026-01-01T00:00:00Z"}]
    with pytest.raises(ValueError, match="was not handed out"):
        store.run(add(7)).result()


def test_commits_reach_the_disk(store):
    assert store.run(lambda c: c.execute("PRAGMA journal_mode").fetchone()).result() == ("wal",)
    assert store.run(lambda c: c.execute("PRAGMA synchronous").fetchone()).result() == (2,)  # FULL


def test_a_job_that_fails_leaves_nothing_and_the_others_alone(store):
    def broken(connection):
        connection.execute("INSERT INTO about VALUES ('x', '1')")
        raise KeyError("no")

    futures = [store.run(job) for job in (
        fill, broken, lambda c: c.execute("SELECT COUNT(*) FROM about").fetchone())]
    with pytest.raises(KeyError):
        futures[1].result()
    assert futures[2].result() == (1,)
    assert store.run(lambda c: c.execute("SELECT COUNT(*) FROM trials").fetchone()).result() == (3,)


def test_nobody_is_told_that_something_was_stored_when_it_was_not(store):
    """A transaction that cannot be committed: every job of it fails, and what comes later works."""
    def end(connection):
        connection.execute("COMMIT")  # so that the store's own commit fails

    with pytest.raises((OSError, sqlite3.Error)):
        store.run(end).result()
    store.run(fill).result()


def test_sessions_are_limited_and_numbered(store):
    begin = [store.run(lambda c, i=i: answer_store.begin_session(c, f"s{i}", "o", "now", limit=2)) for i in range(3)]
    assert [one.result() for one in begin[:2]] == [0, 1]
    with pytest.raises(ValueError, match="2 sessions already"):
        begin[2].result()


def test_what_waits_is_stored_before_it_closes(tmp_path):
    store = AnswerStore(tmp_path / "a.sqlite", "study")
    futures = [store.run(job) for job in (fill, add(1), add(2), add(3))]
    store.close()
    assert [one.result() for one in futures[1:]] == [True] * 3
    assert [row["trial"] for row in answer_store.read_answers(tmp_path / "a.sqlite")] == [1, 2, 3]


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from rdr.evaluation.studies import answer_store
from tests.rdr.evaluation.studies.test_answer_store import add, fill
store = answer_store.AnswerStore({path!r}, "study")
store.run(fill).result()
store.run(add(1)).result()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_confirmed_answer_survives_the_process(tmp_path, request):
    path = tmp_path / "a.sqlite"
    code = KILLED.format(root=str(request.config.rootpath), path=str(path))
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == -9
    assert [row["trial"] for row in answer_store.read_answers(path)] == [1]


def test_a_database_of_something_else_is_refused_untouched(tmp_path):
    path = tmp_path / "foreign.sqlite"
    for tables in ("CREATE TABLE notes (text)", "CREATE TABLE about (name, value)"):
        path.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute(tables)
        before = path.read_bytes()
        for call in (lambda: AnswerStore(path, "study"), lambda: answer_store.read_answers(path)):
            with pytest.raises(ValueError, match="database of something else"):
                call()
            assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_other_files_are_refused(store, tmp_path):
    store.close()
    with pytest.raises(ValueError, match="answers of another study"):
        AnswerStore(tmp_path / "a.sqlite", "other")
    (tmp_path / "text").write_text("this is no database, but it is long enough to be taken for one" * 20)
    (tmp_path / "empty").touch()
    for name in ("text", "empty"):
        with pytest.raises(ValueError, match="is no file of answers"):
            answer_store.read_answers(tmp_path / name)
    with pytest.raises(ValueError, match="is no file of answers"):
        AnswerStore(tmp_path / "text", "study")
    with pytest.raises(ValueError, match="there is no file"):
        answer_store.read_answers(tmp_path / "none")
    with pytest.raises(ValueError, match="cannot be opened"):
        AnswerStore(tmp_path / "none" / "a.sqlite", "study")
