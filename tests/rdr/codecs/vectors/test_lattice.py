import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.vectors.lattice import lattice_codec, lattice_quantizer
from rdr.quantize import LATTICES, closest_point, lattice


@pytest.mark.parametrize("name", LATTICES)
def test_the_quantizer_is_the_lattice(name):
    quantizer, found = lattice_quantizer(name), lattice(name)
    x = jnp.asarray(np.random.default_rng(0).standard_normal((5, found.dimension)))
    np.testing.assert_array_equal(quantizer.nearest(x), closest_point(x, found)[0])
    assert (quantizer.dimension, quantizer.period, quantizer.second_moment) == (
        found.dimension, found.period, found.second_moment)
    # The dither's tables cover one step b of z in as many positions as the dither has values there.
    levels = quantizer.tables(0.5, 1.0, 64)["log_sums"].shape[1]
    assert levels * found.period == 64 * found.outer
    assert quantizer.tables(0.5, 1.0, 0)["log_sums"].shape[1] == found.outer


def test_codecs_are_the_same_object_and_named_after_the_lattice():
    assert lattice_codec("E8", dither_levels=64) is lattice_codec("E8", dither_levels=64)
    assert lattice_codec("Leech").name == "lattice-Leech" and lattice_codec("Z", dither_levels=8).name == (
        "lattice-Z-dither")
    with pytest.raises(ValueError, match="name must be one of 'Z'"):
        lattice_codec("E7")
