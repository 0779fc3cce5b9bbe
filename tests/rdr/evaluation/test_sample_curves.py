"""Stand-ins for the estimators, which have tests of their own: what they are called with, and how often."""

import numpy as np
import pytest

import rdr.estimators
from rdr.data.samples import Samples
from rdr.evaluation import sample_curves

SAMPLES = Samples(np.zeros((20, 3), np.float32), np.ones((5, 3), np.float32), (3,), "x", "x")
BUDGET = sample_curves.Budget(num_particles=7, particle_steps=2, network_steps=3, components=6, mixture_steps=4,
                              hidden=(4,), batch=5, seed=1)


@pytest.fixture
def calls(monkeypatch):
    found = []
    for name in sample_curves.TRAINED:
        monkeypatch.setattr(rdr.estimators, name, lambda *vectors, name=name, **options: found.append(
            (name, vectors, options)) or name, raising=False)
    return found


@pytest.mark.parametrize(("name", "expected"), [
    ("particles", {"num_particles": 7, "steps": 2}),
    ("mixture", {"components": 6, "steps": 4}), ("variational", {"hidden": (4,), "steps": 3, "batch": 5}),
    ("generator", {"draws": 7, "beyond_cap": "keep", "steps": 3})])
def test_budgets_reach_the_estimators(tmp_path, calls, name, expected):
    assert sample_curves.trained_curve(name, SAMPLES, [1.0, 2.0], budget=BUDGET, directory=tmp_path) == [name]
    (called, (vectors, held_out), options), = calls
    assert called == name and vectors is SAMPLES.vectors and held_out is SAMPLES.held_out
    assert expected.items() <= options.items()
    np.testing.assert_array_equal(options["slopes"], [1.0, 2.0])


def test_many_particles_are_fitted_in_parts(tmp_path, calls, monkeypatch):
    monkeypatch.setattr(sample_curves, "_MAX_NUMBERS", 2 * 7 * 3)
    slopes = np.arange(1.0, 6.0)
    found = sample_curves.trained_curve("particles", SAMPLES, slopes, budget=BUDGET, directory=tmp_path)
    assert len(found) == 3
    assert [list(options["slopes"]) for *_, options in calls] == [[1.0, 2.0], [3.0, 4.0], [5.0]]
    assert len({options["workdir"] for *_, options in calls}) == 3


def test_other_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="name must be one of particles"):
        sample_curves.trained_curve("gaussian", SAMPLES, [1.0], budget=BUDGET, directory=tmp_path)
