"""PU21: the authors' own numbers, back and forth, gradients, metrics of luminance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.losses import squared_error
from rdr.vision import pu21_decode, pu21_encode
from rdr.vision.pu21 import VARIANTS, on_pu21

LUMINANCES = np.array([0.005, 0.05, 1.0, 10.0, 100.0, 1000.0, 10_000.0])
CODES = np.array([5.0, 50.0, 200.0, 350.0])
# pu21_encoder.m (github.com/gfxdisp/pu21, commit 78340c0) run in GNU Octave 7.3: encoded LUMINANCES, decoded CODES.
PUBLISHED = {
    "banding": ([0, 25.42556645, 84.40451131, 158.5061476, 261.7517279, 388.1423045, 520.467307],
                [0.008740198082, 0.2188142068, 27.28117744, 513.3402279]),
    "banding_glare": ([5.470456654e-10, 2.935704217, 36.54391114, 123.6474836, 256.3838973, 420.0969213, 595.39392],
                      [0.08657029562, 1.628225687, 40.42188994, 390.2649507]),
    "peaks": ([1.367368076e-07, 22.16527285, 85.54201498, 167.5245645, 260.7249826, 335.6947146, 380.9853161],
              [0.00999258381, 0.2484527223, 22.13636627, 1801.714984]),
    "peaks_glare": ([0, 4.114414325, 47.0090294, 136.2603186, 252.2984883, 359.6224629, 407.5066197],
                    [0.06080472734, 1.107991687, 36.5483605, 773.7687305]),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_is_what_its_authors_publish_and_decodes(variant):
    codes, luminances = PUBLISHED[variant]
    found = pu21_encode(LUMINANCES, variant=variant)
    np.testing.assert_allclose(found, codes, rtol=1e-9, atol=2e-7)
    np.testing.assert_allclose(pu21_decode(CODES, variant=variant), luminances, rtol=1e-9)
    np.testing.assert_allclose(pu21_decode(found, variant=variant), LUMINANCES, rtol=1e-9)
    single = pu21_encode(LUMINANCES.astype(np.float32), variant=variant)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, codes, rtol=1e-4, atol=2e-3)
    assert np.all(np.diff(single) > 0)


def test_values_beyond_the_range_count_as_its_ends():
    np.testing.assert_array_equal(pu21_encode(np.array([0.0, 20_000.0])), pu21_encode(LUMINANCES[[0, -1]]))
    np.testing.assert_allclose(pu21_decode(np.array([-5.0, 700.0])), LUMINANCES[[0, -1]], rtol=1e-9)


def test_a_metric_s_values_are_those_of_its_variant_and_white():
    first, second = (np.full((1, 2, 2, 1), y) for y in (3.0, 40.0))
    for variant in VARIANTS:
        found = on_pu21(lambda x, y: x - y, variant=variant, white=100.0)(second, first)
        steps = (pu21_encode(y, variant=variant) for y in (second, first))
        np.testing.assert_allclose(100 * found, np.subtract(*map(np.asarray, steps)), rtol=1e-6)


def test_gradients_are_finite_differences():
    value, slope = jax.jit(jax.vmap(jax.value_and_grad(lambda y: pu21_encode(y))))(jnp.asarray([0.02, 3.0, 900.0]))
    moved = (pu21_encode(np.array([0.02, 3.0, 900.0]) * (1 + 1e-6)) - value) / (np.array([0.02, 3.0, 900.0]) * 1e-6)
    np.testing.assert_allclose(slope, moved, rtol=1e-5)
    slope = jax.jit(jax.vmap(jax.grad(lambda v: pu21_decode(v))))(jnp.asarray([0.0, 1.0, 595.0, 700.0]))
    assert np.isfinite(slope).all()


def test_a_metric_on_it_sees_dark_and_bright_steps_alike():
    error = on_pu21(squared_error)
    levels = np.array([0.5, 5.0, 50.0, 500.0, 5000.0]).reshape(-1, 1, 1, 1) * np.ones((1, 4, 4, 3))
    found = np.sqrt(jax.jit(error)(1.02 * levels, levels))
    by_hand = (np.asarray(pu21_encode(1.02 * levels)) - np.asarray(pu21_encode(levels)))[:, 0, 0, 0] / 256
    np.testing.assert_allclose(found, by_hand, rtol=1e-9)
    assert found.max() < 12 * found.min()  # of luminances themselves: 10,000
    slope = jax.jit(jax.grad(lambda x: error(x, levels).sum()))(1.02 * levels)
    assert np.isfinite(slope).all() and (slope > 0).all()


def test_refusals():
    for wrong, name in ((-1.0, "-1"), (np.nan, "nan"), (np.inf, "inf")):
        with pytest.raises(ValueError, match=f"luminance must be non-negative and finite, in cd/m\\^2, got {name}"):
            pu21_encode(np.array([1.0, wrong]))
    with pytest.raises(ValueError, match="variant must be one of 'banding', "):
        pu21_encode(1.0, variant="pu08")
    with pytest.raises(ValueError, match="white must be positive"):
        on_pu21(squared_error, white=0.0)
