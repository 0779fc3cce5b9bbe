import functools
import itertools

import numpy as np
import pytest
from scipy import integrate, optimize

from theory import bounds, gaussian
from theory.bounds import sources
from theory.closed_form import bernoulli
from theory.gaussian import common_randomness, vector_perception
from theory.quantization import tabulated_density

ALL = [make() for make in sources.SOURCES.values()]


@pytest.fixture(scope="module", autouse=True)
def few_panels():
    """A quarter of the panels resolves two bits, and the search for quantizers takes their square in time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tabulated_density, "gaussian_density",
                      functools.partial(tabulated_density.gaussian_density, panels=128))
        yield


@functools.cache
def known():
    return tuple(_known())


def _known():
    for source in ALL:
        for distortion, perception, shared in itertools.product(bounds.DISTORTIONS, bounds.PERCEPTIONS, bounds.SHARED):
            try:
                found = bounds.bounds_of(source, distortion=distortion, perception=perception, shared=shared)
            except ValueError:
                continue
            yield source, distortion, perception, shared, found


def test_every_source_is_known_and_every_bound_says_what_it_is():
    assert {case[0].name for case in known()} == set(sources.SOURCES)
    for *_, found in known():
        order = [bounds.KINDS.index(bound.kind) for bound in found]
        assert order == sorted(order)
        assert all(bound.name and bound.reference for bound in found)


def test_lower_bounds_never_exceed_exact_ones_nor_those_upper_ones():
    # The central property: all that is known of one problem must fit together.
    names = []
    for source, _, perception, shared, found in known():
        if (perception, shared) == ("none", "unlimited"):  # of no consequence: the same bounds again
            assert [bound.name for bound in found] == names
            continue
        names = [bound.name for bound in found]
        largest = float(np.trace(source.covariance))
        d = np.array([0.05, 0.6]) * largest
        for p in (0.0, 0.05) if perception != "none" else (0.0,):
            rates = [bound.rate(d, p) for bound in found]
            ends = bounds.interval([b._replace(rate=lambda *_, r=r: r) for b, r in zip(found, rates)], d, p)
            assert np.all(ends.lower >= 0)
            assert np.all(np.asarray(ends.lower) <= np.asarray(ends.upper) + 1e-12), (source.name, perception, p)
            # A bound says nothing (NaN) only where its conditions exclude the point.
            for bound, rate in zip(found, rates):
                silent = np.isnan(np.asarray(rate))
                assert not silent.any() or ("only" in bound.conditions and p > 0), (source.name, bound.name)


def test_realism_costs_and_common_randomness_never_hurts():
    source = sources.gaussian(1.0, 2.0)
    d = np.array([0.1, 0.5, 1.0, 1.9])
    free = bounds.interval(bounds.bounds_of(source)[:1], d)
    for p in (0.0, 0.1):
        shared, alone = (
            bounds.interval(bounds.bounds_of(source, perception="w2sq", shared=s), d, p)
            for s in ("unlimited", "nothing")
        )
        assert np.all(shared.lower >= free.lower - 1e-13) and np.all(alone.lower >= shared.upper - 1e-13)
    # Oracle: with nothing shared perfect realism costs R(D / 2).
    alone = bounds.interval(bounds.bounds_of(source, perception="w2sq", shared="nothing"), d, 0.0)
    np.testing.assert_allclose(alone.lower, gaussian.rate_distortion(d / 2, 2.0), rtol=1e-9)


def test_perfect_realism_with_nothing_shared_is_worth_half_the_distortion():
    # Oracle: two equal cells of a unit interval, one bit; a point drawn from the cell errs by E(x - y)^2 = w^2 / 6.
    found = bounds.bounds_of(sources.uniform(), perception="w2sq", shared="nothing")
    ends = bounds.interval(found, 0.5**2 / 6, 0.0)
    assert float(ends.upper) == pytest.approx(1.0, abs=1e-12)
    # Oracle: h - (1/2) log2(2 pi e D / 2) by hand, with h = 0.
    assert float(ends.lower) == pytest.approx(-0.5 * np.log2(np.pi * np.e * 0.5**2 / 6), abs=1e-12)
    # With common randomness the lower bound is weaker, and away from perfect realism it is Shannon's.
    shared = bounds.bounds_of(sources.uniform(), perception="w2sq", shared="unlimited")
    assert bounds.interval(shared, 0.5**2 / 6, 0.0).lower < ends.lower
    shannon = max(0.0, -0.5 * np.log2(2 * np.pi * np.e * 0.01))
    assert float(bounds.interval(shared, 0.01, 0.1).lower) == pytest.approx(shannon, abs=1e-12)


def test_parameters_of_the_source_reach_the_bounds():
    d = np.array([0.1, 0.4])
    exact = bounds.bounds_of(sources.bernoulli(0.4), distortion="hamming", perception="tv")[0]
    np.testing.assert_allclose(exact.rate(d, 0.05), bernoulli.rate_distortion_perception(d, 0.05, 0.4), rtol=1e-15)
    for make, parameters in ((sources.laplace, (2.0,)), (sources.uniform, (1.0, 5.0)), (sources.gaussian, (0.0, 4.0))):
        # Scaling law: a source scaled by 2 (4 for the uniform) needs the same rate at distortion scaled by its square.
        factor = 16.0 if make is sources.uniform else 4.0
        for small, large in zip(bounds.bounds_of(make()), bounds.bounds_of(make(*parameters))):
            relative = d * np.trace(make().covariance)
            np.testing.assert_allclose(large.rate(factor * relative, 0.0), small.rate(relative, 0.0), rtol=1e-10)


def test_a_finite_amount_of_common_randomness_lies_between_none_and_all():
    source, d = sources.gaussian(0.0, 2.0), np.array([0.1, 0.5, 0.75, 1.0])
    for p in (0.0, 0.1):
        none, some, much, all_ = (
            np.asarray(bounds.interval(bounds.bounds_of(source, perception="w2sq", shared=s), d, p).upper)
            for s in ("nothing", 0.5, 3.0, np.inf)
        )
        assert np.all(none >= some) and np.all(some >= much) and np.all(much >= all_) and np.any(some > all_ + 0.05)
        np.testing.assert_array_equal(
            none, bounds.interval(bounds.bounds_of(source, perception="w2sq", shared=0), d, p).upper)
        np.testing.assert_allclose(some, common_randomness.strong_realism_rate(d, 0.5, p, 2.0), rtol=1e-14)
    with pytest.raises(ValueError, match="shared must be >= 0"):
        bounds.bounds_of(source, perception="w2sq", shared=-1.0)


@pytest.mark.parametrize("points", [16, 64])
def test_the_hull_of_a_sampled_process_is_an_upper_bound(points):
    # Oracle: what N equal cells of U do to the samples, by quadrature over U, and time sharing between them.
    u = (np.arange(40_320) + 0.5) / 40_320
    times = (np.arange(points) + 0.5) / points
    for make, realize in ((sources.sawbridge, lambda t: t - (t >= u)), (sources.ramp, lambda t: (t + u) % 1.0 - 0.5)):
        cells = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10] if make is sources.sawbridge else [1, 4, 5, 6, 7, 8, 9, 10])
        reached = np.array([np.mean([realize(t).reshape(n, -1).var(1).mean() for t in times]) for n in cells])
        d = np.linspace(reached[-1], reached[0], 60)
        needed = np.interp(d, reached[::-1], np.log2(cells)[::-1])
        rate = np.asarray(bounds.bounds_of(make(points))[0].rate(d))
        assert np.isfinite(rate).mean() > 0.5
        assert np.all(np.isnan(rate) | (rate >= needed - 1e-6))
    coarse = bounds.bounds_of(sources.sawbridge(4))[0]
    assert np.isnan(coarse.rate(0.01))


def test_the_gaussian_vector_in_the_look_up():
    # Oracle: the checked water-filling values of the sheet, in bits.
    source = sources.gaussian_vector((4.0, 1.0, 0.25))
    exact = bounds.bounds_of(source)[0]
    d = np.array([1.5, 1.5])  # two, as above: the same programs
    np.testing.assert_allclose(exact.rate(d), 1.6780719051, rtol=1e-10)
    plain = bounds.interval(bounds.bounds_of(source), d)
    for perception in ("w2sq", "kl"):
        at_zero = bounds.interval(bounds.bounds_of(source, perception=perception), d, 0.0)
        assert np.all(at_zero.lower > plain.upper)
    alone = bounds.interval(bounds.bounds_of(source, perception="w2sq", shared="nothing"), d, 0.0)
    np.testing.assert_allclose(alone.upper, exact.rate(d / 2), rtol=1e-14)


def test_refusals():
    with pytest.raises(ValueError, match="perception must be one of"):
        bounds.bounds_of(sources.gaussian(), perception="lpips")
    with pytest.raises(ValueError, match="no bound is known for source 'circle' with distortion 'hamming'"):
        bounds.bounds_of(sources.circle(), distortion="hamming")
    with pytest.raises(ValueError, match="shared must be one of"):
        bounds.bounds_of(sources.gaussian(), shared="everything")


def test_the_layered_dither_is_an_upper_bound_at_perfect_realism():
    # Oracle: D = 2 (1 - sqrt(1 - 2^(-2 I))) at the rate of the layered dither for I = 1 (0.26794919, 1.50715642 bit).
    found = {b.name: b for b in bounds.bounds_of(sources.gaussian(), perception="w2sq")}
    rate = found["exactly Gaussian noise by a layered dither"].rate
    assert float(rate(2 * (1 - np.sqrt(0.75)), 0.0)) == pytest.approx(1.5071564227, abs=1e-9)
    assert np.isnan(rate(0.3, 0.1)) and float(rate(0.0, 0.0)) == np.inf and float(rate(2.0, 0.0)) == 0


def test_the_look_up_says_what_it_knows():
    with pytest.raises(ValueError, match=r"source must be made by one of .*\{gaussian, .*got .cauchy."):
        bounds.bounds_of("cauchy")
    with pytest.raises(ValueError, match=r"known are .*\('squared_error', 'none', 'nothing'\)"):
        bounds.bounds_of(sources.circle(), distortion="hamming")


def test_kl_realism_with_little_common_randomness_uses_the_bounds_for_outputs_that_are_independent():
    """Fault 8: the looser bounds at unlimited common randomness and at perfect realism were all that was used."""
    source, d = sources.gaussian(0.0, 2.0), np.array([0.1, 0.5, 1.0, 2.0])
    for bits, p in ((0.5, 0.1), (2.0, 0.02)):
        ends = bounds.interval(bounds.bounds_of(source, perception="kl", shared=bits), d, p)
        # Oracle: read the other way, the rates meet the distortions.
        forward = common_randomness.iid_output_distortion
        np.testing.assert_allclose(forward(ends.upper, bits, p, 2.0, divergence="kl").upper, d, rtol=1e-9)
        np.testing.assert_allclose(forward(ends.lower, bits, p, 2.0, divergence="kl").lower, d, rtol=1e-9)
        assert np.all(ends.lower <= ends.upper)
        assert np.all(ends.upper[:3] < common_randomness.strong_realism_rate(d[:3], bits, 0.0, 2.0) - 1e-3)
        assert np.all(ends.lower[:3] > gaussian.rate_distortion_perception(d[:3], p, 2.0, divergence="kl") + 1e-3)


@pytest.mark.parametrize(("source", "density", "reach"), [
    (sources.laplace(2.0), lambda x: np.exp(-x / 2) / 4, 100.0), (sources.uniform(1.0, 4.0), lambda x: 1 / 3, 1.5)])
def test_densities_at_a_perception_between_none_and_perfect(source, density, reach):
    """Oracle: the second moment by adaptive quadrature and a scalar search; Shannon's bound with it by hand."""
    variance = source.covariance[0, 0]
    d, bits, squared = 0.3 * variance, 0.005, 0.02 * variance

    def proved(tau):
        half = integrate.quad(lambda x: np.exp(-x * x / tau) * density(x), 0.0, reach, epsabs=0, epsrel=1e-12)[0]
        return -tau * (bits * np.log(2) + np.log(2 * half))

    best = -optimize.minimize_scalar(lambda log: -proved(np.exp(log) * variance), bounds=(-3.0, 6.0),
                                     method="bounded", options={"xatol": 1e-7}).fun
    for perception, p, moment in (("kl", bits, best), ("w2sq", squared, (np.sqrt(variance) - np.sqrt(squared)) ** 2)):
        rho = (variance + moment - d) / (2 * np.sqrt(variance * moment))
        gaussian_rate = -0.5 * np.log2(1 - rho**2)
        expected = gaussian_rate - 0.5 * np.log2(2 * np.pi * np.e * variance) + source.entropy
        for shared in ("unlimited", "nothing"):
            found = bounds.bounds_of(source, perception=perception, shared=shared)
            assert float(bounds.interval(found, d, p).lower) == pytest.approx(expected, abs=1e-9)
        assert expected > float(bounds.interval(found[:1], d).lower) + 1e-3


