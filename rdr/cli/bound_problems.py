"""Problems of `rdr bound` besides a source alone: one seen through noise, side information, a given encoder."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PLACES = ("decoder", "both")
PROVED = "proved_infeasible"  # a column that is not written
REALISM = ("marginal", "joint")
MEANINGS = {
    "source": "the rate-distortion-perception function lies between rate_lower_bits and rate_bits",
    "observation": "the rate-distortion-perception function of the source behind the observation lies between "
                   "rate_lower_bits and rate_bits",
    "side_information": "the rate-distortion-perception function with side information lies between rate_lower_bits "
                        "and rate_bits",
    "encoder": "the least distortion of decoders of the encoder lies between distortion_lower and distortion",
}
_ROUNDING = 1e-6  # text files hold rounded probabilities; sums this close to 1 are rescaled


class Problem(NamedTuple):
    """What is bounded.

    Attributes:
      kind: "source", "observation", "side_information" or "encoder".
      pmf: of the source, [n].
      matrix: d(x, y), [n, m].
      table: joint probabilities of the source and what is beside it, or the encoder's W(z|x), [n, k]; empty of a
        source alone.
    """

    kind: str
    pmf: np.ndarray
    matrix: np.ndarray
    table: np.ndarray


def check(observation: str, side_information: str, encoder: str, pmf: str, divergence: str) -> str:
    """Says which kind of problem the flags ask for, and refuses those that do not fit together.

    Args:
      observation: of `--observation`.
      side_information: of `--side_information`.
      encoder: of `--encoder`.
      pmf: of `--pmf`.
      divergence: of `--divergence`.

    Returns:
      The kind of `Problem`.

    Raises:
      ValueError: naming the flags.
    """
    given = [name for name, value in (("observation", observation), ("side_information", side_information),
                                      ("encoder", encoder)) if value]
    if len(given) > 1:
        raise ValueError(f"--{given[0]} and --{given[1]} are two problems: give one of them")
    if not given:
        return "source"
    if given[0] == "encoder":
        if divergence == "none":
            raise ValueError("--encoder asks what decoders reach at each perception: say by which divergence, for "
                             "example --divergence=tv")
    elif pmf:
        raise ValueError(f"--pmf and --{given[0]} both say what the source is: the latter's row sums do")
    return given[0]


def joint_pmf(name: str, table: np.ndarray) -> np.ndarray:
    """Checks joint probabilities of a source and what is beside it.

    Args:
      name: the flag, for messages.
      table: [n, k].

    Returns:
      The same, sum 1.

    Raises:
      ValueError: if it is no table of probabilities, or a letter of the source never occurs.
    """
    if table.ndim != 2:
        raise ValueError(f"{name} must be a table with one row per letter of the source, got shape {table.shape}")
    if not (table >= 0.0).all():
        raise ValueError(f"{name} must have entries >= 0, got {table[~(table >= 0.0)][0]:g}")
    total = float(table.sum())
    if not abs(total - 1.0) <= _ROUNDING:
        raise ValueError(f"{name} must hold joint probabilities, which sum to 1, got a sum of {total:.9g}")
    return table / total


def encoder_table(table: np.ndarray, letters: int) -> np.ndarray:
    """Checks the probabilities of an encoder's messages.

    Args:
      table: W(z|x), [n, k].
      letters: n.

    Returns:
      The same, rows that sum to 1.

    Raises:
      ValueError: if it is no table of probabilities with one row per letter.
    """
    if table.ndim != 2 or table.shape[0] != letters:
        raise ValueError(f"encoder must have one row per letter, {letters} rows, got shape {table.shape}")
    if not (table >= 0.0).all():
        raise ValueError(f"encoder must have entries >= 0, got {table[~(table >= 0.0)][0]:g}")
    sums = table.sum(1)
    if not (np.abs(sums - 1.0) <= _ROUNDING).all():
        wrong = int(np.argmax(np.abs(sums - 1.0)))
        raise ValueError(f"encoder must have rows that sum to 1, got {sums[wrong]:.9g} in row {wrong}")
    return table / sums[:, None]


def ends(problem: Problem) -> tuple[float, float]:
    """The ends of a curve: the smallest reachable distortion, and one from which all rates are 0.

    Args:
      problem: of any kind but "encoder".

    Returns:
      Two distortions.
    """
    # Rows of `seen` are what the encoder may see, `costs` what a reproduction costs there; `known` is the decoder's.
    if problem.kind == "observation":
        from theory.discrete import reduced_distortion

        seen, costs = problem.table.sum(0), np.asarray(reduced_distortion(problem.table, problem.matrix))
    else:
        seen, costs = problem.pmf, problem.matrix
    used = seen > 0.0
    smallest = float(seen[used] @ costs[used].min(axis=1))
    known = problem.table.T if problem.kind == "side_information" else problem.pmf[None]
    known = known[known.sum(1) > 0]
    occurs = known > 0.0
    means = np.stack([row[live] @ problem.matrix[live] for row, live in zip(known, occurs)])
    largest = float(means.min(1).sum())
    if problem.matrix.shape[0] == problem.matrix.shape[1]:
        # At perfect realism the rate is 0 once an independent sample is good enough, given what the decoder knows.
        samples = [row[live] / row.sum() @ mean[live] for row, live, mean in zip(known, occurs, means)]
        independent = float(np.sum(samples))
        largest = independent if np.isfinite(independent) else largest
    if not np.isfinite(largest):
        largest = smallest + float(seen[used] @ np.where(np.isfinite(costs[used]), costs[used], 0.0).max(axis=1))
    return smallest, largest


def distortion_grid(smallest: float, largest: float, num_points: int) -> np.ndarray:
    """Distortions of a curve, denser where it is steep.

    Args:
      smallest: where it begins; the first is just above it.
      largest: where it ends.
      num_points: how many.

    Returns:
      [num_points] distortions.
    """
    return smallest + (largest - smallest) * np.linspace(0.1, 1.0, num_points) ** 2


def solve(
    problem: Problem, divergence: str, perceptions: Sequence[float], distortions: np.ndarray, place: str, realism: str
) -> dict[str, np.ndarray]:
    """Brackets the rate of a remote source, or with side information, at every pair of a distortion and a perception.

    Args:
      problem: of kind "observation" or "side_information".
      divergence: its name, or "none".
      perceptions: values of P; ignored with "none".
      distortions: [k] values of D.
      place: who knows the side information, of `PLACES`.
      realism: who must not see a difference, of `REALISM`: with side information only.

    Returns:
      Columns of a table; the rates of an infeasible pair are NaN.
    """
    import jax

    from theory import discrete

    function = {"observation": "remote", "decoder": "wyner_ziv", "both": "conditional"}[
        place if problem.kind == "side_information" else problem.kind] + "_rate_distortion"
    plain = divergence == "none"
    levels = (float("inf"),) if plain else tuple(perceptions)
    parts = []
    for level in levels:
        if plain:
            ask = getattr(discrete, function)
            options = {}
        else:
            ask = getattr(discrete, function + "_perception")
            options = {"perception": level, "divergence": divergence}
            options |= {"realism": realism} if problem.kind == "side_information" else {}

        def one(distortion, ask=ask, options=options):
            return ask(problem.table, problem.matrix, distortion=distortion, **options)

        parts.append(jax.lax.map(one, distortions))  # one after the other: XLA's threads may wait for ever on many
    columns = {"max_distortion": np.tile(distortions, len(levels)),
               "max_perception": np.repeat(np.asarray(levels, np.float64), len(distortions))}
    for name, field in (("rate_lower_bits", "rate_lower"), ("rate_bits", "rate"), ("gap_bits", "gap"),
                        ("distortion", "distortion"), ("slope_bits", "slope"),
                        *(() if plain else (("perception", "perception"),))):
        columns[name] = np.concatenate([np.asarray(getattr(part, field)) for part in parts])
    order = np.lexsort((columns["max_perception"], columns["max_distortion"]))
    columns = {name: column[order] for name, column in columns.items()}
    return without_infeasible(columns)


def without_infeasible(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Takes bounds away where no channel was found.

    Args:
      columns: with `rate_bits` and `rate_lower_bits`; the latter is inf where it is proved that there is none.

    Returns:
      The columns, lower bounds NaN where there is no rate, and `PROVED`, which says where there can be none.
    """
    lower = columns["rate_lower_bits"]
    infeasible = ~np.isfinite(columns["rate_bits"])
    return columns | {"rate_lower_bits": np.where(infeasible, np.nan, lower), PROVED: np.isposinf(lower)}


