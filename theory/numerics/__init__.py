"""Checks of arguments, units and elementwise numerics that every bound uses."""

from theory._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {name: name for name in ("checks", "elementwise", "units")})
