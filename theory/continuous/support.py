"""Moving support: Newton on the positions and weights of atoms, with merging, removal and insertion.

For a slope s the rate-distortion function of a source p under squared error is the minimum over output
distributions q = sum_j w_j delta(y_j) of

    F = -sum_i p_i log Z_i + sum_j w_j - 1,   Z_i = sum_j w_j exp(-s |x_i - y_j|^2)

(the last two terms replace the constraint sum w = 1 and vanish at the optimum). With posteriors r_ij = w_j K_ij / Z_i
and a_j = log w_j, the gradient in a is w_j (1 - c_j) and in y is -w_j grad c(y_j); the Hessian is
B^T diag(p) B plus blocks that are positive at the optimum, where c_j = 1 and c has maxima at the atoms. Both parts
are kept, the blocks clipped to be positive, so steps descend, and convergence is quadratic. Atoms that belong together
run into each other and are merged; atoms that are not needed lose weight and are removed; where c exceeds 1
between the atoms a new one is put. Everything has a fixed number of slots, an empty slot having log weight -inf.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp

from theory.numerics.elementwise import squared_distances

_MERGE_DISTANCE = 1e-3  # in units of 1/sqrt(slope)
_NEGLIGIBLE = 1e-11  # largest posterior of an atom that may be removed
_WINDOW = 48  # atoms beside a chunk of nodes on the line
_NODES = 48  # nodes of a chunk: four panels of a quadrature rule, each about 1/sqrt(slope) wide
_NEW_POSTERIOR = 0.1  # largest posterior that an inserted atom starts with


class Atoms(NamedTuple):
    """A discrete output distribution with a fixed number of slots.

    Attributes:
      positions: [m, d].
      log_weights: [m] nats; -inf for an empty slot.
    """

    positions: jax.Array
    log_weights: jax.Array


def log_partition(nodes: jax.Array, atoms: Atoms, slope: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Computes log Z_i and the posteriors r_ij of the atoms given the source.

    Args:
      nodes: [n, d] source points.
      atoms: m slots.
      slope: [] nats per unit of squared distance.

    Returns:
      log Z [n] in nats, and r [n, m], whose rows sum to 1.
    """
    logits = atoms.log_weights[None] - slope * squared_distances(nodes, atoms.positions)
    log_z = logsumexp(logits, axis=1)
    return log_z, jnp.exp(logits - log_z[:, None])


def objective(nodes: jax.Array, pmf: jax.Array, atoms: Atoms, slope: jax.Array) -> jax.Array:
    """Computes F for weights that need not sum to 1.

    Args:
      nodes: [n, d] source points.
      pmf: [n] their probabilities.
      atoms: m slots.
      slope: [] nats per unit of squared distance.

    Returns:
      F in nats, [].
    """
    log_z, _ = log_partition(nodes, atoms, slope)
    return -jnp.sum(pmf * log_z) + jnp.sum(jnp.exp(atoms.log_weights)) - 1.0


def normalize(atoms: Atoms) -> Atoms:
    """Scales the weights of atoms so that they sum to 1.

    Args:
      atoms: m slots.

    Returns:
      The same positions with the normalized weights.
    """
    return atoms._replace(log_weights=atoms.log_weights - logsumexp(atoms.log_weights))


