import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.sources import banana, banana_training
from rdr.transforms.dense import ResidualDense

TINY = banana.Config(target_rates=(9.0,), hidden=4)


@pytest.fixture(scope="module")
def grids():
    """Scalar codecs with transforms away from the line, and fresh hexagonal ones."""
    keys = jax.random.split(jax.random.key(0), 1)
    scalar, hexagonal = (jax.vmap(banana_training.make_codec(TINY, family).init)(keys) for family in ("scalar",
                                                                                                      "hexagonal"))
    for part, name in (("analysis", "Dense_2"), ("synthesis", "Dense_2")):
        kernel = scalar[part][name]["kernel"]
        scalar[part][name]["kernel"] = 0.05 * jax.random.normal(jax.random.key(1), kernel.shape, kernel.dtype)
    scalar["log_step"] = jnp.full((1,), np.log(0.3), jnp.float32)
    return scalar, hexagonal


def apply(params, x):
    return ResidualDense(2, (4, 4)).apply({"params": jax.tree.map(lambda leaf: leaf[0], params)}, x)


@pytest.mark.parametrize("bricks, step, press", [(False, 0.3, 1.0), (True, 0.3 * (3**0.5 / 2) ** 0.5, 3**0.5 / 2)])
def test_hexagons_stand_where_rectangles_stood(grids, bricks, step, press):
    """Oracle: unit hexagons have sides along rows of sqrt(2 / sqrt 3), rows sqrt(sqrt 3 / 2) apart."""
    scalar, fresh = grids
    made = banana_training.hexagons_from_rectangles(fresh, scalar, bricks=bricks)
    x = np.random.default_rng(0).standard_normal((20, 2)).astype(np.float32)
    pressed = np.array([press, 1.0], np.float32)
    turned = np.asarray(apply(scalar["analysis"], x))[:, ::-1]
    np.testing.assert_allclose(apply(made["analysis"], x), turned * pressed, atol=1e-5)
    np.testing.assert_allclose(apply(made["synthesis"], x[:, ::-1] * pressed), apply(scalar["synthesis"], x), atol=1e-5)
    np.testing.assert_allclose(np.exp(made["log_step"]), step, rtol=1e-5)
    assert made["prior"] is fresh["prior"]  # the order of coding is another


def test_hexagons_err_less_from_the_first_step(grids):
    """Oracle: second moments of unit cells, 5 / (36 sqrt 3) to 1/12; pressed, the mean of 1 and 4/3 of 3/4^(1/2)."""
    scalar, fresh = grids
    line = {**scalar, **{part: {**scalar[part], "line": jnp.eye(2, dtype=jnp.float32)[None], "Dense_2": {
        "kernel": jnp.zeros_like(scalar[part]["Dense_2"]["kernel"])}} for part in ("analysis", "synthesis")}}
    x = 3.0 * np.random.default_rng(1).standard_normal((40_000, 2)).astype(np.float32)
    errors = []
    for family, params in (("scalar", line), *(("hexagonal", banana_training.hexagons_from_rectangles(
            fresh, line, bricks=bricks)) for bricks in (False, True))):
        codec = banana_training.make_codec(TINY, family)
        y, _ = jax.jit(codec.forward)(jax.tree.map(lambda leaf: leaf[0], params), x, key=jax.random.key(0))
        errors.append(np.square(x - np.asarray(y)).mean() / 0.09)
    hexagon = 5 / (36 * 3**0.5)
    np.testing.assert_allclose(errors, [1 / 12, hexagon, hexagon * 3**0.5 / 2 * (1 + 4 / 3) / 2],
                               atol=5 * 0.075 / np.sqrt(80_000))
