import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.sources import harness, manifold_codecs
from theory.bounds import sources
from theory.closed_form import manifolds


@pytest.mark.parametrize("source, cells", [("sawbridge", (2, 3, 8)), ("ramp", (4, 5, 9)), ("circle", (3, 4, 8))])
def test_at_its_price_a_vertex_is_the_best_of_all_equal_cells(source, cells):
    """Oracle: rate + price D of N = 1 .. 20 equal cells."""
    n = np.arange(1, 21)
    rate, distortion = np.log2(n), np.asarray(manifolds.cell_distortion(1.0 / n, source))
    for target, price in zip(cells, manifold_codecs.vertex_prices(source, cells)):
        assert n[np.argmin(rate + price * distortion)] == target


def test_numbers_that_are_no_vertices_are_refused():
    with pytest.raises(ValueError, match="cells of the ramp must be at least 4"):
        manifold_codecs.vertex_prices("ramp", (3, 5))


def test_realizations_have_the_sources_geometry():
    """Oracles: of the sawbridge |X_u - X_v|^2 = |u - v|; covariances of `theory.bounds.sources` for all three."""
    turns = harness.stratified_uniform(jax.random.key(0), 4096)
    assert (np.floor(np.asarray(turns) * 4096) == np.arange(4096)).all()
    x = np.asarray(manifold_codecs.realize("sawbridge", 512, jnp.array([0.1, 0.35, 0.8], jnp.float32)), np.float64)
    found = np.square(x[:, None] - x[None]).sum(-1)
    np.testing.assert_allclose(found, [[0, 0.25, 0.7], [0.25, 0, 0.45], [0.7, 0.45, 0]], atol=2 / 512)
    for source in ("sawbridge", "ramp", "circle"):
        model = sources.SOURCES[source]() if source == "circle" else sources.SOURCES[source](16)
        x = np.asarray(manifold_codecs.realize(source, 16, turns), np.float64)
        np.testing.assert_allclose(np.cov(x.T), model.covariance, atol=2e-4)
        np.testing.assert_allclose(x.mean(0), model.mean, atol=2e-4)
