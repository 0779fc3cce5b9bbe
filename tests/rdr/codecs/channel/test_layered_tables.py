import numpy as np
import pytest
from scipy import stats

from rdr.bitstream.tables import Tables, check_tables, table_bits
from rdr.codecs.channel import layered_tables as lt
from rdr.codecs.channel import noises

# Functional information of Gaussian pairs (theory.channel_simulation.gaussian_functional_information), in bits.
RATES = {0.25: 0.6468580926, 0.5: 0.9649085629, 1.0: 1.5071564227, 2.0: 2.5198745094, 4.0: 4.5207699765}


def scale_of(information):
    return np.float32(1 / np.sqrt(np.expm1(2 * np.log(2) * information)))


def parts(tree):
    return lt.TableIndex(**tree["index"]), Tables(**tree["tables"])


def expected_bits(tree, noise, scale, cdf, layers=96, offsets=160):
    """Mean code length under the tables, by sums over k for words on a grid, dense where layers vary most."""
    index, tables = parts(tree)
    t, weights = np.polynomial.legendre.leggauss(layers)
    t, weights = (t + 1) / 2, weights / 2
    weights = weights * 6 * t * (1 - t)
    v = (t**2 * (3 - 2 * t) * 2**32).astype(np.uint32)
    w = ((np.arange(offsets) + 0.5) / offsets * 2**32).astype(np.uint32)
    half = float(scale) * (noises.half_widths(noises.layer_sampler(noise), v) if noise.quantile else np.ones(layers))
    u = (w + 0.5) / 2**32 - 0.5
    total = 0.0
    for word, a, weight in zip(v, half, weights):
        reach = int(9 / a / 2) + 2
        k = np.arange(-reach, reach + 1)
        mass = np.diff(cdf(2 * a * (np.arange(-reach, reach + 2) - 0.5 - u[:, None])), axis=1)
        ids = lt.table_ids(np.full(offsets, word), w, lt.scale_log(scale, index), index)
        low = index.low_bits[ids][:, None]
        bits = low + table_bits(k >> low, tables, np.broadcast_to(ids[:, None], mass.shape))
        total += weight * np.sum(mass * bits) / offsets
    return total


@pytest.mark.parametrize("information", RATES)
def test_tables_lose_less_than_three_thousandths(information):
    scale, noise = scale_of(information), noises.gaussian_noise()
    tree = lt.make_layered_tables(noises.gaussian_source(), noise, scale)
    tables = parts(tree)[1]
    check_tables(tables)
    assert tables.counts.shape[1] < 600  # low bits of fine cells are not in tables
    bits = expected_bits(tree, noise, scale, stats.norm.cdf)
    assert RATES[information] - 5e-5 < bits < 1.003 * RATES[information]  # 5e-5: the grid of words


@pytest.mark.parametrize("scale", [
    pytest.param(0.2, marks=pytest.mark.stress), 0.37, pytest.param(0.8, marks=pytest.mark.stress)])
def test_one_set_of_tables_serves_a_range_of_scales(scale):
    noise, scale = noises.laplace_noise(), np.float32(scale)
    tree = lt.make_layered_tables(noises.gaussian_source(), noise, np.float32([0.2, 0.8]))
    alone = lt.make_layered_tables(noises.gaussian_source(), noise, scale)
    both = [expected_bits(t, noise, scale, stats.norm.cdf, 96, 64) for t in (tree, alone)]
    assert both[0] == pytest.approx(both[1], abs=5e-4)


def test_low_bits_are_uniform():
    low = lt.low_tables()
    check_tables(low)
    for b in range(1, lt.MAX_LOW_BITS + 1):
        bits = table_bits(np.arange(2**b), low, np.full(2**b, b - 1))
        np.testing.assert_allclose(bits, b, atol=1e-3)


