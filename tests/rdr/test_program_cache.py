"""Compiled programs are kept for a few shapes, and given back."""

import gc
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr import program_cache
from rdr.program_cache import ProgramCache, count_maps, release_programs


def test_values_are_those_of_the_function_and_the_last_shapes_are_kept():
    calls = []

    def scaled(tree, x, power, extra):
        calls.append(x.shape)
        return tree["w"] * x**power + (0.0 if extra is None else extra)

    cache, w = ProgramCache(scaled, maxsize=2, static_argnums=(2,)), {"w": np.float32(3.0)}
    for length in (2, 3, 2, 3):
        np.testing.assert_array_equal(cache(w, np.full(length, 2.0, np.float32), 2, None), np.full(length, 12.0))
    assert calls == [(2,), (3,)] and len(cache) == 2
    cache(w, np.ones(4, np.float32), 2, None)  # forgets length 2
    cache(w, np.ones(3, np.float32), 2, None)
    assert calls == [(2,), (3,), (4,)]
    np.testing.assert_array_equal(cache(w, np.ones(2, np.float32), 3, 1.0), [4.0, 4.0])  # other static, another tree
    assert len(cache) == 2 and len(calls) == 4
    with pytest.raises(ValueError, match="maxsize must be at least 1"):
        ProgramCache(scaled, maxsize=0)


def test_x64_and_disabled_jit_are_as_the_caller_says():
    cache = ProgramCache(lambda x: jnp.sin(x) + np.float64(0.0))
    for x64 in (True, False, True):
        with jax.enable_x64(x64):
            assert cache(np.ones(3)).dtype == (np.float64 if x64 else np.float32)
    with jax.disable_jit():
        assert cache(np.ones(3)).shape == (3,)


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="the system does not say what is mapped")
def test_a_process_that_sees_many_shapes_keeps_its_maps():
    """Fault 30: `jax.jit` maps more memory for every shape and never lets go."""
    program = """if True:
        import gc, jax, jax.numpy as jnp, numpy as np
        from rdr.program_cache import ProgramCache, count_maps
        def call(x):
            return jnp.sort(x) + jnp.cumsum(jnp.sin(x) @ jnp.ones((x.shape[-1], 3))).sum()
        for run in (ProgramCache(call, maxsize=4), jax.jit(call)):
            counts = []
            for n in range(2, 22):
                run(np.ones((n, n), np.float32))
                if n in (9, 21):
                    gc.collect()
                    counts.append(count_maps())
            print(counts[1] - counts[0])
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                          env={**os.environ, "JAX_PLATFORMS": "cpu"})
    cache, jit = map(int, done.stdout.split())
    assert jit >= 12 and cache < 0.2 * jit


def test_programs_are_released_only_when_too_much_is_mapped(monkeypatch):
    cleared = []
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(1))
    monkeypatch.setattr(gc, "collect", lambda: None)
    monkeypatch.setattr(program_cache, "count_maps", lambda: 10)
    assert not release_programs(max_maps=10) and not cleared
    assert release_programs(max_maps=9) and cleared == [1]
    monkeypatch.setattr(program_cache, "_dropped", 3)
    monkeypatch.setattr(program_cache, "MAX_DROPPED", 3)  # memory beside the programs themselves
    assert release_programs(max_maps=10) and not release_programs(max_maps=10) and cleared == [1, 1]
    assert count_maps() >= 0