def solve_decoders(
    problem: Problem, divergence: str, perceptions: Sequence[float], num_points: int
) -> tuple[dict[str, np.ndarray], float]:
    """Brackets the least distortion of decoders of an encoder at every perception.

    Args:
      problem: of kind "encoder".
      divergence: its name.
      perceptions: values of P; none: from 0 to that of the best decoder without realism, and inf.
      num_points: of these.

    Returns:
      Columns of a table, and the rate I(X; Z) of the encoder, bits.
    """
    from theory.discrete import best_decoder

    asked = (problem.pmf, problem.table, problem.matrix)
    if perceptions:
        levels = np.asarray(perceptions, np.float64)
    else:
        largest = float(best_decoder(*asked, perception=float("inf"), divergence=divergence).perception)
        finite = largest if np.isfinite(largest) else 1.0
        levels = np.append(finite * np.linspace(0.0, 1.0, max(num_points, 2))[:-1] ** 2, np.inf)
    found = best_decoder(*asked, perception=levels, divergence=divergence)
    joint = problem.pmf[:, None] * problem.table
    product = problem.pmf[:, None] * joint.sum(0)
    occurs = joint > 0
    rate = float((joint[occurs] * np.log2(joint[occurs] / product[occurs])).sum())
    return {"max_perception": levels, "distortion_lower": np.asarray(found.distortion_lower),
            "distortion": np.asarray(found.distortion), "gap": np.asarray(found.gap),
            "perception": np.asarray(found.perception)}, max(rate, 0.0)
