"""Oracles: atoms optimized by BFGS with a continuous certificate (recorded), closed forms, Shannon's lower bound."""

import json
import pathlib

import numpy as np
import pytest

from theory import bounds, gaussian
from theory.bounds import densities, sources

VALUES = json.loads((pathlib.Path(__file__).parents[2] / "data" / "theory_values.json").read_text())
LN2 = np.log(2.0)


def test_uniform_source_is_bracketed_around_recorded_optima():
    """The recorded D and R are accurate to 1e-6 each, their sum R + beta D to 1e-8: the bracket must hold both."""
    rows = VALUES["uniform_mse"][:4]
    beta, distortion, rate = (np.array([row[name] for row in rows]) for name in ("beta", "D", "R_nats"))
    known = densities.squared_error(sources.uniform(-0.5, 0.5), beta / LN2)
    found = bounds.interval(known, distortion)
    assert (found.lower <= found.upper).all() and (found.upper - found.lower < 1e-7).all()
    np.testing.assert_allclose(found.lower, rate / LN2, atol=3e-5)  # slope (up to 23 bits per unit) times 1e-6
    everything = bounds.bounds_of(sources.uniform(-0.5, 0.5)) + known
    joined = bounds.interval(everything, np.linspace(0.02, 0.08, 7))
    alone = bounds.interval(bounds.bounds_of(sources.uniform(-0.5, 0.5)), np.linspace(0.02, 0.08, 7))
    assert (joined.lower <= joined.upper).all() and (joined.lower >= alone.lower).all()


@pytest.mark.stress
def test_gaussian_bracket_holds_the_closed_form():
    slopes = np.array([1.0, 2.0]) / LN2
    source = sources.gaussian(0.5, 2.0)
    found = bounds.interval(densities.squared_error(source, slopes), np.array([0.5, 0.25]))
    exact = gaussian.rate_distortion(np.array([0.5, 0.25]), 2.0)
    assert (found.lower <= exact + 1e-9).all() and (exact <= found.upper + 1e-9).all()
    assert (found.upper - found.lower < 1e-4).all()


def test_sources_without_a_density_are_refused():
    with pytest.raises(ValueError, match="source must have a density"):
        densities.squared_error(sources.bernoulli(), [1.0])
