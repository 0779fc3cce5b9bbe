import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from rdr.vision import cvvdp_model as model

# The published fit, typed off the paper's package; the module reads its own file.
JOD_A, JOD_EXPONENT = 0.0439569391310215, 0.9302042722702026
SIGMAS, BETAS = (5.79336, 14.1255, 6.63661, 0.12314), (1.3314, 1.1196, 0.947901, 0.1898)


def test_temporal_filters_have_the_published_responses():
    rate, frames = 40.0, 64  # filters of 11 frames
    matrices = model.temporal_matrices(frames, rate)
    assert matrices.shape == (4, frames, frames)
    hertz = np.arange(6) * rate / 11  # a real transform of 11 places does not reach half the rate
    grid = np.linspace(0, rate / 2, 6)  # where the responses are taken
    for row, sigma, beta, peak in zip(matrices[:, -1], SIGMAS, BETAS, (0, 0, 0, 5.0)):
        wanted = np.exp(-((grid**beta - peak**beta) ** 2) / sigma) if peak else np.exp(-(grid**beta) / sigma)
        filtered = row[-11:] @ np.exp(-2j * np.pi * np.arange(11)[:, None] * hertz / rate)
        np.testing.assert_allclose(np.abs(filtered), wanted, rtol=1e-9)
    for rate, length in ((25.0, 9), (60.0, 17)):  # a quarter of a second, an odd number of frames
        assert np.count_nonzero(model.temporal_matrices(30, rate)[0, -1]) == length
    # Filters see the past alone, and the first frame before the beginning.
    assert np.all(np.triu(matrices, 1) == 0)
    np.testing.assert_allclose(matrices[0].sum(1), 1.0, rtol=1e-9)
    still = np.ones((5, 3, 2, 2)) * np.arange(3).reshape(1, 3, 1, 1)
    channels = model.temporal_channels(jnp.asarray(still), 40.0)
    np.testing.assert_allclose(channels[:, :3], still, atol=1e-12)


def test_sensitivity_is_the_table_s():
    data = model._data()
    luminances, frequencies = (np.linspace(*data[name], 32) for name in ("log10_luminance", "log10_frequency"))
    at = np.random.default_rng(0).uniform(-2.2, 3.9, (1, 4, 5))
    for frequency in (0.15, 60.0):
        found = jax.jit(lambda x, f=frequency: model._sensitivity(x, f, 4))(at)
        for channel in range(4):
            curve = RegularGridInterpolator((luminances, frequencies), data["table"][channel])
            points = np.stack([at[0], np.full_like(at[0], np.log10(frequency))], axis=-1)
            wanted = 10 ** (curve(points) + data["parameters"]["sensitivity_correction"] / 20)
            np.testing.assert_allclose(found[channel], wanted, rtol=1e-6)
    # Beyond the table: the last luminance, and a line along frequencies.
    dark, bright = model._sensitivity(jnp.array([[[-9.0]], [[9.0]]])[:, None], 80.0, 1)[:, 0, 0, 0]
    edges = 10 ** (data["table"][0, [0, -1], -1] + data["parameters"]["sensitivity_correction"] / 20)
    assert 0 < dark < edges[0] and 0 < bright < edges[1]


def test_powers_and_norms():
    x = jnp.array([0.0, 0.5, 2.0])
    np.testing.assert_allclose(model.power(x, 3.0), x**3, atol=2e-4)
    np.testing.assert_allclose(model.norm(x, 2.0, 0, average=True), np.sqrt(4.25 / 3), rtol=1e-2)
    assert np.isfinite(jax.grad(lambda x: model.norm(x, 4.0, 0))(jnp.zeros(3))).all()


def test_lost_jod_is_a_power_and_a_chord():
    q = np.array([0.0, 0.05, 0.1, 0.2, 40.0])
    wanted = JOD_A * np.where(q > 0.1, q**JOD_EXPONENT, 0.1 ** (JOD_EXPONENT - 1) * q)
    np.testing.assert_allclose(model.lost_jod(q), wanted, rtol=1e-12)
    assert float(jax.grad(model.lost_jod)(0.0)) == pytest.approx(JOD_A * 0.1 ** (JOD_EXPONENT - 1))


