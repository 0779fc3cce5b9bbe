"""Answers of `rdr bound` for blocks of a finite length: the normal approximation, and bounds where they are known."""

from collections.abc import Sequence

import numpy as np


def check(blocklength: Sequence[int], excess_probability: float, divergence: str) -> None:
    """Refuses flags that do not fit together.

    Args:
      blocklength: of `--blocklength`.
      excess_probability: of `--excess_probability`.
      divergence: of `--divergence`.

    Raises:
      ValueError: naming the flag, what it got and what it needs.
    """
    if any(not 1 <= n <= 10**6 for n in blocklength):
        raise ValueError(f"--blocklength must be from 1 to 1000000, got {', '.join(map(str, blocklength))}")
    if not 0.0 < excess_probability < 1.0:
        raise ValueError(f"--excess_probability must lie between 0 and 1, got {excess_probability:g}")
    if blocklength and divergence != "none":
        raise ValueError(f"--blocklength is for rate-distortion curves, got --divergence={divergence}: what blocks "
                         "need under a constraint on perception is not known this way")


def block_columns(
    pmf: np.ndarray, matrix: np.ndarray, columns: dict[str, np.ndarray], blocklength: Sequence[int], epsilon: float
) -> dict[str, np.ndarray]:
    """Computes columns for blocks, three a length where bounds are known, else one.

    Args:
      pmf: [n].
      matrix: d(x, y), [n, m].
      columns: of the curve, with `max_distortion`, `rate_bits` and `dispersion_bits2`.
      blocklength: letters in a block.
      epsilon: probability of a block with more than the distortion.

    Returns:
      `normal_approximation_bits_nN`, and for two letters, or letters that are equally likely, under Hamming distortion
      `converse_bits_nN` and `achievability_bits_nN`: bits per letter.
    """
    from theory import finite_blocklength

    lengths = np.asarray(blocklength, np.int64)
    found = {}
    bounds = None
    if np.array_equal(matrix, 1.0 - np.eye(len(pmf))) and len(pmf) > 1:
        asked = {"blocklength": lengths, "excess_probability": epsilon}
        if len(pmf) == 2:
            bounds = [finite_blocklength.bernoulli_bounds(pmf[1], d, **asked) for d in columns["max_distortion"]]
        elif np.ptp(pmf) <= 1e-12:
            bounds = [finite_blocklength.uniform_bounds(len(pmf), d, **asked) for d in columns["max_distortion"]]
    for index, n in enumerate(blocklength):
        found[f"normal_approximation_bits_n{n}"] = np.asarray(finite_blocklength.normal_approximation(
            columns["rate_bits"], columns["dispersion_bits2"], n, epsilon))
        if bounds is not None:
            found[f"converse_bits_n{n}"] = np.array([float(one.converse[index]) for one in bounds])
            found[f"achievability_bits_n{n}"] = np.array([float(one.achievability[index]) for one in bounds])
    return found


def explanation(blocklength: Sequence[int], epsilon: float) -> dict[str, str]:
    """Says in a table's header what the columns for blocks are.

    Args:
      blocklength: letters in a block.
      epsilon: probability of a block with more than the distortion.

    Returns:
      Header lines by key; none without blocks.
    """
    if not blocklength:
        return {}
    return {"blocks": f"fixed-length codes whose blocks exceed max_distortion with probability {epsilon:g}; "
                      "normal_approximation_bits is an approximation and no bound; no code needs less than "
                      "converse_bits and some code needs no more than achievability_bits"}


def shown(columns: dict[str, np.ndarray]) -> list[str]:
    """The columns for blocks that are printed.

    Args:
      columns: of the table.

    Returns:
      Their names.
    """
    kinds = ("converse_bits_n", "achievability_bits_n", "normal_approximation_bits_n")
    return [name for name in columns if name.startswith(kinds)]