def test_uniform_noise_is_universal_quantization():
    # I = h(X + U) - log2(2 a) for a = 1/2, by quadrature.
    y = np.linspace(-9, 9, 200_001)
    density = stats.norm.cdf(y + 0.5) - stats.norm.cdf(y - 0.5)
    entropy = -np.trapezoid(density * np.log2(np.maximum(density, 1e-300)), y)
    tree = lt.make_layered_tables(noises.gaussian_source(), noises.uniform_noise(), np.float32(0.5))
    assert expected_bits(tree, noises.uniform_noise(), np.float32(0.5), stats.norm.cdf, 3) == pytest.approx(
        entropy, abs=1e-3)


def test_logarithms_come_from_bits():
    index, _ = parts(lt.make_layered_tables(noises.gaussian_source(), noises.gaussian_noise(), np.float32(1)))
    scale = np.float32(np.geomspace(1e-30, 1e30, 5000))
    logs = lt.scale_log(scale, index)
    assert logs.dtype == np.int32 and (np.diff(logs) >= 0).all()
    assert np.abs(logs / 256 - np.log2(scale.astype(np.float64))).max() < 1.5 / 256
    assert lt.scale_log(np.float32(1.5), index).shape == ()


def test_table_numbers_are_integers_of_the_words_alone():
    # Recorded: they are part of the format.
    tree = lt.make_layered_tables(noises.gaussian_source(), noises.gaussian_noise(), np.float32(1))
    index, tables = parts(tree)
    words = np.uint32([0, 1, 2**31, 2**32 - 1, 123456789])
    ids = lt.table_ids(words, words[::-1], lt.scale_log(np.float32(1), index), index)
    assert ids.dtype == np.int32 and (ids >= 0).all() and (ids < len(tables.lengths)).all()
    extreme = lt.table_ids(words, words, np.int32(10**6), index)
    assert (extreme >= index.start[-1]).all()  # beyond the range: the last bin, coded badly but rightly


def test_tables_from_elsewhere_are_checked():
    good = lt.make_layered_tables(noises.gaussian_source(), noises.gaussian_noise(), np.float32([0.001, 3.0]))
    lt.check_layered_tables(good)
    index = good["index"]
    assert index["low_bits"].any() and index["start"][-1] > 0

    def changed(part, name, change):
        value = good[part][name].copy()
        return {**good, part: {**good[part], name: change(value)}}

    def at(place, number):
        def change(value):
            value[place] = number
            return value

        return change

    wrong = [
        (None, "other parts"), ({"index": index}, "other parts"), ({**good, "low": []}, "low does not hold"),
        (changed("index", "start", np.float32), "index does not hold"),
        (changed("tables", "counts", at((0, 0), 0)), "count"), (changed("low", "lengths", lambda v: v[:-1]), "shapes"),
        (changed("index", "layer_log", lambda v: v[:1]), "do not belong together"),
        (changed("index", "low_bits", lambda v: v[:-1]), "do not belong together"),
        (changed("index", "shift", lambda v: v[:-1]), "do not belong together"),
        (changed("index", "first", at(0, 2**31 - 1)), "points outside"),
        (changed("index", "start", at(-1, len(good["tables"]["lengths"]))), "points outside"),
        (changed("index", "start", at(0, -1)), "points outside"),
        (changed("index", "shift", at(0, 0)), "points outside"),
        (changed("index", "shift", at(0, 32)), "points outside"),
        (changed("index", "low_bits", at(0, 13)), "points outside"),
        (changed("tables", "offsets", at(0, -(2**31))), "points outside"),
    ]
    for stored, words in wrong:
        with pytest.raises(ValueError, match=words):
            lt.check_layered_tables(stored)


def test_refusals():
    for source in (lambda x: np.zeros_like(x), lambda x: 0.5 + 0 * x, lambda x: (x >= 0) * 1.0):
        with pytest.raises(ValueError, match="source must be"):
            lt.make_layered_tables(source, noises.gaussian_noise(), np.float32(1))