def test_differences_saturate_and_are_masked():
    ones = jnp.ones((1, 3, 4, 4))

    def seen(test, reference):
        return np.asarray(model.visible_difference(model.Band(test * ones, reference * ones, ones, False)))

    assert seen(0.3, 0.3).max() == 0.0
    assert (seen(10.0, 11.0) < seen(0.0, 1.0)).all()  # what both have in common hides
    assert seen(0.0, 1e6).max() <= 10**2.5642454624176025 + 1e-3
    base = model.visible_difference(model.Band(ones, 3 * ones, 5 * ones, True))
    np.testing.assert_allclose(base, 10.0)


def test_stages_fit_together():
    bands = jax.eval_shape(lambda x: model.contrast_bands(x, x, 40.0)[1].sensitivity, np.ones((1, 3, 4, 4)))
    assert bands.shape == (1, 3, 1, 1)
    # A difference of flat images is the base band's alone: flat, and as great as the pooled one.
    level = np.full((1, 3, 4, 4), 10.0)
    redder = level + np.array([0.0, 1.0, 0.0]).reshape(1, 3, 1, 1)
    both = jax.jit(lambda x, y: (model.difference_map(x, y, 40.0, is_video=False), model.pool_bands(x, y, 40.0)))
    lost, pooled = both(redder, level)
    assert lost.shape == (1, 4, 4) and np.ptp(lost) < 1e-6 * lost.max()
    image = model.inner_quality(pooled, is_video=False)
    # Powers with an e of 1e-5 under a root lose the other, empty bands' share.
    np.testing.assert_allclose(model.lost_jod(image)[0], lost[0, 0, 0], rtol=2e-3)
    # One frame of a video, transients unseen, counts as an image without the factor of images.
    four = jnp.concatenate([pooled, 0 * pooled[:, :1]], axis=1)
    assert float(image[0] / model.inner_quality(four, is_video=True)) == pytest.approx(0.577918291091919, rel=1e-3)


def test_contrast_is_limited_and_relative_to_no_less_than_a_hundredth_of_a_candela():
    lower = jnp.array([0.002, 0.004, 0.004]).reshape(3, 1, 1)
    level = jnp.broadcast_to(jnp.array([0.012, 3.004, 30.004]).reshape(3, 1, 1), (3, 2, 2))
    contrast, adapted = model._contrast(0, 3, level, lower)
    np.testing.assert_allclose(adapted, 0.01)
    np.testing.assert_allclose(contrast[:, 0, 0], [1.0, 300.0, 1000.0], rtol=1e-6)
    np.testing.assert_allclose(model._contrast(1, 3, level, lower)[0][0], 2.0, rtol=1e-6)
    base, adapted = model._contrast(2, 3, level, None)
    assert adapted.shape == (1, 1, 1) and float(adapted[0, 0, 0]) == pytest.approx(0.012)
    np.testing.assert_allclose(base[0], 1.0, rtol=1e-6)


def test_maps_add_up_the_bands():
    """By hand, of the bands' differences: the fourth power over channels, middle bands by half, steps up, the fit."""
    rng = np.random.default_rng(0)
    pair = [50.0 + 5.0 * rng.normal(size=(3, 8, 8)) for _ in range(2)]

    @jax.jit
    def both(x, y):
        seen = [model.visible_difference(band) for band in model.contrast_bands(x, y, 40.0)]
        return seen, [model.difference_map(x, y, 40.0, is_video=is_video) for is_video in (True, False)]

    seen, maps = both(*pair)
    base_weights, e = model._data()["parameters"]["baseband_weight"][:3, None, None], 1e-5
    for found, factor in zip(maps, (1.0, 0.577918291091919)):
        layers = []
        for k, difference in enumerate(seen):
            weighted = factor * np.asarray(difference) * (base_weights if k == 2 else 1.0)
            powers = np.sum((weighted + e) ** 4 - e**4, axis=0)
            layers.append(((powers + e) ** 0.25 - e**0.25) * (0.5 if k == 1 else 1.0))
        total = np.zeros((2, 2))
        for layer in reversed(layers):
            total = np.asarray(model.double(jnp.asarray(total), *layer.shape)) + layer
        np.testing.assert_allclose(found, JOD_A * total**JOD_EXPONENT, rtol=1e-6)
    assert len(seen) == 3 and found.min() > 0.1


