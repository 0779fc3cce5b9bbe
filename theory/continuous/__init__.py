"""Bounds for densities on the line and the plane under squared error, reproduced anywhere on it."""

from theory._lazy import make_dir
from theory.continuous.densities import (
    Density,
    QuadratureRule,
    banana,
    from_grid,
    from_pdf,
    from_points,
    gaussian_mixture,
    laplace,
    uniform,
)
from theory.continuous.perfect_realism import PerfectRealism, perfect_realism, perfect_realism_curve
from theory.continuous.rate_distortion import (
    ContinuousRateDistortion,
    rate_at,
    rate_distortion,
    rate_distortion_curve,
)

__all__ = [
    "ContinuousRateDistortion",
    "Density",
    "PerfectRealism",
    "QuadratureRule",
    "banana",
    "from_grid",
    "from_pdf",
    "from_points",
    "gaussian_mixture",
    "laplace",
    "perfect_realism",
    "perfect_realism_curve",
    "rate_at",
    "rate_distortion",
    "rate_distortion_curve",
    "uniform",
]
__dir__ = make_dir(__name__, __all__)
