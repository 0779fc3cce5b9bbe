import jax
import numpy as np
import pytest
from scipy import optimize

from theory.closed_form import manifolds as ns

# Oracle: constrained optimization over cell lengths (SLSQP), bits.
SAWBRIDGE = np.array([
    (1 / 6, 0.0), (0.15, 0.2981175133945637), (0.12, 0.6538875642054611), (0.1, 0.8504896251021614), (1 / 12, 1.0),
    (0.07, 1.3533209189898041), (1 / 18, 1.584962500721156), (0.05, 1.8084339825187394), (1 / 24, 2.0),
    (0.03, 2.5121090718541086), (1 / 48, 3.0), (0.01, 4.069356402324846),
])


def test_sawbridge_entropies_are_reproduced_to_their_digits():
    # At a vertex the square root turns rounding of D into 1e-8; the printed values there are exact integers.
    np.testing.assert_allclose(ns.sawbridge_minimum_entropy(SAWBRIDGE[:, 0]), SAWBRIDGE[:, 1], rtol=0, atol=1e-12)


def test_an_optimizer_over_cell_lengths_finds_the_same_entropy():
    # Second route: minimize H(w) subject to sum w^2 = 6 D by SLSQP from several starts.
    for distortion, cells in ((0.12, 3), (0.07, 4), (0.03, 7)):
        constraints = [{"type": "eq", "fun": lambda w: w.sum() - 1},
                       {"type": "eq", "fun": lambda w, d=distortion: np.sum(w**2) - 6 * d}]
        rng = np.random.default_rng(0)
        found = []
        for _ in range(12):
            w = optimize.minimize(lambda w: -np.sum(w * np.log2(w)), rng.dirichlet(np.ones(cells)), method="SLSQP",
                                  bounds=[(1e-9, 1)] * cells, constraints=constraints).x
            w = np.maximum(w, 1e-12) / np.maximum(w, 1e-12).sum()
            found.append((np.sum(w**2) / 6, -np.sum(w * np.log2(w))))
        # SLSQP meets the constraint to 1e-6, so each point is held against the curve at its own distortion.
        points = np.array(found)
        curve = np.asarray(ns.sawbridge_minimum_entropy(points[:, 0]))
        assert np.all(points[:, 1] >= curve - 1e-9)
        near = np.abs(points[:, 0] - distortion) < 1e-6
        assert np.min((points[:, 1] - curve)[near]) < 2e-6


def conditional_error(w, source):
    """Second route for d(w): the realizations of U in a cell of length w, on grids, about their mean."""
    n = 1200
    u = (np.arange(n) + 0.5) / n * w
    if source == "circle":
        x = np.stack([np.cos(2 * np.pi * u), np.sin(2 * np.pi * u)], 1)
        return np.mean(np.sum((x - x.mean(0)) ** 2, 1))
    t = (np.arange(n) + 0.5)[None, :] / n
    x = t - (t >= u[:, None]) if source == "sawbridge" else (t + u[:, None]) % 1 - 0.5
    return np.mean((x - x.mean(0)) ** 2)


@pytest.mark.parametrize("source", ns.SOURCES)
def test_cell_distortions_are_those_of_the_realizations(source):
    for w in (1.0, 0.5, 0.2):
        # Two grids of n points, discontinuous integrands: an error of the order of 1 / n.
        assert float(ns.cell_distortion(w, source)) == pytest.approx(conditional_error(w, source), abs=2 / 1200)


def test_equal_cells_have_the_printed_distortions():
    # Oracle: closed forms evaluated independently.
    n = 1 / np.array([1, 2, 3, 4, 8])
    np.testing.assert_allclose(ns.cell_distortion(n, "sawbridge"), n / 6, rtol=1e-14)
    ramp = [0.0833333333, 0.0625, 0.0462962963, 0.0364583333, 0.01953125]
    np.testing.assert_allclose(ns.cell_distortion(n, "ramp"), ramp, rtol=0, atol=0.6e-10)
    circle = [1.0, 0.594715265, 0.316081901, 0.189430531, 0.050358796]
    np.testing.assert_allclose(ns.cell_distortion(n, "circle"), circle, rtol=0, atol=2e-7)


