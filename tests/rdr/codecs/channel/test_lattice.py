import jax
import numpy as np
import pytest
from scipy import stats

from rdr.bitstream.adaptive_coder import StepEncoder
from rdr.codecs.channel import base
from rdr.codecs.channel import lattice as module
from rdr.codecs.channel.lattice import lattice_channel
from rdr.randomness import shared_key

OPTIMIZED = True  # candidates run for longer than they compile

KEY = shared_key(11)
F8 = {0.25: 3.3053006, 0.5: 5.5091339, 1.0: 9.6284870}  # functional information of a block of 8 Gaussian samples


def noise_scale(rate):
    """Of the channel with this mutual information per sample of a standard Gaussian source."""
    return float(np.float32((2.0 ** (2.0 * rate) - 1.0) ** -0.5))


def sent(codec, x, scale, *, design=None, key=KEY, source=1.0):
    params = codec.finalize(source, noise_scale=scale if design is None else design)
    message = codec.encode(params, x, noise_scale=scale, shared_key=key)
    return message, codec.decode(message, params=params, noise_scale=scale, shared_key=key)


def check_noise(error, x, dimension, least=1e-4):
    """Error in noise scales: Gaussian, white, independent of x, with radii as they must be."""
    flat = error.ravel()
    assert stats.kstest(flat, "norm").pvalue > least
    assert stats.cramervonmises(flat, "norm").pvalue > least
    assert stats.kstest(0.5 * (error**2).sum(1), stats.gamma(0.5 * dimension).cdf).pvalue > least
    for position in range(dimension):
        assert stats.kstest(error[:, position], "norm").pvalue > 0.1 * least
    deviations = [np.mean(flat) * flat.size**0.5, np.mean(flat**2 - 1) * (flat.size / 2) ** 0.5,
                  np.mean(flat**3) * (flat.size / 15) ** 0.5, np.mean(flat**4 - 3) * (flat.size / 96) ** 0.5]
    deviations += [np.mean(flat[lag:] * flat[:-lag]) * flat.size**0.5 for lag in (1, 2, dimension, dimension + 1)]
    centered = (x - x.mean()) / (x.std() or 1.0)
    deviations += [np.mean(flat * centered.ravel()) * flat.size**0.5,
                   np.mean((flat**2 - 1) * (centered.ravel() ** 2 - 1)) * (flat.size / 4) ** 0.5]
    assert np.abs(deviations).max() < 4.5, deviations
    if x.std():
        for low, high in ((0, 1 / 3), (1 / 3, 2 / 3), (2 / 3, 1)):
            inside = (x >= np.quantile(x, low)) & (x <= np.quantile(x, high))
            assert stats.kstest(error[inside], "norm").pvalue > least


@pytest.mark.parametrize("acceptance, rate, excess", [
    pytest.param("geometric", 0.25, 0.342, marks=pytest.mark.stress),
    pytest.param("geometric", 0.5, 0.348, marks=pytest.mark.stress),
    ("geometric", 1.0, 0.356), ("adaptive", 0.25, 0.308)])
def test_e8_costs_what_theory_says(acceptance, rate, excess):
    """Whole messages of 480,000 samples of a given energy, which is what most of the chance would lie in."""
    blocks, scale = 60_000, noise_scale(rate)
    x = np.random.default_rng(1).standard_normal((blocks, 8))
    x *= (x.size / (x**2).sum()) ** 0.5
    message, y = sent(lattice_channel("E8", acceptance=acceptance), x, scale)
    measured = 8 * len(message) / x.size
    assert measured - rate == pytest.approx(excess, abs=0.005)
    assert 8 * measured > F8[rate]  # functional information: less would be a mistake
    check_noise((y - x) / scale, x, 8)


@pytest.mark.stress  # its messages' sizes and noise by E8 in the suite, BW16's decoding in test_invariance
def test_bw16_at_high_rate():
    x = np.random.default_rng(2).standard_normal((20_000, 16))
    x *= (x.size / (x**2).sum()) ** 0.5
    scale = noise_scale(6.0)
    message, y = sent(lattice_channel("BW16"), x, scale)
    assert 8 * len(message) / x.size - 6.0 == pytest.approx(0.223, abs=0.005)
    check_noise((y - x) / scale, x, 16)


@pytest.mark.parametrize("value", [0.0, 1000.0])
def test_noise_is_the_same_for_a_fixed_x(value):
    x = np.full((8000, 8), value * 0.5)
    _, y = sent(lattice_channel("E8"), x, 0.5)
    check_noise((y - x) / 0.5, x, 8)


def test_noise_does_not_depend_on_the_model_of_the_source():
    codec, scale = lattice_channel("E8"), np.linspace(0.1, 3.0, 8, dtype=np.float32)
    x = np.random.default_rng(3).laplace(size=(4000, 8)) + 7.0
    right, y = sent(codec, x, scale)
    wrong, again = sent(codec, x, scale, design=0.01, source=0.02)
    np.testing.assert_array_equal(y, again)
    assert len(right) != len(wrong)
    check_noise((y - x) / scale, x, 8)


