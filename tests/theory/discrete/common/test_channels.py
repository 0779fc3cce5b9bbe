"""Small functions of channels against direct NumPy, and the edges that they exist for."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from theory.discrete.common import channels

# As solvers use them, inside of programs: one for each in place of one for each operation.
normalize, keep_only_couplings, tilted_channel, mean_distortion, mutual_information, slope_meeting_distortion = map(
    jax.jit, (channels.normalize, channels.keep_only_couplings, channels.tilted_channel, channels.mean_distortion,
              channels.mutual_information, channels.slope_meeting_distortion))
RNG = np.random.default_rng(0)
PMF = RNG.dirichlet(np.ones(5))
MATRIX = RNG.random((5, 7)) + 1.0


def test_normalizing_keeps_differences_of_distortion():
    problem = normalize(jnp.asarray(PMF), jnp.asarray(MATRIX))
    channel = RNG.dirichlet(np.ones(7), 5)
    mean = mean_distortion(problem.pmf, jnp.asarray(channel), problem.distortion)
    np.testing.assert_allclose(
        mean * problem.scale + problem.mean_offset, (PMF[:, None] * channel * MATRIX).sum(), rtol=1e-14)
    np.testing.assert_allclose(problem.distortion.min(1), 0.0, atol=0.0)


def test_a_letter_without_finite_distortion_is_nan_only_if_it_occurs():
    matrix = np.concatenate([MATRIX, np.full((1, 7), np.inf)])
    never = normalize(jnp.asarray(np.append(PMF, 0.0)), jnp.asarray(matrix))
    assert bool(jnp.all(jnp.isfinite(never.distortion)))
    occurs = normalize(jnp.asarray(np.append(0.5 * PMF, 0.5)), jnp.asarray(matrix))
    assert bool(jnp.isnan(occurs.mean_offset))


def test_tilted_channel_is_the_softmax_and_obeys_forbidden_pairs():
    weights, slope = RNG.dirichlet(np.ones(7)), 3.0
    matrix = MATRIX.copy()
    matrix[2, 3] = np.inf
    got = tilted_channel(jnp.log(weights), jnp.asarray(matrix), jnp.asarray(slope))
    plain = weights * np.exp(-slope * matrix)
    np.testing.assert_allclose(got, plain / plain.sum(1, keepdims=True), rtol=1e-13)
    assert got[2, 3] == 0.0
    # A slope that underflows every weight still gives the nearest letter.
    steep = tilted_channel(jnp.log(weights), jnp.asarray(matrix), jnp.asarray(1e6))
    np.testing.assert_allclose(steep[np.arange(5), matrix.argmin(1)], 1.0, rtol=1e-12)


@pytest.mark.parametrize("share", [1e-6, 0.3, 0.999])
def test_slope_meets_the_distortion_from_the_feasible_side(share):
    problem = normalize(jnp.asarray(PMF), jnp.asarray(MATRIX))
    flat = jnp.full(7, -np.log(7.0))
    at_zero = mean_distortion(
        problem.pmf, tilted_channel(flat, problem.distortion, jnp.zeros(())), problem.distortion)
    target = share * at_zero
    slope = slope_meeting_distortion(problem, flat, target, jnp.ones(()))
    channel = tilted_channel(flat, problem.distortion, slope)
    mean = mean_distortion(problem.pmf, channel, problem.distortion)
    assert mean <= target
    np.testing.assert_allclose(mean, target, rtol=1e-12)
    assert slope_meeting_distortion(problem, flat, 1.01 * at_zero, jnp.ones(())) == 0.0


def test_mutual_information_of_a_lossless_channel_is_the_entropy():
    np.testing.assert_allclose(
        mutual_information(jnp.asarray(PMF), jnp.eye(5)), -(PMF * np.log(PMF)).sum(), rtol=1e-14)
    assert mutual_information(jnp.asarray(PMF), jnp.full((5, 2), 0.5)) == 0.0


def test_what_no_coupling_uses_is_found_as_linear_programming_finds_it():
    """Pairs are kept that a channel from the source to itself can use: the largest probability of each, one by one."""
    rng, dropped = np.random.default_rng(5), 0
    for n in (2, 3, 5, 5, 5):
        pmf = rng.dirichlet(np.ones(n))
        pmf[rng.random(n) < 0.15] = 0.0
        pmf /= pmf.sum()
        distortion = np.where(rng.random((n, n)) < 0.6, np.inf, rng.random((n, n)))
        np.fill_diagonal(distortion, 0.0)
        found, depth = keep_only_couplings(normalize(jnp.asarray(pmf), jnp.asarray(distortion)))
        marginals = np.vstack([np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))])
        allowed = np.isfinite(distortion)
        for x, y in itertools.product(np.flatnonzero(pmf), np.flatnonzero(pmf)):
            answer = linprog(-np.eye(n * n)[x * n + y], A_eq=marginals, b_eq=np.concatenate([pmf, pmf]),
                             bounds=[(0, 1 if a else 0) for a in allowed.ravel()])
            assert np.isfinite(found.distortion[x, y]) == (answer.fun < -1e-9)
            if allowed[x, y] and np.isinf(found.distortion[x, y]):
                dropped += 1
                assert depth[x] > depth[y]
            elif allowed[x, y]:
                assert depth[x] == depth[y]
    assert dropped > 5
    swap = normalize(jnp.array([0.5, 0.5]), jnp.array([[np.inf, 0.0], [0.0, 1.0]]))
    assert np.isfinite(keep_only_couplings(swap)[0].distortion).sum() == 3  # no letter may be kept: unknown
