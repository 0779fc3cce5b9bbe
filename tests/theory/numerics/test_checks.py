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
