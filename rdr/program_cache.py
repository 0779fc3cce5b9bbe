"""Bounded caches of compiled programs: a process that sees many shapes keeps the programs of a few.

Each compiled program maps some dozens to hundreds of pieces of memory, and Linux ends a process with more than 65,530
of them. `jax.jit` keeps every program that it ever compiled; a `ProgramCache` keeps those that were used last.
"""

import collections
import contextlib
import ctypes
import functools
import gc
import os
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

MAX_MAPS = 40_000  # of the 65,530 that Linux gives a process; a large program maps some hundreds at once
MAX_DROPPED = 200  # programs, of which jax keeps a megabyte or two each besides the program itself
_MAPS = "/proc/self/maps"
_dropped = 0


def count_maps() -> int:
    """Counts the pieces of memory that this process has mapped.

    Returns:
      The number; 0 where the system does not tell.
    """
    if not os.path.exists(_MAPS):
        return 0
    with open(_MAPS, encoding="utf-8") as maps:
        return sum(1 for _ in maps)


def release_programs(*, max_maps: int = MAX_MAPS) -> bool:
    """Lets go of all compiled programs if the process has mapped too much memory, or dropped many programs.

    To be called before compiling.

    Args:
      max_maps: pieces of memory that may be mapped.

    Returns:
      Whether they were let go: they are compiled again when they are needed.
    """
    global _dropped
    if count_maps() <= max_maps and _dropped < MAX_DROPPED:
        return False
    _dropped = 0
    jax.clear_caches()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # of glibc: freed memory goes back to the system
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return True


class ProgramCache:
    """A function that is compiled for each combination of shapes, and forgets those that were not used lately.

    Calls must not be traced: arguments are arrays, trees of arrays or None, static arguments are hashable.

    Attributes:
      maxsize: how many programs are kept.
    """

    def __init__(self, function: Callable[..., Any], *, maxsize: int = 8, static_argnums: tuple[int, ...] = ()):
        """Makes a cache without programs.

        Args:
          function: a pure function of positional arguments.
          maxsize: how many programs are kept, at least 1.
          static_argnums: positions of arguments that are no arrays.
        """
        if maxsize < 1:
            raise ValueError(f"maxsize must be at least 1, got {maxsize}")
        self._function, self.maxsize, self._static = function, maxsize, static_argnums
        self._programs: collections.OrderedDict[Any, Callable[..., Any]] = collections.OrderedDict()

    def __len__(self) -> int:
        return len(self._programs)

    def __call__(self, *args: Any) -> Any:
        """Calls the function.

        Args:
          *args: of the function.

        Returns:
          What the function returns.
        """
        static = tuple((i, args[i]) for i in self._static if i < len(args))
        leaves, structure = jax.tree.flatten([None if i in self._static else arg for i, arg in enumerate(args)])
        key = (static, structure, tuple((np.shape(leaf), str(getattr(leaf, "dtype", type(leaf)))) for leaf in leaves))
        if key in self._programs:
            self._programs.move_to_end(key)
        else:
            release_programs()
            # A function of its own, so that nothing holds the program once it is dropped here.
            self._programs[key] = jax.jit(functools.partial(_call, self._function), static_argnums=[
                i for i in self._static if i < len(args)])
            while len(self._programs) > self.maxsize:
                self._programs.popitem(last=False)
                _count_dropped()
        return self._programs[key](*args)


def _count_dropped() -> None:
    global _dropped
    _dropped += 1


def _call(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)
