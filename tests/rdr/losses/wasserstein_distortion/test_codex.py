"""The published pyramid: against values computed with the published code in float64, and an independent one."""

import jax
import numpy as np
import pytest
import scipy.signal

from rdr.losses.wasserstein_distortion.codex import published_wasserstein_distortion

I, J = np.mgrid[:32, :32]
A = np.stack([np.sin(0.3 * I + 0.2 * J), np.cos(0.5 * I - 0.1 * J) ** 2], -1)[None]
B = np.stack([np.sin(0.3 * I + 0.2 * J + 0.7), np.cos(0.5 * I - 0.1 * J + 0.4) ** 2], -1)[None]
published = jax.jit(published_wasserstein_distortion, static_argnames="num_levels")

# Published code (CoDeX, 2024), float64, five levels, constant log2 of sigma; ten digits recorded.
RECORDED = {
    0.0: 0.1555128825, 0.5: 0.1447452729, 1.0: 0.1339776632, 2.0: 0.0804705581,
    3.0: 0.0251425852, 4.0: 0.0033750864, 5.0: 0.0048921710,
}  # fmt: skip


@pytest.mark.parametrize("log2_sigma", RECORDED)
def test_equals_the_published_code_on_waves(log2_sigma):
    value = published(A, B, np.full((32, 32), log2_sigma))
    np.testing.assert_allclose(value, RECORDED[log2_sigma], rtol=0, atol=5.1e-11)
    np.testing.assert_allclose(published(A, B, log2_sigma), value, rtol=1e-14)


def test_equals_the_published_code_with_a_map():
    value = published(A, B, np.broadcast_to(np.linspace(0, 5, 32)[:, None], (32, 32)))
    np.testing.assert_allclose(value, 0.0701493173, rtol=0, atol=5.1e-11)
    np.testing.assert_array_equal(published(A, A, 3.0), 0)


def test_equals_the_published_code_on_noise():
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((1, 256, 256))[..., None] for _ in range(2))
    recorded = [2.01104495, 0.40270661, 0.08705121, 0.02072330, 0.00455315, 0.00141024]
    values = [published(a, b, float(level))[0] for level in range(6)]
    np.testing.assert_allclose(values, recorded, rtol=0, atol=5.1e-9)


def test_several_maps_of_odd_sizes_equal_a_numpy_version():
    # SciPy convolutions; resized and lowered sigma; batch of two.
    rng = np.random.default_rng(1)
    maps = [[rng.normal(size=(2, *s, 3)) for s in ((17, 22), (8, 11))] for _ in range(2)]
    log2_sigma = rng.random((17, 22)) * 4
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    want = np.zeros(2)
    for a, b in zip(*maps):
        height, width = a.shape[1:3]
        local = log2_sigma
        if (height, width) != local.shape:
            resized = np.asarray(jax.image.resize(local, (height, width), "linear", antialias=True))
            local = np.maximum(resized - np.log2(17 * 22 / (height * width)) / 2, 0)
        for n in range(2):
            for c in range(3):
                x, y, s = a[n, :, :, c], b[n, :, :, c], local
                xx, yy = x**2, y**2
                total = (np.maximum(1 - np.abs(s), 0) * (x - y) ** 2).mean()
                for level in range(1, 4):
                    x, y, xx, yy = (scipy.signal.convolve2d(z, kernel, "same") for z in (x, y, xx, yy))
                    spread = np.sqrt(xx - x**2) - np.sqrt(yy - y**2)
                    total += (np.maximum(1 - np.abs(s - level), 0) * ((x - y) ** 2 + spread**2)).mean()
                    x, y, xx, yy = (z[::2, ::2] for z in (x, y, xx, yy))
                    # "same" with stride 2: windows centered on every second sample, from the second one
                    # where the side is even.
                    smooth = scipy.signal.convolve2d(s, kernel, "same")
                    s = smooth[1 - s.shape[0] % 2 :: 2, 1 - s.shape[1] % 2 :: 2]
                want[n] += total / 3
    np.testing.assert_allclose(published(*maps, log2_sigma, num_levels=3), want, rtol=1e-12)


def test_gradient_is_finite_on_flat_images():
    flat = np.full((1, 16, 16, 1), 0.5)
    gradient = jax.jit(jax.grad(lambda x: published_wasserstein_distortion(A[:, :16, :16, :1], x, 2.0).sum()))(flat)
    assert np.isfinite(gradient).all()


def test_bad_shapes_are_refused_in_words():
    with pytest.raises(ValueError, match="maps of the reference's shapes"):
        published_wasserstein_distortion(A, B[:, 1:], 1.0)
    with pytest.raises(ValueError, match="log2_sigma must be a number or"):
        published_wasserstein_distortion(A, B, np.zeros((1, 32, 32)))
    with pytest.raises(ValueError, match="num_levels must be >= 0"):
        published_wasserstein_distortion(A, B, 1.0, num_levels=-1)
    with pytest.raises(ValueError, match="at least one feature map"):
        published_wasserstein_distortion((), (), 1.0)


def test_float32_stays_float32_for_maps_of_several_sizes():
    maps = {"a": np.zeros((1, 32, 32, 1), np.float32), "b": np.ones((1, 16, 16, 1), np.float32)}
    assert jax.eval_shape(published_wasserstein_distortion, maps, maps, np.float32(2.0)).dtype == np.float32
