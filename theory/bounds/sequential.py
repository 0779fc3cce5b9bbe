"""The look-up of causal rates: sources with memory, each reconstruction made before the next letter is seen."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory import sequential
from theory.bounds.bound import Bound, plain
from theory.bounds.lookup import DISTORTIONS
from theory.bounds.sources import Source
from theory.numerics.checks import check_choice, check_domain

KNOWN = (
    ("gaussian", "squared_error", "coefficient"), ("gaussian_vector", "squared_error", "coefficient"),
    ("bernoulli", "hamming", "flip"),
)


def sequential_bounds_of(
    source: Source,
    *,
    coefficient: ArrayLike | None = None,
    flip: float | None = None,
    distortion: str = "squared_error",
) -> tuple[Bound, ...]:
    """Looks up the least rate of causal codes of a stationary Markov source with a given marginal.

    Args:
      source: the distribution of one letter, of `theory.bounds.sources`: "gaussian", "gaussian_vector" (components are
        independent of each other), or "bernoulli" with Hamming distortion, a fair coin.
      coefficient: a in (-1, 1) of X_t = a X_{t-1} + W_t; of a vector one number, or one for each component, [n].
      flip: q in [0, 1], the probability that a coin's letter differs from the one before. One of the two is given.
      distortion: "squared_error" (of each frame, summed over components) or "hamming".

    Returns:
      The bounds, exact ones first; perception is ignored.

    Raises:
      ValueError: if a word is unknown, nothing is known of this combination, or an argument lies outside its domain.

    Reference: docs/derivations/sequential_coding.md.
    """
    if not isinstance(source, Source):
        raise ValueError(f"source must be made by one of theory.bounds.sources, got {source!r}")
    check_choice("distortion", distortion, DISTORTIONS)
    given = {name: value for name, value in (("coefficient", coefficient), ("flip", flip)) if value is not None}
    if len(given) != 1:
        raise ValueError(f"one of coefficient and flip must say how letters depend on the one before, got "
                         f"{', '.join(given) or 'none'}")
    (name, value), = given.items()
    fair = name == "coefficient" or source.parameters.get("probability") == 0.5
    if (source.name, distortion, name) not in KNOWN or not fair:
        raise ValueError(f"nothing is known of causal codes of source {source.name!r} with distortion {distortion!r} "
                         f"and memory by its {name}; known are (source, distortion, memory): "
                         f"{', '.join(str(known) for known in KNOWN)}; a flip for a fair coin")
    if name == "flip":
        check_domain("flip", value, minimum=0.0, maximum=1.0)
        return (Bound("causal rate-distortion function", "exact", plain(sequential.causal_rate, value),
                      "a stationary fair coin", "theory.sequential.causal_rate"),)
    check_domain("1 - |coefficient|", 1.0 - np.abs(value), minimum=0.0, open_minimum=True)
    a, variances = np.asarray(value, np.float64), np.diagonal(source.covariance)
    if a.ndim and (source.name == "gaussian" or a.shape != variances.shape):
        raise ValueError(f"coefficient must be one number, or one for each component of a vector, got shape {a.shape} "
                         f"for {source.dimension} components")
    innovations = (1.0 - a) * (1.0 + a) * variances
    if source.name == "gaussian":
        return (Bound("causal rate-distortion function", "exact",
                      plain(sequential.sequential_rate, float(a), float(innovations[0])),
                      "each letter within the distortion", "theory.sequential.sequential_rate"),)
    a = np.broadcast_to(a, variances.shape)
    return (Bound("causal rate-distortion function", "exact",
                  plain(lambda d: sequential.parallel_rate(jnp.asarray(d, jnp.float64), a, innovations)),
                  "each frame within the distortion", "theory.sequential.parallel_rate"),)
