"""Answers counted: how often each observer named each image of each pair, for the fits that share nothing."""

from typing import NamedTuple

import numpy as np

from rdr.evaluation.studies.answers import Answers, Item

SCOPES = ("auto", "codec", "source")


class Comparisons(NamedTuple):
    """Pairs of items that were compared.

    Attributes:
      study: its name.
      source: its name.
      condition: the codec that is compared with the source alone, or "" where all codecs are in one fit.
      items: what was compared; the source comes first where it takes part.
      reference: index of the source, or None.
      pairs: [pairs, 2] indices into `items`, the smaller first.
      counts: [observers, pairs, 3] how often the first was named, the second, and neither ("not sure").
      observers: names.
    """

    study: str
    source: str
    condition: str
    items: tuple[Item, ...]
    reference: int | None
    pairs: np.ndarray
    counts: np.ndarray
    observers: tuple[str, ...]

    def keep(self, observers: np.ndarray) -> "Comparisons":
        """Leaves observers out.

        Args:
          observers: [observers] of booleans, which to keep.

        Returns:
          The comparisons of the others; pairs that nobody compared are left, with counts of zero.
        """
        names = tuple(name for name, retained in zip(self.observers, observers) if retained)
        return self._replace(counts=self.counts[observers], observers=names)


def count_answers(answers: Answers, *, scope: str = "auto") -> list[Comparisons]:
    """Counts the answers to test trials; skipped ones, training and catch trials are left out.

    Args:
      answers: of triplets, flicker or 2afc.
      scope: "codec": every codec against the source alone, from trials whose pivot is the source (or that have none)
        and whose images are the source or this codec; "source": all codecs of a source together; "auto": the first for
        questions about distortion, the second for preferences.

    Returns:
      One element a source and, with "codec", codec, in their order; those without any trial are left out.

    Raises:
      ValueError: if the answers are right or wrong instead, or the scope is unknown.
    """
    if answers.question == "correctness":
        raise ValueError(f"answers of the protocol {answers.protocol} are right or wrong, and compare no pairs")
    if scope not in SCOPES:
        raise ValueError(f"scope must be one of {', '.join(SCOPES)}, got {scope!r}")
    if scope == "auto":
        scope = "codec" if answers.question == "distortion" else "source"
    codec = np.array([item.condition for item in answers.items])
    is_source = codec == answers.reference if answers.reference else np.zeros(codec.size, bool)
    counted = (answers.kind == "test") & (answers.response != "skip") & (answers.left != answers.right)
    counted &= (answers.pivot < 0) | is_source[answers.pivot]
    conditions = [name for name in dict.fromkeys(codec.tolist()) if name != answers.reference]
    result = []
    for number, source in enumerate(answers.sources):
        of_source = counted & (answers.source == number)
        for condition in conditions if scope == "codec" else [""]:
            allowed = is_source | (codec == condition) if condition else np.ones(codec.size, bool)
            trials = answers.select(of_source & allowed[answers.left] & allowed[answers.right])
            if trials.left.size:
                result.append(_count(trials, source, condition, is_source))
    return result


def _count(trials: Answers, source: str, condition: str, is_source: np.ndarray) -> Comparisons:
    # A source that was shown as the pivot alone was compared with nothing, and has no place on the scale.
    items, place = np.unique(np.stack([trials.left, trials.right]), return_inverse=True)
    left, right = place.reshape(2, -1)
    first, second = np.minimum(left, right), np.maximum(left, right)
    pairs, pair = np.unique(first * items.size + second, return_inverse=True)
    named = np.where(trials.response == "left", left, right)
    outcome = np.where(trials.response == "notsure", 2, np.where(named == first, 0, 1))
    counts = np.zeros((len(trials.observers), pairs.size, 3))
    np.add.at(counts, (trials.observer, pair, outcome), 1.0)
    reference = np.flatnonzero(is_source[items])
    return Comparisons(
        trials.study, source, condition, tuple(trials.items[i] for i in items),
        int(reference[0]) if reference.size else None, np.stack([pairs // items.size, pairs % items.size], 1), counts,
        trials.observers)


def pieces(items: int, pairs: np.ndarray, counts: np.ndarray, *, directed: bool = False) -> np.ndarray:
    """Finds groups of items that comparisons connect.

    Args:
      items: how many.
      pairs: [pairs, 2].
      counts: [pairs, 3], summed over observers.
      directed: whether a path must lead from each to each along "was named over", which is when likelihoods have a
        finite maximum (ties lead both ways); else whether they were compared at all.

    Returns:
      [items] numbers of the groups.

    Reference: ford1957solution.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    forward, backward = (counts[:, 0] + counts[:, 2] > 0), (counts[:, 1] + counts[:, 2] > 0)
    start = np.concatenate([pairs[forward, 0], pairs[backward, 1]])
    end = np.concatenate([pairs[forward, 1], pairs[backward, 0]])
    graph = coo_array((np.ones(start.size), (start, end)), shape=(items, items))
    return connected_components(graph, directed=directed, connection="strong")[1]
