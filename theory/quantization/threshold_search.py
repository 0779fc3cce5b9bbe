"""Thresholds that minimize distortion + weight * entropy: shortest path on a grid, then Newton's method."""

import jax
import jax.numpy as jnp

from theory.quantization import tabulated_density

DESCENT_STEPS = 60
STARTS = 4


def spread_and_entropy(moments):
    """Each cell's share of the distortion and of the entropy.

    Args:
      moments: mass, first and second moment of cells, shape [..., 3].

    Returns:
      Second moment about the centroid, and -p ln p (nats); zero for empty cells; shape [...].
    """
    mass, first, second = moments[..., 0], moments[..., 1], moments[..., 2]
    occupied = mass > 0
    safe = jnp.where(occupied, mass, 1.0)
    spread = jnp.where(occupied, jnp.maximum(second - first**2 / safe, 0.0), 0.0)
    return spread, jnp.where(occupied, -mass * jnp.log(safe), 0.0)


def threshold_count(density):
    """How many thresholds are kept: what cells of two panels need.

    Args:
      density: the source.

    Returns:
      The number, an int.
    """
    return density.edges.shape[0] // 2 + 1


def _shortest_paths(spread, entropy, weight):
    """For each edge the one before it on the cheapest way from the lowest edge."""
    edges = spread.shape[0]
    index = jnp.arange(edges)

    def step(value, column):
        j, spread_to_j, entropy_to_j = column
        cost = jnp.where(index < j, value + spread_to_j + weight * entropy_to_j, jnp.inf)
        best = jnp.argmin(cost)
        return value.at[j].set(cost[best]), best

    start = jnp.where(index == 0, 0.0, jnp.inf)
    _, previous = jax.lax.scan(step, start, (index[1:], spread.T[1:], entropy.T[1:]))
    return jnp.concatenate([jnp.zeros(1, previous.dtype), previous])


def _on_path(previous, end):
    """Marks the edges on the shortest path to edge `end`, both ends included; shape [edges]."""
    def step(current, item):
        j, before = item
        chosen = j == current
        return jnp.where(chosen, before, current), chosen

    return jax.lax.scan(step, end, (jnp.arange(previous.shape[0]), previous), reverse=True)[1]


