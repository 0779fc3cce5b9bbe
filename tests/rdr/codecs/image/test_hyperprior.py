"""Latents given hyper-latents: bits against normal distributions in float64, and streams against their integers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.image.hyperprior import gaussian_bits, hyperprior_model, network_input, scale_indices, scale_thresholds
from rdr.entropy_models import scale_table
from rdr.entropy_models.integer_network import LayerSpec, apply_network
from rdr.transforms.image import HyperAnalysis, HyperSynthesis

N = 3
OPTIONS = {  # M, whether there are means, values of the dither
    "scales": (5, False, 0),
    "means": (4, True, 4),
}


class Case:
    """A model, parameters and latents, and what its networks say of these in float64."""

    def __init__(self, oracle, latents, means, levels):
        self.latents, self.means, self.levels = latents, means, levels
        self.model = hyperprior_model(channels=N, latents=latents, means=means, dither_levels=levels)
        self.params = oracle.draw_parameters(self.model)
        rng = np.random.default_rng(2)
        self.y = (6.0 * rng.standard_normal((2, 4, 8, latents))).astype(np.float32)
        self.dither = rng.integers(0, levels, self.y.shape) if levels else None
        self.offset = (self.dither + 0.5) / levels - 0.5 if levels else np.zeros(self.y.shape)
        widths = (latents, latents * 3 // 2, 2 * latents) if means else (N, N, latents)
        self.exact = jax.tree.map(lambda leaf: leaf.astype(np.float64), self.params), self.y.astype(np.float64)
        analysis, synthesis = HyperAnalysis(N, leaky=means), HyperSynthesis(widths, leaky=means)
        self.analyze = jax.jit(lambda params, y: analysis.apply({"params": params["analysis"]}, y))
        self.synthesize = jax.jit(lambda params, z: synthesis.apply({"params": params["synthesis"]}, z))

    def said(self, params, z):
        """Mean and scale of each latent."""
        said = np.asarray(self.synthesize(params, z))
        return (said[..., self.latents :], said[..., : self.latents]) if self.means else (np.zeros(said.shape), said)

    def reconstruction_and_bits(self, params, y, key, oracle):
        """What `bits` should give, in float64."""
        z = np.asarray(self.analyze(params, y))
        noise, z_noise = (0.0, 0.0) if key is None else (
            np.asarray(jax.random.uniform(k, shape, jnp.float32, -0.5, 0.5), np.float64)
            for k, shape in zip(jax.random.split(key), (y.shape, z.shape)))
        z_seen = np.round(z) if key is None else z + z_noise
        mean, scale = self.said(params, z_seen)
        rounded = np.round(y - mean) + mean
        seen = rounded if key is None else y + noise
        bits = oracle.normal_bits(seen, mean, scale), oracle.prior_bits(params["prior"], z_seen)
        return seen if self.levels else rounded, sum(part.sum((1, 2, 3)) for part in bits)


@pytest.fixture(scope="module")
def cases(oracle):
    return {name: Case(oracle, *options) for name, options in OPTIONS.items()}


@pytest.fixture(params=OPTIONS)
def case(request, cases):
    return cases[request.param]


@pytest.fixture(scope="module")
def codings(cases):
    return {id(case): case.model.finalize(case.params) for case in cases.values()}


def test_parameters_have_the_widths_of_the_papers(case):
    shapes = jax.tree.map(np.shape, case.params)
    m = case.latents
    layers = {part: [shapes[part][f"Convolution_{i}"]["kernel"] for i in range(3)]
              for part in ("analysis", "synthesis")}
    assert layers["analysis"] == [(3, 3, m, N), (5, 5, N, N), (5, 5, N, N)]
    assert layers["synthesis"] == ([(5, 5, N, m), (5, 5, m, 3 * m // 2), (3, 3, 3 * m // 2, 2 * m)] if case.means
                                   else [(5, 5, N, N), (5, 5, N, N), (3, 3, N, m)])
    assert shapes["prior"]["matrix_0"] == (N, 3, 1) and set(shapes) == {"prior", "analysis", "synthesis"}


def test_bits_are_those_of_a_normal_distribution_whose_scale_is_at_least_that_of_the_first_table(oracle):
    rng = np.random.default_rng(3)
    values, mean = (5.0 * rng.standard_normal(200) for _ in range(2))
    scale = np.concatenate([np.exp(rng.uniform(-3, 4, 150)), [0.1, 0.05, 0.0, -3.0, -1e6], np.full(45, 0.11)])
    found = gaussian_bits(*(jnp.asarray(part, jnp.float32) for part in (values, mean, scale)))
    want = oracle.normal_bits(*(part.astype(np.float32) for part in (values, mean, scale)))
    np.testing.assert_allclose(found, want, rtol=2e-5, atol=2e-6)


def test_hyper_latents_become_integers_of_24_bits():
    z = np.array([0, 1, -1, 2047, -2047, 2048, 2**31 - 1, -(2**31)])
    found = network_input(z)
    assert found.dtype == jnp.int32
    assert found.tolist() == [0, 4096, -4096, *(2047 * 4096 * sign for sign in (1, -1, 1, 1, -1))]


def test_the_table_of_a_scale_is_the_nearest_in_ratio():
    scales, thresholds = scale_table.scales(), scale_thresholds()
    assert thresholds.dtype == np.int32 and thresholds.shape == (63,) and (np.diff(thresholds) > 0).all()
    values = np.arange(-300, 70_000)
    found = np.asarray(scale_indices(values.astype(np.int32), thresholds))
    ratio = np.log(np.maximum(values, 1)[:, None] / 2**8 / scales)
    clear = np.abs(values[:, None] - thresholds).min(1) > 0  # a threshold itself is rounded
    np.testing.assert_array_equal(found[clear], np.abs(ratio).argmin(1)[clear])
    np.testing.assert_array_equal(found[np.isin(values, thresholds)], np.arange(1, 64))
    assert found[0] == 0 and found[-1] == 63


def test_bits_are_the_sum_over_all_rounded_latents_and_hyper_latents(case, oracle):
    want = case.reconstruction_and_bits(*case.exact, None, oracle)
    y_hat, bits = jax.jit(case.model.bits)(case.params, case.y, None)
    np.testing.assert_allclose(bits, want[1], rtol=1e-5)
    # Numbers of float32 that differ in their last digit may round apart, but none of these latents is so near a tie.
    np.testing.assert_allclose(y_hat, want[0], atol=2e-5)
    mean, scale = case.said(case.exact[0], np.round(case.analyze(*case.exact)))
    assert np.std(scale) > 0.3 and (np.std(mean) > 0.3 or not case.means)


def test_noisy_bits_and_their_gradients_are_those_of_the_sum(case, oracle):
    """Gradients along one direction for each part, by finite differences of the sum in float64."""
    key, rng = jax.random.key(9), np.random.default_rng(4)

    @jax.jit
    def found(params, y):
        def total(params, y):
            y_hat, bits = case.model.bits(params, y, key)
            return bits.sum(), (y_hat, bits)

        (_, out), slope = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)(params, y)
        return out, slope

    (y_hat, bits), slope = found(case.params, case.y)
    want = case.reconstruction_and_bits(*case.exact, key, oracle)
    np.testing.assert_allclose(y_hat, want[0], atol=2e-5)
    np.testing.assert_allclose(bits, want[1], rtol=1e-5)
    still = jax.tree.map(np.zeros_like, case.exact)
    for part in ("prior", "analysis", "synthesis", "y"):
        chosen, along = (case.exact[1], slope[1]) if part == "y" else (case.exact[0][part], slope[0][part])
        direction = jax.tree.map(lambda leaf: rng.standard_normal(leaf.shape), chosen)
        move = (still[0], direction) if part == "y" else (still[0] | {part: direction}, still[1])
        up, down = (case.reconstruction_and_bits(*jax.tree.map(lambda a, b, s=s: a + s * b, case.exact, move), key,
                                                 oracle)[1].sum() for s in (1e-6, -1e-6))
        expected = sum(np.vdot(a, b) for a, b in zip(jax.tree.leaves(along), jax.tree.leaves(direction)))
        np.testing.assert_allclose(expected, (up - down) / 2e-6, rtol=1e-3)
        assert abs(expected) > 0.1


def test_streams_are_made_of_the_integers_that_the_integer_network_says(case, codings, oracle, steps):
    coding, kind = codings[id(case)], "leaky" if case.means else "relu"
    oracle.check_whole(coding)
    specs = (LayerSpec("double", kind, 12), LayerSpec("double", kind, 12), LayerSpec("same", "none", 8))
    payloads, symbols = case.model.encode(case.params, coding, case.y, case.dither)
    z = np.round(np.asarray(case.analyze(*case.exact)))
    np.testing.assert_array_equal(symbols["z"], z)
    said = jax.jit(lambda z: apply_network(coding["network"], specs, z))(z.astype(np.int32) << 12)
    said = np.asarray(said, np.int64)
    mean = said[..., case.latents :] if case.means else np.zeros(case.y.shape)
    index = np.searchsorted(scale_thresholds(), said[..., : case.latents], side="right")
    # What the integers say is what the floats said, to a few units of 1/256, and to half a step of the table.
    about = case.said(case.exact[0], z)
    step = np.log(scale_table.scales()[1] / scale_table.scales()[0])
    assert np.abs(mean / 256 - about[0]).max() < 4 / 256
    small = np.maximum(about[1], 0.11)
    assert np.abs(np.log(scale_table.scales()[index] / small)).max() < 0.5 * step + 4 / 256 / small.min()

    k = np.round(case.y - (mean / 256 + case.offset))
    np.testing.assert_array_equal(symbols["y"], k)
    decoded = case.model.decode(coding, payloads, case.y.shape, case.dither)
    np.testing.assert_array_equal(decoded, (k + mean / 256 + case.offset).astype(np.float32))
    assert np.abs(decoded - case.y).max() <= 0.5 + 1e-6
    # With a dither the latent less its mean is k + u: a normal distribution at k, the interval around k + u.
    # Without it, the distribution is taken at the whole numbers k, and the mean is what it was rounded to.
    bits = oracle.normal_bits(k + case.offset, 0.0, scale_table.scales()[index])
    (_, hyper_bits, _), (_, table_bits, _) = steps
    np.testing.assert_allclose(table_bits[bits < 10], bits[bits < 10], atol=1e-3)
    np.testing.assert_allclose(hyper_bits, oracle.prior_bits(case.params["prior"], z), atol=1e-3)
    total = bits.sum() + hyper_bits.sum()
    assert payloads[1] == b"" and -32 <= 8 * len(payloads[0]) - total <= 64 + 1e-3 * total


def test_what_cannot_be_is_refused(cases, codings):
    with pytest.raises(ValueError, match="latents must be even, got 5"):
        hyperprior_model(channels=N, latents=5, means=True)
    case = cases["means"]
    coding, y = codings[id(case)], case.y.copy()
    payloads, _ = case.model.encode(case.params, coding, y, case.dither)
    with pytest.raises(ValueError, match="damaged message: symbols are left over"):
        case.model.decode(coding, payloads, (1, 4, 8, case.latents), case.dither[:1])
    y[1, 2, 3, 0] = np.nan
    with pytest.raises(ValueError, match="latents are not finite"):
        case.model.encode(case.params, coding, y, case.dither)
