"""A certified maximum, over all of the line or plane, of a sum of Gaussian kernels.

The dual of the rate-distortion problem bounds the rate by the largest value, over *every* reproduction y, of

    c(y) = sum_i r_i exp(-s |x_i - y|^2),   r_i >= 0.

Looking at a grid of y proves nothing about the points in between. Here the line (plane) is cut into cells, c is
expanded around each center to order 7 (its derivatives are Hermite functions), and the remainder is bounded by
Cramer's inequality |H_n(t)| exp(-t^2/2) <= 1.0865 sqrt(2^n n!). The polynomial is then bounded on small sub-cells:
value, exact maximum of the quadratic part over a box around the ball, and absolute values of the higher terms.
Moving y to the nearest point of the convex hull of the x_i brings it closer to all of them, so a box around the x_i
stands for the whole space.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_ORDER = 8  # the first derivative that is bounded rather than computed
_CRAMER = 1.0865 * math.sqrt(2.0**_ORDER * math.factorial(_ORDER))
_CHUNK = 512  # nodes per step of the accumulation
# exp(-|v - t|^2/2) <= exp(-_FLAT |v|^2 + _SHIFT |t|^2), from |v - t|^2 >= 0.9 |v|^2 - 9 |t|^2.
_FLAT, _SHIFT = 0.45, 4.5


class Supremum(NamedTuple):
    """Bounds on max_y c(y).

    Attributes:
      upper: [], proved: no y has a larger c(y).
      lower: [], c at `location`: the stated margin is `upper` - `lower`.
      location: [d], the best point found, by Newton ascent from the best sub-cell.
      cell_value: [cells], the largest value seen in each cell.
      cell_location: [cells, d], where it was seen.
    """

    upper: jax.Array
    lower: jax.Array
    location: jax.Array
    cell_value: jax.Array
    cell_location: jax.Array


def _hermite_functions(t: jax.Array) -> jax.Array:
    """Derivatives 0..7 of exp(-t^2), stacked on a new first axis."""
    gauss = jnp.exp(-t * t)
    table = [gauss, -2.0 * t * gauss]
    for k in range(1, _ORDER - 1):
        # f_{k+1} = -2 t f_k - 2 k f_{k-1}
        table.append(-2.0 * t * table[k] - 2.0 * k * table[k - 1])
    return jnp.stack(table)


def _shifts(offsets: jax.Array) -> jax.Array:
    """Matrices [offsets, order, order] that re-expand a Taylor series (as derivatives) around an offset."""
    k = np.arange(_ORDER)
    power = np.maximum(k[None, :] - k[:, None], 0)
    factor = np.where(k[None, :] >= k[:, None], 1.0 / np.array([math.factorial(j) for j in range(_ORDER)])[power], 0.0)
    return jnp.asarray(factor)[None] * offsets[:, None, None] ** power[None]


def _quadratic_maximum(gradient: jax.Array, curvature: jax.Array, radius: jax.Array) -> jax.Array:
    """max over |t| <= radius of gradient t + curvature t^2 / 2."""
    edge = jnp.abs(gradient) * radius + 0.5 * curvature * radius**2
    inside = (curvature < 0.0) & (jnp.abs(gradient) < -curvature * radius)
    safe = jnp.where(inside, curvature, -1.0)
    return jnp.where(inside, -0.5 * gradient**2 / safe, edge)


def _bound_line(derivatives: jax.Array, radius: jax.Array) -> jax.Array:
    """Upper bound of a degree-7 polynomial on |t| <= radius; `derivatives` [..., order]."""
    higher = sum(jnp.abs(derivatives[..., k]) * radius**k / math.factorial(k) for k in range(3, _ORDER))
    quadratic = _quadratic_maximum(derivatives[..., 1], derivatives[..., 2], radius)
    return derivatives[..., 0] + quadratic + higher


def _bound_plane(derivatives: jax.Array, radius: jax.Array) -> jax.Array:
    """The same on the disc; `derivatives` [..., order, order], entries beyond total order 7 being zero."""
    d = derivatives
    higher = 0.0
    for k in range(3, _ORDER):
        # Along a unit vector the k-th derivative is at most the Frobenius norm of the k-th derivative tensor.
        norm = jnp.sqrt(sum(math.comb(k, i) * d[..., i, k - i] ** 2 for i in range(k + 1)))
        higher = higher + norm * radius**k / math.factorial(k)
    angle = 0.5 * jnp.arctan2(2.0 * d[..., 1, 1], d[..., 2, 0] - d[..., 0, 2])
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    mean, half = 0.5 * (d[..., 2, 0] + d[..., 0, 2]), jnp.hypot(0.5 * (d[..., 2, 0] - d[..., 0, 2]), d[..., 1, 1])
    along = _quadratic_maximum(cos * d[..., 1, 0] + sin * d[..., 0, 1], mean + half, radius)
    across = _quadratic_maximum(cos * d[..., 0, 1] - sin * d[..., 1, 0], mean - half, radius)
    return d[..., 0, 0] + along + across + higher


def _ascend(nodes: jax.Array, log_ratio: jax.Array, start: jax.Array, steps: int = 12) -> tuple[jax.Array, jax.Array]:
    """Newton ascent on c from `start` (scaled coordinates); returns the best point and its value."""

    def value(y: jax.Array) -> jax.Array:
        return jnp.sum(jnp.exp(log_ratio - jnp.sum((nodes - y[None]) ** 2, axis=-1)))

    def body(_: int, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        y, best = state
        difference = nodes - y[None]
        weight = jnp.exp(log_ratio - jnp.sum(difference**2, axis=-1))
        gradient = 2.0 * weight @ difference
        hessian = 4.0 * (weight[:, None] * difference).T @ difference - 2.0 * weight.sum() * jnp.eye(y.shape[0])
        eigenvalues, vectors = jnp.linalg.eigh(hessian)
        # Where c is not concave, step along the gradient with the same length scale.
        scaled = (vectors.T @ gradient) / jnp.maximum(jnp.abs(eigenvalues), 1e-3 * best)
        step = jnp.clip(vectors @ scaled, -0.3, 0.3)
        candidate = y + step
        reached = value(candidate)
        better = reached > best
        return jnp.where(better, candidate, y), jnp.where(better, reached, best)

    return jax.lax.fori_loop(0, steps, body, (start, value(start)))


def _moments(nodes: jax.Array, ratio: jax.Array, centers: list[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Derivatives of c at all cell centers, and the flattened sum that bounds the remainder.

    On the plane the cells form a product grid and Gaussians factorize, so the sums are matrix products.
    """
    padded = -nodes.shape[0] % _CHUNK
    nodes = jnp.pad(nodes, ((0, padded), (0, 0))).reshape(-1, _CHUNK, nodes.shape[1])
    ratio = jnp.pad(ratio, (0, padded)).reshape(-1, _CHUNK)

    def line(carry, chunk):
        x, r = chunk
        t = centers[0][:, None] - x[None, :, 0]
        series = jnp.einsum("kcn,n->ck", _hermite_functions(t), r)
        return (carry[0] + series, carry[1] + jnp.exp(-_FLAT * t * t) @ r), None

    def plane(carry, chunk):
        x, r = chunk
        t = [center[:, None] - x[None, :, axis] for axis, center in enumerate(centers)]
        first, second = _hermite_functions(t[0]) * r[None, None], _hermite_functions(t[1])
        series = jnp.einsum("ian,jbn->abij", first, second)
        flat = (jnp.exp(-_FLAT * t[0] ** 2) * r[None]) @ jnp.exp(-_FLAT * t[1] ** 2).T
        return (carry[0] + series, carry[1] + flat), None

    shape = tuple(center.shape[0] for center in centers)
    start = (jnp.zeros(shape + (_ORDER,) * len(centers)), jnp.zeros(shape))
    body = line if len(centers) == 1 else plane
    return jax.lax.scan(body, start, (nodes, ratio))[0]