@pytest.mark.parametrize("source", ns.SOURCES)
def test_no_partition_of_a_fine_grid_lies_below_the_hull_and_its_vertices_are_reached(source):
    # Second route: for each Lagrangian weight the best partition of [0, 1] into multiples of 1/420, exactly, by
    # dynamic programming, against the least D + s R on the hull (attained at a vertex, N <= 40 here).
    n = 420
    w = np.arange(1, n + 1) / n
    levels = np.arange(1, 41)
    vertices = np.asarray(ns.hull_distortion_rate(np.log2(levels), source))
    distortion = w * np.asarray(ns.cell_distortion(w, source))
    for slope in np.geomspace(0.003, 0.6, 12):
        cost = distortion - slope * w * np.log2(w)
        best = np.zeros(n + 1)
        for j in range(1, n + 1):
            best[j] = np.min(best[j - 1 :: -1][:j] + cost[:j])
        on_hull = np.min(vertices + slope * np.log2(levels))
        assert best[n] >= on_hull - 1e-12
        counts = np.array([2, 3, 4, 5, 6, 7, 10, 12, 14, 15, 20, 21, 28, 30, 35, 1])  # divisors of 420
        equal = np.asarray(ns.cell_distortion(1 / counts, source)) + slope * np.log2(counts)
        assert best[n] <= np.min(equal) + 1e-12


def test_hulls_are_convex_skip_what_lies_above_them_and_invert():
    rates = np.linspace(0, 5, 101)
    for source in ns.SOURCES:
        values = np.asarray(ns.hull_distortion_rate(rates, source))
        assert np.all(np.diff(values) < 0) and np.all(np.diff(values, 2) > -1e-14)
        np.testing.assert_allclose(ns.hull_rate_distortion(values, source), rates, rtol=0, atol=1e-11)
    # Oracle: the chord from 1 to 4 ramp cells at one bit, and from 1 to 3 arcs.
    assert float(ns.hull_distortion_rate(1.0, "ramp")) == pytest.approx(0.05990, abs=0.6e-5)
    assert float(ns.hull_distortion_rate(1.0, "circle")) == pytest.approx(0.56850, abs=0.6e-5)
    d = np.linspace(0.005, 0.16, 30)
    single = np.asarray(ns.sawbridge_minimum_entropy(d))
    assert np.all(single >= np.asarray(ns.hull_rate_distortion(d, "sawbridge")) - 1e-12)


def test_linear_transforms_have_the_printed_rates():
    # Oracle: water-filling over 200000 sawbridge eigenvalues, bits.
    found = ns.linear_rate_distortion(np.array([0.05, 1 / 24, 0.02, 0.01]), "sawbridge")
    np.testing.assert_allclose(found, [3.173324, 4.208253, 11.269619, 25.382771], rtol=0, atol=0.6e-6)


def test_linear_rates_are_water_filling_over_the_covariance_of_realizations():
    # Second route: eigenvalues of the covariance on a grid of n points, water-filled by bisection. Discretization
    # errs by the order of 1 / n^2 relative in the leading eigenvalues and cuts the tail: 1 / (n pi^2) of distortion.
    n = 400
    t = (np.arange(n) + 0.5) / n
    sawbridge = np.minimum(t[:, None], t[None]) - t[:, None] * t[None]  # that of the Brownian bridge
    gap = np.abs(t[:, None] - t[None])
    ramp = 1 / 12 - gap * (1 - gap) / 2
    for source, covariance in (("sawbridge", sawbridge), ("ramp", ramp), ("circle", None)):
        values = np.array([0.5, 0.5]) if covariance is None else np.linalg.eigvalsh(covariance)[::-1] / n
        values = values[values > 1e-12]
        for share in (0.9, 0.3):
            distortion = share * values.sum()
            level = optimize.brentq(lambda x, d=distortion, v=values: np.minimum(x, v).sum() - d, 0, values.max())
            rate = 0.5 * np.sum(np.log2(np.maximum(values / level, 1)))
            assert float(ns.linear_rate_distortion(distortion, source)) == pytest.approx(rate, rel=0.01, abs=1e-4)


def test_nonlinear_quantization_beats_linear_transforms_without_bound():
    d = np.array([0.05, 0.01, 0.001, 1e-4])
    linear = np.asarray(ns.linear_rate_distortion(d, "sawbridge"))
    hull = np.asarray(ns.hull_rate_distortion(d, "sawbridge"))
    assert np.all(np.diff(linear / hull) > 0) and linear[-1] / hull[-1] > 100
    # Oracle: leading order 2 log2(e) / (pi^2 D).
    assert linear[-1] == pytest.approx(2 * np.log2(np.e) / (np.pi**2 * 1e-4), rel=0.01)


