"""Common parts of the solvers of R(D) and R(D, P): channels, gradients, padded sizes and compiled programs."""

from theory._lazy import make_dir

__all__: list[str] = []
__dir__ = make_dir(__name__, __all__)
