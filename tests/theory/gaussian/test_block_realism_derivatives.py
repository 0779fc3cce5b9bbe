"""Derivatives of distortion and rate under block realism against differences, and against each other."""

import jax
import numpy as np
import pytest

from theory.gaussian.vector_block_realism import block_realism, block_realism_rate

GRADIENT_OF = (np.array([1.0, 0.7, 2.0, 0.5, 3.0]), np.array([0.4, 0.0, np.inf, 0.8, 0.3]),
               np.array([0.05, 0.3, 0.02, 9.0, 0.0]))
by_all = jax.jit(jax.grad(lambda *x: block_realism(*x).upper.sum(), argnums=(0, 1, 2, 3)))


def test_derivatives_are_those_of_differences():
    """By rate, randomness, perception and eigenvalues: where P binds, nothing shared, all shared, P idle, and P = 0."""
    lam = np.tile([4.0, 1.0, 0.25, 0.01], (5, 1))
    arguments = [*GRADIENT_OF, lam]
    gradients = by_all(*arguments)
    assert np.isneginf(gradients[2][4]) and gradients[2][3] == 0
    assert (gradients[0] < 0).all() and gradients[1][2] == 0
    for argument in range(4):
        for row in range(5):
            old = np.asarray(arguments[argument][row])
            if not np.isfinite(old).all() or (argument in (1, 2) and old == 0):
                continue
            step = 3e-5 * old
            ends = []
            for sign in (1, -1):
                moved = [x.copy() for x in arguments]
                moved[argument][row] = old + sign * step
                ends.append(block_realism(*moved).upper[row])
            by_hand = (ends[0] - ends[1]) / 2
            np.testing.assert_allclose((gradients[argument][row] * step).sum(), by_hand, rtol=1e-4, atol=1e-10)
    # At R = 0: with something shared, with nothing; and next to it. Five rows, as above: the same programs.
    rate, shared, level = np.array([0.0, 0.0, 1e-6, 1.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0, 1.0]), np.full(5, 0.1)
    edge = rate, shared, level, np.tile([2.0, 1.0, 0.5, 0.1], (5, 1))
    by_rate, by_shared = by_all(*edge)[:2]
    assert np.isneginf(by_rate[0]) and by_shared[0] == 0
    upper = block_realism(*edge).upper
    np.testing.assert_allclose(by_rate[1], (upper[2] - upper[1]) / 1e-6, rtol=1e-3)


@pytest.mark.stress  # a large program; those of the distortion are held to differences above
def test_derivatives_of_the_rate_invert_those_of_the_distortion():
    lam = np.tile([4.0, 1.0, 0.25, 0.01], (5, 1))
    at = block_realism(*GRADIENT_OF, lam)
    forward = by_all(*GRADIENT_OF, lam)
    back = jax.jit(jax.grad(lambda *x: block_realism_rate(*x).upper.sum(), argnums=(0, 1, 2, 3)))(
        at.upper, *GRADIENT_OF[1:], lam)
    np.testing.assert_allclose(back[0], 1 / forward[0], rtol=1e-5)
    for there, here in zip(back[1:], forward[1:]):
        rows = np.isfinite(np.reshape(here, (5, -1))).all(1)
        scale = np.reshape(forward[0], (5,) + (1,) * (np.ndim(here) - 1))
        np.testing.assert_allclose(there[rows], (-here / scale)[rows], rtol=1e-4, atol=1e-7)
