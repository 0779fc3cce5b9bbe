"""Bounds of other sources in closed form: one source or one question a module."""

from theory._lazy import attach

_MODULES = (
    "bernoulli", "circle", "fixed_representation", "laplace", "manifolds", "phase_transitions",
    "shannon_lower_bound", "side_information", "uniform",
)

__getattr__, __dir__, __all__ = attach(__name__, {name: name for name in _MODULES})