def test_parameters_of_a_density_reach_its_bounds_under_perception():
    d, p = np.array([0.05, 0.2]), 0.02
    for make, parameters, factor in ((sources.laplace, (2.0,), 4.0), (sources.uniform, (1.0, 5.0), 16.0)):
        for perception in ("w2sq", "kl"):
            small, large = (bounds.bounds_of(made, perception=perception)[2] for made in (make(), make(*parameters)))
            scale = factor if perception == "w2sq" else 1.0
            relative = d * np.trace(make().covariance)
            np.testing.assert_allclose(
                large.rate(factor * relative, scale * p), small.rate(relative, p), rtol=1e-10, atol=1e-12)


def test_vectors_with_some_bits_shared():
    """Oracles: the scalar's closed form in one component of three, and unlimited common randomness."""
    eigenvalues, d = (4.0, 1.0, 0.25), np.array([0.5, 3.0])

    def at(shared, p, eigenvalues=eigenvalues):
        source = sources.gaussian_vector(eigenvalues)
        return bounds.interval(bounds.bounds_of(source, perception="w2sq", shared=shared), d, p)

    found = bounds.bounds_of(sources.gaussian_vector(eigenvalues), perception="w2sq", shared=0.7)
    assert [bound.kind for bound in found] == ["exact", "lower", "upper"]
    assert all("0.7 bits per vector" in bound.conditions for bound in found)
    perfect, some = at(0.7, 0.0), at(0.7, 0.2)
    np.testing.assert_array_equal(perfect.lower, perfect.upper)
    assert np.all(some.lower <= some.upper) and np.all(some.upper - some.lower < 1e-6)
    for p in (0.0, 0.2):
        ends, expected = at(0.7, p, (4.0, 1e-30, 1e-30)), common_randomness.strong_realism_rate(d, 0.7, p, 4.0)
        np.testing.assert_allclose(ends.upper, expected, rtol=1e-9)
        np.testing.assert_allclose(ends.lower, expected, rtol=1e-7)
    everything = vector_perception.rate_distortion_perception(d, 0.2, eigenvalues).rate
    assert np.all(at("nothing", 0.2).lower > some.upper) and np.all(some.lower > everything + 1e-3)
    assert np.all(some.upper < perfect.lower)