def test_derivatives_keep_the_pyramids_alone():
    planes = jnp.zeros((1, 3, 64, 96), jnp.float32)
    kept = jax.eval_shape(lambda x, y: jax.vjp(lambda z: model.pool_bands(z, y, 40.0), x)[1], planes, planes)
    numbers = sum(leaf.size for leaf in jax.tree.leaves(kept))
    # Two images and their smaller ones, of which there is one more where a band takes its own and the next.
    assert numbers < 2 * (1 + 2 / 3) * planes.size
    bands = model.contrast_bands
    everything = jax.eval_shape(lambda x, y: jax.vjp(
        lambda z: sum(jnp.sum(model.visible_difference(band)) for band in bands(z, y, 40.0)), x)[1], planes, planes)
    assert sum(leaf.size for leaf in jax.tree.leaves(everything)) > 4 * numbers


def test_bands_of_one_image_are_what_is_seen_of_two_where_nothing_masks():
    rng = np.random.default_rng(0)
    reference = jnp.asarray(50.0 + rng.normal(size=(3, 8, 8)))
    # Both images adapt to nearly the same light, and the difference is small.
    test = reference + jnp.asarray(1e-4 * rng.normal(size=(3, 8, 8)))
    ones, others = jax.jit(lambda *pair: [model.threshold_bands(x, 40.0) for x in pair])(test, reference)
    contrasts = jax.jit(lambda x, y: model.contrast_bands(x, y, 40.0))(test, reference)
    # But for the base band, whose sensitivity is that at each image's own mean.
    for k, band in enumerate(contrasts[:-1]):
        gain = np.array([1.0, 1.45, 1.0])[:, None, None]
        weights = model._band_weights(3, len(ones))[:, k][:, None, None]
        expected = (band.test - band.reference) * band.sensitivity * gain * weights
        np.testing.assert_allclose(ones[k] - others[k], expected, rtol=0, atol=2e-2 * np.abs(expected).max())
    base = contrasts[-1]
    expected = base.reference * base.sensitivity * model._data()["parameters"]["baseband_weight"][:3, None, None]
    np.testing.assert_allclose(others[-1], expected, rtol=1e-6)


def test_gains_multiply_the_sensitivity_of_each_band_place_and_channel(monkeypatch):
    rng = np.random.default_rng(0)
    test, reference = (50.0 + rng.normal(size=(3, 4, 4)) for _ in range(2))
    sides = [-(-4 // 2**k) for k in range(len(model.band_frequencies(4, 4, 40.0)))]
    gains = [rng.uniform(0.2, 1.0, size=(3, side, side)) for side in sides]
    original = model.contrast_bands

    def dimmed(*args):
        return [band._replace(sensitivity=band.sensitivity * gain)
                for band, gain in zip(original(*args), gains, strict=True)]

    exponent = model._data()["parameters"]["beta"]

    @jax.jit
    def compared(x, y):
        found = model.pool_bands(x, y, 40.0, gains), model.difference_map(x, y, 40.0, is_video=False, gains=gains)
        pooled = [model.norm(model.visible_difference(band), exponent, (-2, -1), average=True)
                  for band in dimmed(x, y, 40.0)]
        with monkeypatch.context() as patch:
            patch.setattr(model, "contrast_bands", dimmed)
            return found, (jnp.stack(pooled, -1), model.difference_map(x, y, 40.0, is_video=False))

    for one, other in zip(*compared(test, reference), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)
