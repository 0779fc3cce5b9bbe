"""Networks of many slopes: each has its own optimum, goes on after an interruption, and has one directory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.estimators import curve_training
from rdr.estimators.curve_training import Schedule, check_counts, chunk_of, train_at_slopes

KEY = jax.random.key(0)
SCHEDULE = Schedule(400, 16, 0.05)


def loss(params, rows, slope, key, fixed):
    """Least at params = slope x mean + fixed."""
    del key
    return jnp.mean(jnp.square(params["a"] - slope * rows[:, 0] - fixed))


def train(slopes=(1.0, 3.0), fixed=(0.5, -0.5), **changes):
    options = {"samples": np.full((8, 1), 2.0, np.float32), "key": KEY, "schedule": SCHEDULE, "description": "test"}
    return train_at_slopes(loss, {"a": np.zeros((), np.float32)}, slopes=np.asarray(slopes, np.float32),
                           fixed=np.asarray(fixed, np.float32), **{**options, **changes})["a"]


def test_each_slope_has_its_own_optimum():
    np.testing.assert_allclose(train(), [2.5, 5.5], atol=0.05)


def test_an_interrupted_training_ends_in_the_same_bits_and_its_directory_is_its_own(tmp_path, monkeypatch):
    whole, scanned = train(), curve_training.train_scanned

    def interrupted(state, update, **options):
        scanned(state, update, **{**options, "steps": 100})
        raise KeyboardInterrupt

    monkeypatch.setattr(curve_training, "train_scanned", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(workdir=tmp_path)
    monkeypatch.setattr(curve_training, "train_scanned", scanned)
    np.testing.assert_array_equal(train(workdir=tmp_path), whole)
    with pytest.raises(ValueError, match="holds the progress of other data"):
        train(workdir=tmp_path, fixed=(0.0, 0.0))
    with pytest.raises(ValueError, match="holds the progress of other"):
        train(workdir=tmp_path, settings=(64,))


def test_a_loss_that_is_not_finite_is_named():
    with pytest.raises(ValueError, match="test: loss is not finite at step 0"):
        train(samples=np.full((8, 1), np.inf, np.float32))


def test_settings_out_of_range_are_refused():
    for wrong in (0, 1.5, True, "a"):
        with pytest.raises(ValueError, match="steps must be a whole number, at least 1"):
            check_counts(steps=wrong)
    with pytest.raises(ValueError, match="learning_rate"):
        train(schedule=SCHEDULE._replace(learning_rate=-1.0))


def test_chunks_divide_the_steps_unless_they_would_be_tiny():
    assert [chunk_of(steps) for steps in (7, 100, 120, 53, 106)] == [7, 50, 40, 50, 50]