def test_circle_decoders_have_the_printed_distortions():
    # Oracle: sigma = (N / pi) sin(pi / N), and Monte Carlo for N = 2 with dither.
    mmse, sampled, dithered = ns.circle_reproductions(np.array([2, 4, 8]))
    np.testing.assert_allclose(mmse, [0.594715265, 0.189430531, 0.050358796], rtol=0, atol=0.6e-9)
    np.testing.assert_allclose(sampled, [1.189430531, 0.378861062, 0.100717593], rtol=0, atol=1.2e-9)
    np.testing.assert_allclose(dithered, [0.726760455, 0.199367368, 0.051009283], rtol=0, atol=0.6e-9)
    rng = np.random.default_rng(0)
    error = rng.uniform(-0.5, 0.5, 100_000) / 2  # two arcs, the angle's error in turns
    samples = 2 - 2 * np.cos(2 * np.pi * error)
    assert samples.mean() == pytest.approx(float(dithered[0]), abs=5 * samples.std() / np.sqrt(samples.size))


def test_banana_entropy_moments_and_bound():
    # Oracles: ln(2 pi e 1.5) nats; moments by Gauss-Hermite quadrature of the map itself.
    assert ns.banana_entropy() * np.log(2) == pytest.approx(3.243342175, abs=0.6e-9)
    assert ns.banana_entropy() == pytest.approx(4.679153671, abs=0.6e-9)
    assert float(ns.banana_lower_bound(0.247386)) == pytest.approx(3.600127, abs=3e-6)  # D is printed to six digits
    assert float(ns.banana_lower_bound(0.448180)) == pytest.approx(2.742812, abs=0.6e-6)
    z, weight = np.polynomial.hermite_e.hermegauss(12)
    weight = weight / weight.sum()
    y1, y2 = (v.ravel() for v in np.meshgrid(3 * z, 0.5 * z, indexing="ij"))
    weight = np.outer(weight, weight).ravel()
    angle = 4 * np.pi / 3
    u1, u2 = y1, y2 - 0.1 * y1**2
    x = np.stack([np.cos(angle) * u1 + np.sin(angle) * u2, -np.sin(angle) * u1 + np.cos(angle) * u2]) - 1
    mean, covariance = ns.banana_moments()
    np.testing.assert_allclose(mean, x @ weight, atol=1e-13)
    np.testing.assert_allclose(covariance, (x * weight) @ x.T - np.outer(x @ weight, x @ weight), atol=1e-12)
    np.testing.assert_allclose(mean, [-0.2205771, -0.55], atol=0.6e-7)
    assert np.trace(covariance) == pytest.approx(10.87, rel=1e-13)
    # Blahut-Arimoto's certified lower ends (bits) may not lie below the bound by more than their width.
    solver = np.array([(2.246576, 1.242689), (1.226550, 1.752393), (0.704007, 2.274674), (0.448180, 2.779637),
                       (0.247386, 3.6035)])
    assert np.all(np.asarray(ns.banana_lower_bound(solver[:, 0])) < solver[:, 1])


def test_derivatives():
    h = 1e-7
    d = np.array([0.15, 0.07, 0.03])
    cases = [(ns.sawbridge_minimum_entropy, d)]
    cases += [(lambda v, s=s, f=f: f(v, s), d / 2) for s in ("sawbridge", "ramp", "circle")
              for f in (ns.hull_rate_distortion, ns.linear_rate_distortion)]
    cases += [(lambda v: ns.hull_distortion_rate(v, "ramp"), np.array([0.5, 2.1, 2.9]))]
    for function, at in cases:
        difference = (np.asarray(function(at + h)) - np.asarray(function(at - h))) / (2 * h)
        gradient = jax.grad(lambda v, f=function: f(v).sum())(at)
        np.testing.assert_allclose(gradient, difference, rtol=1e-5)


def test_edges_and_refusals():
    for source, variance in (("sawbridge", 1 / 6), ("ramp", 1 / 12), ("circle", 1.0)):
        d = np.array([0.0, variance, 5.0])
        np.testing.assert_array_equal(ns.hull_rate_distortion(d, source), [np.inf, 0, 0])
        np.testing.assert_array_equal(ns.linear_rate_distortion(d, source), [np.inf, 0, 0])
        assert float(ns.hull_distortion_rate(0.0, source)) == pytest.approx(variance, rel=1e-15)
    np.testing.assert_array_equal(ns.sawbridge_minimum_entropy(np.array([0.0, 1 / 6, 5.0])), [np.inf, 0, 0])
    assert jax.grad(ns.sawbridge_minimum_entropy)(5.0) == 0.0
    assert np.isfinite(jax.grad(ns.sawbridge_minimum_entropy)(1 / 12))
    assert np.isnan(jax.jit(ns.sawbridge_minimum_entropy)(-1.0))
    with pytest.raises(ValueError, match="source must be one of 'sawbridge', 'ramp', 'circle', got 'line'"):
        ns.hull_rate_distortion(0.1, "line")
    with pytest.raises(ValueError, match="distortion must be >= 0"):
        ns.linear_rate_distortion(-0.1, "ramp")
    with pytest.raises(ValueError, match="length must be"):
        ns.cell_distortion(1.5, "ramp")
    with pytest.raises(ValueError, match="arcs must be >= 1"):
        ns.circle_reproductions(0.5)


