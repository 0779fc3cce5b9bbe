"""One slope: bounds that hold for any atoms, and the convex combination that a Gaussian source attains."""

import jax
import jax.numpy as jnp
import numpy as np

from theory import continuous, gaussian
from theory.continuous import slope_solver
from theory.continuous.support import Atoms


def test_any_atoms_bound_the_optimum_from_both_sides():
    # Oracle: R + s D of the Gaussian at slope s is R(1 / (2 s)) + 1/2 nat.
    slope, rng = 3.0, np.random.default_rng(0)
    rule = continuous.gaussian_mixture([0.0], [1.0], [1.0]).rule(0.5)
    truth = float(gaussian.rate_distortion(1.0 / (2.0 * slope))) * np.log(2.0) + 0.5

    @jax.jit
    def both(atoms):
        lower = slope_solver._lower(rule, atoms, jnp.asarray(slope), cells=(60,), subdivisions=32)
        return *lower, slope_solver._achieved(rule, atoms, jnp.asarray(slope))

    for _ in range(3):
        atoms = Atoms(jnp.asarray(np.sort(rng.standard_normal((9, 1)) * 2.0, 0)), jnp.asarray(np.full(9, -np.log(9.0))))
        lower, supremum, (_, distortion, information) = both(atoms)
        assert lower <= truth + 1e-9 <= information + slope * distortion + 2e-9
        assert supremum.upper >= supremum.lower
