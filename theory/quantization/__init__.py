"""Quantizers with ideal entropy coding: scalar, dithered, lattice."""

from theory._lazy import attach

_ENTROPY_CODED = (
    "OperationalBounds", "ScalarQuantizer", "entropy_coded_distortion_rate", "entropy_coded_rate_distortion",
    "entropy_coded_scalar_quantizer",
)
_MODULES = ("dithered", "entropy_coded", "laplace", "lattices", "tabulated_density", "uniform")

__getattr__, __dir__, __all__ = attach(
    __name__, {**{name: "entropy_coded" for name in _ENTROPY_CODED}, **{name: name for name in _MODULES}}
)
