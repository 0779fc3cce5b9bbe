"""SOAP: Adam in the slowly turning eigenbasis of Shampoo's preconditioner, as an optax transformation."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class MatrixState(NamedTuple):
    """What is remembered of one parameter.

    Attributes:
      momentum: mean of gradients, of the parameter's shape, in its own coordinates.
      second: mean of squared gradients; of a matrix, in the eigenbasis.
      left: mean of G G^T, [rows, rows]; None, as all that follow, unless the parameter is a matrix.
      right: mean of G^T G, [columns, columns].
      left_basis: eigenvectors of `left` as columns, nearly.
      right_basis: eigenvectors of `right` as columns, nearly.
    """

    momentum: jax.Array
    second: jax.Array
    left: jax.Array | None = None
    right: jax.Array | None = None
    left_basis: jax.Array | None = None
    right_basis: jax.Array | None = None


class SoapState(NamedTuple):
    """State of the transformation.

    Attributes:
      count: steps done, int32 scalar.
      parameters: a `MatrixState` for each leaf of the parameters, in the order of `jax.tree.leaves`.
    """

    count: jax.Array
    parameters: tuple[MatrixState, ...]


def scale_by_soap(*, b1: float = 0.9, b2: float = 0.95, preconditioner_decay: float = 0.95, renew_every: int = 10,
                  eps: float = 1e-8) -> optax.GradientTransformationExtraArgs:
    """Rescales gradients by SOAP; everything that is no matrix by Adam.

    With L and R the running means of G G^T and G^T G and Q_L, Q_R their eigenvectors, the change of a matrix is
    Q_L [M' / (sqrt(V) + eps)] Q_R^T, where M' = Q_L^T M Q_R is the momentum and V the running mean of the squares of
    Q_L^T G Q_R, both corrected for their start at zero. Eigenvectors come from a decomposition in the first step and
    from one step of orthogonal iteration (a QR decomposition) every `renew_every` steps.

    Args:
      b1: memory of the momentum.
      b2: memory of the squared gradients.
      preconditioner_decay: memory of L and R.
      renew_every: steps between renewals of the bases.
      eps: added to the root.

    Returns:
      The transformation. Its update takes `step`, the number of the step, as an extra argument: under `vmap` a number
      that all share keeps the renewal a branch. Without it the state's own count is used.

    Raises:
      ValueError: if an argument is out of range.

    Reference: vyas2024soap, algorithm 3; momentum is kept in the parameter's own coordinates, so that a new basis
      need not turn it.
    """
    if not (0 <= b1 < 1 and 0 <= b2 < 1 and 0 <= preconditioner_decay < 1):
        raise ValueError(f"b1, b2 and preconditioner_decay must lie in [0, 1), got {(b1, b2, preconditioner_decay)}")
    if renew_every < 1 or not eps > 0:
        raise ValueError(f"renew_every must be at least 1 and eps positive, got {renew_every} and {eps}")

    def init(params: Any) -> Any:
        return SoapState(jnp.zeros((), jnp.int32), tuple(_first_state(leaf) for leaf in jax.tree.leaves(params)))

    def update(updates: Any, state: Any, params: Any = None, *, step: Any = None, **_: Any) -> tuple[Any, Any]:
        del params
        step = state.count if step is None else step
        leaves, tree = jax.tree.flatten(updates)
        done = jnp.asarray(step, jnp.float32) + 1.0
        scales = (1.0 - b1**done, 1.0 - b2**done)
        changes, states = [], []
        for gradient, old in zip(leaves, state.parameters, strict=True):
            new = _remember(gradient, old, step, b1, b2, preconditioner_decay, renew_every)
            changes.append(_change(new, scales, eps))
            states.append(new)
        return jax.tree.unflatten(tree, changes), SoapState(state.count + 1, tuple(states))

    return optax.GradientTransformationExtraArgs(init, update)


def _first_state(parameter: jax.Array) -> MatrixState:
    if parameter.ndim != 2:
        return MatrixState(jnp.zeros_like(parameter), jnp.zeros_like(parameter))
    square = [jnp.zeros((n, n), parameter.dtype) for n in parameter.shape]
    bases = [jnp.eye(n, dtype=parameter.dtype) for n in parameter.shape]
    return MatrixState(jnp.zeros_like(parameter), jnp.zeros_like(parameter), *square, *bases)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)


def _turned(left: jax.Array, x: jax.Array, right: jax.Array) -> jax.Array:
    return _product(_product(left, x), right)


def _remember(gradient, old, step, b1, b2, decay, renew_every):
    """The state after a gradient was seen."""
    momentum = b1 * old.momentum + (1 - b1) * gradient
    if gradient.ndim != 2:
        return old._replace(momentum=momentum, second=b2 * old.second + (1 - b2) * gradient**2)
    left = decay * old.left + (1 - decay) * _product(gradient, gradient.T)
    right = decay * old.right + (1 - decay) * _product(gradient.T, gradient)

    def first(_):
        bases = (jnp.linalg.eigh(square)[1][:, ::-1] for square in (left, right))
        return (*bases, old.second)

    def renewed(bases):
        # Directions are sorted by their estimated eigenvalues, since the iteration finds the largest first.
        orders = [jnp.argsort(-jnp.sum(basis * _product(square, basis), 0))
                  for basis, square in zip(bases, (left, right))]
        turned = [jnp.linalg.qr(_product(square, basis[:, order]))[0]
                  for basis, square, order in zip(bases, (left, right), orders)]
        return (*turned, bases[2][orders[0]][:, orders[1]])

    case = jnp.where(step == 0, 0, jnp.where(step % renew_every == 0, 1, 2)).astype(jnp.int32)
    left_basis, right_basis, second = jax.lax.switch(
        case, (first, renewed, lambda bases: bases), (old.left_basis, old.right_basis, old.second))
    second = b2 * second + (1 - b2) * _turned(left_basis.T, gradient, right_basis) ** 2
    return MatrixState(momentum, second, left, right, left_basis, right_basis)


def _change(state, scales, eps):
    if state.momentum.ndim != 2:
        return state.momentum / scales[0] / (jnp.sqrt(state.second / scales[1]) + eps)
    momentum = _turned(state.left_basis.T, state.momentum, state.right_basis) / scales[0]
    return _turned(state.left_basis, momentum / (jnp.sqrt(state.second / scales[1]) + eps), state.right_basis.T)
