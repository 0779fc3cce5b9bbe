import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.estimators.perception import perception_of_groups

KEY = jax.random.key(0)


def test_one_dimension_has_one_distance_and_it_is_that_of_sorted_groups():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 1)), 1.5 * rng.normal(size=(40, 1)) + 1
    halves = [np.mean((np.sort(x[i : i + 20, 0]) - np.sort(y[i : i + 20, 0])) ** 2) for i in (0, 20)]
    for measure in ("w2", "sliced_w2"):
        value, error, upward = perception_of_groups(y, x, measure=measure, key=KEY, groups=2)
        assert value == pytest.approx(np.mean(halves), rel=1e-4) and upward
        assert error == pytest.approx(np.std(halves, ddof=1) / np.sqrt(2), rel=1e-3)


def test_the_bias_is_upwards_and_falls_with_the_size_of_groups():
    """Two independent sets of one distribution: the truth is 0; several groups of 10 and of 50."""
    x, y = np.random.default_rng(1).normal(size=(2, 500, 2))
    small, large = (perception_of_groups(y, x, measure="mmd", key=KEY, groups=g, training=y) for g in (50, 10))
    assert small[0] > large[0] > 0
    same = perception_of_groups(x, x, measure="mmd", key=KEY, training=y)
    assert same[0] == pytest.approx(0.0, abs=1e-6)


def test_bandwidths_are_those_of_training_samples():
    """Two pairs of one sample each side: MMD^2 = 1 - k(x, y) + .. by hand, with the training samples' distance."""
    x, y = np.asarray([[0.0], [0.0], [0.0], [0.0]]), np.asarray([[1.0], [1.0], [1.0], [1.0]])
    training = np.asarray([[-3.0], [3.0]])  # of variance 9: distances have the mean square 18
    value, _, _ = perception_of_groups(y, x, measure="mmd", key=KEY, groups=2, training=training)
    kernel = np.mean([np.exp(-1 / (2 * 18 * c**2)) for c in (0.5, 1, 2)])
    assert value == pytest.approx(2 - 2 * kernel, rel=1e-4)


def test_a_measure_of_one_s_own_has_an_unknown_bias():
    value, error, upward = perception_of_groups(np.ones((6, 2)), np.zeros((6, 2)), groups=3, key=KEY,
                                                measure=lambda y, x: jnp.sum(jnp.square(y.mean(0) - x.mean(0))))
    assert (value, error, upward) == (2.0, 0.0, False)


@pytest.mark.parametrize(("change", "message"), [
    ({"measure": "fid"}, "measure must be one of 'sliced_w2', 'w2', 'mmd' or a function, got 'fid'"),
    ({"measure": "mmd"}, "training must be given for the bandwidths of 'mmd'"),
    ({"groups": 1}, "groups must be at least 2"), ({"groups": 4}, "leave two samples each, got 4 for 6"),
    ({"reconstructions": np.ones((5, 2))}, r"reconstructions must have the shape of originals, \(6, 2\)"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(change, message):
    options = {"reconstructions": np.ones((6, 2)), "originals": np.ones((6, 2)), "measure": "w2", "key": KEY,
               "groups": 3, **change}
    with pytest.raises(ValueError, match=message):
        perception_of_groups(options.pop("reconstructions"), options.pop("originals"), **options)
