"""Points of R(D, P) of a scalar Gaussian, whose closed form under W2 squared is written out here."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.estimators import Particles, fit_particles, realism, realism_particles, universal_decoders

KEY = jax.random.key(0)


def gaussian(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 1)) * 2 + 5


def gaussian_rate(distortion, perception, variance=4.0):
    """R(D, P) of a Gaussian, W2 squared: with (s - sqrt P)^2 of reproductions' variance, where P binds."""
    scale = np.sqrt(variance)
    plain = 0.5 * np.log2(max(variance / distortion, 1.0))
    if np.sqrt(perception) >= scale - np.sqrt(max(variance - distortion, 0.0)):
        return plain
    other = (scale - np.sqrt(perception)) ** 2
    rho2 = ((variance + other - distortion) / 2) ** 2 / (variance * other)
    return 0.5 * np.log2(1 / (1 - rho2)) if distortion < variance + other else 0.0


@pytest.mark.stress
def test_a_term_for_perception_buys_realism_and_no_point_is_below_the_curve():
    found = realism_particles(gaussian(2000), gaussian(4000, seed=1), slopes=0.6, perception_slopes=[0.0, 3.0], key=KEY,
                              num_particles=24, steps=200, batch=128, measure="w2")
    assert found.kind == "upper" and np.shape(found.perception) == (2,)
    assert found.perception[1] < 0.5 * found.perception[0] and found.rate[1] > found.rate[0]
    for r, d, p, rse, dse in zip(*found[:5], strict=True):
        bound = gaussian_rate(d + 3 * dse, p)
        assert bound - 3 * rse < r < bound + 0.25
    assert "above the true one in expectation" in found.assumptions


def test_training_pays_for_perception():
    """Beside rate and error: t times W2 squared, which of two distributions that a shift separates is its square."""
    rows = jnp.asarray(gaussian(64), jnp.float32)
    params = {"points": rows + 3, "tilt": jnp.zeros(64), "prior": jnp.zeros(64)}
    costs = [realism._loss(1e-2)(params, rows, jnp.float32(1e-6), KEY, jnp.float32(t)) for t in (0.0, 2.0)]
    assert float(costs[1] - costs[0]) == pytest.approx(2 * 9, rel=0.02)


def test_narrow_clusters_far_apart_are_measured_without_cancellation():
    """|x|^2 is 1e6 times what float32 tells of it, and errors are 1e-4: norms and products would say 0, or .1."""
    x = np.asarray([[-1e3], [-1e3 + 0.01], [1e3 - 0.02], [1e3 + 0.01]], np.float32)
    points = np.asarray([[[-1e3], [1e3]]], np.float32)
    flat = np.zeros((1, 2), np.float32)
    params = {"points": points, "tilt": flat, "prior": flat}
    trained = realism._Trained(params, np.ones(1, np.float32), np.zeros(1), 1.0)
    found = realism._evaluate(trained, x, key=KEY, measure="w2", groups=2, shape=(), training=x)
    least = np.square(x[:, 0].astype(np.float64) - points[0, [0, 0, 1, 1], 0])
    assert found.distortion == pytest.approx(least.mean(), rel=1e-4) and found.rate == pytest.approx(1.0, rel=1e-6)
    result = Particles(points, np.full((1, 2), 0.5, np.float32), np.full(1, 1e3, np.float32), np.zeros(1), ())
    other = universal_decoders(result, x, x, realism=1.0, key=KEY, measure="w2", groups=2)
    # A decoder with the cluster's own distribution: at most the widths of the clusters away.
    assert 0 <= other.distortion <= np.mean([1e-4, 1e-4, 9e-4, 9e-4]) * 1.01


def test_the_kernel_of_mmd_does_not_know_the_held_out_samples(monkeypatch):
    """Held-out samples that are wider: what the kernel's widths are taken from has the training samples' variance."""
    x, wide, seen = gaussian(100), 50 * gaussian(20, seed=1), []
    real = realism.perception_of_groups

    def spy(y, x, **options):
        seen.append(options["training"])
        return real(y, x, **options)

    monkeypatch.setattr(realism, "perception_of_groups", spy)
    result = Particles(np.zeros((1, 2, 1), np.float32), np.full((1, 2), 0.5, np.float32), np.ones(1, np.float32),
                       np.zeros(1, np.float32), ())
    found = universal_decoders(result, x, wide, realism=0.0, key=KEY, measure="mmd", groups=2)
    assert found.perception > 0 and np.var(seen[0]) == pytest.approx(np.var(x), rel=1e-5)


def test_decoders_of_one_encoder_go_from_least_error_to_the_source_s_own_distribution():
    x = gaussian(3000)
    result = fit_particles(x, slopes=0.6, key=KEY, num_particles=24, steps=20, batch=3000)
    found = universal_decoders(result, x, gaussian(4000, seed=1), realism=[0.0, 0.5, 1.0], key=KEY, measure="w2")
    assert np.ptp(found.rate) == 0
    d0, d1, d2 = found.distortion
    assert d2 == pytest.approx(2 * d0, rel=0.1)  # X' given J has variance d0
    assert d1 == pytest.approx(1.25 * d0, rel=0.1)
    # Y has variance 4 - (1 - a^2) d0, and W2 squared of a Gaussian is least for a Gaussian.
    assert (found.perception > np.square(2 - np.sqrt(4 - np.asarray([1.0, 0.75, 0.0]) * d0))).all()
    assert found.perception[0] > 2 * found.perception[1] and found.perception[2] < 0.06  # two samples of 400
    for r, d, p in zip(*found[:3], strict=True):
        assert r > gaussian_rate(d, p) - 0.05
    assert found.rate[2] < gaussian_rate(d2, 0.0) + 0.6


@pytest.mark.parametrize(("change", "message"), [
    ({"perception_slopes": -1.0}, "perception_slopes must be at least 0"),
    ({"epsilon": 0.0}, "epsilon must be positive"),
    ({"num_particles": 0}, "num_particles must be a whole number"),
    ({"slopes": 0.0}, "slopes must be positive"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(change, message):
    settings = {"slopes": 1.0, "perception_slopes": 0.0, "key": KEY, **change}
    with pytest.raises(ValueError, match=message):
        realism_particles(gaussian(20), gaussian(20), **settings)


def test_universal_decoders_refuse_what_makes_no_sense():
    result = Particles(np.zeros((2, 3, 1)), np.full((2, 3), 1 / 3), np.ones(2), np.zeros(1), (2,))
    with pytest.raises(ValueError, match=r"realism must be in \[0, 1\], got 1.5"):
        universal_decoders(result, gaussian(9), gaussian(9), realism=1.5, key=KEY)
    with pytest.raises(ValueError, match="result must be of one slope, got 2"):
        universal_decoders(result, gaussian(9), gaussian(9), realism=1.0, key=KEY)