def starts(density, spread, entropy, weight):
    """The best thresholds on panel edges, and the best ones that pass through given places.

    A shift of all thresholds changes the Lagrangian less than rounding them to edges does. So the grid alone
    cannot tell how an optimal quantizer lies about the mean: the cell there is cut at a few places,
    and the best path through each of them is a start of its own.

    Args:
      density: the source.
      spread: distortion of every interval between two edges, from `pairs`.
      entropy: entropy of the same, nats.
      weight: distortion per nat.

    Returns:
      Increasing thresholds, unused ones at the upper end of the support, shape
      [STARTS, threshold_count]; the first row is the optimum on the grid.
    """
    last = density.edges.shape[0] - 1
    index = jnp.arange(last + 1)
    from_left = _shortest_paths(spread, entropy, weight)
    from_right = _shortest_paths(spread[::-1, ::-1].T, entropy[::-1, ::-1].T, weight)
    best = _on_path(from_left, last)
    center = jnp.searchsorted(density.edges, density.mean)
    low = jnp.max(jnp.where(best & (index < center), index, 0))
    high = jnp.min(jnp.where(best & (index >= center), index, last))

    def through(edge):
        chosen = (_on_path(from_left, edge) & (index <= edge)) | (
            _on_path(from_right, last - edge)[::-1] & (index >= edge))
        inner = chosen & (index > 0) & (index < last)
        return jnp.sort(jnp.where(inner, density.edges, density.edges[-1]))[: threshold_count(density)]

    return jax.vmap(through)(low + (high - low) * jnp.arange(STARTS) // STARTS)


def cells(density, thresholds):
    """What lies between thresholds.

    Args:
      density: the source.
      thresholds: increasing, shape [n].

    Returns:
      Mass [n + 1], centroid less the mean [n + 1], and moments [n + 1, 3] of the cells.
    """
    ends = jnp.concatenate([density.edges[:1], thresholds, density.edges[-1:]])
    below, above = tabulated_density.tail_moments(density, ends)
    low, high = (below[:-1], above[:-1]), (below[1:], above[1:])
    moments = tabulated_density.difference_of_tails(density, low, high, ends[:-1], ends[1:])
    mass = moments[:, 0]
    occupied = mass > 0
    centroid = jnp.where(occupied, moments[:, 1] / jnp.where(occupied, mass, 1.0), 0.0)
    return mass, centroid, moments


def refine(density, thresholds, weight):
    """Moves thresholds to a stationary point of the Lagrangian, by Newton's step or Lloyd's, what is better.

    With p_j, c_j the mass and centroid of cell j, the derivative by the threshold t between the cells j and
    k = j + 1 is pdf(t) g, where g = (t - c_j)^2 - (t - c_k)^2 - weight (ln p_j - ln p_k). Cells touch their
    neighbors only, so the Jacobian of g is tridiagonal. The start should have the right number of cells: one that
    had better vanish stalls the descent, which the residual then shows.

    Args:
      density: the source.
      thresholds: where to start, increasing, shape [n].
      weight: distortion per nat.

    Returns:
      The thresholds, shape [n]; the largest derivative by one of them; and the value of the Lagrangian.
    """
    def objective(t):
        spread, entropy = spread_and_entropy(cells(density, t)[2])
        return jnp.sum(spread) + weight * jnp.sum(entropy)

    def conditions(t):
        mass, centroid, _ = cells(density, t)
        height = tabulated_density.pdf(density, t)
        active = (mass[:-1] > 0) & (mass[1:] > 0)
        p = jnp.where(mass > 0, mass, 1.0)
        left, right = t - density.mean - centroid[:-1], t - density.mean - centroid[1:]
        log_ratio = jnp.log(p[:-1]) - jnp.log(p[1:])
        g = jnp.where(active, left**2 - right**2 - weight * log_ratio, 0.0)
        return g, active, height, p, left, right

    def candidates(t):
        g, active, height, p, left, right = conditions(t)
        gap = jnp.where(active, left - right, 1.0)
        at_left, at_right = height / p[:-1], height / p[1:]
        diagonal = 2 * gap - at_left * (2 * left**2 + weight) - at_right * (2 * right**2 + weight)
        diagonal = jnp.where(active & (diagonal != 0), diagonal, 1.0)
        both = active[:-1] & active[1:]
        # Cell j + 1 lies between thresholds j and j + 1: `right` of the first, `left` of the second.
        coupling = 2 * right[:-1] * left[1:] + weight
        zero = jnp.zeros(1)
        upper = jnp.concatenate([jnp.where(both, height[1:] / p[1:-1] * coupling, 0.0), zero])
        lower = jnp.concatenate([zero, jnp.where(both, height[:-1] / p[1:-1] * coupling, 0.0)])
        step = jax.lax.linalg.tridiagonal_solve(lower, diagonal, upper, -g[:, None])[:, 0]
        ends = jnp.concatenate([density.edges[:1], t, density.edges[-1:]])
        newton = jnp.where(active, t + jnp.clip(step, -0.45 * (t - ends[:-2]), 0.45 * (ends[2:] - t)), t)
        lloyd = jnp.where(active, t - g / (2 * gap), t)
        lloyd = jnp.sort(jnp.clip(lloyd, density.edges[0], density.edges[-1]))
        return newton, lloyd

    def body(state):
        step, t, value, _ = state
        both = jnp.stack(candidates(t))
        values = jax.vmap(objective)(both)
        best = jnp.argmin(values)
        better = values[best] < value
        return step + 1, jnp.where(better, both[best], t), jnp.where(better, values[best], value), better

    # The first step always counts: Lloyd's is no worse than the start.
    state = (0, thresholds, jnp.asarray(jnp.inf), jnp.asarray(True))
    _, t, value, _ = jax.lax.while_loop(lambda s: s[3] & (s[0] < DESCENT_STEPS), body, state)
    g, _, height, *_ = conditions(t)
    return t, jnp.max(jnp.abs(height * g)), value


def pairs(density):
    """The share of distortion and of entropy (nats) that every interval between two edges would have.

    Args:
      density: the source.

    Returns:
      Two arrays of shape [edges, edges]: the lower end is the row, the upper end the column.
    """
    low = density.below[:, None], density.above[:, None]
    high = density.below[None, :], density.above[None, :]
    grid = jnp.broadcast_arrays(density.edges[:, None], density.edges[None, :])
    return spread_and_entropy(tabulated_density.difference_of_tails(density, low, high, *grid))
