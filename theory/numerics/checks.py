"""Argument validation for calls made outside of a trace.

Inside `jax.jit` or `jax.grad` values cannot be looked at; the functions of this package then return NaN
where an argument lies outside its domain. Outside they raise a `ValueError` that names the argument,
what it got and what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import jax
import numpy as np
from jax.typing import ArrayLike


def is_concrete(value: ArrayLike | Sequence[float]) -> bool:
    """Says whether the values of an argument can be inspected (it is not traced).

    Args:
      value: an array, a number, or a tracer.

    Returns:
      True outside of `jit`, `grad` and `vmap`.
    """
    return not isinstance(value, jax.core.Tracer)


def all_concrete(*values: ArrayLike | Sequence[float] | None) -> bool:
    """Says whether the values of all arguments can be inspected, those in lists and other trees too.

    Args:
      *values: arrays, numbers, tracers, trees of them, or None.

    Returns:
      True where nothing is traced.
    """
    return all(is_concrete(leaf) for leaf in jax.tree.leaves(values))


def check_precision() -> None:
    """Refuses to compute in 32-bit numbers.

    Raises:
      ValueError: if JAX's 64-bit mode, which importing `theory` switches on, was switched off.
    """
    # JAX gives its configuration the attributes of its flags at run time.
    if not jax.config.jax_enable_x64:  # type: ignore[missing-attribute]
        raise ValueError(
            "jax_enable_x64 must be on for the functions of theory, got off: it was switched off after theory was "
            "imported; call jax.config.update('jax_enable_x64', True), or leave the context that switches it off"
        )


def check_domain(
    name: str,
    value: ArrayLike | Sequence[float],
    *,
    minimum: float = -np.inf,
    maximum: float = np.inf,
    open_minimum: bool = False,
    finite: bool = False,
) -> None:
    """Refuses a value outside of an interval, or NaN; does nothing inside a trace.

    Args:
      name: the argument's name, for the message.
      value: what was given; any shape.
      minimum: smallest admissible value.
      maximum: largest admissible value.
      open_minimum: whether `minimum` itself is refused.
      finite: whether infinities are refused.

    Raises:
      ValueError: if an element is NaN or outside of the interval, or `value` is not real numbers, or JAX's 64-bit
        mode is off.
    """
    check_precision()
    if not is_concrete(value):
        return
    values = np.asarray(value)
    if values.dtype == object or values.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be real numbers, got {value!r}")
    values = values.astype(np.float64)
    low = values <= minimum if open_minimum else values < minimum
    wrong = np.isnan(values) | low | (values > maximum)
    if finite:
        wrong |= np.isinf(values)
    if wrong.any():
        relation = f"{'>' if open_minimum else '>='} {minimum:g}" if np.isfinite(minimum) else ""
        if np.isfinite(maximum):
            relation = f"{relation} and <= {maximum:g}" if relation else f"<= {maximum:g}"
        needs = " and ".join(part for part in (relation, "finite" if finite else "not NaN") if part)
        raise ValueError(f"{name} must be {needs}, got {values[wrong].flat[0]:g}")


def check_choice(name: str, value: str, choices: Iterable[str]) -> None:
    """Refuses a word that is not among the known ones.

    Args:
      name: the argument's name, for the message.
      value: what was given.
      choices: the admissible words.

    Raises:
      ValueError: if `value` is not one of `choices`.
    """
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def check_pmf(name: str, pmf: ArrayLike, *, atol: float | None = None) -> None:
    """Refuses what is not a probability mass function; does nothing inside a trace.

    Sums are off by rounding in the precision that the numbers have: one of 32-bit numbers is accepted, and the caller
    normalizes it in float64.

    Args:
      name: the argument's name, for the message.
      pmf: probabilities, shape [..., n].
      atol: how far the sum over the last axis may be from 1; when None, 1e-9, and 4 units of rounding times
        sqrt(n) + 1 of an array of lower precision.

    Raises:
      ValueError: if it is empty, has a negative or NaN entry, or does not sum to 1.
    """
    check_precision()
    if not is_concrete(pmf):
        return
    values = np.asarray(pmf)
    if values.ndim == 0 or values.shape[-1] == 0:
        raise ValueError(f"{name} must have shape [..., n] with n >= 1, got shape {values.shape}")
    if atol is None:
        atol = 1e-9
        if jax.dtypes.issubdtype(values.dtype, np.floating):
            unit = float(jax.numpy.finfo(values.dtype).eps)
            atol = max(atol, 4.0 * unit * (1.0 + values.shape[-1] ** 0.5))
    values = values.astype(np.float64) if values.dtype != object else values
    check_domain(name, values, minimum=0.0, maximum=1.0 + atol)
    worst = np.abs(values.sum(-1) - 1.0).max()
    if worst > atol:
        raise ValueError(f"{name} must sum to 1 over its last axis, got a sum that is off by {worst:g}")


def normalized_pmf(name: str, pmf: ArrayLike) -> np.ndarray:
    """Checks a probability mass function, and makes one of lower precision sum to 1 in float64.

    Args:
      name: the argument's name, for the message.
      pmf: probabilities, shape [..., n], nothing traced.

    Returns:
      Float64, [..., n].

    Raises:
      ValueError: as `check_pmf`.
    """
    check_pmf(name, pmf)
    values = np.asarray(pmf)
    rounded = values.dtype != np.float64 and jax.dtypes.issubdtype(values.dtype, np.floating)
    values = values.astype(np.float64)
    return values / values.sum(-1, keepdims=True) if rounded else values
