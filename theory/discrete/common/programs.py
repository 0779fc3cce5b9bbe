"""A limit on the compiled programs that solvers leave in memory.

Each compiled program maps some hundred pieces of memory, and Linux ends a process that maps more than
`vm.max_map_count` of them (65,530 by default). Solvers for many sizes and divergences would get there.
"""

import functools
import pathlib
import warnings
from collections.abc import Callable
from typing import Any

import jax

_MAPS = pathlib.Path("/proc/self/maps")
_LIMIT = pathlib.Path("/proc/sys/vm/max_map_count")


def mapped_pieces() -> int:
    """Counts the pieces of memory that this process has mapped.

    Returns:
      Their number; 0 where the system does not say.
    """
    try:
        with _MAPS.open("rb") as lines:
            return sum(1 for _ in lines)
    except OSError:
        return 0


def limit_of_pieces() -> int:
    """Reads the number of pieces at which the system refuses more.

    Returns:
      The limit; 2^31 where the system does not say.
    """
    try:
        return int(_LIMIT.read_text())
    except (OSError, ValueError):
        return 2**31


class Programs:
    """Jitted functions whose programs are released before the process has too many.

    Functions are registered by the decorator `compiled`, outside of `jax.jit`. Within `with programs:` every call that
    needs a program that was not there counts the pieces of memory first.

    Args:
      share: part of the system's limit from which on programs are released.
    """

    def __init__(self, share: float = 0.5):
        self._share = share
        self._functions = []
        self._sizes: dict[int, int] = {}

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Registers a jitted function.

        Args:
          function: what `jax.jit` returned.

        Returns:
          The function.
        """
        self._functions.append(function)

        @functools.wraps(function)
        def call(*args, **kwargs):
            return function(*args, **kwargs)

        return call

    def __enter__(self) -> "Programs":
        return self

    def __exit__(self, *_) -> None:
        sizes = {i: function._cache_size() for i, function in enumerate(self._functions)}
        grown = sizes != self._sizes
        self._sizes = sizes
        if grown and mapped_pieces() > self._share * limit_of_pieces():
            self.release()

    def release(self) -> None:
        """Lets go of all programs; says so if that does not help."""
        for function in self._functions:
            function.clear_cache()
        jax.clear_caches()
        self._sizes = {}
        pieces, limit = mapped_pieces(), limit_of_pieces()
        if pieces > self._share * limit:
            warnings.warn(
                f"this process has mapped {pieces} of at most {limit} pieces of memory, and compiled programs are "
                "released: something else holds them; the process may end when there are too many",
                ResourceWarning, stacklevel=4)  # fmt: skip
