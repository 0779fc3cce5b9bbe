"""First derivatives of an optimal value by the envelope theorem."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def _attach(value, arguments, derivatives):
    return value


def _attach_jvp(primals, tangents):
    value, arguments, derivatives = primals
    slopes = jnp.zeros_like(value)
    # An infinite derivative times an argument that does not move would be NaN: skip those that do not move.
    for argument, derivative, tangent in zip(arguments, derivatives, tangents[1]):
        if isinstance(tangent, SymbolicZero):
            continue
        # An excluded pair or an absent constraint is an infinite argument, and has derivative zero.
        slopes = slopes + jnp.sum(jnp.where(jnp.isinf(argument), 0.0, derivative) * tangent)
    return value, slopes


_attach.defjvp(_attach_jvp, symbolic_zeros=True)


def with_gradient(value: jax.Array, *arguments_and_derivatives: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Gives an optimal value its gradient: the partial derivatives of the Lagrangian at the optimum.

    Where the optimum of min_w max_l L(w, l; theta) is attained, its derivative with respect to theta is
    the partial derivative of L (Danskin 1967), so no iteration is differentiated. Only first derivatives
    are meaningful: the partial derivatives themselves are constants here.

    Args:
      value: the optimal value, scalar.
      *arguments_and_derivatives: pairs (theta, dL/dtheta) of equal shapes; a derivative may be infinite.

    Returns:
      `value`, with that gradient in forward and reverse mode.
    """
    arguments = tuple(argument for argument, _ in arguments_and_derivatives)
    derivatives = tuple(lax.stop_gradient(derivative) for _, derivative in arguments_and_derivatives)
    return _attach(lax.stop_gradient(value), arguments, derivatives)


@jax.custom_jvp
def without_gradient(value: Any) -> Any:
    """Passes a value through and refuses to be differentiated, rather than give a silent zero.

    Args:
      value: arrays, in any tree.

    Returns:
      The value; differentiating it raises a ValueError.
    """
    return value


@without_gradient.defjvp
def _refuse(primals, tangents):
    raise ValueError(
        "a solution at a given slope has no derivative here; by the envelope theorem "
        "d(rate + slope * distortion)/d slope = distortion; solutions at a given distortion can be differentiated"
    )
