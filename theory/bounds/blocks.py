"""The look-up of what blocks of a given length need: dispersion, bounds on codes, and the normal approximation."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory import finite_blocklength, gaussian
from theory.bounds.bound import Bound, in_order
from theory.bounds.lookup import DISTORTIONS
from theory.bounds.sources import Source
from theory.closed_form import bernoulli
from theory.finite_blocklength.counting import check_blocks
from theory.gaussian import vector as gaussian_vector
from theory.numerics.checks import check_choice, check_domain

_GAUSSIAN, _VECTOR, _BERNOULLI = (
    ("gaussian", "squared_error"), ("gaussian_vector", "squared_error"), ("bernoulli", "hamming"))
KNOWN = (_GAUSSIAN, _VECTOR, _BERNOULLI)
_WHERE = "theory.finite_blocklength."


def _functions(source: Source, distortion: str):
    """R(D), V(D), (D, n, epsilon) -> bounds or None, and the names of the last two."""
    if not isinstance(source, Source):
        raise ValueError(f"source must be made by one of theory.bounds.sources, got {source!r}")
    check_choice("distortion", distortion, DISTORTIONS)
    case = (source.name, distortion)
    if case not in KNOWN:
        raise ValueError(f"nothing is known of blocks of source {source.name!r} with distortion {distortion!r}; known "
                         f"are (source, distortion): {', '.join(str(known) for known in KNOWN)}")
    if case == _GAUSSIAN:
        variance = source.parameters["variance"]
        return (lambda d: gaussian.rate_distortion(d, variance),
                lambda d: finite_blocklength.gaussian_dispersion(d, variance),
                lambda d, n, e: finite_blocklength.gaussian_bounds(d, variance, blocklength=n, excess_probability=e),
                "gaussian_dispersion", "gaussian_bounds")
    if case == _VECTOR:
        eigenvalues = source.parameters["eigenvalues"]
        return (lambda d: gaussian_vector.rate_distortion(d, eigenvalues),
                lambda d: finite_blocklength.gaussian_vector_dispersion(d, eigenvalues), None,
                "gaussian_vector_dispersion", "")
    p = source.parameters["probability"]
    return (lambda d: bernoulli.rate_distortion(d, p), lambda d: finite_blocklength.bernoulli_dispersion(p, d),
            lambda d, n, e: finite_blocklength.bernoulli_bounds(p, d, blocklength=n, excess_probability=e),
            "bernoulli_dispersion", "bernoulli_bounds")


def dispersion_of(source: Source, *, distortion: str = "squared_error") -> Callable[[ArrayLike], jax.Array]:
    """Looks up the dispersion of a source: the variance of what its letters cost.

    Args:
      source: one of `theory.bounds.sources`; known are "gaussian", "gaussian_vector" and "bernoulli".
      distortion: "squared_error", or "hamming" for "bernoulli".

    Returns:
      Distortion -> bits squared (per vector, of vectors), elementwise.

    Raises:
      ValueError: if a word is unknown, or nothing is known of this combination.
    """
    return _functions(source, distortion)[1]


def block_bounds_of(
    source: Source, *, distortion: str = "squared_error", blocklength: int, excess_probability: float
) -> tuple[Bound, ...]:
    """Looks up what fixed-length codes of a blocklength need for a distortion that is rarely exceeded.

    Args:
      source: one of `theory.bounds.sources`; known are "gaussian", "gaussian_vector" (the approximation alone) and
        "bernoulli".
      distortion: "squared_error", or "hamming" for "bernoulli".
      blocklength: n, letters (or vectors) in a block.
      excess_probability: epsilon in (0, 1), of a block with more than the distortion.

    Returns:
      Bounds, "lower" and "upper" where they can be evaluated, and the normal approximation, "asymptotic": it is no
      bound. Rates are bits per letter (or vector); perception is ignored. The first two cannot be differentiated.

    Raises:
      ValueError: if a word is unknown, nothing is known of this combination, or an argument lies outside its domain.
    """
    rate, dispersion, exact, of_dispersion, of_exact = _functions(source, distortion)
    n = check_blocks(blocklength, 0.0, excess_probability)
    if n.ndim:
        raise ValueError(f"blocklength must be a single number, got shape {n.shape}")
    conditions = f"blocks of {int(n)}, of which {excess_probability:g} may exceed the distortion; fixed length"

    def normal(d, perception=0.0):
        del perception
        return finite_blocklength.normal_approximation(rate(d), dispersion(d), int(n), excess_probability)

    bounds = [Bound("normal approximation", "asymptotic", normal, conditions + "; no bound", _WHERE + of_dispersion)]
    if exact is not None:
        for side, (name, kind) in enumerate((("converse", "lower"), ("achievability", "upper"))):
            def one(d, perception=0.0, exact=exact, side=side):
                del perception
                check_domain("distortion", d, minimum=0.0)
                values = [exact(value, n, excess_probability)[side] for value in np.asarray(d, np.float64).ravel()]
                return jnp.stack(values).reshape(jnp.shape(d)) if values else jnp.zeros(jnp.shape(d))

            bounds.append(Bound(f"{name} of block codes", kind, one, conditions, _WHERE + of_exact))
    return in_order(bounds)
