"""Trials handed out one after another, by what was answered until then."""

import json
import sqlite3
import time
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from rdr.evaluation.studies import design
from rdr.evaluation.studies.active_design import next_comparisons
from rdr.evaluation.studies.design import Tally, Trial
from rdr.evaluation.studies.site import Study

GIVEN_UP = 1800.0  # seconds after which a trial without an answer does not count as given
_RECOUNT = 60.0  # seconds
_KNOWN = -1  # instead of the number of a comparison, for training and catch trials


class HandOut:
    """Chooses the next trials of a session. All methods run on the store's thread.

    With the designs "balanced" and "random", as `design.schedule` does it, but over what was answered: trials of
    observers who went away are given to others. With "active", comparisons are taken from `suggested`, which somebody
    else fills; while it is empty, as in "balanced".

    Attributes:
      comparisons: what can be asked.
      suggested: numbers of comparisons, the best first.
    """

    def __init__(self, study: Study, *, clock: Callable[[], float] = time.time):
        plan, settings = study.plan, study.settings
        self.study, self.clock = study, clock
        self.comparisons = design.list_comparisons(
            study.conditions[:plan.conditions], len(study.sources), plan.protocol, compare=settings.compare)
        self.suggested: list[int] = []
        self._table = np.array(self.comparisons, np.int64)
        self._given = np.zeros((len(self.comparisons), design.arrangements(plan.protocol)), np.int64)
        self._counted = -np.inf

    def next_trials(self, connection: sqlite3.Connection, session: str, count: int,
                    without: Collection[int] = ()) -> list[tuple[int, Trial]]:
        """Hands out trials: first those that were handed out and not answered, then new ones.

        Args:
          connection: of the file of answers.
          session: its id.
          count: at most so many.
          without: numbers of trials that are not handed out again, since their answers were refused.

        Returns:
          (number, trial) in order; empty after the last one.

        Raises:
          KeyError: if there is no such session.
        """
        known = connection.execute("SELECT slot, observer FROM sessions WHERE session = ?", (session,)).fetchone()
        if known is None:
            raise KeyError(session)
        slot, observer = known
        waiting = connection.execute(
            """SELECT trial, shown FROM trials LEFT JOIN answers USING (session, trial)
               WHERE session = ? AND response IS NULL ORDER BY trial LIMIT ?""",
            (session, count + len(without))).fetchall()
        trials = [(number, Trial(*json.loads(shown))) for number, shown in waiting if number not in without][:count]
        last = connection.execute("SELECT COALESCE(MAX(trial), 0) FROM trials WHERE session = ?",
                                  (session,)).fetchone()[0]
        outline = design.skeleton(self.study.plan, (self.study.settings.seed, slot, 1))
        new = range(last, min(last + count - len(trials), len(outline)))
        tally = self._tally(connection, observer) if any(outline[number] is None for number in new) else None
        for number in new:
            trial, choice, arrangement = outline[number], _KNOWN, 0
            if trial is None:
                choice, arrangement = self._choose(tally, np.random.default_rng(
                    [self.study.settings.seed, slot, 2, number]))
                trial = design.arrange(self.study.plan.protocol, self.comparisons[choice], arrangement,
                                       pivot=self.study.plan.pivot)
            self._note(connection, session, number + 1, trial, choice, arrangement)
            trials.append((number + 1, trial))
        return trials

    def scheduled(self, connection: sqlite3.Connection, session: str, number: int) -> None:
        """Notes a trial of the schedule that a page without a server has followed, as if it had been handed out.

        Args:
          connection: of the file of answers.
          session: its id.
          number: of the trial, from 1.

        Raises:
          ValueError: if there is no such trial.
        """
        slot = connection.execute("SELECT slot FROM sessions WHERE session = ?", (session,)).fetchone()[0]
        trials = self.study.trials[slot] if 0 <= slot < len(self.study.trials) else []
        if not 1 <= number <= len(trials):
            raise ValueError("there is no such trial in this study")
        self._note(connection, session, number, trials[number - 1], _KNOWN, 0)

    def _note(self, connection: sqlite3.Connection, session: str, number: int, trial: Trial, choice: int,
              arrangement: int) -> None:
        connection.execute("INSERT OR IGNORE INTO trials VALUES (?, ?, ?, ?, ?, ?, ?)", (
            session, number, choice, arrangement, json.dumps(trial), json.dumps(self.study.row(trial)), self.clock()))

    def _tally(self, connection: sqlite3.Connection, observer: str) -> Tally:
        now = self.clock()
        if now - self._counted > _RECOUNT:  # without the trials that nobody has answered for long
            self._given[:] = 0
            for choice, arrangement, number in connection.execute(
                    """SELECT choice, arrangement, COUNT(*) FROM trials LEFT JOIN answers USING (session, trial)
                       WHERE choice >= 0 AND (response IS NOT NULL AND response != 'skip'
                                              OR response IS NULL AND handed > ?)
                       GROUP BY choice, arrangement""", (now - GIVEN_UP,)):
                self._given[choice, arrangement] = number
            self._counted = now
        own = np.zeros_like(self._given)
        for choice, arrangement, number in connection.execute(
                """SELECT choice, arrangement, COUNT(*) FROM trials JOIN sessions USING (session)
                   WHERE observer = ? AND choice >= 0 GROUP BY choice, arrangement""", (observer,)):
            own[choice, arrangement] = number
        return Tally(self._given, own)

    def _choose(self, tally: Any, rng: np.random.Generator) -> tuple[int, int]:
        name = self.study.settings.design
        if name == "active" and self.suggested:
            own = tally.own.sum(1)
            choice = min(self.suggested, key=lambda number: own[number])  # the first of the least seen
            self.suggested.remove(choice)
        elif name == "random":
            choice = design.choose_unseen(tally, rng)
        else:
            choice = design.choose_least_used(self._table, tally, rng)
        arrangement = design.choose_arrangement(choice, tally, rng, balanced=name != "random")
        tally.add(choice, arrangement)
        return choice, arrangement


def count_named(connection: sqlite3.Connection, comparisons: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts what was said of each comparison of two conditions.

    Args:
      connection: of the file of answers.
      comparisons: how many can be asked.

    Returns:
      int64 [comparisons, 3], how often the first condition was named (in "2afc" as the better one, else as the more
      distorted one), the second one, and neither; and int64 [comparisons], trials that wait for their answer.
    """
    counts, waiting = np.zeros((comparisons, 3), np.int64), np.zeros(comparisons, np.int64)
    for choice, arrangement, response, number in connection.execute(
            """SELECT choice, arrangement, response, COUNT(*) FROM trials LEFT JOIN answers USING (session, trial)
               WHERE choice >= 0 GROUP BY choice, arrangement, response"""):
        if response is None:
            waiting[choice] += number
        elif response != "skip":
            counts[choice, 2 if response == "notsure" else arrangement ^ (response == "right")] += number
    return counts, waiting


def suggest(hand_out: HandOut, counts: np.ndarray, waiting: np.ndarray) -> list[int]:
    """Chooses the comparisons that are expected to say most, one tree over all conditions of every source.

    Args:
      hand_out: whose comparisons they are.
      counts: of `count_named`.
      waiting: of `count_named`.

    Returns:
      Numbers of comparisons for `HandOut.suggested`.
    """
    plan = hand_out.study.plan
    number = (plan.conditions - 1) * plan.sources
    return next_comparisons(np.array(hand_out.comparisons), counts, number=number, open_trials=waiting).tolist()
