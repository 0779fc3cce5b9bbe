import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.vectors.trellis import trellis_codec, trellis_quantizer
from rdr.quantize import nearest_path, trellis


@pytest.mark.parametrize("states", [8, 64])
def test_the_second_moment_is_that_of_simulation(states):
    x = np.random.default_rng(0).uniform(0, 4, (40, 600))
    error = np.square(np.asarray(nearest_path(jnp.asarray(x), trellis(states))) - x)[:, 60:-60]
    means = error.mean(-1)
    # The constant has four digits.
    assert abs(means.mean() - trellis_quantizer(states).second_moment) < 4 * means.std() / np.sqrt(40) + 5e-5


def test_blocks_of_any_shape():
    quantizer = trellis_quantizer(8)
    x = np.random.default_rng(1).standard_normal((3, 4, 50))
    found = quantizer.nearest(jnp.asarray(x))
    np.testing.assert_array_equal(found[1], nearest_path(x[1], trellis(8)))
    np.testing.assert_array_equal(quantizer.nearest(jnp.asarray(x[0, 0])), found[0, 0])


def test_codecs_are_the_same_object_and_named_after_the_states():
    assert trellis_codec(8) is trellis_codec(8)
    assert trellis_codec(64).name == "trellis-64" and trellis_codec(8, dither_levels=4).name == "trellis-8-dither"
    with pytest.raises(ValueError, match="states must be one of"):
        trellis_codec(9)
