import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.entropy_models.fourier import FourierDensity, coefficients


@pytest.fixture(scope="module")
def wild():
    """Parameters far from the start: a density of many bumps."""
    model = FourierDensity(channels=2, terms=6, init_scale=3.0)
    params = jax.device_get(jax.jit(model.init)(jax.random.key(0), np.zeros((1, 2), np.float32)))["params"]
    rng = np.random.default_rng(1)
    for name in ("real", "imaginary"):
        params[name] = params[name] + rng.standard_normal(params[name].shape).astype(np.float32)
    params["offset"] = np.array([0.7, -2.0], np.float32)
    return model, params


def test_coefficients_are_an_autocorrelation():
    """Oracle: |sum a_n e^{i pi n t}|^2 at points of the circle, which the series must give."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((1, 5)) + 1j * rng.standard_normal((1, 5))
    c, d = (np.asarray(part) for part in jax.jit(coefficients)(a.real, a.imag))
    t = np.linspace(-1, 1, 9)
    power = np.abs((a * np.exp(1j * np.pi * np.arange(5) * t[:, None])).sum(-1)) ** 2 / (np.abs(a) ** 2).sum()
    series = 1 + 2 * ((c[0] + 1j * d[0]) * np.exp(1j * np.pi * np.arange(1, 5) * t[:, None])).real.sum(-1)
    np.testing.assert_allclose(series, power, rtol=1e-9, atol=1e-9)


def test_bits_are_those_of_the_density_by_quadrature(wild):
    """Oracle: the guarded density integrated over unit bins in float64, |a|^2 and the logistic one written out."""
    model, params = wild
    upper = np.arange(-6, 7, dtype=np.float32)[:, None].repeat(2, 1)
    bits = np.asarray(jax.jit(model.apply)({"params": params}, upper))
    nodes, weights = np.polynomial.legendre.leggauss(200)
    for c in range(2):
        a = np.asarray(params["real"], np.float64)[c] + 1j * np.asarray(params["imaginary"], np.float64)[c]
        offset, scale = float(params["offset"][c]), float(np.exp(params["log_scale"][c]))

        def density(x, a=a, offset=offset, scale=scale):
            t = np.tanh((x - offset) / scale)
            wave = np.abs((a * np.exp(1j * np.pi * np.arange(a.size) * t[..., None])).sum(-1)) ** 2
            wave = wave / (np.abs(a) ** 2).sum()
            return (1 - t**2) / (2 * scale) * ((1 - model.guard) * wave + model.guard)

        x = upper[:, :1] - 0.5 + 0.5 * nodes
        expected = -np.log2((0.5 * weights * density(x.astype(np.float64))).sum(-1))
        np.testing.assert_allclose(bits[:, c], expected, rtol=2e-5, atol=2e-5)


def test_bins_add_up_to_one(wild):
    model, params = wild
    upper = np.arange(-200, 201, dtype=np.float32)[:, None].repeat(2, 1)
    bits = np.asarray(jax.jit(model.apply)({"params": params}, upper), np.float64)
    np.testing.assert_allclose(np.exp2(-bits).sum(0), 1.0, atol=1e-5)


def test_tails_stay_finite_and_alive(wild):
    """Far out a bit count rises by 2 / (scale ln 2) per unit, the slope of the logistic guard, and never saturates."""
    model, params = wild
    far = jnp.array([[60.0, 60.0], [-80.0, -80.0], [300.0, -300.0]], jnp.float32)
    bits, slope = jax.jit(lambda u: jax.jvp(lambda u: model.apply({"params": params}, u), (u,), (jnp.ones_like(u),)))(
        far)  # each number by itself
    assert np.isfinite(bits).all() and (bits > 50).all()
    np.testing.assert_allclose(np.abs(slope), 2.0 / (3.0 * np.log(2.0)), rtol=1e-3)
    gradient = jax.jit(jax.grad(lambda p: model.apply({"params": p}, far).sum()))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert np.abs(gradient["log_scale"]).min() > 1


def test_it_learns_a_distribution_of_two_bumps():
    """Oracle: the entropy of the distribution's bins; the series closes 85 % of the gap that a logistic one leaves."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random(4000) < 0.3, rng.normal(-4, 0.7, 4000), rng.normal(3, 0.7, 4000))
    k, counts = np.unique(np.round(x), return_counts=True)
    share = counts / 4000
    entropy = -(share * np.log2(share)).sum()
    upper = np.float32(k + 0.5)[:, None]
    model = FourierDensity(channels=1, terms=8, init_scale=4.0)
    params = jax.jit(model.init)(jax.random.key(0), upper)["params"]

    @jax.jit
    def descend(params):
        def step(p, _):
            value, g = jax.value_and_grad(
                lambda q: jnp.sum(np.float32(share) * model.apply({"params": q}, upper)[:, 0]))(p)
            return jax.tree.map(lambda a, b: a - 0.05 * b, p, g), value

        return jax.lax.scan(step, params, None, length=400)

    _, values = descend(params)
    assert values[-1] - entropy < 0.15 * (values[0] - entropy) and values[-1] > entropy - 1e-3
