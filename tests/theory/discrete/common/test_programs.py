"""The limit on compiled programs: when they are released, and that a long loop over sizes passes."""

import resource

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.discrete import rate_distortion, rate_distortion_perception
from theory.discrete.common import programs

NAMES = ("tv", "kl", "reverse_kl", "js", "chi2", "hellinger2", "w1", "w2sq")


def test_programs_are_released_when_there_are_many(monkeypatch):
    kept = programs.Programs()
    double = kept.compiled(jax.jit(lambda x: 2 * x))
    monkeypatch.setattr(programs, "mapped_pieces", lambda: 10)
    with kept:
        assert double(jnp.ones(2)).sum() == 4
    inner = kept._functions[0]
    assert inner._cache_size() == 1
    # The next new program finds too many pieces; afterwards none of them is left, and it says what it could not do.
    monkeypatch.setattr(programs, "mapped_pieces", lambda: programs.limit_of_pieces())
    with pytest.warns(ResourceWarning, match="something else holds them"), kept:
        double(jnp.ones(3))
    assert inner._cache_size() == 0 and double(jnp.ones(3)).sum() == 6


def test_pieces_are_counted():
    assert programs.mapped_pieces() > 10 and programs.limit_of_pieces() >= 1024


@pytest.mark.stress
def test_a_loop_over_sizes_and_divergences():
    """Fault 6: each size mapped 440 pieces of memory, and the process ended after 150 of them."""
    for n in range(2, 65):
        pmf, matrix = np.full(n, 1 / n), np.abs(np.arange(n)[:, None] - np.arange(n)) * 1.0
        assert bool(rate_distortion(pmf, matrix, distortion=0.2).converged)
        for name in NAMES:
            assert bool(rate_distortion_perception(
                pmf, matrix, distortion=0.2, perception=0.01, divergence=name).converged)
        assert programs.mapped_pieces() < programs.limit_of_pieces()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 * 2**20
