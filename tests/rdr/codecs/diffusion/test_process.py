import numpy as np
import pytest

from rdr.codecs.diffusion import process, sources


def test_bridge_and_forward_process_make_one_joint_distribution():
    # The chain x_t, then x_s given both, has the second moments of x_s = sqrt(1-s) x_0 + sqrt(s) n for every x_0.
    for t, s in ((1.0, 0.7), (0.8, 0.3), (0.2, 1e-3), (0.5, 0.0)):
        a, b, v = process.bridge(t, s)
        np.testing.assert_allclose(a + b * np.sqrt(1 - t), np.sqrt(1 - s), rtol=1e-12)
        np.testing.assert_allclose(b * b * t + v, s, rtol=1e-12, atol=1e-15)
        # x_t is x_s with more noise: Cov(x_s, x_t | x_0) = sqrt((1-t)/(1-s)) s.
        np.testing.assert_allclose(b * t, np.sqrt((1 - t) / (1 - s)) * s, rtol=1e-12, atol=1e-15)


def test_information_grows_by_equal_amounts():
    times = np.array(process.information_times(0.02, 7, variance=3.0))
    with np.errstate(divide="ignore"):
        information = 0.5 * np.log1p(3.0 * (1 - times) / times)
    assert times[0] == 1.0 and times[-1] == 0.02 and len(times) == 8
    np.testing.assert_allclose(np.diff(information), information[-1] / 7, rtol=1e-10)


@pytest.mark.parametrize(("order", "falls", "at_most"), [(1, 1.8, 2.4), (2, 3.4, 5.0)])
@pytest.mark.parametrize("start", [0.3, 1.0])
def test_flow_converges_to_the_closed_form(order, falls, at_most, start):
    source = sources.gaussian_vector((4.0, 1.0, 0.25))
    x = np.random.default_rng(0).standard_normal((50, 3))
    exact = source.flow(x, start)

    def error(steps):
        times = process.decoding_times(start, steps)
        return np.abs(process.probability_flow(source.denoise, x, times, order=order) - exact).max()

    first, second, third = error(16), error(32), error(64)
    assert falls < first / second < at_most and falls < second / third < at_most


def test_decoding_times_by_hand():
    for start, power in ((0.4, 3.0), (1.0, 1.0)):
        angle = np.arcsin(np.sqrt(start)) * np.array([1.0, 0.75, 0.5, 0.25, 0.0]) ** power
        np.testing.assert_allclose(process.decoding_times(start, 4, power=power), np.sin(angle) ** 2, atol=1e-15)


def test_denoisers_are_not_asked_about_clean_samples_and_noise_is_new_in_every_step():
    """The last step, to time 0, is what the denoiser says of the sample before; it says nothing at time 0."""
    def denoise(x, t):
        assert t > 0.0
        return 0.5 * x + t

    x = np.ones(3)
    before = process.flow_step(denoise, x, 0.6, 0.2)
    np.testing.assert_array_equal(process.probability_flow(denoise, x, (0.6, 0.2, 0.0)), denoise(before, 0.2))
    steps = []
    y = process.ancestral(denoise, x, (0.6, 0.4, 0.2, 0.0), lambda step: steps.append(step) or step * np.ones(3))
    assert steps == [0, 1, 2]
    a, b, _ = process.bridge(0.6, 0.4)
    one = a * denoise(x, 0.6) + b * x  # its noise is 0 times 1
    a, b, variance = process.bridge(0.4, 0.2)
    np.testing.assert_allclose(y, denoise(a * denoise(one, 0.4) + b * one + np.sqrt(variance), 0.2), rtol=1e-14)


def test_ancestral_steps_converge_to_the_posterior():
    source = sources.gaussian_vector((4.0, 0.25))
    rng = np.random.default_rng(1)
    x = np.broadcast_to([1.5, -0.7], (20_000, 2))
    lam, t = np.array([4.0, 0.25]), 0.4
    exact = lam * t / ((1 - t) * lam + t)

    def variance(steps):  # of a linear recursion
        result, times = np.zeros(2), process.decoding_times(t, steps)
        for t0, t1 in zip(times[:-1], times[1:]):
            a, b, v = process.bridge(t0, t1)
            result = (a * np.sqrt(1 - t0) * lam / ((1 - t0) * lam + t0) + b) ** 2 * result + v
        return result

    y = process.ancestral(source.denoise, x, process.decoding_times(t, 40), lambda _: rng.standard_normal(x.shape))
    np.testing.assert_allclose(y.var(0), variance(40), rtol=4.5 * np.sqrt(2 / 20_000))
    mean = process.ancestral(source.denoise, x[:1], process.decoding_times(t, 400), lambda _: 0.0)[0]
    np.testing.assert_allclose(mean, source.denoise(x[:1], t)[0], rtol=0.02)
    errors = [exact - variance(steps) for steps in (100, 200, 400)]
    for coarse, fine in zip(errors, errors[1:]):  # few steps lack variance, in proportion to their length
        np.testing.assert_allclose(coarse / fine, 2.0, rtol=0.05)


def test_invalid_times_are_refused():
    for times in ((0.5,), (0.2, 0.5), (1.2, 0.1), (0.5, 0.5), (0.5, np.nan), (0.5, -0.1), (np.inf, 0.5)):
        with pytest.raises(ValueError, match="times must fall"):
            process.probability_flow(lambda x, t: x, np.zeros(1), times)
    with pytest.raises(ValueError, match="order"):
        process.probability_flow(lambda x, t: x, np.zeros(1), (0.5, 0.0), order=3)
    for call in (lambda: process.information_times(0.0, 3), lambda: process.information_times(0.5, 0),
                 lambda: process.information_times(0.5, 1, variance=0.0), lambda: process.decoding_times(0.0, 3),
                 lambda: process.decoding_times(0.5, 0), lambda: process.decoding_times(0.5, 3, power=0.5)):
        with pytest.raises(ValueError, match="must be"):
            call()


def test_process_is_the_same_for_jax_inside_of_a_loop():
    import jax
    import jax.numpy as jnp

    lam = jnp.float32(2.0)
    x = jnp.linspace(-2, 2, 9, dtype=jnp.float32)
    times = process.decoding_times(0.6, 12)

    def denoise(x, t):
        return (1 - t) ** 0.5 * lam / ((1 - t) * lam + t) * x

    pairs = jnp.asarray(list(zip(times[:-1], times[1:])), jnp.float32)
    looped = jax.jit(lambda x: jax.lax.scan(
        lambda x, pair: (process.flow_step(denoise, x, pair[0], pair[1]), None), x, pairs[:-1])[0])(x)
    plain = process.probability_flow(denoise, x, times[:-1])
    assert looped.dtype == plain.dtype == jnp.float32
    np.testing.assert_allclose(looped, plain, rtol=1e-5)