@pytest.mark.parametrize("acceptance", ["geometric", "adaptive"])
def test_what_is_damaged_is_refused(acceptance):
    codec = lattice_channel("E8", acceptance=acceptance, layer_count=2, levels=16)
    params = codec.finalize(1.0, noise_scale=1.0)
    x = np.random.default_rng(4).standard_normal((40, 8))
    message = codec.encode(params, x, noise_scale=1.0, shared_key=KEY)
    known = {"params": params, "noise_scale": 1.0, "shared_key": KEY}
    for wrong in (message[:-1], message[:20] + bytes([message[20] ^ 1]) + message[21:], b"", b"rdr"):
        with pytest.raises(ValueError, match="message"):
            codec.decode(wrong, **known)
    with pytest.raises(ValueError, match="another noise_scale"):
        codec.decode(message, **known | {"noise_scale": 1.5})
    parts = base.open_message(message, name=codec.name, params=params, noise_scale=np.float32(1.0), payloads=2)
    rng = np.random.default_rng(5)
    for length in (400, 1000):  # forged: right checksum, arbitrary contents
        forged = rng.integers(1, 256, length, np.uint8).tobytes()
        with pytest.raises(ValueError, match="damaged message"):
            codec.decode(base.pack_message(codec.name, params, np.float32(1.0), parts.shape, (forged, b"")), **known)


def test_the_number_of_a_trial_is_bounded_in_the_format():
    """A message whose bits say at every trial that it was not the last: the decoder gives up."""
    codec = lattice_channel("E8", acceptance="adaptive", layer_count=2, levels=16)
    params = codec.finalize(1.0, noise_scale=1.0)
    priors = module.priors_of(params["tables"]["priors"])
    found, encoder = module.quantize.lattice("E8"), StepEncoder()
    _, layer = module._geometry(KEY, 1, found, 2)
    with pytest.raises(ValueError, match="not from 1 to 152"):
        module._walk_trials(KEY, np.array([153]), layer, found, 16, priors, params["tables"]["index"], encoder.add_bits)
    forged = base.pack_message(codec.name, params, np.float32(1.0), (1, 8), encoder.finish())
    with pytest.raises(ValueError, match="not from 1 to 152"):
        codec.decode(forged, params=params, noise_scale=1.0, shared_key=KEY)


def test_edges():
    codec = lattice_channel("E8", layer_count=2, levels=16)
    params = codec.finalize(1.0, noise_scale=1.0)
    nothing = codec.encode(params, np.zeros((0, 8)), noise_scale=1.0, shared_key=KEY)
    assert codec.decode(nothing, params=params, noise_scale=1.0, shared_key=KEY).shape == (0, 8)
    one = codec.encode(params, np.full((1, 8), 1e5), noise_scale=1.0, shared_key=KEY)
    assert np.abs(codec.decode(one, params=params, noise_scale=1.0, shared_key=KEY) - 1e5).max() < 6.0
    assert codec.exact and codec.dimension == 8
    with pytest.raises(ValueError, match="x must have shape"):
        codec.encode(params, np.zeros((2, 4)), noise_scale=1.0, shared_key=KEY)
    with pytest.raises(ValueError, match="shared_key"):
        codec.encode(params, np.zeros((2, 8)), noise_scale=1.0, shared_key=jax.random.key(0, impl="rbg"))
    with pytest.raises(ValueError, match="step is too small"):
        codec.finalize(1e6, noise_scale=1e-3)
    for source in (0.0, -1.0, np.inf, [1.0, 2.0], "1"):
        with pytest.raises(ValueError, match="source must be a positive standard deviation"):
            codec.finalize(source, noise_scale=1.0)
    for wrong in ({"name": "E7"}, {"acceptance": "other"}, {"layer_count": 3}, {"levels": 2}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            lattice_channel(**wrong)


@pytest.mark.stress
@pytest.mark.parametrize("name, rate", [("E8", 0.5), ("BW16", 2.0), ("A2", 0.5), ("D4", 1.0)])
def test_noise_is_exact_in_large_samples(name, rate):
    codec, scale = lattice_channel(name), noise_scale(rate)
    n = codec.dimension
    x = np.random.default_rng(5).standard_normal((10**6 // n, n))
    for value in (x, np.full_like(x, 0.3 * scale), np.full_like(x, 1e3 * scale)):
        _, y = sent(codec, value, scale, key=jax.random.fold_in(KEY, 1))
        check_noise((y - value) / scale, value, n, least=1e-3)


@pytest.mark.stress
@pytest.mark.parametrize("name, overhead", [("A2", 0.59217815), ("D4", 0.52061648), ("Leech", 0.16075884)])
def test_lattices_that_are_not_offered_cost_what_theory_says(name, overhead):
    """With many tables of radii: 32, the default, cost about 0.02 bit a block, 0.01 bit per sample of A2."""
    codec, scale = lattice_channel(name, layer_count=32 if name == "Leech" else 512), noise_scale(6.0)
    n = codec.dimension
    x = np.random.default_rng(6).standard_normal((2400 if name == "Leech" else 480_000 // n, n))
    x *= (x.size / (x**2).sum()) ** 0.5
    message, _ = sent(codec, x, scale)
    assert 8 * len(message) / x.size - 6.0 == pytest.approx(overhead, abs=0.006)
