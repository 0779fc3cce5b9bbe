"""Designs of studies, which images are compared, in what arrangement and order: pure functions of numbers and seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PROTOCOLS = ("2afc", "3afc", "triplet", "flicker", "foveated")
DESIGNS = ("random", "balanced", "active")
COMPARE = ("all", "codec", "reference")
ODDITY = ("3afc", "foveated")  # one image differs from the others: an answer is right or wrong
NOTHING = -1  # instead of a condition: no image is shown there
SIDES = ("left", "right", "middle")


class Condition(NamedTuple):
    """A way in which every source was processed.

    Attributes:
      codec: its name.
      level: a number; larger for more or for less distortion, as the codec has it.
    """

    codec: str
    level: float


REFERENCE = Condition("reference", 0.0)


class Comparison(NamedTuple):
    """Two conditions of one source.

    Attributes:
      source: number of the source.
      first: number of a condition; 0 is the source itself.
      second: number of another one, greater than `first`.
    """

    source: int
    first: int
    second: int


class Trial(NamedTuple):
    """What is shown and asked.

    Attributes:
      kind: "training", "test" or "catch".
      source: number of the source.
      left: condition that is shown on the left, or first.
      pivot: condition in the middle, or what both are compared with; `NOTHING` for none.
      right: condition on the right, or last.
      correct: the answer where it is known, of `SIDES`; else empty.
    """

    kind: str
    source: int
    left: int
    pivot: int
    right: int
    correct: str


def list_comparisons(conditions: Sequence[Condition], sources: int, protocol: str, *,
                     compare: str = "all") -> list[Comparison]:
    """Lists what a study can ask.

    Args:
      conditions: the reference first.
      sources: how many there are.
      protocol: one of `PROTOCOLS`; in those of `ODDITY` conditions are compared with the source alone.
      compare: "all" pairs of conditions of a source; "codec", those of one codec and of each with the source;
        "reference", each with the source only.

    Returns:
      The comparisons, source by source.

    Raises:
      ValueError: if a word is unknown, the first condition is not the reference, or there is nothing to compare.
    """
    check_word("protocol", protocol, PROTOCOLS)
    check_word("compare", compare, COMPARE)
    if not conditions or conditions[0] != REFERENCE or REFERENCE in conditions[1:]:
        raise ValueError(f"conditions must begin with {REFERENCE}, and have it once")
    if len(conditions) < 2 or sources < 1:
        raise ValueError(f"a study needs a source and a codec, got {sources} sources and {len(conditions) - 1} codecs")
    to_source = protocol in ODDITY or compare == "reference"
    return [Comparison(source, i, j) for source in range(sources) for j in range(1, len(conditions)) for i in range(j)
            if i == 0 or not (to_source or (compare == "codec" and conditions[i].codec != conditions[j].codec))]


def check_word(name: str, value: str, known: Sequence[str]) -> None:
    """Refuses a word that is not known.

    Args:
      name: of the argument.
      value: the word.
      known: what it may be.

    Raises:
      ValueError: if it is none of them.
    """
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def arrangements(protocol: str) -> int:
    """Counts the ways in which a comparison can be shown.

    Args:
      protocol: one of `PROTOCOLS`.

    Returns:
      2: either condition is on the left; 6 for three images of which either condition is the odd one, in each place.
    """
    return 6 if protocol == "3afc" else 2


def arrange(protocol: str, comparison: Comparison, arrangement: int, kind: str = "test", *,
            pivot: bool = True, known: bool = False) -> Trial:
    """Puts a comparison onto the screen.

    Args:
      protocol: one of `PROTOCOLS`. In "triplet" and "flicker" it is asked which of left and right is more distorted
        than the pivot, in "2afc" which is better; in "3afc" which of three differs from the others; in "foveated"
        the source is shown first, and it is asked which of the two that follow differs from it.
      comparison: the conditions, the less distorted one first where an answer is known.
      arrangement: from 0 to `arrangements(protocol)` - 1. Even: the first condition is on the left. For three images:
        the odd one's place (left, middle, right), plus 3 where the first condition is the odd one.
      kind: "training", "test" or "catch".
      pivot: whether the source is shown in "2afc", too.
      known: whether the first condition is known to look better.

    Returns:
      The trial.

    Raises:
      ValueError: if the arrangement does not exist.
    """
    if not 0 <= arrangement < arrangements(protocol):
        raise ValueError(f"arrangement must be from 0 to {arrangements(protocol) - 1}, got {arrangement}")
    source, first, second = comparison
    if protocol == "3afc":
        odd, others = (second, first) if arrangement < 3 else (first, second)
        shown = [others] * 3
        shown[arrangement % 3] = odd
        return Trial(kind, source, *shown, correct=("left", "middle", "right")[arrangement % 3])
    left, right = (first, second) if arrangement == 0 else (second, first)
    worse = "right" if arrangement == 0 else "left"
    better = "left" if arrangement == 0 else "right"
    correct = worse if protocol == "foveated" or (known and protocol != "2afc") else better if known else ""
    return Trial(kind, source, left, 0 if pivot or protocol != "2afc" else NOTHING, right, correct)


class Tally:
    """How often each comparison was given in each arrangement, in a study and to one observer.

    Attributes:
      given: int64 [comparisons, arrangements], in the whole study.
      own: the same, to the observer.
    """

    def __init__(self, given: np.ndarray, own: np.ndarray):
        self.given, self.own = given, own

    def add(self, choice: int, arrangement: int) -> None:
        """Counts a trial.

        Args:
          choice: number of the comparison.
          arrangement: how it was shown.
        """
        self.given[choice, arrangement] += 1
        self.own[choice, arrangement] += 1


def choose_least_used(comparisons: np.ndarray, tally: Tally, rng: np.random.Generator) -> int:
    """Chooses a comparison so that all are given equally often.

    Of those that were given least often in the study: of these the ones that the observer saw least often, then those
    whose conditions the observer saw least often, then those whose source; what is left is drawn. Counts of a study
    then never differ by more than one, and no observer sees a comparison twice before having seen all.

    Args:
      comparisons: int [comparisons, 3], as `Comparison`.
      tally: what was given.
      rng: draws among equals.

    Returns:
      The number of the comparison.
    """
    candidates = np.arange(len(comparisons))
    own = tally.own.sum(1)
    seen = np.zeros(comparisons[:, 1:].max() + 1, np.int64)
    np.add.at(seen, comparisons[:, 1], own)
    np.add.at(seen, comparisons[:, 2], own)
    sources = np.bincount(comparisons[:, 0], own)
    for cost in (tally.given.sum(1), own, seen[comparisons[:, 1]] + seen[comparisons[:, 2]],
                 sources[comparisons[:, 0]]):
        here = cost[candidates]
        candidates = candidates[here == here.min()]
    return int(rng.choice(candidates))


def choose_unseen(tally: Tally, rng: np.random.Generator) -> int:
    """Chooses a comparison at random among those that the observer saw least often.

    Args:
      tally: what was given.
      rng: draws.

    Returns:
      The number of the comparison.
    """
    own = tally.own.sum(1)
    return int(rng.choice(np.flatnonzero(own == own.min())))


def choose_arrangement(choice: int, tally: Tally, rng: np.random.Generator, *, balanced: bool = True) -> int:
    """Chooses on which sides the images of a comparison are.

    Args:
      choice: number of the comparison.
      tally: what was given.
      rng: draws among equals.
      balanced: whether the arrangement that this comparison had least often is taken, and of these the one that the
        observer had least often; else one is drawn.

    Returns:
      The number of the arrangement.
    """
    candidates = np.arange(tally.given.shape[1])
    if balanced:
        for cost in (tally.given[choice], tally.own.sum(0)):
            here = cost[candidates]
            candidates = candidates[here == here.min()]
    return int(rng.choice(candidates))


def kinds_of_trials(test: int, catch: int, training: int, rng: np.random.Generator) -> list[str]:
    """Orders kinds of trials: training first, catch trials spread over the rest, one in each equal part of it.

    Args:
      test: number of test trials.
      catch: number of catch trials.
      training: number of training trials.
      rng: places the catch trials.

    Returns:
      The kind of each trial.

    Raises:
      ValueError: if a number is negative, or there are more catch trials than test trials.
    """
    if min(test, catch, training) < 0 or catch > test:
        raise ValueError(f"there must be trials, and at most as many catch trials, got {test}, {catch} and {training}")
    kinds: list[str] = []
    for part in np.array_split(np.arange(test), catch) if catch else [np.arange(test)]:
        block = ["test"] * len(part)
        if catch:
            block.insert(int(rng.integers(len(block) + 1)), "catch")
        kinds += block
    return ["training"] * training + kinds


class Plan(NamedTuple):
    """What every observer of a study gets.

    Attributes:
      protocol: one of `PROTOCOLS`.
      conditions: how many there are, the reference among them; the next number is the catch trials' distortion.
      sources: how many there are.
      test: test trials of an observer.
      catch: catch trials of an observer.
      training: training trials of an observer.
      pivot: whether the source is shown in "2afc".
    """

    protocol: str
    conditions: int
    sources: int
    test: int
    catch: int
    training: int
    pivot: bool = True


def skeleton(plan: Plan, seed: Sequence[int]) -> list[Trial | None]:
    """Makes the trials of an observer that no design chooses: training and catch trials, whose answers are known.

    Each shows a source beside a heavy distortion of it, in every arrangement equally often.

    Args:
      plan: of the study.
      seed: whole numbers, of the study and of the observer.

    Returns:
      All trials in order, None where a test trial belongs.
    """
    rng, total = np.random.default_rng(list(seed)), arrangements(plan.protocol)
    kinds = kinds_of_trials(plan.test, plan.catch, plan.training, rng)
    orders = {kind: np.concatenate([rng.permutation(total) for _ in range(number // total + 1)])
              for kind, number in (("training", plan.training), ("catch", plan.catch))}
    trials: list[Trial | None] = []
    for place, kind in enumerate(kinds):
        if kind == "test":
            trials.append(None)
            continue
        comparison = Comparison(int(rng.integers(plan.sources)), 0, plan.conditions)
        trials.append(arrange(plan.protocol, comparison, int(orders[kind][kinds[:place].count(kind)]), kind,
                              pivot=plan.pivot, known=True))
    return trials


def schedule(plan: Plan, comparisons: Sequence[Comparison], observers: int, *, design: str = "balanced",
             seed: int = 0) -> list[list[Trial]]:
    """Makes the trials of every observer beforehand.

    Args:
      plan: of the study.
      comparisons: what is asked.
      observers: how many there are.
      design: "balanced" gives all comparisons equally often, in all arrangements; "random" draws them, for each
        observer without repetition, and their arrangements.
      seed: of all that is drawn.

    Returns:
      For each observer the trials in order.

    Raises:
      ValueError: if the design is none of these, or a number is not positive.
    """
    check_word("design", design, ("balanced", "random"))
    if observers < 1 or plan.test < 1:
        raise ValueError(f"there must be observers and trials, got {observers} and {plan.test}")
    table = np.array(comparisons, np.int64)
    given = np.zeros((len(table), arrangements(plan.protocol)), np.int64)
    trials = []
    for observer in range(observers):
        rng, tally = np.random.default_rng([seed, observer, 0]), Tally(given, np.zeros_like(given))
        chosen = []
        for _ in range(plan.test):
            choice = choose_least_used(table, tally, rng) if design == "balanced" else choose_unseen(tally, rng)
            arrangement = choose_arrangement(choice, tally, rng, balanced=design == "balanced")
            tally.add(choice, arrangement)
            chosen.append(arrange(plan.protocol, comparisons[choice], arrangement, pivot=plan.pivot))
        order = iter(rng.permutation(len(chosen)))
        trials.append([chosen[next(order)] if trial is None else trial
                       for trial in skeleton(plan, (seed, observer, 1))])
    return trials
