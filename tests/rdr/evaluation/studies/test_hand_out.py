"""Trials one after another: the schedule's promises, over what was answered."""

import collections
import contextlib
import json
import sqlite3

import numpy as np
import pytest

from rdr.evaluation.studies import answer_store, hand_out, site
from rdr.evaluation.studies.hand_out import HandOut


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def serve(make_site, tmp_path):
    """A hand-out on a database of its own, with calls that need no connection."""
    opened = []

    def make(**more):
        name = f"site{len(opened)}"
        make_site(tmp_path / name, **more)
        study, clock = site.read_site(tmp_path / name), Clock()
        store = answer_store.AnswerStore(tmp_path / f"{name}.sqlite", study.id)
        opened.append(store)
        out = HandOut(study, clock=clock)

        class Calls:
            @staticmethod
            def begin(session, observer="me"):
                store.run(lambda c: answer_store.begin_session(c, session, observer, "", limit=999)).result()

            @staticmethod
            def next(session, count=1, without=()):
                return store.run(lambda c: out.next_trials(c, session, count, without)).result()

            @staticmethod
            def answer(session, trial, response="left"):
                row = {"session": session, "trial": trial, "response": response, "response_ms": 1,
                       "pixels_per_degree": 1, "time": ""}
                store.run(lambda c: answer_store.add_answer(c, row, "")).result()

            @staticmethod
            def everything(session, respond=lambda trial: "left"):
                trials = []
                while handed := Calls.next(session):
                    trials.append(handed[0][1])
                    Calls.answer(session, handed[0][0], respond(handed[0][1]))
                return trials

            @staticmethod
            def counts():
                return store.run(lambda c: hand_out.count_named(c, len(out.comparisons))).result()

        calls = Calls()
        calls.out, calls.clock, calls.study = out, clock, study
        return calls

    yield make
    for store in opened:
        store.close()


def pair(trial):
    return trial.source, *sorted((trial.left, trial.right))


def test_what_is_not_answered_is_handed_out_again(serve):
    study = serve()
    study.begin("s")
    first = study.next("s", 3)
    assert [number for number, _ in first] == [1, 2, 3] and study.next("s", 3) == first
    study.answer("s", 2)
    assert [number for number, _ in study.next("s", 3)] == [1, 3, 4]
    for number in (1, 3, 4, 5, 6):
        study.next("s", 3)
        study.answer("s", number)
    assert [number for number, _ in study.next("s", 3)] == [7]  # the last one
    study.answer("s", 7)
    assert study.next("s", 3) == []
    with pytest.raises(KeyError):
        study.next("t")


def test_trials_whose_answers_are_refused_are_not_handed_out_again(serve):
    study = serve()
    study.begin("s")
    study.next("s", 3)
    assert [number for number, _ in study.next("s", 3, {1, 3})] == [2, 4, 5]
    assert [number for number, _ in study.next("s", 3, set(range(1, 6)))] == [6, 7]
    assert study.next("s", 3, set(range(1, 8))) == []


@pytest.mark.parametrize("design", ["balanced", "random"])
def test_sessions_have_the_trials_of_their_plan(design, serve):
    study = serve(design=design, test=12, catch=2)
    for session in range(6):
        study.begin(str(session), f"o{session}")
        trials = study.everything(str(session))
        kinds = collections.Counter(trial.kind for trial in trials)
        assert kinds == {"training": 1, "test": 12, "catch": 2} and trials[0].kind == "training"
        assert len({pair(trial) for trial in trials if trial.kind == "test"}) == 12  # each once
    counts, waiting = study.counts()
    assert counts.sum() == 72 and (counts.sum(1) == 6).all() and not waiting.any()
    if design == "balanced":  # everybody said left: each condition was there equally often
        np.testing.assert_array_equal(counts, np.tile([3, 3, 0], (12, 1)))


def test_interleaved_observers_share_the_comparisons_equally(serve):
    study = serve(test=4, catch=0, training=0)
    for session in "abcdef":
        study.begin(session, session)
    for _ in range(4):
        for session in "abcdef":
            study.answer(session, study.next(session)[0][0])
    counts, _ = study.counts()
    assert set(counts.sum(1)) == {2}  # 24 trials of 12 comparisons


def test_trials_of_observers_who_went_away_are_given_to_others(serve):
    study = serve(test=6, catch=0, training=0)
    study.begin("gone", "a")
    left = {pair(trial) for _, trial in study.next("gone", 6)}
    study.begin("b", "b")
    study.clock.now = 30.0
    assert not left & {pair(trial) for trial in study.everything("b")}  # they may still come
    study.clock.now = hand_out.GIVEN_UP + 61.0
    study.begin("c", "c")
    assert {pair(trial) for trial in study.everything("c")} == left
    assert len(study.next("gone", 6)) == 6  # and do count if they come after all


def test_a_recount_holds_trials_that_wait_for_their_answer(serve):
    study = serve(test=6, catch=0, training=0)
    study.begin("a", "a")
    waiting = {pair(trial) for _, trial in study.next("a", 6)}
    study.clock.now = 61.0
    study.begin("b", "b")
    assert not waiting & {pair(trial) for trial in study.everything("b")}


def test_skipped_trials_are_given_again(serve):
    study = serve(test=6, catch=0, training=0)
    study.begin("a", "a")
    study.everything("a", lambda trial: "skip")
    study.clock.now = 61.0
    for session in "bc":
        study.begin(session, session)
        study.everything(session)
    assert (study.counts()[0].sum(1) == 1).all()


def test_an_observer_who_comes_twice_sees_new_comparisons(serve):
    study = serve(design="random", test=6, catch=0, training=0)
    seen = []
    for session in ("a", "b"):
        study.begin(session, "same")
        seen += [pair(trial) for trial in study.everything(session)]
    assert len(set(seen)) == 12


def test_suggestions_are_taken_in_order_and_by_who_has_not_seen_them(serve):
    study = serve(design="active", test=5, catch=0, training=0)
    study.out.suggested = [7, 7, 2]
    study.begin("a")
    given = [study.out.comparisons.index((t.source, *sorted((t.left, t.right)))) for _, t in study.next("a", 3)]
    assert given == [7, 2, 7] and study.out.suggested == []
    assert len(study.next("a", 5)) == 5  # and goes on without


def test_counts_name_conditions_and_not_sides(serve):
    study = serve(test=12, catch=1)
    for session in "abcd":
        study.begin(session, session)
        study.everything(session, lambda trial: "left" if trial.left < trial.right else "right")
    np.testing.assert_array_equal(study.counts()[0], np.tile([4, 0, 0], (12, 1)))
    study.begin("e", "e")
    study.everything("e", lambda trial: "notsure")
    study.begin("f", "f")
    assert len(study.next("f", 4)) == 4
    counts, waiting = study.counts()
    np.testing.assert_array_equal(counts, np.tile([4, 0, 1], (12, 1)))
    assert waiting.max() == 1 and waiting.sum() in (2, 3)  # the first one is training, another may be a catch trial


def test_scheduled_trials_are_those_of_the_page(serve):
    study = serve()
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(answer_store._TABLES)
        answer_store.begin_session(connection, "a", "me", "", limit=9, slot=2)
        for _ in range(2):
            study.out.scheduled(connection, "a", 5)
        (number, described), = connection.execute("SELECT trial, described FROM trials")
        assert number == 5 and json.loads(described) == study.study.row(study.study.trials[2][4])
        for number in (0, 8):
            with pytest.raises(ValueError, match="no such trial"):
                study.out.scheduled(connection, "a", number)
