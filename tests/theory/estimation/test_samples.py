"""Checks and splits of samples."""

import jax
import numpy as np
import pytest

from theory.estimation import samples


@pytest.mark.parametrize("wrong, message", [
    (np.zeros(5), r"must have shape \[n, d\] with n >= 2, got shape \(5,\)"), (np.zeros((1, 3)), "n >= 2"),
    (np.zeros((4, 0)), "must have shape"), (np.array([[0.0], [np.nan]]), "x must be finite"),
    (np.array([[0.0], [np.inf]]), "x must be finite"), (np.array([["a"], ["b"]]), "x must be real numbers")])
def test_refuses_what_are_no_samples(wrong, message):
    with pytest.raises(ValueError, match=message):
        samples.check_samples("x", wrong)


def test_integers_become_float64_and_the_wrong_one_of_two_is_named():
    assert samples.check_samples("x", np.zeros((3, 2), np.uint8)).dtype == np.float64
    with pytest.raises(ValueError, match=r"held_out must have shape \[n, 2\]"):
        samples.check_both(np.zeros((3, 2)), np.zeros((3, 1)))


def test_split_keeps_every_sample_once():
    x = np.arange(20.0).reshape(10, 2)
    training, held_out = samples.split(jax.random.key(0), x, held_out=0.3)
    assert training.shape == (7, 2) and held_out.shape == (3, 2)
    np.testing.assert_array_equal(np.sort(np.concatenate([training, held_out])[:, 0]), x[:, 0])
    for share in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="held_out must be in"):
            samples.split(jax.random.key(0), x, held_out=share)
