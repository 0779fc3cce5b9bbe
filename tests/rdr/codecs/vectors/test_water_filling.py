import math

import numpy as np
import pytest
from scipy import integrate
from scipy.stats import norm

from rdr.bitstream import container
from rdr.codecs.vectors import water_filling
from rdr.randomness import shared_key
from theory.gaussian.vector import rate_distortion

KEY = shared_key(3)


def coded(quantizer, level, *, blocks=8, count=64, components=128, seed=0):
    """A plan, samples, the message, ideal bits and what was decoded from the bytes."""
    variances = np.geomspace(1.0, 0.01, components)
    x = np.random.default_rng(seed).standard_normal((blocks, count, components)) * np.sqrt(variances)
    plan = water_filling.plan(variances, level, quantizer=quantizer)
    message, bits = water_filling.encode(plan, x, shared_key=KEY)
    return plan, x, message, bits, water_filling.decode(plan, message, shared_key=KEY)


@pytest.mark.parametrize("quantizer,loss", [("dither", 0.2546), ("rounding", 0.2546), ("trellis-8", 0.09)])
def test_rate_and_distortion_are_those_of_the_plan_and_near_the_bound(quantizer, loss):
    plan, x, message, bits, y = coded(quantizer, 0.03)
    distortion = np.square(x - y).sum(-1)
    se = distortion.std() / math.sqrt(distortion.size)
    tolerance = 0.03 if quantizer.startswith("trellis") else 0.0
    assert abs(distortion.mean() - plan.distortion) < 4 * se + tolerance * plan.distortion
    assert abs(bits.mean() - plan.rate) < 4 * bits.std() / math.sqrt(bits.size) + tolerance * plan.rate
    bound = float(rate_distortion(distortion.mean(), plan.variances))
    active = (plan.variances > 0.03).sum()
    noise = 4 * (bits + distortion / (2 * math.log(2) * 0.03)).std() / math.sqrt(bits.size)
    assert bits.mean() - bound + noise > 0
    assert bits.mean() - bound < loss * active + noise
    assert 8 * len(message) < bits.sum() * 1.001 + 8 * (64 + 12 * len(plan.bands))


def test_a_trellis_loses_little_over_a_wide_range_of_variances():
    """Bits above reverse water-filling per component above the water, without what is the sample's own."""
    level, e = 0.03, 0.5 * math.log2(math.e)
    plan, x, _, bits, y = coded("trellis-256", level, blocks=4, count=32)
    lam = plan.variances[plan.variances > level]
    errors, powers = np.square(x - y).sum(-1), (np.square(x[..., : lam.size]) / lam - 1).sum(-1)
    uncoded = np.minimum(plan.variances, level).sum()
    excess = (bits + e * (errors - uncoded) / level - e * powers - 0.5 * np.log2(lam / level).sum()) / lam.size
    se = excess.std() / math.sqrt(excess.size)
    assert se < 0.006 and abs(excess.mean() - 0.038) < 0.006 + 3 * se
    assert len(plan.bands) == 1 and len(set(plan.bands[0].ratios)) > 20
    assert np.square(x - y)[..., plan.bands[0].components].mean() == pytest.approx(level, rel=0.03)


@pytest.mark.parametrize("index", range(0, 41, 8))
def test_scalar_points_match_quadrature(index):
    point = water_filling.operating_points("dither")[index]
    s = point.step

    def cell(z):  # probability of the cell around a reconstruction point, and the source's mass moment in it
        return norm.sf(z - s / 2) - norm.sf(z + s / 2), norm.pdf(z - s / 2) - norm.pdf(z + s / 2)

    # What the tables do is the average over 256 dithers, here over all.
    far = 6.5 + s
    entropy = 2 * integrate.quad(lambda z: -cell(z)[0] * np.log2(cell(z)[0]) / s, 0, far, limit=400)[0]
    power = 2 * integrate.quad(lambda z: cell(z)[1] ** 2 / cell(z)[0] / s, 0, far, limit=400)[0]
    assert point.rate == pytest.approx(entropy, abs=1e-4)
    assert point.distortion == pytest.approx(1 - power, abs=1e-4)


def test_cells_hold_the_source_and_are_one_step_wide():
    plan, x, message, _, y = coded("rounding", 0.1)
    low, high = water_filling.decode_cells(plan, message, shared_key=KEY)
    assert (low <= x).all() and (x <= high).all() and (low <= y).all() and (y <= high).all()
    band = plan.bands[0]
    np.testing.assert_allclose((high - low)[0, 0, band.components], band.point.step * band.scales)
    left = np.setdiff1d(np.arange(x.shape[-1]), np.concatenate([b.components for b in plan.bands]))
    assert left.size and np.isinf(low[..., left]).all()


def test_components_below_the_water_cost_nothing():
    plan = water_filling.plan(np.array([1.0, 0.5]), 2.0)
    message, bits = water_filling.encode(plan, np.ones((2, 3, 2)), shared_key=KEY)
    assert not plan.bands and not bits.any() and plan.distortion == 1.5
    assert not water_filling.decode(plan, message, shared_key=KEY).any()


def test_far_values_escape_and_come_back():
    plan, x, *_ = coded("dither", 0.1)
    x = x.copy()
    x[0, 0] = 50.0
    message, _ = water_filling.encode(plan, x, shared_key=KEY)
    y = water_filling.decode(plan, message, shared_key=KEY)
    band = plan.bands[0]
    assert (np.abs(y[0, 0] - 50.0)[band.components] <= 0.5001 * band.point.step * band.scales).all()


def test_refusals():
    plan, x, message, *_ = coded("trellis-8", 0.1)
    with pytest.raises(ValueError, match="level must be positive"):
        water_filling.plan([1.0], 0.0)
    with pytest.raises(ValueError, match="variances must be"):
        water_filling.plan([-1.0], 1.0)
    with pytest.raises(ValueError, match="quantizer must be one of"):
        water_filling.plan([1.0], 0.5, quantizer="hexagon")
    with pytest.raises(ValueError, match="classes must be"):
        water_filling.plan([1.0], 0.5, classes=0)
    with pytest.raises(ValueError, match="x must have shape"):
        water_filling.encode(plan, x[0], shared_key=KEY)
    with pytest.raises(ValueError, match="finite"):
        water_filling.encode(plan, x * np.nan, shared_key=KEY)
    with pytest.raises(ValueError, match="another plan"):
        water_filling.decode(water_filling.plan(plan.variances, 0.05), message, shared_key=KEY)
    with pytest.raises(ValueError, match="no intervals"):
        water_filling.decode_cells(plan, message, shared_key=KEY)
    with pytest.raises(ValueError, match="damaged"):
        water_filling.decode(plan, message[:-1], shared_key=KEY)


def test_few_bytes_cannot_announce_any_number_of_vectors():
    """Fault 31: a hundred bytes that announced 2^22 numbers were decoded. What is not decoded is not encoded."""
    plan, x, message, *_ = coded("dither", 0.1)
    parts = container.unpack(message)
    forged = container.pack(parts._replace(shape=(1, 2**22 // x.shape[2], x.shape[2]),
                                           payloads=(b"",) * len(parts.payloads)))
    with pytest.raises(ValueError, match="cannot be trusted"):
        water_filling.decode(plan, forged, shared_key=KEY)
    with pytest.raises(ValueError, match="cannot be trusted"):
        water_filling.encode(water_filling.plan([1.0], 0.9999, quantizer="rounding"), np.zeros((1, 2**21, 1)),
                             shared_key=KEY)
