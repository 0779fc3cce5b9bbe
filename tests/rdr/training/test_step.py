"""One step: its schedule, its average, and what it does when something is not finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.training.step import initial_state, make_optimizer, make_step


def quadratic(params, batch, key, step):
    value = jnp.mean(jnp.square(params["w"][None, :] - batch))
    return value, {"value": value}


def run(steps, loss=quadratic, learning_rate=0.1, decay=0.5, batches=None, **options):
    optimizer = make_optimizer(learning_rate=learning_rate, steps=max(steps, 2), **options)
    state = initial_state({"w": jnp.zeros(3, jnp.float32)}, optimizer)
    step = jax.jit(make_step(loss, optimizer, seed=0, decay=decay))
    states, reports = [state], []
    for i in range(steps):
        state, report = step(state, jnp.ones((4, 3), jnp.float32) if batches is None else batches[i])
        states.append(state)
        reports.append(report)
    return states, reports


def test_the_first_step_of_adam_is_the_learning_rate():
    states, reports = run(1, final=1.0)
    np.testing.assert_allclose(states[1].params["w"], 0.1, rtol=1e-5)  # Adam's epsilon is 1e-8
    np.testing.assert_allclose(reports[0].metrics["loss"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(reports[0].metrics["gradient_norm"], 2.0 / np.sqrt(3.0), rtol=1e-6)


def test_warm_up_starts_at_zero_and_the_cosine_ends_at_the_final_fraction():
    states, _ = run(1, warmup=1)
    np.testing.assert_array_equal(states[1].params["w"], 0.0)
    constant = [jnp.full((4, 3), 1e4, jnp.float32)] * 40  # gradients of one direction: Adam moves by the learning rate
    states, _ = run(40, final=0.25, batches=constant)
    moves = np.diff([float(state.params["w"][0]) for state in states])
    np.testing.assert_allclose(moves[0], 0.1, rtol=1e-3)
    np.testing.assert_allclose(moves[-1], 0.025, rtol=1e-2)  # one step of 40 before the end of the cosine
    assert (np.diff(moves) < 1e-6).all()


def test_the_average_follows_its_definition():
    states, _ = run(12, decay=0.5)
    average = states[0].params["w"]
    for i, state in enumerate(states[1:]):
        keep = min(0.5, (1 + i) / (10 + i))
        average = keep * average + (1 - keep) * state.params["w"]
    np.testing.assert_allclose(states[-1].average["w"], average, rtol=1e-6)


def test_a_step_that_is_not_finite_changes_nothing_but_the_count():
    good, bad = jnp.ones((4, 3), jnp.float32), jnp.full((4, 3), jnp.nan, jnp.float32)
    states, reports = run(3, batches=[good, bad, good])
    assert [bool(report.finite.all()) for report in reports] == [True, False, True]
    for before, after in zip(jax.tree.leaves(states[1]._replace(step=0)), jax.tree.leaves(states[2]._replace(step=0))):
        np.testing.assert_array_equal(before, after)
    assert [int(state.step) for state in states] == [0, 1, 2, 3]


def test_keys_differ_from_step_to_step_and_only_the_step_decides():
    def noisy(params, batch, key, step):
        value = jax.random.normal(key, (), jnp.float32) + 0.0 * jnp.sum(params["w"])
        return value, {}

    values = [float(report.metrics["loss"]) for report in run(5, noisy)[1]]
    assert len(set(values)) == 5
    assert values == [float(report.metrics["loss"]) for report in run(5, noisy)[1]]


@pytest.mark.parametrize("options", [dict(learning_rate=0.0), dict(clip=0.0), dict(warmup=2), dict(decay=1.0)])
def test_bad_options_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        run(1, **options)
