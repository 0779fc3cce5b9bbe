"""The compilation cache of the commands: where it is, that it is used, bounded, and safe for two at once."""

import importlib.metadata
import os
import pathlib
import subprocess
import sys

import pytest

import rdr
from rdr.cli import compilation_cache

ROOT = pathlib.Path(rdr.__file__).parents[1]
SCRIPT = """
from rdr.cli import compilation_cache
print(compilation_cache.enable())
import jax, jax.numpy as jnp, logging
hits = []
from jax import monitoring
monitoring.register_event_listener(lambda name, **_: hits.append(name))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
print(jax.jit(lambda x: jnp.sin(x) @ x.T)(jnp.ones((3, 3))).sum() > 0)
print(hits.count("/jax/compilation_cache/cache_hits") > 0)
"""


def environment(home, **changes):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    return kept | {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "PYTHONPATH": str(ROOT)} | changes


def start(home, **changes):
    return subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment(home, **changes), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_programs_are_kept_for_later_processes_and_two_may_write_at_once(tmp_path):
    """Fault 41: each call of a command compiled everything again."""
    both = [start(tmp_path) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0 and out.splitlines()[1] == "True", err
    folder = pathlib.Path(out.splitlines()[0])
    assert folder.is_relative_to(tmp_path / "cache" / "rdr") and folder.stat().st_mode & 0o077 == 0
    entries = sorted(folder.glob("*-cache"))
    assert entries
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:20])  # as if a process had been killed while it wrote
    out, err = start(tmp_path).communicate(timeout=300)
    assert out.splitlines()[1] == "True" and "Traceback" not in err
    for entry in entries:
        entry.unlink()
    for hit in ("False", "True"):
        out, _ = start(tmp_path).communicate(timeout=300)
        assert out.splitlines()[1:] == ["True", hit]


@pytest.mark.parametrize("word", ["0", "off"])
def test_a_variable_switches_it_off(tmp_path, word):
    variables = {"HOME": str(tmp_path), compilation_cache.SWITCH: word}
    assert compilation_cache.enable(variables) is None and not list(tmp_path.iterdir())
    assert "JAX_COMPILATION_CACHE_DIR" not in variables


def test_other_folders_and_places_that_cannot_be_written(tmp_path):
    variables = {compilation_cache.SWITCH: str(tmp_path / "here")}
    assert compilation_cache.enable(variables) == tmp_path / "here"
    assert variables["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "here")
    (tmp_path / "file").write_text("")
    assert compilation_cache.enable({compilation_cache.SWITCH: str(tmp_path / "file" / "x")}) is None
    assert compilation_cache.enable({"JAX_COMPILATION_CACHE_DIR": "/there"}) == pathlib.Path("/there")


def test_the_oldest_programs_go_first(tmp_path):
    for age, name in enumerate("cba"):
        path = tmp_path / f"{name}-cache"
        path.write_bytes(b"x" * 10)
        os.utime(path, (1000.0 - age, 1000.0 - age))
    (tmp_path / "other").write_bytes(b"x" * 100)
    compilation_cache.prune(tmp_path, 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b-cache", "c-cache", "other"]


def test_emitters_are_chosen_only_where_nobody_chose_and_they_are_known(monkeypatch):
    """Fault 41: a flag that jaxlib does not know ends the process, so that the version is asked first."""
    quick = compilation_cache.with_quick_emitters
    assert quick("") == "--xla_cpu_use_fusion_emitters=false"
    assert quick("--xla_a=1") == "--xla_a=1 --xla_cpu_use_fusion_emitters=false"
    assert quick("--xla_cpu_use_fusion_emitters=true") == "--xla_cpu_use_fusion_emitters=true"
    for version in ("0.9.1", "0.11.0", "1.0.10.0"):
        monkeypatch.setattr(importlib.metadata, "version", lambda _, found=version: found)
        assert quick("--xla_a=1") == "--xla_a=1"


def test_what_is_installed_knows_the_flag():
    flags = compilation_cache.with_quick_emitters("")
    done = subprocess.run([sys.executable, "-c", "import jax; print(jax.devices())"], capture_output=True, text=True,
                          env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"})
    assert done.returncode == 0, done.stderr
