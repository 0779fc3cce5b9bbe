"""Color differences, against scikit-image and the test data of Sharma, Wu and Dalal (2005)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.losses.color_difference import ciede2000, color_difference

# L1 a1 b1 L2 a2 b2 dE, table 1 of Sharma et al.: blues where the rotation acts, hues on both sides of 0 and
# of 180 degrees, near-grays, and samples of the CIE report.
SHARMA = np.array(
    [
        [50, 2.6772, -79.7751, 50, 0, -82.7485, 2.0425],
        [50, 3.1571, -77.2803, 50, 0, -82.7485, 2.8615],
        [50, 2.8361, -74.0200, 50, 0, -82.7485, 3.4412],
        [50, -1.3802, -84.2814, 50, 0, -82.7485, 1.0000],
        [50, -1.1848, -84.8006, 50, 0, -82.7485, 1.0000],
        [50, -0.9009, -85.5211, 50, 0, -82.7485, 1.0000],
        [50, 0, 0, 50, -1, 2, 2.3669],
        [50, -1, 2, 50, 0, 0, 2.3669],
        [50, 2.49, -0.001, 50, -2.49, 0.0009, 7.1792],
        [50, 2.49, -0.001, 50, -2.49, 0.0010, 7.1792],
        [50, 2.49, -0.001, 50, -2.49, 0.0011, 7.2195],
        [50, 2.49, -0.001, 50, -2.49, 0.0012, 7.2195],
        [50, -0.001, 2.49, 50, 0.0009, -2.49, 4.8045],
        [50, -0.001, 2.49, 50, 0.0011, -2.49, 4.7461],
        [50, 2.5, 0, 50, 0, -2.5, 4.3065],
        [50, 2.5, 0, 73, 25, -18, 27.1492],
        [50, 2.5, 0, 61, -5, 29, 22.8977],
        [50, 2.5, 0, 56, -27, -3, 31.9030],
        [50, 2.5, 0, 58, 24, 15, 19.4535],
        [50, 2.5, 0, 50, 3.1736, 0.5854, 1.0000],
        [60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644],
        [63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630],
        [35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645],
        [22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373],
        [90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441],
        [2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082],
    ]
)


def test_ciede2000_equals_the_published_test_data():
    # Printed with four decimals.
    np.testing.assert_allclose(jax.jit(ciede2000)(SHARMA[:, :3], SHARMA[:, 3:6]), SHARMA[:, 6], atol=5.1e-5)


def test_ciede2000_equals_scikit_image(recorded):
    lab, reference = np.array(recorded["lab pairs"])
    expected = recorded["scikit-image ciede2000 of lab pairs"]
    difference = jax.jit(ciede2000)
    np.testing.assert_allclose(difference(lab, reference), expected, rtol=1e-11)
    np.testing.assert_allclose(difference(reference, lab), expected, rtol=1e-11)


def test_color_differences_of_images_equal_scikit_image(recorded, recorded_pair):
    x, y = recorded_pair(37, 41, seed=4)
    # Not closer, as scikit-image uses CIE's rounded slope 7.787 and threshold 0.008856.
    both = jax.jit(lambda x, y: (color_difference(x, y), color_difference(x, y, formula="lab")))(x, y)
    expected = [recorded[f"scikit-image {name} 37x41 seed 4"] for name in ("ciede2000", "cie76")]
    np.testing.assert_allclose([value[0] for value in both], expected, rtol=1e-5)


def test_a_pure_difference_of_lightness_counts_by_its_weight():
    # Grays around L = 50: S_L = 1, and nothing else differs.
    lab, reference = np.array([[49.0, 0.0, 0.0]]), np.array([[51.0, 0.0, 0.0]])
    plain, textile = jax.jit(lambda x, y: (ciede2000(x, y), ciede2000(x, y, k_l=2.0)))(lab, reference)
    np.testing.assert_allclose(plain, [2.0], rtol=1e-14)
    np.testing.assert_allclose(textile, [1.0], rtol=1e-14)


@pytest.mark.parametrize("formula", ["ciede2000", "lab", "oklab"])
def test_gradients_are_finite_for_grays_black_and_equal_colors(formula):
    colors = np.array([[0.0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.5], [0, 0, 1], [0.2, 0.6, 0.1]]).reshape(1, 1, 5, 3)
    gradient = jax.jit(jax.grad(lambda x, y: color_difference(x, y, formula=formula).sum()))
    for other in (colors, colors[:, :, ::-1], np.zeros_like(colors)):
        assert np.isfinite(gradient(colors, other)).all()


def test_the_gradient_of_ciede2000_is_zero_at_equality():
    lab = np.array([[0.0, 0, 0], [50, 0, 0], [50, 20, -30]])
    np.testing.assert_array_equal(jax.jit(jax.grad(lambda x: ciede2000(x, lab).sum()))(lab), 0.0)


def test_the_gradient_of_ciede2000_equals_finite_differences():
    rng = np.random.default_rng(0)
    lab, reference = jnp.asarray(rng.uniform((20, -60, -60), (90, 60, 60), (2, 9, 3)))
    direction = jnp.asarray(rng.normal(size=(9, 3)))
    _, slope = jax.jit(lambda x, d: jax.jvp(lambda x: ciede2000(x, reference), (x,), (d,)))(lab, direction)
    h, f = 1e-5, jax.jit(ciede2000)
    central = (f(lab + h * direction, reference) - f(lab - h * direction, reference)) / (2 * h)
    # Error h^2 times the third derivative, plus rounding 1e-16 * 100 / h.
    np.testing.assert_allclose(slope, central, rtol=1e-7, atol=1e-8)


def test_unknown_formulas_and_gray_images_are_refused():
    x = np.zeros((1, 2, 2, 3))
    with pytest.raises(ValueError, match="formula must be one of 'ciede2000', 'lab', 'oklab', got 'din99'"):
        color_difference(x, x, formula="din99")
    with pytest.raises(ValueError, match="images must have 3 channels"):
        color_difference(x[..., :1], x[..., :1])
    with pytest.raises(ValueError, match="lab and reference_lab must have one shape"):
        ciede2000(np.zeros((4, 3)), np.zeros((5, 3)))
