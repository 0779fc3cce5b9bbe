"""The suite runs in float64 and refuses silent rank promotion."""

import contextlib
import ctypes
import gc
import os
import pathlib
import sys
import tempfile
import threading

os.environ.setdefault("MPLBACKEND", "agg")
# Most of the suite's time is compiling, which takes two thirds of the time without LLVM's optimizations; what a test
# holds must be true with and without them (`make stress` has them on).
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# XLA's own emitters of fused loops compile in half the time that those through MLIR take; a program in one piece takes
# a sixth less to compile than one in the pieces that threads could compile at once: two workers keep two cores busy.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1")
# Workers of one session, and the processes that tests start, share what takes long to compile.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    _cache = tempfile.TemporaryDirectory(prefix="rdr-tests-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = _cache.name

import jax
import pytest

# Python looks for cycles after each 700 new objects otherwise, of which tracing makes millions.
gc.set_threshold(20_000, 10, 10)

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")

pytest_plugins = ["tests.image_codec_fixtures"]


def _share_contexts(lowerings=50):
    """JAX makes a context of MLIR for each program, a fifth of the time of a small one: one serves some programs.

    Not for ever, since a context keeps the constants of its programs. It is an internal function of JAX: where it is
    not found, nothing changes.
    """
    try:
        from jax._src.interpreters import mlir

        make = mlir.make_ir_context
    except (ImportError, AttributeError):
        return
    kept = threading.local()

    def shared():
        if not getattr(kept, "left", 0):
            kept.context, kept.left = make(), lowerings
        kept.left -= 1
        return kept.context

    mlir.make_ir_context = shared


_share_contexts()

# What takes more than a second, most of it compiling: `--fast` leaves it out. Names without parameters, a line each.
_SLOW = pathlib.Path(__file__).with_name("slow_tests.txt")


def pytest_addoption(parser):
    parser.addoption("--fast", action="store_true", help="leave out the tests that take more than a second")


def pytest_collection_finish():
    gc.freeze()  # modules and what they hold stay: no search for cycles goes through them again


def pytest_collection_modifyitems(config, items):
    if config.getoption("--fast"):
        slow = set(_SLOW.read_text(encoding="utf-8").split())
        left = [item for item in items if item.nodeid.split("[")[0] not in slow]
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid.split("[")[0] in slow])
        items[:] = left


# Linux allows a process 65,530 maps of memory; each compiled program takes some, and the compiler dies at the next.
_MAX_MAPS = 20_000
_MAX_RESIDENT = 1.5 * 2**30  # bytes


def _crowded():
    try:
        with open("/proc/self/maps", encoding="utf-8") as maps, open("/proc/self/statm", encoding="utf-8") as pages:
            resident = int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            return resident > _MAX_RESIDENT or sum(1 for _ in maps) > _MAX_MAPS
    except OSError:  # not Linux
        return False


@pytest.fixture(autouse=True, scope="module")
def _optimizations(request):
    """A module whose programs run for longer than they compile says `OPTIMIZED = True`."""
    before = jax.config.read("jax_disable_most_optimizations")
    if getattr(request.module, "OPTIMIZED", False):
        jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(autouse=True, scope="module")
def _room_for_programs():
    yield
    if _crowded():
        jax.clear_caches()
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)  # glibc keeps what was freed


@pytest.fixture(autouse=True)
def _closed_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
