import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.numerics import checks


@pytest.mark.parametrize("value, kwargs, said", [
    (-0.5, {"minimum": 0.0}, "distortion must be >= 0 and not NaN, got -0.5"),
    (0.0, {"minimum": 0.0, "open_minimum": True}, "distortion must be > 0 and not NaN, got 0"),
    (np.nan, {}, "distortion must be not NaN, got nan"),
    ([0.1, np.inf], {"finite": True}, "distortion must be finite, got inf"),
    (2.0, {"minimum": 0.0, "maximum": 1.0}, "distortion must be >= 0 and <= 1 and not NaN, got 2"),
    ("a", {}, "distortion must be real numbers"),
])
def test_what_is_outside_is_named(value, kwargs, said):
    with pytest.raises(ValueError) as caught:
        checks.check_domain("distortion", value, **kwargs)
    assert said in str(caught.value)


def test_what_is_inside_passes_and_a_trace_is_not_looked_at():
    checks.check_domain("distortion", [0.0, np.inf], minimum=0.0)

    @jax.jit
    def traced(x):
        checks.check_domain("x", x, minimum=0.0)
        return x

    assert traced(jnp.asarray(-1.0)) == -1.0


@pytest.mark.parametrize("pmf", [[], 0.5, [0.5, 0.6], [1.5, -0.5], [np.nan, 1.0]])
def test_no_pmf(pmf):
    with pytest.raises(ValueError, match="pmf"):
        checks.check_pmf("pmf", pmf)


def test_a_pmf():
    checks.check_pmf("pmf", np.full((3, 7), 1 / 7))


def test_unknown_word_lists_the_known_ones():
    with pytest.raises(ValueError, match="divergence must be one of 'w2sq', 'kl', got 'tv'"):
        checks.check_choice("divergence", "tv", ("w2sq", "kl"))


def test_pmfs_of_32_bit_numbers_are_accepted_and_normalized():
    """Fault 8: the sum of three float32 thirds is off by 3e-8, and was refused."""
    thirds = np.full(3, 1 / 3, np.float32)
    checks.check_pmf("pmf", thirds)
    np.testing.assert_allclose(checks.normalized_pmf("pmf", thirds).sum(), 1.0, atol=1e-16)
    checks.check_pmf("pmf", np.full(1000, 1e-3, np.float16))
    with pytest.raises(ValueError, match="pmf must sum to 1"):
        checks.check_pmf("pmf", thirds.astype(np.float64))
    with pytest.raises(ValueError, match="pmf must sum to 1"):
        checks.check_pmf("pmf", thirds * np.float32(1.001))
    exact = np.array([0.1, 0.2, 0.7])
    np.testing.assert_array_equal(checks.normalized_pmf("pmf", exact), exact)


def test_32_bit_mode_is_refused_with_what_to_do():
    """Fault 8: switched off after the import, it gave false refusals and bounds that crossed."""
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64 must be on .*jax.config.update"):
        checks.check_domain("x", 1.0)
    with jax.enable_x64(False), pytest.raises(ValueError, match="jax_enable_x64 must be on"):
        checks.check_pmf("pmf", [1.0])
    checks.check_domain("x", 1.0)


def test_what_is_in_lists_and_trees_may_be_traced_too():
    assert checks.all_concrete(1.0, None, [np.ones(2), jnp.ones(3)], "w2sq")
    assert not jax.jit(lambda x: jnp.asarray(checks.all_concrete(1.0, [x])))(2.0)