def certified_supremum(
    nodes: jax.Array,
    log_ratio: jax.Array,
    slope: jax.Array,
    *,
    low: jax.Array,
    high: jax.Array,
    cells: tuple[int, ...],
    subdivisions: int,
) -> Supremum:
    """Bounds max_y sum_i exp(log_ratio_i - slope |x_i - y|^2) over all y, from above with proof.

    Args:
      nodes: [n, d] points x_i, d = 1 or 2.
      log_ratio: [n] log r_i, nats; -inf leaves a point out.
      slope: [] s > 0, nats per unit of squared distance.
      low, high: [d] a box that contains every x_i with r_i > 0.
      cells: number of cells per axis, a static tuple of length d.
      subdivisions: sub-cells per axis of a cell, static.

    Returns:
      A `Supremum`. `upper` is proved up to the rounding of sums of n terms (relative error about 1e-14).
    """
    scale = jnp.sqrt(slope)
    points = nodes * scale
    low, high = low * scale, high * scale
    width = (high - low) / jnp.asarray(cells, jnp.float64)
    centers = [low[k] + width[k] * (jnp.arange(number) + 0.5) for k, number in enumerate(cells)]
    used = jnp.isfinite(log_ratio)
    series, flat = _moments(jnp.where(used[:, None], points, 0.0), jnp.where(used, jnp.exp(log_ratio), 0.0), centers)

    radius = 0.5 * jnp.linalg.norm(width)
    remainder = _CRAMER * jnp.exp(_SHIFT * radius**2) * flat * radius**_ORDER / math.factorial(_ORDER)
    small = radius / subdivisions
    fractions = (jnp.arange(subdivisions) + 0.5) / subdivisions - 0.5
    shifts = [_shifts(fractions * width[k]) for k in range(len(cells))]
    if len(cells) == 1:
        local = jnp.einsum("skl,cl->csk", shifts[0], series)
        values, bounds = local[..., 0], _bound_line(local, small)
        best = jnp.argmax(values, axis=1)
        cell_value = jnp.max(values, axis=1)
        cell_location = (centers[0] + fractions[best] * width[0])[:, None]
        upper = jnp.max(jnp.max(bounds, axis=1) + remainder)
    else:
        total = np.add.outer(np.arange(_ORDER), np.arange(_ORDER))
        series = jnp.where(jnp.asarray(total < _ORDER)[None, None], series, 0.0)

        def row(carry, cell):
            center, line_series, line_remainder = cell
            local = jnp.einsum("ski,tlj,bij->bstkl", shifts[0], shifts[1], line_series)
            flat_values = local[..., 0, 0].reshape(local.shape[0], -1)
            bound = _bound_plane(local, small).max(axis=(1, 2)) + line_remainder
            best = jnp.argmax(flat_values, axis=1)
            at = jnp.stack(
                [
                    center + fractions[best // subdivisions] * width[0],
                    centers[1] + fractions[best % subdivisions] * width[1],
                ],
                axis=-1,
            )
            return jnp.maximum(carry, bound.max()), (flat_values.max(axis=1), at)

        upper, (cell_value, cell_location) = jax.lax.scan(row, jnp.asarray(-jnp.inf), (centers[0], series, remainder))
        cell_value, cell_location = cell_value.reshape(-1), cell_location.reshape(-1, 2)
    start = cell_location[jnp.argmax(cell_value)]
    location, lower = _ascend(jnp.where(used[:, None], points, 0.0), log_ratio, start)
    return Supremum(upper, lower, location / scale, cell_value, cell_location / scale)
