import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.distances import squared_distances
from rdr.quantize.codebook import annealed_cost, code_lengths, nearest_codeword, soft_assignment

RNG = np.random.default_rng(0)
LOGITS = jnp.asarray([0.3, -0.2, 1.0, 0.0])


@pytest.mark.parametrize("dimension", [3, 20])
def test_distances_are_squares_of_differences(dimension):
    x, y = RNG.standard_normal((5, dimension)), RNG.standard_normal((4, dimension))
    np.testing.assert_allclose(squared_distances(jnp.asarray(x), jnp.asarray(y)),
                               ((x[:, None] - y) ** 2).sum(-1), rtol=1e-9)


def test_code_lengths_satisfy_krafts_equality():
    np.testing.assert_allclose(np.exp2(-np.asarray(code_lengths(LOGITS))).sum(), 1.0, rtol=1e-12)


def test_soft_assignment_is_blahuts_channel_at_temperature_one():
    """Oracle: q_k proportional to p_k 2^(-weight d_k)."""
    d, p = RNG.random((6, 4)), np.asarray(jax.nn.softmax(LOGITS))
    q = soft_assignment(jnp.asarray(3.0 * d) + code_lengths(LOGITS)[None], jnp.float64(1.0))
    expected = p * 2.0 ** (-3.0 * d)
    np.testing.assert_allclose(q, expected / expected.sum(-1, keepdims=True), rtol=1e-9)


def test_the_gradient_is_that_of_the_annealed_objective():
    """Oracle: the objective -T log2 sum_k 2^(-cost_k / T), differentiated as it is."""
    x, y = jnp.asarray(RNG.standard_normal((7, 2))), jnp.asarray(RNG.standard_normal((4, 2)))

    def objective(y, logits, t):
        costs = 1.7 * squared_distances(x, y) + jnp.broadcast_to(code_lengths(logits), (7, 4))
        return jnp.sum(-t * jax.nn.logsumexp(-costs * jnp.log(2.0) / t, -1) / jnp.log(2.0))

    def expected(y, logits, t):
        d, bits = annealed_cost(x, y, logits, 1.7, t)
        return jnp.sum(1.7 * d + bits)

    for t in (1.0, 0.3):
        for want, got in zip(jax.grad(objective, (0, 1))(y, LOGITS, t), jax.grad(expected, (0, 1))(y, LOGITS, t)):
            np.testing.assert_allclose(got, want, rtol=1e-9)
    # Hard assignments are the limit, and those that an encoder chooses.
    d, bits = annealed_cost(x, y, LOGITS, 1.7, None)
    cold = annealed_cost(x, y, LOGITS, 1.7, 1e-3)
    np.testing.assert_allclose([d, bits], cold, atol=1e-6)
    k = nearest_codeword(x, y, code_lengths(LOGITS), 1.7)
    np.testing.assert_allclose(bits, np.asarray(code_lengths(LOGITS))[k], rtol=1e-12)
