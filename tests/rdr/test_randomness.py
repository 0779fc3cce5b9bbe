import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr import randomness

# Computed with jax 0.10.2 on a CPU. These integers are part of the format: if they change, old messages are lost.
RECORDED = [82, 211, 166, 73, 57, 69, 137, 151, 69, 202, 123, 251]


def test_shared_integers_never_change():
    key = randomness.shared_key(12345)
    np.testing.assert_array_equal(randomness.shared_integers(key, (12,), levels=256), RECORDED)


def test_shared_words_begin_with_the_bits_of_shared_integers():
    words = randomness.shared_words(randomness.shared_key(12345), (12,))
    assert words.dtype == jnp.uint32
    np.testing.assert_array_equal(np.asarray(words) >> 24, RECORDED)


def test_draws_of_many_shapes_keep_a_few_programs():
    """Fault 30: every shape of noise was compiled and kept, some 30 pieces of memory for each image decoded."""
    key, most = randomness.shared_key(12345), randomness._drawn.maxsize
    for n in range(3, 3 + most // 8):
        np.testing.assert_array_equal(randomness.shared_integers(key, (n,), levels=256), (RECORDED * 3)[:n]
                                      if n <= 12 else randomness.shared_integers(key, (n, 1), levels=256)[:, 0])
    assert len(randomness._drawn) <= most


@pytest.mark.parametrize("setting, value", [("jax_threefry_partitionable", False), ("jax_enable_x64", False),
                                            ("jax_default_prng_impl", "rbg")])
def test_shared_integers_do_not_depend_on_the_process(setting, value):
    before = getattr(jax.config, setting)
    try:
        jax.config.update(setting, value)
        drawn = jax.jit(lambda key: randomness.shared_integers(key, (12,), levels=256))(randomness.shared_key(12345))
        assert drawn.dtype == jnp.int32
        np.testing.assert_array_equal(drawn, RECORDED)
    finally:
        jax.config.update(setting, before)


def test_shared_integers_are_uniform():
    drawn = np.asarray(randomness.shared_integers(randomness.shared_key(0), (64, 1024), levels=64))
    counts = np.bincount(drawn.ravel(), minlength=64)
    chi2 = ((counts - 1024.0) ** 2 / 1024.0).sum()
    assert chi2 < 63 + 5 * np.sqrt(2 * 63)
    assert (randomness.shared_integers(randomness.shared_key(0), (8,), levels=1) == 0).all()


def test_dither_offsets_are_exact_midpoints():
    np.testing.assert_array_equal(randomness.dither_offsets(4), np.float32([-0.375, -0.125, 0.125, 0.375]))
    np.testing.assert_array_equal(randomness.dither_offsets(1), np.float32([0.0]))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match="seed must be an integer"):
        randomness.shared_key(seed)


@pytest.mark.parametrize("levels", [0, 3, 2**17])
def test_levels_must_be_a_power_of_two(levels):
    with pytest.raises(ValueError, match="levels must be a power of two"):
        randomness.shared_integers(randomness.shared_key(0), (2,), levels=levels)


def test_a_key_of_another_generator_is_refused():
    with pytest.raises(ValueError, match="shared_key must be a typed threefry2x32 key"):
        randomness.shared_integers(jax.random.key(0, impl="rbg"), (2,), levels=2)
    with pytest.raises(ValueError, match="shared_key must be a typed threefry2x32 key"):
        randomness.shared_integers(5, (2,), levels=2)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4)])
def test_draws_in_a_row_are_those_of_jax(shape):
    key = jax.random.key(3)
    np.testing.assert_array_equal(randomness.uniform(key, shape, -0.5, 0.5),
                                  jax.random.uniform(key, shape, jnp.float32, -0.5, 0.5))
    for dtype in (jnp.float32, jnp.float64):
        found = randomness.normal(key, shape, dtype)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, jax.random.normal(key, shape, dtype), rtol=1e-6)


@pytest.mark.parametrize("gain", [1.0, 4.0])
def test_kernels_start_as_those_of_flax(gain):
    key, shape = jax.random.key(4), (3, 3, 5, 2)
    wanted = jax.nn.initializers.variance_scaling(gain, "fan_in", "truncated_normal")(key, shape, jnp.float32)
    np.testing.assert_allclose(randomness.truncated_normal_kernel(key, shape, gain=gain), wanted, rtol=1e-6)
