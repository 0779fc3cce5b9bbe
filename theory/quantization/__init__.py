"""Quantizers with ideal entropy coding: scalar, dithered, lattice."""

from theory.quantization.entropy_coded import (
    OperationalBounds,
    ScalarQuantizer,
    entropy_coded_distortion_rate,
    entropy_coded_rate_distortion,
    entropy_coded_scalar_quantizer,
)

__all__ = [
    "OperationalBounds",
    "ScalarQuantizer",
    "entropy_coded_distortion_rate",
    "entropy_coded_rate_distortion",
    "entropy_coded_scalar_quantizer",
]