@pytest.mark.parametrize("cells", [2, 3, 6])
def test_derivative_where_a_cell_appears_is_that_of_the_right_side(cells):
    at = 1 / (6 * cells)
    step = 1e-9 * at
    gradient = jax.grad(ns.sawbridge_minimum_entropy)(at)
    one_sided = (ns.sawbridge_minimum_entropy(at + step) - ns.sawbridge_minimum_entropy(at)) / step
    np.testing.assert_allclose(gradient, one_sided, rtol=1e-4)
    np.testing.assert_allclose(gradient, -3 * cells / np.log(2), rtol=1e-9)
    inside = 1.03 * at
    difference = (ns.sawbridge_minimum_entropy(inside + 1e-7) - ns.sawbridge_minimum_entropy(inside - 1e-7)) / 2e-7
    np.testing.assert_allclose(jax.grad(ns.sawbridge_minimum_entropy)(inside), difference, rtol=1e-6)


@pytest.mark.parametrize("source", ns.SOURCES)
def test_slope_at_zero_distortion_is_infinite_and_tiny_distortions_follow_the_smooth_curve(source):
    assert jax.grad(ns.hull_rate_distortion)(0.0, source) == -np.inf
    assert jax.grad(ns.linear_rate_distortion)(0.0, source) == -np.inf
    assert np.isinf(ns.hull_rate_distortion(0.0, source))
    # On both sides of where the smooth curve takes over, and far below.
    d = ns._SMOOTH_BELOW[source]
    above, below = ns.hull_rate_distortion(np.array([1.001, 0.999]) * d, source)
    slope = 0.5 if source == "circle" else 1.0
    np.testing.assert_allclose(below - above, slope * np.log2(1.001 / 0.999), rtol=1e-6)
    tiny = ns.hull_rate_distortion(1e-30, source)
    truth = -np.log2(6e-30) if source != "circle" else -0.5 * np.log2(3e-30 / np.pi**2)
    np.testing.assert_allclose(tiny, truth, rtol=1e-12)


def test_very_many_cells_have_the_smooth_curves_value_and_slope():
    # The switch at 1e10 cells: from above the entropy of one quantizer exceeds -log2(6 D) by at most 1/(4N) bit.
    d = np.array([1.1e-10, 0.9e-10, 1e-20, 1e-100]) / 6
    value, slope = jax.vmap(jax.value_and_grad(ns.sawbridge_minimum_entropy))(d)
    np.testing.assert_allclose(value, -np.log2(6 * d), rtol=0, atol=1e-10)
    assert np.all(slope < 0)
    np.testing.assert_allclose(slope[1:] * d[1:], -1 / np.log(2), rtol=1e-12)
    cells = 1000 + np.linspace(0.001, 0.999, 101)
    excess = np.asarray(ns.sawbridge_minimum_entropy(1 / (6 * cells))) - np.log2(cells)
    assert np.all(excess > 0) and np.all(excess < 1 / 4000) and excess.max() > 0.9 / 4000
    for source in ns.SOURCES:
        # The hull's inverse: 26 bits is its switch.
        rate = np.array([25.999, 26.001, 50.0])
        found, slope = jax.vmap(jax.value_and_grad(lambda r, s=source: ns.hull_distortion_rate(r, s)))(rate)
        smooth = {"sawbridge": 2**-rate / 6, "ramp": 2**-rate / 6, "circle": np.pi**2 * 4**-rate / 3}[source]
        np.testing.assert_allclose(found, smooth, rtol=3e-8)
        power = 2 if source == "circle" else 1
        np.testing.assert_allclose(slope / found, -power * np.log(2), rtol=1e-7)


def test_linear_transforms_refuse_what_they_cannot_resolve():
    with pytest.raises(ValueError, match="distortion other than 0 must be >= 1e-12"):
        ns.linear_rate_distortion(1e-13, "sawbridge")
    assert np.isnan(jax.jit(ns.linear_rate_distortion, static_argnums=1)(1e-13, "sawbridge"))
