import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.sources import harness, operational_rate
from experiments.sources.harness import Schedule


def quadratic(tmp_path, name, **options):
    """Two codecs with parameters a, b; the loss pulls both parts to the entry, harder when the temperature is high."""
    def loss(params, entry, x, key, temperature):
        heat = jnp.float32(1.0) if temperature is None else temperature
        value = heat * (jnp.square(params["a"] - entry) + jnp.square(params["b"] - entry)) + 0.0 * jnp.sum(x)
        return value, {"heat": heat, "hard": jnp.float32(temperature is None)}

    schedule = Schedule(steps=40, chunk=20, batch=3, learning_rate=0.1, **options.pop("schedule", {}))
    params = {"a": jnp.zeros(2, jnp.float32), "b": jnp.zeros(2, jnp.float32)}
    return harness.train_grid(
        schedule, params, jnp.array([1.0, -1.0], jnp.float32), loss=loss, sample=lambda key, n: jnp.zeros(n),
        key=jax.random.key(0), directory=tmp_path / name, description=name, **options)


def test_a_grid_is_trained_in_two_stages_and_parts_rest(tmp_path):
    whole = quadratic(tmp_path, "whole")
    np.testing.assert_allclose(whole["a"], [1.0, -1.0], atol=0.1)
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    assert '"hard": 0.0' in lines[0] and '"hard": 1.0' in lines[1]  # half of the steps are hard
    fixed = quadratic(tmp_path, "fixed", frozen=("a",))
    np.testing.assert_array_equal(fixed["a"], [0.0, 0.0])
    np.testing.assert_array_equal(fixed["b"], whole["b"])
    # A part that rests has its value of the soft stage's end: what training ended with, had it been all hard-free.
    resting = quadratic(tmp_path, "resting", frozen_when_hard=("a",))
    assert np.abs(resting["a"] - whole["a"]).max() > 1e-3 and np.abs(resting["a"]).min() > 0.1
    never = quadratic(tmp_path, "never", frozen_when_hard=("a",), schedule={"hard_fraction": 1.0})
    np.testing.assert_array_equal(never["a"], [0.0, 0.0])


def test_temperatures_fall_geometrically(tmp_path):
    quadratic(tmp_path, "heat", schedule={"hard_fraction": 0.0, "temperature_start": 1.0, "temperature_end": 0.01})
    import json
    lines = [json.loads(line) for line in (tmp_path / "heat" / "metrics.jsonl").read_text().splitlines()]
    expected = 0.01 ** (np.arange(40) / 40)
    np.testing.assert_allclose([line["heat"] for line in lines], expected.reshape(2, 20).mean(1), rtol=1e-5)


@pytest.mark.parametrize("options, said", [
    ({"steps": 0}, "steps must be at least 1"), ({"learning_rate": np.nan}, "learning_rate must be positive"),
    ({"hard_fraction": 1.5}, r"hard_fraction must be in \[0, 1\]"),
])
def test_schedules_are_checked(options, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(Schedule(10, 5, 4, 0.1), **options)


def test_the_best_start_is_kept():
    params = {"w": jnp.arange(6.0)}
    best, kept = harness.best_of_starts(params, np.array([3.0, 1.0, 2.0, 0.5, 0.7, 0.6]), 3)
    np.testing.assert_array_equal(best["w"], [1.0, 3.0])
    np.testing.assert_array_equal(kept, [1, 0])


def fake(message_bytes):
    """A codec whose decoder halves what was sent, at 8 bits a vector."""
    x = np.random.default_rng(0).standard_normal((1000, 2))
    codec = types.SimpleNamespace(
        encode=lambda params, x, shared_key: bytes(message_bytes), decode=lambda message, **_: 0.5 * x,
        code_lengths=lambda params, x, shared_key: np.full((len(x), 2), 4.0))
    return codec, x


def test_figures_are_per_vector():
    codec, x = fake(1000)
    m = harness.measure(codec, None, x, perception=harness.normal_marginals(np.array([1.0, 2.0])))
    assert (m.rate, m.cross_entropy) == (8.0, 8.0)
    np.testing.assert_allclose(m.distortion, 0.25 * np.square(x).sum(-1).mean(), rtol=1e-12)
    first, second = (operational_rate.normal_w2_squared(0.5 * x[:, i] / s) for i, s in enumerate((1.0, 2.0)))
    np.testing.assert_allclose(m.perception, first[0] + 4.0 * second[0], rtol=1e-12)
    np.testing.assert_allclose(m.influence, first[1] + 4.0 * second[1], rtol=1e-12)
    with pytest.raises(ValueError, match="1100 bytes were written where the cross-entropy is 1000 bytes"):
        harness.measure(fake(1100)[0], None, x)


@dataclasses.dataclass(frozen=True)
class Settings:
    seed: int = 3


def test_points_are_written_and_one_below_its_bound_fails(tmp_path, capsys):
    codec, x = fake(1000)
    m = harness.measure(codec, None, x)
    options = {"source": "s", "dimension": 2, "codec": "c", "shared": "nothing", "bound_kind": "k", "seed": 3}
    table: dict[str, list] = {}
    harness.add_row(table, m, lower=lambda d, p: 6.0 + 0 * d, upper=lambda d, p: 7.0 - 2.0 * d, **options)
    assert table["bound_lower_bits"] == [6.0]
    np.testing.assert_allclose(table["gap_bits"], 1.0 + 2.0 * m.distortion, rtol=1e-12)
    np.testing.assert_allclose(table["gap_se"], 2.0 * m.errors.std() / np.sqrt(1000), rtol=1e-12)
    arguments = {"units": "u", "started": 0.0}
    harness.write(tmp_path, "sawbridge", Settings(), {"quick": Settings(0)}, table, **arguments)
    assert "# preset: quick" in (tmp_path / "points.csv").read_text()
    harness.add_row(table, m, lower=lambda d, p: 9.0 + 0 * d, upper=lambda d, p: 9.0 + 0 * d, **options)
    with pytest.raises(ValueError, match=r"rows \[1\] .* lie below their bound"):
        harness.write(tmp_path, "sawbridge", Settings(), {"quick": Settings(0)}, table, **arguments)
