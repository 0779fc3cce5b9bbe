"""Oracle: means and variances in numpy."""

import jax.numpy as jnp
import numpy as np

from theory.discrete.common import tilting


def test_the_mean_is_the_rate_and_letters_that_never_occur_do_not_matter():
    rng = np.random.default_rng(0)
    pmf = np.array([0.2, 0.0, 0.5, 0.3])
    nu = rng.normal(size=(3, 4))
    nu[0, 1] = np.inf
    rate = rng.uniform(size=3)
    kept = pmf > 0
    j = np.asarray(tilting.tilted_information(jnp.asarray(np.tile(pmf, (3, 1))), jnp.asarray(nu), jnp.asarray(rate)))
    np.testing.assert_allclose(j[:, kept] @ pmf[kept], rate, rtol=1e-13)
    np.testing.assert_allclose(np.diff(j[1:]), np.diff(nu[1:]), rtol=1e-12)
    spread = [np.average((row - np.average(row, weights=pmf[kept])) ** 2, weights=pmf[kept]) for row in nu[:, kept]]
    found = tilting.dispersion(jnp.asarray(np.tile(pmf, (3, 1))), jnp.asarray(nu), jnp.asarray(rate))
    np.testing.assert_allclose(found, spread, rtol=1e-12)
    assert np.isnan(tilting.dispersion(jnp.asarray(pmf), jnp.asarray(nu[1]), jnp.asarray(jnp.nan)))
