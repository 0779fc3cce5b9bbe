"""Wasserstein distortion: against explicit windows in NumPy loops, and its claims one by one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.losses.wasserstein_distortion import distance, prepare, wasserstein_distortion
from rdr.losses.wasserstein_distortion.window_weights import sigma_squared, window_weights

RNG = np.random.default_rng(0)
SHAPE = (2, 13, 10, 2)
A, B = RNG.normal(size=SHAPE), 0.3 + 1.5 * RNG.normal(size=SHAPE)
SIGMA = np.where(RNG.random(SHAPE[:3]) < 0.1, np.inf, RNG.exponential(2.0, SHAPE[:3]))
SIGMA[:, 3, 4] = 0
# Each sigma is a program: levels of the pyramid, and the whole map.
EACH_KIND = [pytest.param(0.0, marks=pytest.mark.stress), 1.5, pytest.param(4.0, marks=pytest.mark.stress), np.inf]


@functools.partial(jax.jit, static_argnums=2)
def constant_sigma(a, b, sigma):
    return wasserstein_distortion(a, b, sigma)


traced_sigma = jax.jit(wasserstein_distortion)


def windows_1d(size, level):
    """For each window of a level: its values over pixels; and for each pixel: its share of each window.

    Below the level asked for windows lie on blocks of two; at it on every edge between two, and at both ends.
    """
    windows = [np.eye(size)[i] for i in range(size)]
    shares = np.eye(size)
    for step in range(level):
        n = len(windows)
        if step == level - 1:
            mirror = [1, 0, *range(n), n - 1, n - 2] if n > 1 else [0] * 5
            windows = [
                sum(a * windows[mirror[edge + k]] for k, a in enumerate((1 / 8, 3 / 8, 3 / 8, 1 / 8)))
                for edge in range(n + 1)
            ]
            up = np.zeros((n, n + 1))
            for i in range(n):
                up[i, i] = up[i, i + 1] = 1 / 2
            return windows, shares @ up
        reflect = [*[*range(n), *reversed(range(n)), 0][: n + 2], 0]  # for 0 .. n + 1, and for -1 at the end
        blocks = range((n + 1) // 2)
        up = np.zeros((n, len(blocks)))
        for i in range(n):
            own = i // 2
            other = own + 1 if i % 2 else own - 1
            up[i, own] += 3 / 4
            up[i, other if other in blocks else own] += 1 / 4
        windows = [
            sum(a * windows[reflect[2 * c + k]] for k, a in zip((-1, 0, 1, 2), (1 / 8, 3 / 8, 3 / 8, 1 / 8)))
            for c in blocks
        ]
        shares = shares @ up
    return windows, shares


def brute_force(a, b, sigma):
    """The definition for one image: explicit windows, two-pass moments, a loop over pixels."""
    height, width, _ = a.shape
    whole = (max(height, width) ** 2 - 1) / 12
    variances = [0.0]
    while (4 ** len(variances) - 1) / 4 < whole:
        variances.append((4 ** len(variances) - 1) / 4)
    maps = []
    for level in range(len(variances)):
        (rows, row_shares), (columns, column_shares) = windows_1d(height, level), windows_1d(width, level)
        local = np.zeros((len(rows), len(columns)))
        for i, p in enumerate(rows):
            for j, q in enumerate(columns):
                local[i, j] = gaussian_distance(a, b, np.outer(p, q))
        maps.append(row_shares @ local @ column_shares.T)
    maps.append(np.full((height, width), gaussian_distance(a, b, np.full((height, width), 1 / (height * width)))))
    variances.append(whole)
    total = 0.0
    for y in range(height):
        for x in range(width):
            wanted = min(sigma[y, x] ** 2, whole)
            i = max(k for k in range(len(variances) - 1) if variances[k] <= wanted)
            t = (wanted - variances[i]) / (variances[i + 1] - variances[i])
            total += (1 - t) * maps[i][y, x] + t * maps[i + 1][y, x]
    return total / (height * width)


def gaussian_distance(a, b, window):
    moments = []
    for image in (a, b):
        mean = (window[..., None] * image).sum((0, 1))
        moments.append((mean, np.sqrt((window[..., None] * (image - mean) ** 2).sum((0, 1)))))
    (m, v), (n, w) = moments
    return np.mean((m - n) ** 2 + (v - w) ** 2)


@pytest.fixture(scope="module")
def truth():
    return np.array([brute_force(a, b, s) for a, b, s in zip(A, B, SIGMA)])


def test_equals_explicit_windows_and_loops(truth):
    known = jax.jit(lambda a, b: wasserstein_distortion(a, b, SIGMA))(A, B)
    np.testing.assert_allclose(known, truth, rtol=1e-10)
    np.testing.assert_allclose(traced_sigma(A, B, SIGMA), truth, rtol=1e-10)


@pytest.mark.parametrize("sigma", [  # of the others' levels, the test above
    2.5, *(pytest.param(sigma, marks=pytest.mark.stress) for sigma in (0.4, 100.0))])
def test_constant_sigma_equals_a_constant_map(sigma):
    want = [brute_force(a, b, np.full(SHAPE[1:3], sigma)) for a, b in zip(A, B)]
    np.testing.assert_allclose(constant_sigma(A, B, sigma), want, rtol=1e-10)


def test_levels_that_are_only_passed_through_change_neither_value_nor_gradient():
    """Of a known sigma of 3 pixels only level 2 and the whole map are compared; traced, every level is computed."""
    rng = np.random.default_rng(3)
    a, b = rng.random((2, 1, 13, 10, 2))
    value, gradient = jax.jit(jax.value_and_grad(lambda b: wasserstein_distortion(a, b, 3.0)[0]))(b)
    np.testing.assert_allclose(value, brute_force(a[0], b[0], np.full((13, 10), 3.0)), rtol=1e-10)
    sigma = np.full((13, 10), 3.0)
    dense, dense_gradient = jax.jit(jax.value_and_grad(lambda b, s: wasserstein_distortion(a, b, s)[0]))(b, sigma)
    np.testing.assert_allclose(value, dense, rtol=1e-12)
    np.testing.assert_allclose(gradient, dense_gradient, rtol=1e-9, atol=1e-15)


def test_gradients_match_finite_differences():
    # Smallest local standard deviation here is about 0.1, so third derivatives are below 1e3 and central
    # differences with step 1e-5 are right to 1e-7, plus 1e-16 / 1e-5 of rounding.
    gradients = jax.jit(jax.grad(lambda a, b, s: traced_sigma(a, b, s).sum(), (0, 1, 2)))
    finite = np.where(np.isinf(SIGMA), 3.0, SIGMA) + 0.1
    directions = [RNG.normal(size=x.shape) for x in (A, B, finite)]
    step = 1e-5
    ends = [traced_sigma(*(x + sign * step * d for x, d in zip((A, B, finite), directions))).sum() for sign in (1, -1)]
    slope = sum(np.sum(g * d) for g, d in zip(gradients(A, B, finite), directions))
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / (2 * step), rtol=1e-6)


@pytest.mark.parametrize(("dtype", "sigmas"), [
    (np.float32, (0.3, np.inf, SIGMA[:1])), pytest.param(np.float32, (0.0, 1.0, 3.0), marks=pytest.mark.stress),
    pytest.param(np.float64, (0.0, 0.3, 1.0, 3.0, np.inf, SIGMA[:1]), marks=pytest.mark.stress),
], ids=["each kind", "more", "float64"])  # fmt: skip
def test_constant_images_score_their_squared_difference_at_every_sigma(dtype, sigmas):
    flat = np.full((1, 13, 10, 1), 0.5, dtype)
    other = flat + dtype(0.1)
    exact = float(other[0, 0, 0, 0] - flat[0, 0, 0, 0]) ** 2
    for sigma in sigmas:
        value = jax.jit(lambda a, b, s=sigma: wasserstein_distortion(a, b, s))(flat, other)
        # A sum of up to 170 rounded weights; statistics themselves are exact.
        np.testing.assert_allclose(value, exact, rtol=32 * np.finfo(dtype).eps)


@pytest.mark.parametrize("shape", [(1, 16, 16, 1), (1, 13, 10, 1), (1, 1, 21, 1), (1, 1, 1, 1)])
def test_weights_sum_to_one(shape):
    for sigma in (0.0, 1.7, 1e9, np.inf, RNG.exponential(4.0, shape[1:3])):
        variance, frame = sigma_squared(sigma, [np.zeros(shape)], None)
        weights = window_weights(variance, frame, *shape[1:3], None)
        assert abs(sum(np.sum(w) for w in weights if w is not None) - 1) < 1e-15 * 64


def test_levels_of_zero_weight_are_not_computed():
    def levels(sigma):
        statistics = jax.eval_shape(lambda x: prepare(x, sigma), np.zeros((1, 64, 64, 1)))
        return [i for i, mean in enumerate(statistics.groups[0].means) if mean is not None]

    assert levels(0) == [0]
    assert levels(0.5) == [0, 1]
    assert levels(np.sqrt(15) / 2) == [2]  # the exact width of level 2
    assert levels(np.inf) == [6]  # 64 pixels: levels 0 to 5, then the whole map


@pytest.mark.parametrize("sigma", EACH_KIND)
def test_symmetric_and_zero_for_equal_images(sigma):
    np.testing.assert_allclose(constant_sigma(A, B, sigma), constant_sigma(B, A, sigma), rtol=1e-12)
    # The two sides are compiled apart: sums may differ by a rounding error, whose square this is.
    np.testing.assert_allclose(constant_sigma(A, A, sigma), 0, atol=1e-30)
    assert (constant_sigma(A, B, sigma) > 0.01).all()


def test_zero_for_equal_statistics_only():
    shuffled = RNG.permutation(A.reshape(2, -1, 2), axis=1).reshape(SHAPE)
    # Equal whole-image moments up to rounding; local moments of independent pixels differ by O(1/pixels).
    assert (constant_sigma(A, shuffled, np.inf) < 1e-28).all()
    assert (constant_sigma(A, shuffled, 1.5) > 1e-2).all()


@pytest.mark.parametrize(("sigma", "shifts"), [(0.0, (1, 3)), (1.9, (4, 8)), (np.inf, (1, 3))])
def test_shifting_both_images_in_the_interior_changes_nothing(sigma, shifts):
    # Level 2 (the widest that sigma = 1.9 uses) is sampled at every fourth pixel.
    a, b = np.zeros((2, 1, 48, 48, 1))
    a[0, 16:24, 16:24, 0], b[0, 16:24, 16:24, 0] = RNG.normal(size=(2, 8, 8))
    at_rest = constant_sigma(a, b, sigma)
    for shift in shifts:
        moved = constant_sigma(np.roll(a, shift, (1, 2)), np.roll(b, shift, (1, 2)), sigma)
        np.testing.assert_allclose(moved, at_rest, rtol=1e-12)


def texture(seed):
    """A smooth random texture in a frame of zeros, 96 x 96."""
    noise = np.random.default_rng(seed).normal(size=(96, 96))
    kernel = np.exp(-0.5 * (np.arange(-4, 5) / 1.2) ** 2)
    for axis in (0, 1):
        noise = np.apply_along_axis(lambda row: np.convolve(row, kernel / kernel.sum(), "same"), axis, noise)
    return noise * np.pad(np.ones((40, 40)), 28)


@pytest.mark.parametrize("sigma", [
    pytest.param(1.0, marks=pytest.mark.stress), 1.9, pytest.param(3.0, marks=pytest.mark.stress)])
def test_shifting_both_images_by_any_number_of_pixels_changes_next_to_nothing(sigma):
    def line(at):
        image = np.zeros((96, 96))
        image[30:66, at] = 1.0
        return image

    for a, b in ((texture(1), texture(2)), (texture(1), 0.5 * texture(1)), (line(48), np.zeros((96, 96)))):
        values = [
            float(constant_sigma(*(np.roll(x, s, (0, 1))[None, ..., None] for x in (a, b)), sigma)[0])
            for s in range(8)
        ]
        assert np.ptp(values) < 3e-3 * values[0]


def test_the_sigma_map_is_aligned_with_the_statistics():
    # sigma is 0 on the left half and infinite on the right; only one pixel differs, and only on the left
    # half does its square count in full. A map shifted by one pixel would move the boundary.
    sigma = np.where(np.arange(16) < 8, 0.0, np.inf) * np.ones((16, 1))
    base = RNG.normal(size=(1, 16, 16, 1))
    compare = jax.jit(lambda a, b: wasserstein_distortion(a, b, sigma))
    for column in range(16):
        other = base.copy()
        other[0, 5, column, 0] += 1
        value = float(compare(base, other)[0])
        moments = (1 / 256) ** 2 + (base.std() - other.std()) ** 2
        np.testing.assert_allclose(value, (1 / 256 if column < 8 else 0) + moments / 2, rtol=1e-12)


def test_flipping_everything_changes_nothing():
    a, b, sigma = A[:, :8, :8], B[:, :8, :8], SIGMA[:, :8, :8]
    flipped = traced_sigma(a[:, ::-1, ::-1], b[:, ::-1, ::-1], sigma[:, ::-1, ::-1])
    np.testing.assert_allclose(flipped, traced_sigma(a, b, sigma), rtol=1e-12)


def test_gaussian_fields_go_from_fidelity_to_the_distance_of_their_marginals():
    # Independent separable AR(1) fields with marginals N(0, 1) and N(0.5, 1.5^2): the mean squared difference
    # is 0.25 + 1 + 2.25 = 3.5, the squared W2 distance of the marginals 0.25 + 0.25.
    fields, size, memory = 8, 128, 0.5
    noise = RNG.normal(size=(2, fields, size, size))
    for axis in (2, 3):
        lead = np.moveaxis(noise, axis, 0)
        for i in range(1, size):
            lead[i] = memory * lead[i - 1] + np.sqrt(1 - memory**2) * lead[i]
    a, b = noise[0][..., None], 0.5 + 1.5 * noise[1][..., None]
    values = {s: np.asarray(constant_sigma(a, b, s)) for s in (0.0, 1.0, 4.0, np.inf)}
    error = {s: v.std(ddof=1) / np.sqrt(fields) for s, v in values.items()}
    assert abs(values[0.0].mean() - 3.5) < 4 * error[0.0]
    # Sample moments of a finite image fluctuate: (1 + 2.25) / n_effective for the mean, half of that (of the
    # squared correlation) for the standard deviation.
    effective = (size * (1 - memory) / (1 + memory)) ** 2
    assert abs(values[np.inf].mean() - 0.5) < 4 * error[np.inf] + 1.5 * 3.25 / effective
    means = [values[s].mean() for s in (0.0, 1.0, 4.0, np.inf)]
    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize("sigma", EACH_KIND)
def test_a_mean_of_ten_thousand_standard_deviations_costs_float32_no_accuracy(sigma):
    a, b = (np.float32(1e4 + x[:1]) for x in (A, B))
    exact = constant_sigma(a.astype(np.float64), b.astype(np.float64), sigma)
    value = constant_sigma(a, b, sigma)
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, exact, rtol=1e-5)  # asked for: 1e-3
    # The same where the mean is large on one half only, so that no constant can be taken off. (Wide windows
    # then have deviations of 5e3 themselves, whose difference float32 cannot know better.)
    if sigma > 2:
        return
    half = np.where(np.arange(10) < 5, np.float32(1e4), np.float32(0)).reshape(1, 1, 10, 1)
    a, b = (np.float32(half + x[:1]) for x in (A, B))
    exact = constant_sigma(a.astype(np.float64), b.astype(np.float64), sigma)
    np.testing.assert_allclose(constant_sigma(a, b, sigma), exact, rtol=1e-3)


@pytest.mark.parametrize("shape", [
    (1, 9, 7, 1), (1, 1, 9, 1), pytest.param((1, 9, 1, 1), marks=pytest.mark.stress), (1, 1, 1, 1)])
def test_value_and_gradient_are_finite_on_every_kind_of_image(shape):
    value_and_grad = jax.jit(jax.value_and_grad(lambda x, y, s: traced_sigma(x, y, s).sum(), (0, 1, 2)))
    spike = np.zeros(shape, np.float32)
    spike[0, 0, 0, 0] = 1e6
    images = [
        np.zeros(shape, np.float32),
        np.full(shape, 0.5, np.float32),
        spike,
        A[:1, :1, :1, :1].astype(np.float32) + 1e-20 * spike,
    ]
    for a in images:
        for b in images:
            for sigma in (0.0, 0.7, 3.0, np.inf):
                value, gradients = value_and_grad(a, b, np.float32(sigma))
                assert np.isfinite(value), (sigma, value)
                assert all(np.isfinite(g).all() for g in gradients), sigma


def test_a_flat_image_is_stationary_but_noise_grows_to_the_texture():
    row = np.tile([1.0, -1.0, -1.0, 1.0], 4)
    texture = np.outer(row, row)[None, :, :, None]
    measure = jax.jit(lambda x: prepare(x, 1.9))
    statistics = measure(texture)
    loss = jax.jit(jax.value_and_grad(lambda x, statistics: distance(statistics, x).sum()))
    # The texture's deviation does not pull at a flat image: the gradient is that of the means alone.
    (group,) = statistics.groups
    means_only = statistics._replace(
        groups=(group._replace(deviations=tuple(d if d is None else 0 * d for d in group.deviations)),)
    )
    flat = np.zeros_like(texture)
    value, gradient = loss(flat, statistics)
    assert value > 0.8
    np.testing.assert_allclose(gradient, loss(flat, means_only)[1], atol=1e-18)

    image = 1e-3 * RNG.normal(size=texture.shape)
    for _ in range(400):
        image -= 16.0 * np.asarray(loss(image, statistics)[1])
    local = measure(image).groups[0].deviations[2]  # at level 2, of nearly that sigma
    assert loss(image, statistics)[0] < 0.01 and np.abs(local - 1).max() < 0.1


def test_prepared_reference_gives_the_same_value_also_through_jit():
    statistics = jax.jit(lambda x: prepare({"a": x, "b": x[:, ::2, ::2]}, SIGMA))(A)
    value = jax.jit(distance)(statistics, {"a": B, "b": B[:, ::2, ::2]})
    apart = traced_sigma(A, B, SIGMA)
    half = jax.jit(lambda a, b, s: wasserstein_distortion(a, b, s))(A[:, ::2, ::2], B[:, ::2, ::2], SIGMA)
    np.testing.assert_allclose(value, apart + half, rtol=1e-12)


def test_sigma_is_in_pixels_of_the_image():
    # A feature map of half the resolution is pooled with half the sigma.
    small_a, small_b = A[:, :6, :4], B[:, :6, :4]
    value = jax.jit(lambda a, b: wasserstein_distortion(a, b, 3.0, image_shape=(12, 8)))(small_a, small_b)
    np.testing.assert_allclose(value, constant_sigma(small_a, small_b, 1.5), rtol=1e-12)


@pytest.mark.parametrize(("dtype", "x64"), [
    (jnp.bfloat16, False), pytest.param(jnp.bfloat16, True, marks=pytest.mark.stress),
    pytest.param(jnp.float32, False, marks=pytest.mark.stress), (jnp.float32, True)])
def test_low_precision_maps_are_summed_in_float32(dtype, x64):
    a, b = (jnp.asarray(x, dtype) for x in (A, B))
    exact = traced_sigma(np.asarray(a, np.float64), np.asarray(b, np.float64), SIGMA)
    with jax.enable_x64(x64):
        value, gradient = jax.jit(jax.value_and_grad(lambda x: wasserstein_distortion(a, x, SIGMA).sum()))(b)
    assert value.dtype == jnp.float32 and gradient.dtype == dtype
    np.testing.assert_allclose(value, exact.sum(), rtol=1e-6)


def test_batch_entries_do_not_see_each_other_and_vmap_agrees():
    beside = [np.stack([other[0], x[1]]) for x, other in ((A, B), (B, 2 * A), (SIGMA, np.ones_like(SIGMA)))]
    np.testing.assert_allclose(traced_sigma(A, B, SIGMA)[1], traced_sigma(*beside)[1], rtol=1e-12)
    mapped = jax.jit(jax.vmap(lambda a, b, s: wasserstein_distortion(a[None], b[None], s)[0]))(A, B, SIGMA)
    np.testing.assert_allclose(mapped, traced_sigma(A, B, SIGMA), rtol=1e-12)


def test_a_traced_negative_sigma_gives_nan():
    assert np.isnan(traced_sigma(A, B, -1.0)).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((A[0], A[0], 1.0), {}, "reference must have shape"),
        ((A.astype(int), A, 1.0), {}, "floating point"),
        ((A, A[:, :5], 1.0), {}, "image must have the reference's shape"),
        ((A, np.pad(A, ((0, 0), (0, 1), (0, 0), (0, 0))), np.inf), {}, "image must have the reference's shape"),
        ((A, A[:1], 0.0), {}, "image must have the reference's shape"),
        ((A, {"a": A}, 1.0), {}, "feature maps like the reference's"),
        ((A, A, -1.0), {}, "sigma must be >= 0"),
        ((A, A, np.nan), {}, "sigma must be >= 0"),
        ((A, A, np.ones(3)), {}, "sigma must be a number or have shape"),
        ((A, A, np.ones((3, 13, 10))), {}, "sigma must have one map or 2"),
        ((A, A, np.ones((10, 13))), {}, "sigma must have the image's height and width"),
        ((A, A, np.ones((2, 6, 5))), {}, "sigma must have the image's height and width"),
        ((A, A, 1.0), {"image_shape": (0, 10)}, "image_shape must be a positive height and width"),
        ((A, A, 1.0), {"num_levels": -1}, "num_levels must be >= 0"),
        ((A, A, 1.0), {"p": 1.0}, "p must be 2"),
        (((), (), 1.0), {}, "at least one feature map"),
    ],
)
def test_bad_input_is_refused_in_words(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(lambda: wasserstein_distortion(*arguments, **options))