def _newton_direction(
    nodes: jax.Array, pmf: jax.Array, atoms: Atoms, slope: jax.Array, damping: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Damped Newton step in (log weight, sqrt(s) position) [m, 1 + d], its predicted decrease, and max |1 - c_j|."""
    m, d = atoms.positions.shape
    n = nodes.shape[0]
    active = jnp.isfinite(atoms.log_weights)
    weights = jnp.exp(atoms.log_weights)
    _, posterior = log_partition(nodes, atoms, slope)
    mass = pmf @ posterior
    score = 2.0 * jnp.sqrt(slope) * (nodes[:, None, :] - atoms.positions[None])
    weighted = pmf[:, None, None] * posterior[:, :, None] * score
    gradient = jnp.concatenate([(weights - mass)[:, None], -weighted.sum(axis=0)], axis=1)

    # In float64 a weight of 1e-10 times its residual is lost beside the others, so every equation is scaled
    # by the square root of its atom's weight.
    scale = jnp.where(active, jnp.exp(-0.5 * jnp.where(active, atoms.log_weights, 0.0)), 0.0)
    basis = jnp.concatenate([posterior[:, :, None], posterior[:, :, None] * score], axis=-1)
    basis = (basis * scale[None, :, None] * jnp.sqrt(pmf)[:, None, None]).reshape(n, m * (1 + d))
    hessian = basis.T @ basis if d > 1 or m <= 2 * _WINDOW else _banded_gram(basis, nodes[:, 0], atoms)
    curvature = 2.0 * mass[:, None, None] * jnp.eye(d)[None] - jnp.einsum("nmd,nme->mde", weighted, score)
    eigenvalues, vectors = jnp.linalg.eigh(curvature)
    curvature = jnp.einsum("mde,me,mfe->mdf", vectors, jnp.maximum(eigenvalues, 0.0), vectors)
    blocks = jnp.zeros((m, 1 + d, 1 + d)).at[:, 0, 0].set(jnp.maximum(weights - mass, 0.0))
    blocks = blocks.at[:, 1:, 1:].set(curvature) * (scale**2)[:, None, None]
    slots = jnp.arange(m)
    hessian = hessian.reshape(m, 1 + d, m, 1 + d).at[slots, :, slots, :].add(blocks).reshape(m * (1 + d), -1)
    diagonal = jnp.repeat(jnp.where(active, damping, 1.0), 1 + d)

    scaled_gradient = (gradient * scale[:, None]).reshape(-1)
    factor = jax.scipy.linalg.cho_factor(hessian + jnp.diag(diagonal), lower=True)
    step = -jax.scipy.linalg.cho_solve(factor, scaled_gradient)
    predicted = -0.5 * jnp.sum(step * (scaled_gradient - diagonal * step))
    residual = jnp.max(jnp.where(active, jnp.abs(1.0 - mass * scale**2), 0.0))
    step = jnp.clip(step.reshape(m, 1 + d) * scale[:, None], -1.0, 1.0)
    return step, predicted, residual


def _banded_gram(basis: jax.Array, nodes: jax.Array, atoms: Atoms) -> jax.Array:
    """B'B on the line, where a node's posterior lies on the atoms near it: [2 m, 2 m].

    Nodes are taken in order, in chunks, each with a window of atoms around its own. What is left out is the product of
    posteriors that are far from their node; it changes Newton's direction, if anything, not what is descended.
    """
    n, m = nodes.shape[0], atoms.positions.shape[0]
    by_place = jnp.argsort(nodes)
    nodes, basis = nodes[by_place], basis[by_place]
    positions = jnp.where(jnp.isfinite(atoms.log_weights), atoms.positions[:, 0], jnp.inf)
    order = jnp.argsort(positions)
    columns = basis.reshape(n, m, 2)[:, order].reshape(n, 2 * m)
    chunks = -(-n // _NODES)
    columns = jnp.pad(columns, ((0, chunks * _NODES - n), (0, 0))).reshape(chunks, _NODES, 2 * m)
    middles = jnp.pad(nodes, (0, chunks * _NODES - n), mode="edge").reshape(chunks, _NODES)[:, _NODES // 2]
    first = jnp.clip(jnp.searchsorted(positions[order], middles) - _WINDOW // 2, 0, m - _WINDOW)

    def add(gram, chunk):
        rows, start = chunk
        part = jax.lax.dynamic_slice(rows, (jnp.zeros_like(start), 2 * start), (_NODES, 2 * _WINDOW))
        corner = (2 * start, 2 * start)
        there = jax.lax.dynamic_slice(gram, corner, (2 * _WINDOW, 2 * _WINDOW))
        return jax.lax.dynamic_update_slice(gram, there + part.T @ part, corner), None

    gram, _ = jax.lax.scan(add, jnp.zeros((2 * m, 2 * m)), (columns, first))
    back = jnp.argsort(order)
    return gram.reshape(m, 2, m, 2)[back][:, :, back].reshape(2 * m, 2 * m)


def newton(
    nodes: jax.Array, pmf: jax.Array, atoms: Atoms, slope: jax.Array, *, steps: int, tolerance: float
) -> tuple[Atoms, jax.Array]:
    """Levenberg-damped Newton descent of F in positions and log weights.

    Args:
      nodes: [n, d] source points.
      pmf: [n].
      atoms: where to start; m slots.
      slope: [] nats per unit of squared distance.
      steps: largest number of steps (static).
      tolerance: stop when all c_j are this close to 1.

    Returns:
      The atoms reached and the number of steps taken.
    """

    def unfinished(state):
        return (state[0] < steps) & (state[4] > tolerance)

    def body(state):
        count, atoms, damping, value, _ = state
        step, predicted, residual = _newton_direction(nodes, pmf, atoms, slope, damping)
        moved = Atoms(
            atoms.positions + step[:, 1:] / jnp.sqrt(slope),
            jnp.where(jnp.isfinite(atoms.log_weights), atoms.log_weights + step[:, 0], -jnp.inf),
        )
        reached = objective(nodes, pmf, moved, slope)
        # Below rounding error the value says nothing, and full Newton steps are right.
        accept = reached <= value + 1e-14 * (1.0 + jnp.abs(value))
        agrees = (value - reached > 0.5 * predicted) | (predicted < 1e-13)
        factor = jnp.where(accept, jnp.where(agrees, 0.2, 1.5), 6.0)
        atoms = jax.tree.map(lambda new, old: jnp.where(accept, new, old), moved, atoms)
        return count + 1, atoms, jnp.clip(damping * factor, 1e-14, 1e6), jnp.where(accept, reached, value), residual

    start = (0, atoms, jnp.asarray(1e-2), objective(nodes, pmf, atoms, slope), jnp.asarray(jnp.inf))
    count, atoms, *_ = jax.lax.while_loop(unfinished, body, start)
    return atoms, count


def merge_and_remove(nodes: jax.Array, atoms: Atoms, slope: jax.Array) -> Atoms:
    """Joins atoms closer than 1e-3/sqrt(s) and empties slots whose posterior is below 1e-11 at every node.

    Args:
      nodes: [n, d] source points.
      atoms: m slots.
      slope: [] nats per unit of squared distance.

    Returns:
      The atoms that are left, in m slots.
    """
    active = jnp.isfinite(atoms.log_weights)
    _, posterior = log_partition(nodes, atoms, slope)
    active = active & (jnp.max(posterior, axis=0) > _NEGLIGIBLE)
    weights = jnp.where(active, jnp.exp(atoms.log_weights), 0.0)
    distance = squared_distances(atoms.positions, atoms.positions) * slope
    close = (distance < _MERGE_DISTANCE**2) & active[:, None] & active[None, :]
    slots = jnp.arange(active.shape[0])
    # Each atom goes to the first one close to it; in a chain the rest joins in the next round.
    first = jnp.where(active, jnp.argmax(close, axis=1), slots)
    first = jnp.where(first[first] == first, first, slots)
    total = jnp.zeros_like(weights).at[first].add(weights)
    center = jnp.zeros_like(atoms.positions).at[first].add(weights[:, None] * atoms.positions)
    retained = active & (first == slots) & (total > 0.0)
    safe = jnp.where(retained, total, 1.0)
    return Atoms(
        jnp.where(retained[:, None], center / safe[:, None], atoms.positions),
        jnp.where(retained, jnp.log(safe), -jnp.inf),
    )


def insert(
    nodes: jax.Array,
    pmf: jax.Array,
    atoms: Atoms,
    slope: jax.Array,
    values: jax.Array,
    places: jax.Array,
    *,
    number: int,
    tolerance: float,
) -> Atoms:
    """Puts atoms in empty slots where they would lower F most.

    A new atom of small weight at y lowers F at the rate c(y) - 1, and may take a weight of the order of the source
    mass that a kernel at y sees: their product says what it is worth. A large c in a far tail is worth nothing.

    Args:
      nodes: [n, d] source points.
      pmf: [n].
      atoms: m slots.
      slope: [] nats.
      values: [k] values of c.
      places: [k, d] where they were taken.
      number: largest number of atoms to insert (static); they keep 1/sqrt(slope) apart.
      tolerance: smallest worth that calls for an atom.

    Returns:
      The atoms, unchanged where nothing is worth it or no slot is free.
    """

    def one(_: int, state: tuple[Atoms, jax.Array]) -> tuple[Atoms, jax.Array]:
        atoms, worth = state
        best = jnp.argmax(worth)
        place = places[best]
        log_z = log_partition(nodes, atoms, slope)[0]
        ratio = jnp.max(jnp.where(pmf > 0.0, -slope * squared_distances(nodes, place[None])[:, 0] - log_z, -jnp.inf))
        free = ~jnp.isfinite(atoms.log_weights)
        slot = jnp.argmax(free)
        use = free.any() & (worth[best] > tolerance)
        added = Atoms(
            atoms.positions.at[slot].set(place), atoms.log_weights.at[slot].set(jnp.log(_NEW_POSTERIOR) - ratio)
        )
        near = jnp.sum((places - place[None]) ** 2, axis=-1) * slope < 1.0
        return jax.tree.map(lambda new, old: jnp.where(use, new, old), added, atoms), jnp.where(near, 0.0, worth)

    seen = pmf @ jnp.exp(-slope * squared_distances(nodes, places))
    return jax.lax.fori_loop(0, number, one, (atoms, (values - 1.0) * seen))[0]


def inflate(atoms: Atoms, slope: jax.Array, values: jax.Array, places: jax.Array) -> Atoms:
    """Raises the weights of atoms near which c exceeds 1, so that the result is a better dual point.

    The dual bound -E log Z - log sup c holds for any positive weights. In a tail the weights are so small that F does
    not feel them, and c is anything; raising them costs E log Z next to nothing and pushes c below 1 there.

    Args:
      atoms: m slots.
      slope: [] nats.
      values: [k] values of c for these weights.
      places: [k, d] where they were taken.

    Returns:
      Atoms with weights that sum to more than 1.
    """
    distance = jnp.where(jnp.isfinite(atoms.log_weights)[:, None], 1.0, jnp.inf) * (
        squared_distances(atoms.positions, places) * slope + 1e-12
    )
    # Every place has somebody to answer for it: the atoms within 1.5/sqrt(s), or else the nearest.
    near = distance <= jnp.maximum(jnp.min(distance, axis=0), 2.25)[None]
    excess = jnp.max(jnp.where(near, jnp.clip(values, 1.0, 1e100)[None] - 1.0, 0.0), axis=1)
    # Overshooting makes few rounds enough; it is free where the weight is negligible.
    gain = jnp.where(atoms.log_weights < jnp.log(1e-8), 8.0, 1.5)
    return atoms._replace(log_weights=atoms.log_weights + jnp.log1p(gain * excess))
