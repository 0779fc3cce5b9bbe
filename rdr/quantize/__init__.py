"""Quantization: of single numbers and its differentiable stand-ins, on lattices, and along trellises."""

from rdr._lazy import make_dir
from rdr.quantize.lattices import LATTICES, Lattice, closest_point, lattice
from rdr.quantize.scalar import (
    expected_gradient,
    kumaraswamy_noise,
    low_discrepancy_noise,
    soft_round,
    soft_round_conditional_mean,
    soft_round_inverse,
    straight_through_round,
    uniform_noise,
    universal_quantize,
)
from rdr.quantize.trellis import Trellis, nearest_path, quantize_path, trellis

__all__ = [
    "LATTICES",
    "Lattice",
    "Trellis",
    "closest_point",
    "expected_gradient",
    "kumaraswamy_noise",
    "lattice",
    "low_discrepancy_noise",
    "nearest_path",
    "quantize_path",
    "soft_round",
    "soft_round_conditional_mean",
    "soft_round_inverse",
    "straight_through_round",
    "trellis",
    "uniform_noise",
    "universal_quantize",
]
__dir__ = make_dir(__name__, __all__)
